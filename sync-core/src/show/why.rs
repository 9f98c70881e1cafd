//! Reasons why records are shown as one person.

use std::collections::BTreeSet;

use super::{Source, ties};
use crate::id::RecordId;
use crate::link::{Statement, pair};

/// What ties a record to another one of its group, or parts it from one.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Why {
    /// They show the same valid ID number.
    pub number: bool,
    /// What somebody said of the two.
    pub said: Option<Statement>,
    /// The identity fields in spite of which somebody confirmed them.
    pub despite: BTreeSet<&'static str>,
}

/// What ties or parts two records of a unit directly; records of one group may be tied through
/// others alone.
pub fn why(source: &dyn Source, unit: &str, one: RecordId, other: RecordId) -> Why {
    let (first, second) = pair(one, other);
    let of = |record| ties(record, &source.view(unit, record));
    let (first, theirs) = (of(first), of(second));
    let link = first.links.into_iter().find(|link| link.other == second);
    let numbers = first.numbers.iter();
    Why {
        number: { numbers }.any(|number| theirs.numbers.contains(number)),
        said: link.as_ref().and_then(|link| link.statement),
        despite: link.map(|link| link.despite).unwrap_or_default(),
    }
}
