//! Contributions: what one group adds to the figures, kept so that an edit can subtract it.

use std::collections::{BTreeMap, BTreeSet};

use minicbor::{Decode, Encode};

use super::Tally;
use crate::cbor::{self, List};

/// The breakdown of a cell that is the whole.
pub const TOTAL: &str = "";

/// Years that one share may stand for: far more than a plan has.
const YEARS_MAX: u16 = 200;
/// Cells that one group may add to: many times what sixty indicators have over ten years in a few
/// breakdowns.
const CELLS_MAX: usize = 20_000;

/// What a group adds, of every indicator and year; where it adds nothing there is nothing.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Contribution {
    /// Ascending by indicator and year.
    shares: Vec<Share>,
}

/// What a group adds to one indicator over a run of years, with the values it is broken down by.
#[derive(Clone, Debug, PartialEq, Eq, Encode, Decode)]
struct Share {
    /// The indicator's place in the package.
    #[n(0)]
    indicator: u16,
    /// The first and the last year.
    #[n(1)]
    from: u16,
    #[n(2)]
    to: u16,
    #[n(3)]
    numerator: i64,
    #[n(4)]
    denominator: i64,
    #[n(5)]
    unknown: i64,
    /// A value for each breakdown of the indicator, in its order; empty where it is not known.
    #[n(6)]
    values: Vec<String>,
}

impl Share {
    fn tally(&self) -> Tally {
        Tally {
            numerator: self.numerator,
            denominator: self.denominator,
            unknown: self.unknown,
        }
    }
}

/// One cell of a unit's table. The unit is where the group's records are.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct CellKey<'a> {
    /// The indicator's place in the package.
    pub indicator: u16,
    /// The year.
    pub year: u16,
    /// The breakdown's place in the indicator; none for the whole.
    pub by: Option<u16>,
    /// The value; empty for the whole, and where it is not known.
    pub value: &'a str,
}

/// How cells change: the difference of contributions.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct CellDelta(BTreeMap<(u16, u16, Option<u16>, String), Tally>);

impl Contribution {
    /// Adds what a group adds in one year; years and indicators come ascending.
    pub(super) fn push(&mut self, indicator: u16, year: u16, tally: Tally, values: Vec<String>) {
        if tally.is_zero() {
            return;
        }
        if let Some(last) = self.shares.last_mut()
            && last.indicator == indicator
            && last.to.checked_add(1) == Some(year)
            && last.tally() == tally
            && last.values == values
        {
            last.to = year;
            return;
        }
        self.shares.push(Share {
            indicator,
            from: year,
            to: year,
            numerator: tally.numerator,
            denominator: tally.denominator,
            unknown: tally.unknown,
            values,
        });
    }

    /// Whether it adds nothing anywhere.
    pub fn is_empty(&self) -> bool {
        self.shares.is_empty()
    }

    /// Whether it adds something and nothing of that is known.
    pub(super) fn is_unknown(&self) -> bool {
        let unknown = |share: &Share| (share.numerator, share.denominator) == (0, 0);
        !self.is_empty() && self.shares.iter().all(unknown)
    }

    /// This, with what `now` adds to these indicators in place of what it added.
    pub(super) fn with(&self, indicators: &BTreeSet<u16>, now: Self) -> Self {
        let same = self.shares.iter();
        let same = same.filter(|share| !indicators.contains(&share.indicator));
        let mut shares: Vec<Share> = same.cloned().chain(now.shares).collect();
        shares.sort_by_key(|share| (share.indicator, share.from));
        Self { shares }
    }

    /// What it adds to the whole of an indicator in a year.
    pub fn of(&self, indicator: u16, year: u16) -> Tally {
        let there = |share: &&Share| {
            share.indicator == indicator && (share.from..=share.to).contains(&year)
        };
        let found = self.shares.iter().find(there);
        found.map(Share::tally).unwrap_or_default()
    }

    /// Every cell that it adds to, and what.
    pub fn cells(&self) -> impl Iterator<Item = (CellKey<'_>, Tally)> {
        self.shares.iter().flat_map(|share| {
            let values = share.values.iter().zip(0u16..);
            let parts: Vec<(Option<u16>, &str)> = std::iter::once((None, TOTAL))
                .chain(values.map(|(value, by)| (Some(by), value.as_str())))
                .collect();
            (share.from..=share.to).flat_map(move |year| {
                let key = move |(by, value)| CellKey {
                    indicator: share.indicator,
                    year,
                    by,
                    value,
                };
                parts
                    .clone()
                    .into_iter()
                    .map(move |part| (key(part), share.tally()))
            })
        })
    }

    /// The stored form: a CBOR array of shares.
    pub fn to_cbor(&self) -> Vec<u8> {
        cbor::encode(&self.shares)
    }

    /// Reads the stored form.
    ///
    /// # Errors
    /// If the bytes are something else, or say more than anybody can add.
    pub fn from_cbor(bytes: &[u8]) -> Result<Self, minicbor::decode::Error> {
        let shares: List<Share, CELLS_MAX> = cbor::decode(bytes)?;
        let shares = shares.0;
        let mut cells = 0;
        for share in &shares {
            // A few bytes can name sixty thousand years; what comes of them is not made.
            let years = share.to.checked_sub(share.from);
            let years = years.filter(|years| *years < YEARS_MAX);
            let years = years.ok_or_else(|| minicbor::decode::Error::message("years"))?;
            cells += (usize::from(years) + 1) * (share.values.len() + 1);
        }
        if cells > CELLS_MAX {
            return Err(minicbor::decode::Error::message("too many cells"));
        }
        Ok(Self { shares })
    }
}

impl CellDelta {
    /// Takes what a group added back.
    pub fn take_back(&mut self, contribution: &Contribution) {
        for (key, tally) in contribution.cells() {
            self.add_to(key, -tally);
        }
    }

    /// Adds what a group adds.
    pub fn add(&mut self, contribution: &Contribution) {
        for (key, tally) in contribution.cells() {
            self.add_to(key, tally);
        }
    }

    fn add_to(&mut self, key: CellKey<'_>, tally: Tally) {
        let key = (key.indicator, key.year, key.by, key.value.to_owned());
        *self.0.entry(key).or_default() += tally;
    }

    /// The cells that change, ascending, and by how much.
    pub fn cells(&self) -> impl Iterator<Item = (CellKey<'_>, Tally)> {
        let cells = self.0.iter().filter(|(_, tally)| !tally.is_zero());
        cells.map(|((indicator, year, by, value), tally)| {
            let key = CellKey {
                indicator: *indicator,
                year: *year,
                by: *by,
                value,
            };
            (key, *tally)
        })
    }
}
