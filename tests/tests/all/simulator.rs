//! The simulator finds nothing in the code as it is, and finds every mistake that is planted.

use std::time::{Duration, Instant};

use ortoo_tests::sim::fault::{Fault, Plant};
use ortoo_tests::sim::{Options, Summary, run, run_many};

/// Seeds of the test command: all that a minute lasts for, but no more and no fewer than these. More are
/// run by hand: `cargo xtask simulate 0..10000`.
const SEEDS: std::ops::RangeInclusive<u64> = 300..=1000;
const BUDGET: Duration = Duration::from_secs(60);

fn failures(summary: &Summary) -> String {
    let lines = summary.failed.iter().take(5).map(|outcome| {
        let broken = outcome.broken.as_deref().unwrap_or_default();
        format!("seed {}: {broken}\n  {}\n", outcome.seed, outcome.config)
    });
    lines.collect()
}

#[test]
fn the_seeds_of_a_minute_are_clean_and_exercise_every_fault() {
    let started = Instant::now();
    let (least, most) = SEEDS.into_inner();
    let summary = run_many(0..most, Options::default(), &|summary| {
        summary.seeds < least || started.elapsed() < BUDGET
    });
    assert!(summary.failed.is_empty(), "{}", failures(&summary));
    assert!(summary.seeds >= least, "{} seeds", summary.seeds);
    // A dictionary that refuses what the simulated people type would make all of this idle.
    assert!(
        summary.saved > 10 * summary.seeds,
        "only {} edits were saved",
        summary.saved
    );
    for fault in Fault::ALL {
        assert!(
            summary.faults.contains_key(&fault),
            "{fault:?} never happened"
        );
    }
}

/// The same over the real server, two nodes in turn, and the real stores: slower by ten times.
const REAL_SEEDS: std::ops::RangeInclusive<u64> = 24..=100;
const REAL_BUDGET: Duration = Duration::from_secs(40);

#[test]
fn the_real_server_and_the_real_stores_are_clean_under_the_same_scenarios() {
    let started = Instant::now();
    let (least, most) = REAL_SEEDS.into_inner();
    let options = Options {
        real: true,
        ..Options::default()
    };
    let summary = run_many(0..most, options, &|summary| {
        summary.seeds < least || started.elapsed() < REAL_BUDGET
    });
    assert!(summary.failed.is_empty(), "{}", failures(&summary));
    assert!(summary.seeds >= least, "{} seeds", summary.seeds);
    assert!(summary.saved > 10 * summary.seeds, "{}", summary.saved);
    assert!(summary.cells > 10 * summary.seeds, "{}", summary.cells);
    let of_servers = [
        Fault::HubRestored,
        Fault::HubRestoredWithJournal,
        Fault::Rollback,
        Fault::TwoWriters,
        Fault::Erased,
        Fault::Revoked,
    ];
    for fault in of_servers.into_iter().chain(Fault::OF_THE_REAL) {
        assert!(
            summary.faults.contains_key(&fault),
            "{fault:?} never happened"
        );
    }
}

#[test]
fn a_seed_always_tells_the_same_story() {
    let options = Options {
        trace: true,
        ..Options::default()
    };
    for seed in [1, 10, 38] {
        assert_eq!(run(seed, options).trace, run(seed, options).trace);
    }
}

/// The first seed of `0..seeds` that fails with a mistake planted, and the rule that it names.
fn found(plant: Plant, seeds: u64) -> (u64, String) {
    let options = Options {
        plant: Some(plant),
        ..Options::default()
    };
    let summary = run_many(0..seeds, options, &|summary| summary.failed.is_empty());
    let first = summary.failed.first();
    let first = first.unwrap_or_else(|| panic!("{} is not found in {seeds} seeds", plant.name()));
    (first.seed, first.broken.clone().unwrap_or_default())
}

#[test]
fn bytes_that_leave_before_they_are_durable_are_found() {
    let (_, broken) = found(Plant::SendBeforeDurable, 10);
    assert!(broken.starts_with("R1: "), "{broken}");
}

#[test]
fn a_server_that_keeps_one_batch_per_number_is_found() {
    let (_, broken) = found(Plant::DoNothingOnUsedNumber, 100);
    let never_done = broken.starts_with("Progress: ") || broken.starts_with("Prompt: ");
    assert!(never_done, "{broken}");
}

#[test]
fn a_gap_applied_early_is_found() {
    found(Plant::GapApplied, 100);
}

#[test]
fn a_store_without_a_fence_is_found() {
    found(Plant::FenceIgnored, 50);
}

#[test]
fn randomness_drawn_twice_is_found() {
    found(Plant::SameRandomness, 400);
}

#[test]
fn half_a_transaction_is_found() {
    found(Plant::HalfCommit, 100);
}

#[test]
fn a_server_that_goes_on_with_the_roster_before_a_revocation_is_found() {
    let (_, broken) = found(Plant::RosterRemembered, 100);
    assert!(broken.starts_with("R25: "), "{broken}");
}

#[test]
fn going_on_after_a_persist_error_is_found() {
    found(Plant::GoOnAfterError, 100);
}

#[test]
fn control_that_is_replayed_as_a_log_after_a_restore_is_found() {
    found(Plant::ControlReplayedAsLog, 300);
}

#[test]
fn a_restored_server_that_serves_at_once_is_found() {
    let (_, broken) = found(Plant::ServesInRecovery, 200);
    assert!(broken.starts_with("R20: "), "{broken}");
}

#[test]
fn a_safe_vector_that_is_told_too_early_is_found() {
    let (_, broken) = found(Plant::SafeToldTooEarly, 200);
    assert!(broken.starts_with("R23: "), "{broken}");
}

#[test]
fn a_server_that_takes_only_a_phones_own_feeds_from_it_is_found() {
    found(Plant::OwnFeedsOnly, 200);
}

#[test]
fn a_budget_that_may_send_nothing_is_found() {
    let (_, broken) = found(Plant::BudgetOfNothing, 200);
    assert!(broken.starts_with("R47: "), "{broken}");
}

#[test]
fn a_server_that_takes_branches_without_end_is_found() {
    let (_, broken) = found(Plant::BranchesUnbounded, 300);
    // Or sooner by what comes of it: nobody can read the answers any more.
    let unreadable = "our own answer: the message is over the size limit";
    let found = broken.starts_with("Bounded: ") || broken.ends_with(unreadable);
    assert!(found, "{broken}");
}

#[test]
fn a_server_that_counts_what_a_revoked_device_signs_later_is_found() {
    found(Plant::CutIgnored, 300);
}

#[test]
fn a_server_that_does_not_follow_the_offices_verdicts_is_found() {
    found(Plant::VerdictNotFollowed, 300);
}

#[test]
fn an_entry_that_is_blotted_out_without_an_order_is_found() {
    found(Plant::RedactedWithoutOrder, 100);
}

#[test]
fn a_bundle_that_is_answered_before_it_is_durable_is_found() {
    found(Plant::BundleAnsweredTooEarly, 1000);
}

#[test]
fn a_browser_that_answers_before_it_is_durable_is_found() {
    found(Plant::AnswersBeforeFlush, 100);
}

#[test]
fn a_browser_that_marks_nothing_before_it_merges_is_found() {
    let (_, broken) = found(Plant::ForgetsTheMark, 100);
    assert!(broken.starts_with("R15: "), "{broken}");
}
