//! Registers, the statuses computed for them, and the dated settings they rest on.

use minicbor::{Decode, Encode};

use crate::dictionary::Words;

/// A register (台账): which records it shows, what is filled in and what follows. It holds no data
/// of its own: one entry serves every register.
#[derive(Clone, Debug, PartialEq, Eq, Encode, Decode)]
pub struct Register {
    /// The register's key, such as `left_behind`.
    #[n(0)]
    pub key: String,
    /// What people call it.
    #[n(1)]
    pub title: Words,
    /// The subject whose records it shows.
    #[n(2)]
    pub of: String,
    /// Which of them: an expression over the record as of today.
    #[n(3)]
    pub rows: String,
    /// The sections that are filled in for it, in order.
    #[n(4)]
    pub fill: Vec<String>,
    /// The columns: `section.field`, or the name of a computed status.
    #[n(5)]
    pub columns: Vec<String>,
    /// The column that orders the rows.
    #[n(6)]
    pub sort: String,
    /// What there is to do.
    #[n(7)]
    pub tasks: Vec<Task>,
}

/// Something that has to be done for a row of a register.
#[derive(Clone, Debug, PartialEq, Eq, Encode, Decode)]
pub struct Task {
    /// The task's key.
    #[n(0)]
    pub key: String,
    /// What people call it.
    #[n(1)]
    pub title: Words,
    /// The computed date when it is due; none means that there is nothing to do.
    #[n(2)]
    pub due: String,
    /// The section to which doing it adds.
    #[n(3)]
    pub adds: String,
}

/// A status or a date worked out from what is recorded; named once, never typed in.
#[derive(Clone, Debug, PartialEq, Eq, Encode, Decode)]
pub struct Computed {
    /// The name: a variable of every other expression over the same subject.
    #[n(0)]
    pub key: String,
    /// The subject.
    #[n(1)]
    pub of: String,
    /// What people call it.
    #[n(2)]
    pub title: Words,
    /// What it gives.
    #[n(3)]
    pub gives: Gives,
    /// The expression.
    #[n(4)]
    pub is: String,
    /// The list by whose titles a text is shown.
    #[n(5)]
    pub codes: Option<String>,
}

/// What a computed status is.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Encode, Decode)]
#[cbor(index_only)]
pub enum Gives {
    /// Yes or no.
    #[n(0)]
    Bool,
    /// A date, or null.
    #[n(1)]
    Date,
    /// A whole number.
    #[n(2)]
    Integer,
    /// A code or another text.
    #[n(3)]
    Text,
    /// An item of a repeating section, or null.
    #[n(4)]
    Item,
}

/// A threshold of the plan that depends on the date.
#[derive(Clone, Debug, PartialEq, Eq, Encode, Decode)]
pub struct Setting {
    /// The name: `settings.NAME` in expressions.
    #[n(0)]
    pub key: String,
    /// What people call it.
    #[n(1)]
    pub title: Words,
    /// The values, by the date from which each holds, ascending.
    #[n(2)]
    pub values: Vec<Dated>,
}

/// A setting's value from a date on.
#[derive(Clone, Debug, PartialEq, Eq, Encode, Decode)]
pub struct Dated {
    /// `YYYY-MM-DD`.
    #[n(0)]
    pub from: String,
    /// The value.
    #[n(1)]
    pub value: Constant,
    /// The standard that says so.
    #[n(2)]
    pub standard: String,
}

/// A value of a setting.
#[derive(Clone, Debug, PartialEq, Eq, Encode, Decode)]
pub enum Constant {
    /// A whole number.
    #[n(0)]
    Integer(#[n(0)] i64),
    /// A text or code.
    #[n(1)]
    Text(#[n(0)] String),
    /// Yes or no.
    #[n(2)]
    Bool(#[n(0)] bool),
    /// Several values.
    #[n(3)]
    List(#[n(0)] Vec<Constant>),
    /// Named values, ascending by name.
    #[n(4)]
    Map(#[n(0)] Vec<(String, Constant)>),
}
