//! Expressions over a record as of a date. The only user of CEL.
//!
//! A [`Scope`] holds what one record says on one date; any number of expressions are then asked of
//! it. It offers these variables:
//!
//! - every section of the record's subject by its key: a single section as a map with every field of
//!   the dictionary, a repeating one as a list of such maps, each with `item_id` and `item_date`
//!   (the value of the section's date field) besides. What is not recorded is null;
//! - `home`: null, or a map with the sections of the person's household in the same form;
//! - `as_of`: the date, as text;
//! - `settings`: every setting's value in force on that date, null before the first;
//! - `period`: in [`Scope::for_period`] a map with `year` (`"2027"`), `from` and `to` (the first and
//!   the last day); else null. The loader lets only an indicator's own expressions name it, so that
//!   a status means the same wherever it is asked for;
//! - `item`: the item, in [`Scope::item_holds`] only;
//! - every computed status of the subject by its name.
//!
//! What is evaluated is the tree of an expression that the package carries ([`Parsed`]); its source is
//! the name under which the rest of the package refers to it. Only with the feature `load` is there a
//! parser, for what has no tree.
//!
//! Besides CEL's own functions there are eight: `age`, `ago`, `ahead`, `held`, `last`,
//! `newest`, `reached` and `within`; the module `functions` has their borders. Sections and computed statuses are
//! built when an expression first refers to them and then kept, so that a scope costs what is asked
//! of it. CEL has no budget of its own: the length of an expression, its nesting and the size of the
//! facts are bounded instead ([`SOURCE_CHARS_MAX`], [`ITEMS_MAX`], [`FACTS_BYTES_MAX`]).
//!
//! A computed status that has no answer makes an expression that needs it an error. As everywhere
//! in CEL, `false && error` is false and `true || error` is true: then the answer does not depend on it.

mod date;
mod dependencies;
mod functions;
mod programs;
mod scope;
mod tree;
#[cfg(feature = "load")]
mod typecheck;
mod values;

use std::collections::BTreeMap;

use self::date::Date;
#[cfg(feature = "load")]
pub(crate) use self::functions::NAMES as FUNCTIONS;
pub(crate) use self::programs::Programs;
#[cfg(feature = "load")]
pub(crate) use self::programs::{CEL_WORDS, whole};
pub use self::scope::{AsOf, RecordFacts, Scope};
pub use self::tree::Parsed;
#[cfg(feature = "load")]
pub(crate) use self::typecheck::{Type, TypeEnv};
use crate::register::ValueType;

/// Most characters (Unicode scalar values) of an expression.
pub const SOURCE_CHARS_MAX: usize = 2_000;

/// Most items of one repeating section.
pub const ITEMS_MAX: usize = 512;

/// Most bytes of one record's facts: its texts, and `VALUE_BYTES` for every value.
pub const FACTS_BYTES_MAX: usize = 1 << 20;

/// What every value counts for in [`FACTS_BYTES_MAX`], whatever it is.
const VALUE_BYTES: usize = 16;

/// How deep computed statuses may rest on each other. The loader refuses circles; a package from
/// elsewhere must not overflow the stack either.
const COMPUTED_DEPTH_MAX: usize = 24;

/// The hidden entry of an item with its id.
pub(crate) const ITEM_ID: &str = "item_id";

/// The hidden entry of an item with the value of its section's date field.
pub(crate) const ITEM_DATE: &str = "item_date";

/// Names that expressions know besides sections and computed statuses.
#[cfg(feature = "load")]
pub(crate) const VARIABLES: [&str; 5] = [HOME, "as_of", "settings", PERIOD, "item"];

/// The name of a person's household.
pub const HOME: &str = "home";

/// The name of what an indicator's expressions know besides.
pub(crate) const PERIOD: &str = "period";

/// A value as expressions see it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Datum {
    /// Empty or unknown.
    Null,
    /// Yes or no.
    Bool(bool),
    /// A whole number.
    Int(i64),
    /// Text, date, code, record id or point.
    Text(String),
    /// The chosen codes of a multi-choice, ascending.
    Codes(Vec<String>),
    /// An item of a repeating section, by field; as a result only.
    Item(BTreeMap<String, Datum>),
}

/// The fields of a single section or of one item. Fields of the dictionary that are missing here
/// count as [`Datum::Null`].
pub type Fields = BTreeMap<String, Datum>;

/// One item of a repeating section.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Item {
    /// The item's id.
    pub id: String,
    /// Its values.
    pub fields: Fields,
}

/// What is recorded of one subject: a record, or a group of linked records as one. Withdrawn items
/// are left out.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Facts {
    /// Single sections, by section.
    pub single: BTreeMap<String, Fields>,
    /// The items of repeating sections, by section, in any order.
    pub items: BTreeMap<String, Vec<Item>>,
}

/// Why an expression has no answer. No message repeats a value of the record.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum ExpressionError {
    /// It does not parse, or names what this program does not know: a newer plan.
    #[error("the expression can't be compiled: {0}")]
    Compile(String),
    /// It failed on these facts: a value is missing or of another type.
    #[error("the expression has no answer: {0}")]
    Evaluate(String),
    /// It gave something else than was asked for.
    #[error("the expression gives another type than it should")]
    Type,
    /// The facts are over the limits of evaluation.
    #[error("too much is recorded to evaluate the expression")]
    TooLarge,
}

impl Facts {
    /// Whether expressions over them are evaluated: [`ITEMS_MAX`], [`FACTS_BYTES_MAX`].
    pub fn is_within_limits(&self) -> bool {
        self.items.values().all(|items| items.len() <= ITEMS_MAX) && self.bytes() <= FACTS_BYTES_MAX
    }

    fn bytes(&self) -> usize {
        let items = self.items.values().flatten();
        let ids: usize = items.clone().map(|item| VALUE_BYTES + item.id.len()).sum();
        let fields = self.single.values().chain(items.map(|item| &item.fields));
        ids + fields
            .flat_map(BTreeMap::values)
            .map(Datum::bytes)
            .sum::<usize>()
    }
}

impl Datum {
    fn bytes(&self) -> usize {
        VALUE_BYTES
            + match self {
                Datum::Null | Datum::Bool(_) | Datum::Int(_) | Datum::Item(_) => 0,
                Datum::Text(text) => text.len(),
                Datum::Codes(codes) => codes.iter().map(|code| VALUE_BYTES + code.len()).sum(),
            }
    }
}

impl ValueType {
    /// Whether the value is what the status promises.
    pub(crate) fn matches(self, value: &Datum) -> bool {
        match (self, value) {
            (ValueType::Bool, Datum::Bool(_))
            | (ValueType::Integer, Datum::Int(_) | Datum::Null)
            | (ValueType::Text, Datum::Text(_) | Datum::Null)
            | (ValueType::Item, Datum::Item(_) | Datum::Null)
            | (ValueType::Date, Datum::Null) => true,
            (ValueType::Date, Datum::Text(text)) => Date::parse(text).is_some(),
            _ => false,
        }
    }
}

/// Whether the text is a real day, `YYYY-MM-DD`.
#[cfg(feature = "load")]
pub(crate) fn is_day(text: &str) -> bool {
    Date::parse(text).is_some_and(|date| date.to_string() == text)
}

#[cfg(test)]
mod tests;
