//! Indicators: the targets of the plan, and how a figure for each is counted from the records.
//!
//! An indicator quotes the sentence of the plan that it measures. What is counted are groups of
//! linked records (a person, a household), each as of the end of a period and never as of today;
//! the expressions are those of [`crate::expression`], with `period` besides: a map of `year`
//! (`"2027"`), `from` and `to` (the first and last day).
//!
//! Whoever counts makes a [`Span`] of an indicator's period and a year, a
//! [`Scope::for_period`](crate::expression::Scope::for_period) of a group's facts, and asks it for
//! the expressions of the [`Count`]: the denominator first, what is known next, the numerator last.
//! [`Package::reads`](crate::Package::reads) says which sections an answer depends on.

use minicbor::decode::{self, Decoder};
use minicbor::encode::{self, Encoder, Write};
use minicbor::{Decode, Encode};

use crate::dictionary::Text;
use crate::open::{self, Content, Unknown, numbered};

/// A target of the plan.
#[derive(Clone, Debug, PartialEq, Eq, Encode, Decode)]
pub struct Indicator {
    /// The key, such as `health.cervical-screening-rate`; kept for good.
    #[n(0)]
    pub key: String,
    /// What people call it.
    #[n(1)]
    pub title: Text,
    /// The domain of the plan that it belongs to, and the number of its goal item there.
    #[n(2)]
    pub domain: String,
    /// The goal item's number in its domain.
    #[n(3)]
    pub item: u32,
    /// The plan's sentence, word for word.
    #[n(4)]
    pub quote: String,
    /// The part of the sentence that this indicator stands for.
    #[n(5)]
    pub clause: String,
    /// Which way is better.
    #[n(6)]
    pub direction: Direction,
    /// What the plan wants.
    #[n(7)]
    pub target: Target,
    /// What a year of it is.
    #[n(8)]
    pub period: Period,
    /// How it is counted from the records.
    #[n(9)]
    pub count: Count,
    /// Who answers for it.
    #[n(10)]
    pub responsible: Responsible,
    /// What a reader of the figure should know.
    #[n(11)]
    pub note: Option<Text>,
}

numbered! {
    /// Which way a figure should go.
    pub enum Direction {
        /// More is better.
        0 => Increase,
        /// Less is better.
        1 => Decrease,
        /// It should stay where it is.
        2 => Maintain,
    }
}

/// What the plan wants of a figure.
#[derive(Clone, Debug, PartialEq, Eq, Encode, Decode)]
pub struct Target {
    /// The amount and how a figure is held against it; none where the plan names a trend or a
    /// quality only.
    #[n(0)]
    pub bound: Option<Bound>,
    /// What the figure is measured in.
    #[n(1)]
    pub unit: Measure,
    /// By when.
    #[n(2)]
    pub year: u16,
    /// What counts as reaching a target without an amount.
    #[n(3)]
    pub trend: Option<Trend>,
    /// The plan's own words for it, where they are no number.
    #[n(4)]
    pub wording: Option<String>,
}

/// An amount and the side on which a figure has reached it; the amount itself has.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Bound {
    /// At least so much.
    AtLeast(Amount),
    /// At most so much.
    AtMost(Amount),
    /// About so much; the plan gives no tolerance.
    About(Amount),
    /// One of a newer plan: the figure is shown and held against nothing.
    Other(Unknown),
}

impl<C> Encode<C> for Bound {
    fn encode<W: Write>(
        &self,
        encoder: &mut Encoder<W>,
        context: &mut C,
    ) -> Result<(), encode::Error<W::Error>> {
        let (number, amount) = match self {
            Self::AtLeast(amount) => (0, amount),
            Self::AtMost(amount) => (1, amount),
            Self::About(amount) => (2, amount),
            Self::Other(unknown) => return unknown.write(encoder),
        };
        encoder.array(2)?.u32(number)?.array(1)?;
        amount.encode(encoder, context)
    }
}

impl<'b, C> Decode<'b, C> for Bound {
    fn decode(decoder: &mut Decoder<'b>, context: &mut C) -> Result<Self, decode::Error> {
        let known = match open::number(decoder)? {
            0 => Self::AtLeast,
            1 => Self::AtMost,
            2 => Self::About,
            other => return open::unknown(decoder, other).map(Self::Other),
        };
        let mut content = Content::of(decoder)?;
        let amount = content.need(decoder, context)?;
        content.end(decoder)?;
        Ok(known(amount))
    }
}

