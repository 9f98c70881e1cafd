//! Links between two records of one unit: statements that they are, or are not, the same person.
//!
//! A statement is ordinary data of the smaller record, in its space `general`: it merges, it has a
//! history with author and time, it can be taken back, and two people who say something of the same
//! two records write under one key. The section is the engine's own, in no plan and on no form; a
//! program that does not know it keeps it like any key of a newer plan.
//!
//! - `same#OTHER.state`: `same`, `not_same`, or nothing;
//! - `same#OTHER.despite/name`, `…/birth_date`: that they are the same although this differs.

use std::collections::BTreeSet;

use crate::id::{RecordId, Subject};
use crate::record::MultiValue;
use crate::value::{Key, Value};

/// The section and the fields that tell persons apart: where linked records differ in one, it is
/// open whether they are one person, and nothing of one is another's until somebody settles it (R36).
pub const IDENTITY: (&str, [&str; 2]) = ("identity", ["name", "birth_date"]);

/// The section that statements stand in.
pub const SECTION: &str = plan::dictionary::STATEMENTS;

const STATE: &str = "state";
const DESPITE: &str = "despite";

/// What was said of two records.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Statement {
    /// They are one person.
    Same,
    /// They are two.
    NotSame,
}

impl Statement {
    /// The value that is written.
    pub fn key(self) -> &'static str {
        match self {
            Statement::Same => "same",
            Statement::NotSame => "not_same",
        }
    }

    /// Reads a value.
    pub fn from_key(text: &str) -> Option<Self> {
        [Statement::Same, Statement::NotSame]
            .into_iter()
            .find(|statement| statement.key() == text)
    }
}

/// What stands in a record about another one, which has the greater id.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Link {
    /// The other record.
    pub other: RecordId,
    /// What was said; of statements made apart the one that shows.
    pub statement: Option<Statement>,
    /// The identity fields in spite of which they are the same.
    pub despite: BTreeSet<&'static str>,
}

/// The record of two in which a statement about them stands, and the one that it names.
pub fn pair(a: RecordId, b: RecordId) -> (RecordId, RecordId) {
    (a.min(b), a.max(b))
}

/// The key of what is said about a record and `other`.
pub fn state_key(other: RecordId) -> Option<Key> {
    Key::item_field(SECTION, &other.to_string(), STATE).ok()
}

/// The key that confirms them in spite of a field.
pub fn despite_key(other: RecordId, field: &str) -> Option<Key> {
    let key = Key::item_field(SECTION, &other.to_string(), DESPITE).ok()?;
    key.with_code(field).ok()
}

/// The other record that a key says something about.
pub fn other_of(key: &Key) -> Option<RecordId> {
    let item = key.item().filter(|_| key.section() == SECTION)?;
    // One spelling only: two keys must not say something about one pair.
    let other: RecordId = item.parse().ok()?;
    (other.to_string() == item).then_some(other)
}

/// Whether a key is that of a statement; others of the section confirm one.
pub fn is_state(key: &Key) -> bool {
    key.section() == SECTION && key.field() == STATE && key.code().is_none()
}

/// What is said in a record about others. Persons are linked, nothing else; what stands in the
/// greater record, or in a shape that no honest program writes, says nothing.
pub fn links<'a>(
    record: RecordId,
    values: impl IntoIterator<Item = (&'a Key, &'a MultiValue)>,
) -> Vec<Link> {
    let mut links: Vec<Link> = Vec::new();
    for (key, slot) in values {
        let Some(other) = other_of(key).filter(|other| may_link(record, *other)) else {
            continue;
        };
        // The keys of one other record stand together.
        if links.last().is_none_or(|last| last.other != other) {
            links.push(Link {
                other,
                statement: None,
                despite: BTreeSet::new(),
            });
        }
        let Some(link) = links.last_mut() else {
            continue;
        };
        match slot.winner() {
            Value::Text(text) if is_state(key) => link.statement = Statement::from_key(text),
            Value::Bool(true) if key.field() == DESPITE => {
                link.despite.extend(key.code().and_then(identity_field));
            }
            _ => {}
        }
    }
    links
}

fn may_link(record: RecordId, other: RecordId) -> bool {
    record < other && record.subject == Subject::Person && other.subject == Subject::Person
}

fn identity_field(name: &str) -> Option<&'static str> {
    IDENTITY.1.into_iter().find(|field| *field == name)
}

/// What is wrong with a value that somebody would write into the section, as a code of
/// [`crate::check`].
pub(crate) fn wrong(record: RecordId, key: &Key, value: &Value) -> Option<&'static str> {
    let Some(other) = other_of(key) else {
        return Some("unknown_key");
    };
    if !may_link(record, other) {
        return Some("bad_reference");
    }
    match (key.field(), key.code(), value) {
        (STATE, None, Value::Null) => None,
        (STATE, None, Value::Text(text)) => Statement::from_key(text)
            .is_none()
            .then_some("unknown_code"),
        (STATE, None, _) => Some("not_text"),
        (DESPITE, Some(code), _) if identity_field(code).is_none() => Some("unknown_code"),
        (DESPITE, Some(_), Value::Bool(_) | Value::Null) => None,
        (DESPITE, Some(_), _) => Some("not_a_bool"),
        _ => Some("unknown_key"),
    }
}

#[cfg(test)]
mod tests;
