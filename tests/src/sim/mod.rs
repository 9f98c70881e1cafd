//! The deterministic simulator: phones, a server and a bad link in one process, from one seed.
//!
//! A seed draws everything: how many phones, who fails how, what people type ([`fault::Config`]).
//! The core is the real one; store, server and link are kept in memory and lose, repeat, cut, crash
//! and set back as the configuration says (`world`). With [`Options::real`] the server is two nodes of
//! the real one over one database (`real`), and phones have the real store: slower by far, for fewer
//! seeds. When the faults have stopped, a bounded
//! number of exchanges must bring everybody together, and the oracle, which shares no code with
//! admission, compares what is there with what users were told is saved. Its rules have the names
//! that REPLICATION.md gives them.
//!
//! The first thing to do with a failing seed is `ortoo-simulate SEED --trace`. A [`fault::Plant`]
//! is a mistake in the hosts that must be found; it is how we know that the oracle looks.

mod accepted;
mod agree;
mod courier;
mod erased;
pub mod fault;
mod finish;
mod groups;
mod held;
mod host;
mod hostile;
mod hub;
mod mail;
mod merging;
mod moved;
mod narrowed;
mod network;
mod oracle;
mod phone;
mod real;
mod restore;
mod revoked;
mod store;
mod taking;
mod traffic;
mod users;
pub mod village;
mod wiped;
mod world;

use std::collections::BTreeMap;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::Mutex;
use std::sync::atomic::{AtomicU64, Ordering};

use fault::{Config, Dice, Fault, Plant};
use world::World;

/// What came of one seed.
#[derive(Clone, Debug)]
pub struct Outcome {
    /// The seed.
    pub seed: u64,
    /// What it drew.
    pub config: String,
    /// The rule that does not hold and what was seen, if any.
    pub broken: Option<String>,
    /// Steps taken under faults.
    pub steps: u32,
    /// Edits that users were told are saved.
    pub saved: usize,
    /// Forms that the dictionary refused.
    pub refused_forms: u64,
    /// Cells of the real server's figures with anything in them, counted twice in the end.
    pub cells: u64,
    /// Rounds of exchanges that were needed after the faults had stopped.
    pub rounds: u32,
    /// What went wrong on purpose, and how often.
    pub faults: BTreeMap<Fault, u64>,
    /// What happened, in order, if asked for.
    pub trace: Vec<String>,
}

/// How a seed is run.
#[derive(Clone, Copy, Debug, Default)]
pub struct Options {
    /// The mistake to make.
    pub plant: Option<Plant>,
    /// Whether to write down what happens.
    pub trace: bool,
    /// The real server, two nodes over one database, and the phones' real stores, instead of those in
    /// memory. Nothing can be planted in them.
    pub real: bool,
}

/// Runs one seed.
pub fn run(seed: u64, options: Options) -> Outcome {
    let mut dice = Dice::new(seed);
    let mut config = Config::draw(seed, &mut dice);
    if options.real {
        config.for_the_real();
    }
    let mut world = World::new(config.clone(), dice, options);
    let ended = catch_unwind(AssertUnwindSafe(|| world.run()));
    let broken = match ended {
        Ok(Ok(())) => None,
        Ok(Err(broken)) => Some(format!("{}: {}", broken.rule, broken.what)),
        Err(panic) => {
            let text = panic.downcast_ref::<String>().map(String::as_str);
            let text = text.or_else(|| panic.downcast_ref::<&str>().copied());
            Some(format!("panic: {}", text.unwrap_or("?")))
        }
    };
    Outcome {
        seed,
        config: config.to_string(),
        broken,
        steps: world.step(),
        saved: world.saved(),
        refused_forms: world.refused_forms(),
        cells: world.cells(),
        rounds: world.rounds(),
        faults: world.faults().clone(),
        trace: world.take_trace(),
    }
}

/// What came of many seeds.
#[derive(Debug, Default)]
pub struct Summary {
    /// Seeds run.
    pub seeds: u64,
    /// Steps under faults, over all seeds.
    pub steps: u64,
    /// Edits saved, over all seeds.
    pub saved: u64,
    /// Forms that the dictionary refused, over all seeds.
    pub refused_forms: u64,
    /// Cells of the real server's figures with anything in them, over all seeds.
    pub cells: u64,
    /// The most rounds that any seed needed after its faults.
    pub rounds_max: u32,
    /// Faults exercised, over all seeds.
    pub faults: BTreeMap<Fault, u64>,
    /// The seeds that failed, ascending.
    pub failed: Vec<Outcome>,
}

/// Runs seeds on all cores, until they are done or `go_on` says to stop.
pub fn run_many(
    seeds: std::ops::Range<u64>,
    options: Options,
    go_on: &(dyn Fn(&Summary) -> bool + Sync),
) -> Summary {
    let next = AtomicU64::new(seeds.start);
    let summary = Mutex::new(Summary::default());
    let work = || {
        loop {
            let seed = next.fetch_add(1, Ordering::Relaxed);
            if seed >= seeds.end {
                return;
            }
            let outcome = run(seed, options);
            // A run catches its panics, so the lock is never poisoned.
            let mut summary = summary
                .lock()
                .unwrap_or_else(|poisoned| poisoned.into_inner());
            summary.add(outcome);
            if !go_on(&summary) {
                return;
            }
        }
    };
    let threads = std::thread::available_parallelism().map_or(1, std::num::NonZero::get);
    std::thread::scope(|scope| {
        for _ in 0..threads {
            scope.spawn(work);
        }
    });
    let mut summary = summary
        .into_inner()
        .unwrap_or_else(|poisoned| poisoned.into_inner());
    summary.failed.sort_by_key(|outcome| outcome.seed);
    summary
}

impl Summary {
    fn add(&mut self, outcome: Outcome) {
        self.seeds += 1;
        self.steps += u64::from(outcome.steps);
        self.saved += outcome.saved as u64;
        self.refused_forms += outcome.refused_forms;
        self.cells += outcome.cells;
        self.rounds_max = self.rounds_max.max(outcome.rounds);
        for (fault, count) in &outcome.faults {
            *self.faults.entry(*fault).or_default() += count;
        }
        if outcome.broken.is_some() {
            self.failed.push(outcome);
        }
    }
}
