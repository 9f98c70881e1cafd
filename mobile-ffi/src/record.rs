//! Records as an app shows and edits them.

use std::collections::HashMap;

use client::draft;
use client::records;
use sync_core::history::ShownEvent;
use sync_core::id;
use sync_core::show::{ShownConflict, ShownItem, ShownRecord, ShownValue};
use words::Words;

use crate::error::Problem;

/// What a record is about.
#[derive(Clone, Copy, Debug, PartialEq, Eq, uniffi::Enum)]
pub enum Subject {
    /// A person.
    Person,
    /// A household.
    Household,
    /// A 嘎查 or community itself: there is one record of it, whose id is its 12-digit code.
    Organisation,
}

impl From<Subject> for id::Subject {
    fn from(subject: Subject) -> Self {
        match subject {
            Subject::Person => Self::Person,
            Subject::Household => Self::Household,
            Subject::Organisation => Self::Organisation,
        }
    }
}

/// A value as it is shown. Typed in, every value is text: `true`/`false`, digits, `YYYY-MM-DD`, a
/// code, codes joined by commas, or nothing to empty the field.
#[derive(Clone, Debug, PartialEq, Eq, uniffi::Enum)]
pub enum Value {
    /// Empty; only in conflicts and histories, where emptying a field is something that happened.
    Empty,
    /// Yes or no.
    Flag {
        /// Yes.
        value: bool,
    },
    /// A whole number.
    Number {
        /// The number.
        value: i64,
    },
    /// Text, date, code, reference.
    Text {
        /// The text.
        value: String,
    },
    /// The chosen codes of a multi-choice, ascending.
    Codes {
        /// The codes.
        values: Vec<String>,
    },
}

impl From<ShownValue> for Value {
    fn from(value: ShownValue) -> Self {
        match value {
            ShownValue::Empty => Self::Empty,
            ShownValue::Flag(value) => Self::Flag { value },
            ShownValue::Number(value) => Self::Number { value },
            ShownValue::Text(value) => Self::Text { value },
            ShownValue::Codes(values) => Self::Codes { values },
        }
    }
}

/// One item of a repeating section.
#[derive(Clone, Debug, PartialEq, Eq, uniffi::Record)]
pub struct Item {
    /// The item's id.
    pub item: String,
    /// Its fields, without the section.
    pub fields: HashMap<String, Value>,
}

impl From<ShownItem> for Item {
    fn from(item: ShownItem) -> Self {
        let fields = item.fields.into_iter();
        Self {
            item: item.item,
            fields: fields.map(|(key, value)| (key, value.into())).collect(),
        }
    }
}

/// Values written apart under one key.
#[derive(Clone, Debug, PartialEq, Eq, uniffi::Record)]
pub struct Conflict {
    /// The record to settle it at.
    pub record: String,
    /// Where.
    pub key: String,
    /// The different values; the first is the one that shows. [`Choice::Take`] counts from 0.
    pub values: Vec<Value>,
}

impl From<ShownConflict> for Conflict {
    fn from(conflict: ShownConflict) -> Self {
        let values = conflict.values.into_iter();
        Self {
            record: conflict.record.to_string(),
            key: conflict.key,
            values: values.map(Value::from).collect(),
        }
    }
}

/// A record, or a group of linked records as one.
#[derive(Clone, Debug, PartialEq, Eq, uniffi::Record)]
pub struct Record {
    /// The record's id; of a group the smallest.
    pub id: String,
    /// The code of the org unit that holds it.
    pub unit: String,
    /// The other records of the same person or household.
    pub linked: Vec<String>,
    /// `section.field` of single sections, empty ones left out.
    pub fields: HashMap<String, Value>,
    /// The items of repeating sections by section, in order of their date, withdrawn ones left out;
    /// empty in a row of a list.
    pub items: HashMap<String, Vec<Item>>,
    /// Keys in conflict.
    pub conflicts: Vec<Conflict>,
    /// What is wrong with the values or missing among them.
    pub problems: Vec<Problem>,
}

