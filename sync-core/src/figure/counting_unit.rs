//! The counting unit of a person who is recorded in several (R43).

use std::collections::BTreeSet;

use plan::Package;
use plan::expression::{Datum, Facts, Scope};

use crate::control::Absence;
use crate::facts::lives_since;
use crate::id::RecordId;

/// The computed status that says whether somebody lives where she is recorded.
const RESIDENT: &str = "resident";

/// When each of several groups, which are one person in several units, does not count. `dates` are
/// those that figures are as of. Exactly one of them counts on each: the one where she lives, then
/// where she has lived since the later day, then the one with the smaller id.
pub fn absences(
    package: &Package,
    groups: &[(RecordId, &Facts)],
    dates: &BTreeSet<String>,
) -> Vec<Absence> {
    let mut away = vec![Absence::default(); groups.len()];
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
            // Away on the date before this one too: it goes on.
            away.add(date, last.filter(|_| before != Some(at)));
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
