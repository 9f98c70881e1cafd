//! Runs of a decoder on many inputs; those that break a promise are kept.

use std::collections::BTreeMap;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::time::{Duration, Instant};

use sync_core::wire::{MESSAGE_BYTES_MAX, pack};

use super::mutate::mutate;
use super::{Decoder, Ground, Input, MEMORY_MAX, TIME_MAX, corpus, memory};
use crate::sim::fault::Dice;

/// Inputs that are kept to be changed further.
const POOL_MAX: usize = 1024;
/// An input that takes too long is tried this often, and the best counts: the machine is shared.
const TRIES: usize = 5;

/// What came of a run.
#[derive(Debug, Default)]
pub struct Report {
    /// Inputs tried.
    pub executions: u64,
    /// What decoders made of them, and how often.
    pub outcomes: BTreeMap<String, u64>,
    /// Inputs that broke a promise, the first of each kind.
    pub findings: Vec<Finding>,
    /// The longest that one input took.
    pub longest: Duration,
    /// The most that was allocated at once for one input.
    pub most: usize,
}

/// An input that broke a promise.
#[derive(Debug)]
pub struct Finding {
    /// The promise.
    pub what: String,
    /// The input.
    pub input: Vec<u8>,
    /// The fuzzer signed it itself.
    pub mended: bool,
}

/// Tries one input.
pub fn execute(ground: &Ground, decoder: &Decoder, input: Input<'_>) -> Executed {
    let started = Instant::now();
    let run = || catch_unwind(AssertUnwindSafe(|| (decoder.check)(ground, input)));
    let (caught, grown) = memory::grown(run);
    let took = started.elapsed();
    let mut checked = match caught {
        Ok(checked) => checked,
        Err(panic) => {
            let text = panic.downcast_ref::<String>().map(String::as_str);
            let text = text.or_else(|| panic.downcast_ref::<&str>().copied());
            Err(format!("panic: {}", text.unwrap_or("?")))
        }
    };
    if grown > MEMORY_MAX {
        checked = Err(format!("{} MiB are allocated", grown >> 20));
    }
    Executed {
        checked,
        took,
        grown,
    }
}

/// What came of one input.
pub struct Executed {
    /// The decoder's word, or the promise that it broke.
    pub checked: Result<String, String>,
    /// How long it took.
    pub took: Duration,
    /// What was allocated at once, at the most.
    pub grown: usize,
}

/// The same, and if it takes too long, once more until it is sure that it does.
fn execute_fairly(ground: &Ground, decoder: &Decoder, input: Input<'_>) -> Executed {
    let mut executed = execute(ground, decoder, input);
    for _ in 1..TRIES {
        if executed.took <= TIME_MAX {
            return executed;
        }
        executed.took = execute(ground, decoder, input).took.min(executed.took);
    }
    if executed.took > TIME_MAX && executed.checked.is_ok() {
        executed.checked = Err(format!("takes {:?}", executed.took));
    }
    executed
}

/// Runs a decoder on inputs drawn from `seed`, as long as `go_on` says; it hears each input before
/// it is tried.
pub fn run(
    ground: &Ground,
    decoder: &Decoder,
    seed: u64,
    go_on: &mut dyn FnMut(&Report, &[u8]) -> bool,
) -> Report {
    let mut dice = Dice::new(seed);
    // What was signed here once may verify later too, whatever else is changed.
    let seeds = corpus::seeds(ground, decoder).into_iter();
    let mut pool: Vec<(Vec<u8>, bool)> = seeds.map(|seed| (seed, false)).collect();
    let mut report = Report::default();
    let mut untouched = pool.clone();
    untouched.reverse();
    while !pool.is_empty() {
        let (bytes, mended) = match untouched.pop() {
            Some(seed) => seed,
            None => {
                let (base, other) = (dice.pick(&pool).clone(), dice.pick(&pool).clone());
                let changed = mutate(&mut dice, &base.0, &other.0);
                let (changed, mended) = match decoder.mend.filter(|_| dice.chance(600)) {
                    Some(mend) => (mend(ground, changed), true),
                    None => (changed, base.1 || other.1),
                };
                match decoder.packed && dice.chance(10) {
                    true => (bomb(&mut dice, &changed), mended),
                    false => (changed, mended),
                }
            }
        };
        if !go_on(&report, &bytes) {
            break;
        }
        let input = Input {
            bytes: &bytes,
            mended,
        };
        let executed = execute_fairly(ground, decoder, input);
        report.executions += 1;
        report.longest = report.longest.max(executed.took);
        report.most = report.most.max(executed.grown);
        match executed.checked {
            Ok(word) => {
                let seen = report.outcomes.entry(word).or_default();
                *seen += 1;
                if *seen == 1 && pool.len() < POOL_MAX {
                    pool.push((bytes, mended));
                }
            }
            Err(what) => {
                if report
                    .findings
                    .iter()
                    .all(|found| kind(&found.what) != kind(&what))
                {
                    report.findings.push(Finding {
                        what,
                        input: bytes,
                        mended,
                    });
                }
            }
        }
    }
    report
}

/// The message compressed, with a piece of it again and again up to the limit of a message and a
/// little beyond.
fn bomb(dice: &mut Dice, input: &[u8]) -> Vec<u8> {
    let message = input.get(1..).unwrap_or_default();
    let at = dice.below(message.len() + 1);
    let piece = &message[at..(at + 1 + dice.below(64)).min(message.len())];
    let room = *dice.pick(&[
        0,
        1 << 16,
        1 << 20,
        MESSAGE_BYTES_MAX,
        MESSAGE_BYTES_MAX + 1,
    ]);
    let times = room / piece.len().max(1);
    let blown = [
        &message[..at],
        piece.repeat(times).as_slice(),
        &message[at..],
    ]
    .concat();
    pack(&blown)
}

/// A promise without the numbers in it.
fn kind(what: &str) -> String {
    what.chars().filter(|c| !c.is_ascii_digit()).collect()
}
