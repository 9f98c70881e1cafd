//! Figures: the value of each indicator over the records, on the phone and on the server alike.
//!
//! What counts is a *group*: the records of one unit that are one person (or one household), as of
//! the last day of a period. What a group adds to the figures of all years is its [`Contribution`],
//! a pure function of the group, its household, the plan's package and the dates (R44); a figure of a
//! unit is the sum of the contributions of its groups. So an edit changes figures by the difference
//! of two contributions, a recount gives the same, and advancing the clock changes nothing.
//!
//! Two registrations of one person in two units are two groups, each with what its unit recorded;
//! [`absences`] says as of which dates which of them counts, by her dated residence. The server knows
//! both and tells a phone in the control feed ([`Absence`], R43).
//!
//! Unknown is not no: a group of which an expression has no answer, or whose answer is not known,
//! adds to neither numerator nor denominator and is counted apart.

mod contribution;
mod count;
mod counting_unit;
#[cfg(feature = "json")]
pub mod json;
mod unit;
mod years;

pub use crate::control::Absence;
pub use contribution::{CellDelta, CellKey, Contribution, TOTAL};
pub use count::Counter;
pub use counting_unit::absences;
pub use unit::{Said, UnitFacts, of_unit};
pub use years::{UnknownYear, YearSelection};

use std::ops::{Add, AddAssign, Neg};

use plan::indicator::{Amount, Measure};

/// A figure before it is divided: of how many it is known, how many have reached it, of how many it
/// is not known. Groups, or people where an indicator counts those.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord)]
pub struct Tally {
    /// Who has reached it.
    pub numerator: i64,
    /// Of whom it is known; 0 for a plain number of groups.
    pub denominator: i64,
    /// Of whom it is not known: part of neither.
    pub unknown: i64,
}

impl Tally {
    /// Whether it changes nothing.
    pub fn is_zero(&self) -> bool {
        *self == Self::default()
    }

    /// The figure in its unit; none where nobody is counted.
    pub fn value(&self, unit: Measure) -> Option<Amount> {
        if unit == Measure::Count {
            return Some(Amount::whole(self.numerator));
        }
        let scale = unit.scale()?;
        let denominator = u32::try_from(self.denominator).ok().filter(|d| *d > 0)?;
        Some(Amount {
            numerator: self.numerator.saturating_mul(scale),
            denominator,
        })
    }

    /// The figure if everybody of whom it is not known had not reached it.
    pub fn value_at_least(&self, unit: Measure) -> Option<Amount> {
        let all = Self {
            denominator: self.denominator.saturating_add(self.unknown),
            ..*self
        };
        all.value(unit)
    }
}

impl Add for Tally {
    type Output = Self;

    fn add(self, other: Self) -> Self {
        Self {
            numerator: self.numerator.saturating_add(other.numerator),
            denominator: self.denominator.saturating_add(other.denominator),
            unknown: self.unknown.saturating_add(other.unknown),
        }
    }
}

impl AddAssign for Tally {
    fn add_assign(&mut self, other: Self) {
        *self = *self + other;
    }
}

impl Neg for Tally {
    type Output = Self;

    fn neg(self) -> Self {
        Self {
            numerator: self.numerator.saturating_neg(),
            denominator: self.denominator.saturating_neg(),
            unknown: self.unknown.saturating_neg(),
        }
    }
}

#[cfg(test)]
mod tests;