/// A fraction: 42.5 is 425/10, a third of a hundred is 100/3. Compared exactly, never as a float.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Encode, Decode)]
pub struct Amount {
    /// Above the line.
    #[n(0)]
    pub numerator: i64,
    /// Below the line; above 0.
    #[n(1)]
    pub denominator: u32,
}

numbered! {
    /// What a figure is measured in.
    pub enum Measure {
        /// Numerator per hundred of the denominator.
        0 => Percent,
        /// Per thousand.
        1 => Per1000,
        /// Per hundred thousand.
        2 => Per100k,
        /// Numerator by denominator.
        3 => Ratio,
        /// A number of people, households or things: the numerator alone.
        4 => Count,
        /// Years of life.
        5 => Years,
        /// A difference of two percentages.
        6 => PercentagePoints,
        /// Money.
        7 => Yuan,
        /// Weight.
        8 => Tonnes,
    }
}

numbered! {
    /// What counts as reaching a target that has no number.
    pub enum Trend {
        /// Not worse than the year before (逐步, 稳步, 持续).
        0 => YearOnYear,
        /// Not worse than the term before (逐届).
        1 => TermOnTerm,
        /// Higher at the end than at the baseline.
        2 => EndAboveBaseline,
        /// Lower at the end than at the baseline.
        3 => EndBelowBaseline,
        /// Grows more slowly.
        4 => SlowerGrowth,
        /// Kept within a band that the office sets.
        5 => KeptWithinReason,
    }
}

numbered! {
    /// What a year of an indicator is. A figure is as of the last day of its period, never of today.
    pub enum Period {
        /// 1 January to 31 December.
        0 => CalendarYear,
        /// The state at 31 December.
        1 => YearEnd,
        /// 1 October of the year before to 30 September, as in maternal and child health.
        2 => MchYear,
        /// 1 September of the year before to 31 August.
        3 => SchoolYear,
        /// The screening rounds that are named after the year.
        4 => EachRound,
        /// A term of office.
        5 => Term,
        /// Whenever a survey or census is held.
        6 => Survey,
    }
}

/// The days of a period, first and last, `YYYY-MM-DD`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Span {
    /// The year that the period ends in.
    pub year: u16,
    /// The first day.
    pub from: String,
    /// The last day: the date that the figure is as of.
    pub to: String,
}

impl Period {
    /// The period that ends in `year`; none of one that has no days of its own, or that this program
    /// does not know.
    pub fn of(self, year: u16) -> Option<Span> {
        let (before, from, to) = match self {
            Self::CalendarYear | Self::YearEnd | Self::EachRound => (year, "01-01", "12-31"),
            Self::MchYear => (year.saturating_sub(1), "10-01", "09-30"),
            Self::SchoolYear => (year.saturating_sub(1), "09-01", "08-31"),
            Self::Term | Self::Survey | Self::Other(_) => return None,
        };
        let (from, to) = (format!("{before:04}-{from}"), format!("{year:04}-{to}"));
        Some(Span { year, from, to })
    }
}

/// How a figure is counted from the records. The expressions give yes or no, or a whole number of
/// people that a household stands for; one that has no answer makes the group unknown, which is
/// counted apart and never as no.
#[derive(Clone, Debug, PartialEq, Eq, Encode, Decode)]
pub struct Count {
    /// The subject whose groups are counted.
    #[n(0)]
    pub of: String,
    /// Whom it is about; none for a plain number of people or households.
    #[n(1)]
    pub denominator: Option<String>,
    /// Of whom it is known, where not everybody's answer is.
    #[n(2)]
    pub known: Option<String>,
    /// Who has reached it.
    #[n(3)]
    pub numerator: String,
    /// Computed statuses (yes or no, or a code) that the figure is broken down by, one at a time.
    #[n(4)]
    pub by: Vec<String>,
    /// Whether the registers see everybody whom the target is about.
    #[n(5)]
    pub coverage: Coverage,
    /// The classes of data that [`Count::expressions`] read, ascending: a device that lacks one has
    /// no figure (R46). Worked out by the loader.
    #[n(6)]
    pub classes: Vec<String>,
}

numbered! {
    /// Whether the registers see everybody whom a target is about.
    pub enum Coverage {
        /// All of them.
        0 => Full,
        /// A part; a department completes it.
        1 => Partial,
    }
}

/// Who answers for a target.
#[derive(Clone, Debug, PartialEq, Eq, Encode, Decode)]
pub struct Responsible {
    /// The leading department.
    #[n(0)]
    pub lead: String,
    /// The others.
    #[n(1)]
    pub others: Vec<String>,
    /// Whether that is our reading: the plan names no department for any single target.
    #[n(2)]
    pub inferred: bool,
}