impl Record {
    pub(crate) fn of(record: ShownRecord, words: &Words) -> Self {
        let fields = record.fields.into_iter();
        let sections = record.items.into_iter();
        let items = |items: Vec<ShownItem>| items.into_iter().map(Item::from).collect();
        let conflicts = record.conflicts.into_iter();
        Self {
            id: record.id.to_string(),
            unit: record.unit,
            linked: record.linked.iter().map(ToString::to_string).collect(),
            fields: fields.map(|(key, value)| (key, value.into())).collect(),
            items: sections.map(|(key, of)| (key, items(of))).collect(),
            conflicts: conflicts.map(Conflict::from).collect(),
            problems: Problem::of_checks(&record.problems, words),
        }
    }
}

/// How a conflict is settled.
#[derive(Clone, Debug, PartialEq, Eq, uniffi::Enum)]
pub enum Choice {
    /// One of the values listed.
    Take {
        /// Counted from 0.
        at: i64,
    },
    /// Another value.
    Write {
        /// As typed.
        value: String,
    },
}

impl From<Choice> for records::Choice {
    fn from(choice: Choice) -> Self {
        match choice {
            Choice::Take { at } => Self::Take(usize::try_from(at).unwrap_or(usize::MAX)),
            Choice::Write { value } => Self::Set(value),
        }
    }
}

/// What is being typed, before it is saved.
#[derive(Clone, Debug, PartialEq, Eq, uniffi::Enum)]
pub enum Draft {
    /// A new record, of `section.field`; fields of a repeating section are its first item's.
    New {
        /// What it is about.
        subject: Subject,
        /// The unit's code, which may be left out where the device holds one unit.
        unit: Option<String>,
    },
    /// Values of a record, of `section.field` or `section#item.field`.
    Edit {
        /// The record.
        id: String,
    },
    /// An item of a repeating section, of `field`.
    NewItem {
        /// The record.
        id: String,
        /// The section.
        section: String,
    },
}

impl Draft {
    pub(crate) fn as_inner(&self) -> draft::Draft<'_> {
        match self {
            Self::New { subject, unit } => draft::Draft::New {
                subject: (*subject).into(),
                unit: unit.as_deref(),
            },
            Self::Edit { id } => draft::Draft::Edit { id },
            Self::NewItem { id, section } => draft::Draft::Item { id, section },
        }
    }
}

/// A draft that was looked at.
#[derive(Clone, Debug, PartialEq, Eq, uniffi::Record)]
pub struct Checked {
    /// What keeps it from being saved; empty if nothing does. Saving would say the same.
    pub refused: Vec<Problem>,
    /// What would be wrong or missing in the record once it is saved; keeps nothing from being
    /// saved.
    pub left: Vec<Problem>,
    /// The keys of the fields to ask, in the order of the form: whether a field is asked may depend
    /// on what others hold.
    pub asked: Vec<String>,
}

impl Checked {
    pub(crate) fn of(checked: draft::Checked, words: &Words) -> Self {
        Self {
            refused: Problem::all(&checked.refused, words),
            left: Problem::all(&checked.left, words),
            asked: checked.asked,
        }
    }
}

/// One value written at some time.
#[derive(Clone, Debug, PartialEq, Eq, uniffi::Record)]
pub struct Event {
    /// Where.
    pub key: String,
    /// What; one yes or no per code for a multi-choice.
    pub value: Value,
    /// The device that wrote it, if it is known.
    pub device: Option<String>,
    /// The person who wrote it, if it is known.
    pub author: Option<String>,
    /// When, by that device's clock, Unix seconds; to show, not to compare.
    pub time: i64,
}

impl From<ShownEvent> for Event {
    fn from(event: ShownEvent) -> Self {
        Self {
            key: event.key,
            value: event.value.into(),
            device: event.device.map(|device| device.to_string()),
            author: event.author.map(|author| author.to_string()),
            time: event.time,
        }
    }
}

/// What was typed, in the order of the keys: the order of a map means nothing.
pub(crate) fn typed(values: HashMap<String, String>) -> Vec<draft::Typed> {
    let mut values: Vec<(String, String)> = values.into_iter().collect();
    values.sort_unstable();
    let values = values.iter();
    values
        .map(|(name, value)| draft::Typed::new(name, value))
        .collect()
}
