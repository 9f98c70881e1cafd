//! Entries of a unit's diary: what one person writes on a day.

use sync_core::id::RecordId;
use sync_core::value::Value;

use crate::day::Day;

/// One edit: made on its day, whole.
#[derive(Clone, Debug)]
pub(crate) struct Entry {
    /// When it is written.
    pub(crate) day: Day,
    /// The number of the phone that it is written on.
    pub(crate) phone: usize,
    /// The record.
    pub(crate) record: RecordId,
    /// What is set.
    pub(crate) puts: Puts,
}

/// Values by key, `section.field` or `section#item.field`.
#[derive(Clone, Debug, Default)]
pub(crate) struct Puts(pub(crate) Vec<(String, Value)>);

impl Puts {
    /// Fills in a place, `section` or `section#item`.
    pub(crate) fn at(&mut self, place: impl Into<String>) -> At<'_> {
        let place = place.into();
        At { puts: self, place }
    }

    /// Begins an item of a repeating section, which somebody says where it is from (CL-SOURCE).
    pub(crate) fn new_item(&mut self, section: &str, item: &str, source: &str) -> At<'_> {
        self.at_item(section, item).set("info_source", source)
    }

    /// Fills in an item of a repeating section.
    pub(crate) fn at_item(&mut self, section: &str, item: &str) -> At<'_> {
        self.at(format!("{section}#{item}"))
    }
}

impl Entry {
    /// The value that this entry sets for a key.
    pub(crate) fn value_mut(&mut self, key: &str) -> Option<&mut Value> {
        let mut puts = self.puts.0.iter_mut();
        puts.find_map(|(of, value)| (of.as_str() == key).then_some(value))
    }
}

/// A section or item that is being filled in.
pub(crate) struct At<'a> {
    puts: &'a mut Puts,
    place: String,
}

impl At<'_> {
    /// Sets a field.
    pub(crate) fn set(self, field: &str, value: impl Into<Value>) -> Self {
        self.puts
            .0
            .push((format!("{}.{field}", self.place), value.into()));
        self
    }

    /// Sets a field if there is something to set.
    pub(crate) fn set_if(self, field: &str, value: Option<impl Into<Value>>) -> Self {
        match value {
            Some(value) => self.set(field, value),
            None => self,
        }
    }

    /// Ticks codes of a multi-choice.
    pub(crate) fn tick<'c>(self, field: &str, codes: impl IntoIterator<Item = &'c str>) -> Self {
        codes
            .into_iter()
            .fold(self, |at, code| at.set(&format!("{field}/{code}"), true))
    }
}