/// The years that the plan is for: figures are kept for each of them.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Encode, Decode)]
pub struct Years {
    /// The first.
    #[n(0)]
    pub from: u16,
    /// The last.
    #[n(1)]
    pub to: u16,
}

impl Years {
    /// All of them, ascending; none of a package that has no indicators.
    pub fn iter(self) -> impl Iterator<Item = u16> {
        let any = self.from > 0;
        (self.from..=self.to).filter(move |_| any)
    }
}

impl Count {
    /// Everything that a figure is worked out by, one expression each: whom it is about, of whom it
    /// is known, who has reached it, and the statuses that it is broken down by.
    pub fn expressions(&self) -> impl Iterator<Item = &str> {
        let parts = [
            self.denominator.as_deref(),
            self.known.as_deref(),
            Some(self.numerator.as_str()),
        ];
        let by = self.by.iter().map(String::as_str);
        parts.into_iter().flatten().chain(by)
    }
}

impl Indicator {
    /// Whether this program can count it: figures are kept in its unit and for its period. An
    /// indicator of a newer plan that has others is left out of figures and lists, as if it was not
    /// there.
    pub fn is_known(&self) -> bool {
        let unit = self.target.unit;
        (unit == Measure::Count || unit.scale().is_some()) && self.period.of(0).is_some()
    }
}

impl Bound {
    /// The amount; none of a bound that this program does not know.
    pub fn amount(&self) -> Option<Amount> {
        match self {
            Self::AtLeast(amount) | Self::AtMost(amount) | Self::About(amount) => Some(*amount),
            Self::Other(_) => None,
        }
    }

    /// Whether `figure` has reached it; a target of "about" has no tolerance of its own and is
    /// reached by nothing but judgement.
    pub fn reached_by(&self, figure: Amount) -> Option<bool> {
        let (bound, order) = match self {
            Self::AtLeast(bound) => (bound, std::cmp::Ordering::Less),
            Self::AtMost(bound) => (bound, std::cmp::Ordering::Greater),
            Self::About(_) | Self::Other(_) => return None,
        };
        Some(figure.compared(*bound) != order)
    }
}

impl Amount {
    /// A whole number.
    pub fn whole(number: i64) -> Self {
        Self {
            numerator: number,
            denominator: 1,
        }
    }

    /// The order of two amounts.
    pub fn compared(self, other: Self) -> std::cmp::Ordering {
        let cross = |a: Self, b: Self| i128::from(a.numerator) * i128::from(b.denominator);
        cross(self, other).cmp(&cross(other, self))
    }

    /// As a number for output, rounded to two decimals.
    pub fn rounded(self) -> f64 {
        let exact = self.numerator as f64 / f64::from(self.denominator.max(1));
        (exact * 100.0).round() / 100.0
    }
}

impl Measure {
    /// What a quotient is multiplied by; none where the numerator stands alone, and of what is not
    /// counted from records.
    pub fn scale(self) -> Option<i64> {
        match self {
            Self::Percent => Some(100),
            Self::Per1000 => Some(1_000),
            Self::Per100k => Some(100_000),
            Self::Ratio => Some(1),
            _ => None,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_period_ends_in_its_year() {
        let span = Period::MchYear.of(2027).expect("a known period");
        assert_eq!(
            (span.from.as_str(), span.to.as_str()),
            ("2026-10-01", "2027-09-30")
        );
        let span = Period::YearEnd.of(2027).expect("a known period");
        assert_eq!(
            (span.from.as_str(), span.to.as_str()),
            ("2027-01-01", "2027-12-31")
        );
    }

    #[test]
    fn a_third_is_compared_exactly() {
        let third = Bound::AtLeast(Amount {
            numerator: 100,
            denominator: 3,
        });
        let share = |women: i64, all: u32| Amount {
            numerator: women * 100,
            denominator: all,
        };
        assert_eq!(third.reached_by(share(3, 9)), Some(true));
        assert_eq!(third.reached_by(share(3333, 10_000)), Some(false));
        assert_eq!(
            Bound::AtMost(Amount::whole(12)).reached_by(Amount::whole(12)),
            Some(true)
        );
        assert_eq!(
            Bound::About(Amount::whole(45)).reached_by(Amount::whole(45)),
            None
        );
    }

    #[test]
    fn a_plan_without_years_has_none() {
        assert_eq!(Years::default().iter().count(), 0);
        assert_eq!(
            Years {
                from: 2021,
                to: 2030
            }
            .iter()
            .count(),
            10
        );
    }
}
