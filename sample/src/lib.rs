//! A made-up banner: its people, and the phones that record them over years, through the same
//! enrolment and exchange as everybody's.
//!
//! A seed and a number of people give every person and every event of their lives. Each unit has a
//! diary of what its cadres write; the diary is played day by day on phones in memory ([`phone`]),
//! which exchange with the server a few times a year. So histories, conflicts and figures look
//! as they would after years of use, and no byte reaches the server in a way that a phone's could
//! not.
//!
//! Nobody here is real: names come from word lists, and ID numbers have an address code that
//! doesn't exist ([`people`]). The devices' keys follow from the seed, so only an installation for
//! samples may let them in.
//!
//! # The life of a sample
//! [`record()`] spreads the people over the units, and for each unit, two at a time: draws its
//! households and what the years bring them, writes the diary (first visits, water and toilets,
//! absences and care, screening rounds, and a few mistakes on purpose), enrols the phones, saves
//! entry after entry at its date, exchanges, and lets the phones go.
//!
//! Nothing here does I/O or reads a clock: the server stands behind [`Banner`].

mod care;
mod day;
mod diary;
mod draw;
mod dwelling;
mod entry;
mod family;
mod life;
mod names;
mod numbers;
mod oddities;
pub mod people;
pub mod phone;
mod playback;
mod recording_unit;
mod register;
mod screening;
#[cfg(test)]
mod tests;

use std::sync::Mutex;
use std::sync::atomic::{AtomicUsize, Ordering};

use plan::Package;
use plan::unit::OrgUnit;
use sync_core::enrol::EnrolmentLink;

use crate::names::Names;
use crate::phone::PhoneError;
use crate::recording_unit::{RecordingUnit, places};

/// Units that are recorded at the same time.
const AT_ONCE: usize = 2;

/// What is to be made.
#[derive(Clone, Copy, Debug)]
pub struct SampleOptions {
    /// How many people are recorded over all years; at least two in every unit.
    pub people: usize,
    /// What everybody and everything follows from.
    pub seed: u64,
    /// The last moment, Unix seconds: what would happen later has not happened yet.
    pub until: i64,
}

/// The server's side, by the bytes of its requests. Used from two threads at once.
pub trait Banner: Sync {
    /// Why the server did not do it.
    type Error: Send;

    /// A link for one phone of a cadre of `unit`; the device is listed under `name`.
    fn code(&self, unit: &OrgUnit, name: &str) -> Result<EnrolmentLink, Self::Error>;

    /// `POST /v1/enrol`.
    fn enrol(&self, body: &[u8]) -> Result<Vec<u8>, Self::Error>;

    /// `POST /v1/exchange`.
    fn exchange(&self, body: &[u8]) -> Result<Vec<u8>, Self::Error>;
}

/// What was made.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Counts {
    /// People.
    pub people: usize,
    /// Households.
    pub households: usize,
    /// Phones.
    pub phones: usize,
    /// Records: some people have two.
    pub records: usize,
    /// Edits that changed something.
    pub edits: usize,
    /// Batches that the phones sent.
    pub batches: usize,
}

/// Why a sample was not made, or not whole.
#[derive(Debug, thiserror::Error)]
pub enum SampleError<E> {
    /// The server's.
    #[error("the server did not do it")]
    Banner(E),
    /// A phone's: a mistake in this program.
    #[error(transparent)]
    Phone(PhoneError),
    /// No key of a value: a mistake in this program.
    #[error("{0} is no key")]
    Key(String),
}

/// Records a banner on the server. `progress` hears how many people of how many are done, from
/// both threads.
pub fn record<B: Banner>(
    banner: &B,
    package: &Package,
    options: &SampleOptions,
    progress: &(dyn Fn(usize, usize) + Sync),
) -> Result<Counts, SampleError<B::Error>> {
    let names = Names::new();
    let mut waiting = places(package, options.people, options.seed);
    // The largest first, so that no thread is left alone with one; taken from the end.
    waiting.sort_by_key(|place| place.people * place.phones);
    let progress = Progress {
        total: waiting.iter().map(|place| place.people).sum(),
        done: AtomicUsize::new(0),
        tell: progress,
    };
    let waiting = Mutex::new(waiting);
    let outcome = Mutex::new(Ok(Counts::default()));
    std::thread::scope(|scope| {
        for _ in 0..AT_ONCE {
            scope.spawn(|| {
                while let Some(place) = next(&waiting, &outcome) {
                    let recorded = progress.unit(&place, |step| {
                        playback::unit(banner, options, &place, &names, step)
                    });
                    add(&outcome, recorded);
                }
            });
        }
    });
    outcome
        .into_inner()
        .unwrap_or_else(|poisoned| poisoned.into_inner())
}

type Outcome<E> = Result<Counts, SampleError<E>>;

/// The next unit, unless one has failed.
fn next<'a, E>(
    waiting: &Mutex<Vec<RecordingUnit<'a>>>,
    outcome: &Mutex<Outcome<E>>,
) -> Option<RecordingUnit<'a>> {
    let failed = outcome.lock().map_or(true, |outcome| outcome.is_err());
    match failed {
        true => None,
        false => waiting.lock().ok()?.pop(),
    }
}

/// Adds what a unit came to; the first failure stays.
fn add<E>(outcome: &Mutex<Outcome<E>>, unit: Outcome<E>) {
    let Ok(mut outcome) = outcome.lock() else {
        return;
    };
    match (&mut *outcome, unit) {
        (Ok(sum), Ok(unit)) => {
            sum.people += unit.people;
            sum.households += unit.households;
            sum.phones += unit.phones;
            sum.records += unit.records;
            sum.edits += unit.edits;
            sum.batches += unit.batches;
        }
        (Ok(_), Err(error)) => *outcome = Err(error),
        (Err(_), _) => {}
    }
}

/// How far both threads are, in people.
struct Progress<'a> {
    total: usize,
    done: AtomicUsize,
    tell: &'a (dyn Fn(usize, usize) + Sync),
}

impl Progress<'_> {
    /// Follows one unit, whose entries stand for its people.
    fn unit<T>(
        &self,
        place: &RecordingUnit<'_>,
        work: impl FnOnce(&mut dyn FnMut(usize, usize)) -> T,
    ) -> T {
        let mut told = 0;
        work(&mut |done, of| {
            let people = place.people * done / of.max(1);
            if people > told {
                let more = people - told;
                let done = self.done.fetch_add(more, Ordering::Relaxed) + more;
                told = people;
                (self.tell)(done, self.total);
            }
        })
    }
}
