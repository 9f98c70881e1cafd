//! Draws that follow from a seed alone.

use rand_chacha::ChaCha8Rng;
use rand_chacha::rand_core::{Rng, SeedableRng};
use sync_core::id::{RecordId, Subject};

use crate::day::Day;

/// What a stream of draws is for. Each has its own, so that a matter that draws more in a longer
/// life leaves all others as they are.
#[derive(Clone, Copy)]
pub(crate) enum Matter {
    /// Who lives in a household.
    Family = 1,
    /// Births, deaths, moves.
    Life = 2,
    /// The first visit: documents, papers, consent.
    Register = 3,
    /// Water and toilets.
    Dwelling = 4,
    /// Needs, visits and services.
    Care = 5,
    /// The screening rounds.
    Screening = 6,
    /// What goes wrong on purpose.
    Oddities = 7,
    /// Who keeps the registers.
    Cadres = 8,
}

/// A stream of draws.
pub(crate) struct Draw(ChaCha8Rng);

impl Draw {
    /// The stream of one matter of one place (a unit's number) and part of it (a household's).
    pub(crate) fn of(seed: u64, matter: Matter, place: u64, part: u64) -> Self {
        let mut bytes = [0; 32];
        let numbers = [seed, matter as u64, place, part];
        for (to, number) in bytes.chunks_exact_mut(8).zip(numbers) {
            to.copy_from_slice(&number.to_le_bytes());
        }
        Self(ChaCha8Rng::from_seed(bytes))
    }

    /// A number from `from` up to and with `to`.
    pub(crate) fn within(&mut self, from: i64, to: i64) -> i64 {
        let span = u64::try_from(to - from + 1).unwrap_or(1).max(1);
        // The remainder favours small numbers by less than a part in 10^13.
        from + i64::try_from(self.0.next_u64() % span).unwrap_or_default()
    }

    /// True in `percent` of 100 draws.
    pub(crate) fn percent(&mut self, percent: i64) -> bool {
        self.permille(percent * 10)
    }

    /// True in `permille` of 1,000 draws.
    pub(crate) fn permille(&mut self, permille: i64) -> bool {
        self.within(0, 999) < permille
    }

    /// One of a list that is not empty.
    pub(crate) fn pick<T: Copy>(&mut self, list: &[T]) -> Option<T> {
        let last = i64::try_from(list.len()).unwrap_or_default() - 1;
        let at = usize::try_from(self.within(0, last.max(0))).unwrap_or_default();
        list.get(at).copied()
    }

    /// One of a list whose first entries are the most frequent, as names are.
    pub(crate) fn pick_early<T: Copy>(&mut self, list: &[T]) -> Option<T> {
        let last = i64::try_from(list.len()).unwrap_or_default() - 1;
        let (a, b) = (self.within(0, last.max(0)), self.within(0, last.max(0)));
        usize::try_from(a.min(b))
            .ok()
            .and_then(|at| list.get(at))
            .copied()
    }

    /// One of some values, such as codes, each as often as its weight says.
    pub(crate) fn code<T: Copy + Default>(&mut self, weighted: &[(T, i64)]) -> T {
        let total: i64 = weighted.iter().map(|(_, weight)| weight).sum();
        let mut left = self.within(0, total - 1);
        for (code, weight) in weighted {
            if left < *weight {
                return *code;
            }
            left -= weight;
        }
        T::default()
    }

    /// A day from `from` up to and with `to`.
    pub(crate) fn day(&mut self, from: Day, to: Day) -> Day {
        from.plus(self.within(0, to.since(from).max(0)))
    }

    /// A working day of these months of a year.
    pub(crate) fn day_of(&mut self, year: i64, from_month: i64, to_month: i64) -> Day {
        self.day(Day::of(year, from_month, 1), Day::of(year, to_month, 28))
    }

    /// The name of an item whose section has no key of its own.
    pub(crate) fn item(&mut self) -> String {
        const LETTERS: &[u8] = b"0123456789abcdefghjkmnpqrstvwxyz";
        (0..8)
            .filter_map(|_| self.pick(LETTERS))
            .map(char::from)
            .collect()
    }

    /// A phone number that nobody can have.
    pub(crate) fn phone(&mut self) -> String {
        format!("100{:08}", self.within(0, 99_999_999))
    }

    /// The id of a record that is begun on `day`.
    pub(crate) fn record(&mut self, subject: Subject, day: Day) -> RecordId {
        let mut random = [0; 10];
        self.0.fill_bytes(&mut random);
        RecordId::draw(subject, day.noon() * 1000, random)
    }
}
