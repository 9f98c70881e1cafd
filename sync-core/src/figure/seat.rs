//! In which unit a person counts who is recorded in several (R43).

use std::collections::BTreeSet;

use plan::Package;
use plan::expression::{Datum, Facts, Scope};

use crate::facts::lives_since;
use crate::id::RecordId;

/// The computed status that says whether somebody lives where she is recorded.
const RESIDENT: &str = "resident";

/// The dates as of which a group counts in another unit: stretches of `YYYY-MM-DD`, both ends in,
/// between dates that figures are as of.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Away(Vec<(String, String)>);

impl Away {
    /// From stretches as they were written down.
    pub fn of(spans: Vec<(String, String)>) -> Self {
        Self(spans)
    }

    /// The stretches.
    pub fn spans(&self) -> &[(String, String)] {
        &self.0
    }

    /// Whether there is none.
    pub fn is_never(&self) -> bool {
        self.0.is_empty()
    }

    /// Whether the group counts in another unit as of this date.
    pub fn holds(&self, as_of: &str) -> bool {
        let within = |(from, to): &(String, String)| from.as_str() <= as_of && as_of <= to.as_str();
        self.0.iter().any(within)
    }
}

/// When each of several groups, which are one person in several units, does not count. `dates` are
/// those that figures are as of. Exactly one of them counts on each: the one where she lives, then
/// where she has lived since the later day, then the one with the smaller id.
pub fn seats(
    package: &Package,
    groups: &[(RecordId, &Facts)],
    dates: &BTreeSet<String>,
) -> Vec<Away> {
    let mut away = vec![Away::default(); groups.len()];
    let mut before: Option<usize> = None;
    let mut last: Option<&String> = None;
    for date in dates {
        let claim = |(record, facts): &(RecordId, &Facts)| {
            let lives = lives(package, record, facts, date);
            let since = lives_since(package, facts, date);
            (lives, since, std::cmp::Reverse(*record))
        };
        let seat = (0..groups.len()).max_by_key(|at| claim(&groups[*at]));
        for (at, away) in away.iter_mut().enumerate() {
            if Some(at) == seat {
                continue;
            }
            match away.0.last_mut() {
                // Away on the date before this one too.
                Some((_, to)) if before != Some(at) && Some(&*to) == last => to.clone_from(date),
                _ => away.0.push((date.clone(), date.clone())),
            }
        }
        before = seat;
        last = Some(date);
    }
    away
}

fn lives(package: &Package, record: &RecordId, facts: &Facts, date: &str) -> bool {
    let scope = Scope::new(package, record.subject.key(), facts, None, date);
    let lives = scope.and_then(|scope| scope.computed(RESIDENT));
    matches!(lives, Ok(Datum::Bool(true)))
}
