//! The ID numbers of a unit, each of one person only.

use std::collections::BTreeSet;

use crate::day::Day;
use crate::people::id_number;

/// The ID numbers of a unit: no two units have a number in common, since only the people who are
/// registered twice on purpose may look like one.
///
/// A unit has every 25th sequence number of every third day of birth.
pub(crate) struct Numbers {
    unit: u64,
    used: BTreeSet<(Day, u32)>,
}

/// Sequence numbers of one sex on one day that are dealt out in turn to the units.
const DEALT: u64 = 25;
/// Numbers that a unit has of those, for one sex and day; one more is kept for mistakes.
const SLOTS: u32 = 19;

impl Numbers {
    /// The numbers of the unit with this number.
    pub(crate) fn of(unit: u64) -> Self {
        Self {
            unit,
            used: BTreeSet::new(),
        }
    }

    /// A day of birth near `born`, not after it, and a number of who was born then.
    pub(crate) fn take(&mut self, born: Day, female: bool) -> (Day, String) {
        let third = i64::try_from(self.unit / DEALT % 3).unwrap_or_default();
        let offset = (born.since(Day::of(1900, 1, 1)) - third).rem_euclid(3);
        let mut born = born.plus(-offset);
        loop {
            let free = (0..SLOTS)
                .map(|slot| self.sequence(slot, female))
                .find(|sequence| !self.used.contains(&(born, *sequence)));
            if let Some(sequence) = free {
                self.used.insert((born, sequence));
                return (born, id_number(&born.digits(), sequence));
            }
            born = born.plus(-3);
        }
    }

    /// A number that somebody mistyped: it passes every check and is nobody's.
    pub(crate) fn mistyped(&self, born: Day, female: bool) -> String {
        id_number(&born.digits(), self.sequence(SLOTS, female))
    }

    fn sequence(&self, slot: u32, female: bool) -> u32 {
        let dealt = u32::try_from(self.unit % DEALT).unwrap_or_default();
        let half = dealt + slot * DEALT as u32;
        2 * half + u32::from(!female)
    }
}
