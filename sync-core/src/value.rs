//! Keys and values: the address of a value ([`Key`]) and its types ([`Value`]), MODEL.md §1.

use std::fmt;
use std::str::FromStr;
use std::sync::Arc;

/// Longest key, in bytes (valid change v1).
pub const KEY_BYTES_MAX: usize = 200;
/// Longest text value, in bytes (valid change v1).
pub const VALUE_BYTES_MAX: usize = 4 * 1024;

/// Text that does not follow the key grammar.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("not a key: section.field, section.field/CODE, section#item.field or section#item.void")]
pub struct BadKey;

/// The address of one value in a record, parsed.
///
/// `section.field`, `section.field/CODE` (one Boolean per code of a multi-choice, so that two people
/// ticking different boxes merge), `section#item.field`, `section#item.field/CODE`,
/// `section#item.void`. The text form is the same in storage, command line, conflicts and history.
/// Clones share it, since records are copied far more often than keys are made.
#[derive(Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Key {
    text: Arc<str>,
    section_end: u8,
    item_end: u8,
    field_end: u8,
}

/// Every place in a key fits.
const _: () = assert!(KEY_BYTES_MAX <= u8::MAX as usize);

impl Key {
    /// Reads a key; refuses everything outside the grammar and above [`KEY_BYTES_MAX`].
    pub fn parse(text: &str) -> Result<Self, BadKey> {
        if text.len() > KEY_BYTES_MAX {
            return Err(BadKey);
        }
        let dot = text.find('.').ok_or(BadKey)?;
        let section_end = text[..dot].find('#').unwrap_or(dot);
        let field_end = text[dot..]
            .find('/')
            .map_or(text.len(), |slash| dot + slash);
        let place = |at: usize| u8::try_from(at).map_err(|_| BadKey);
        let key = Self {
            section_end: place(section_end)?,
            item_end: place(dot)?,
            field_end: place(field_end)?,
            text: Arc::from(text),
        };
        let fits = is_name(key.section())
            && is_name(key.field())
            && key.item().is_none_or(is_item)
            && key.code().is_none_or(is_code)
            && (key.item().is_some() || key.field() != VOID)
            && (key.code().is_none() || key.field() != VOID);
        if fits { Ok(key) } else { Err(BadKey) }
    }

    /// The key of a field of a single section.
    pub fn single(section: &str, field: &str) -> Result<Self, BadKey> {
        Self::parse(&format!("{section}.{field}"))
    }

    /// The key of a field of an item of a repeating section.
    pub fn item_field(section: &str, item: &str, field: &str) -> Result<Self, BadKey> {
        Self::parse(&format!("{section}#{item}.{field}"))
    }

    /// The key that withdraws an item.
    pub fn void(section: &str, item: &str) -> Result<Self, BadKey> {
        Self::item_field(section, item, VOID)
    }

    /// The same field's key for one code of a multi-choice.
    pub fn with_code(&self, code: &str) -> Result<Self, BadKey> {
        Self::parse(&format!("{}/{code}", self.until(self.field_end)))
    }

    /// The section.
    pub fn section(&self) -> &str {
        self.until(self.section_end)
    }

    /// The item of a repeating section, or `None` for a single section.
    pub fn item(&self) -> Option<&str> {
        (self.section_end < self.item_end)
            .then(|| behind(self.until(self.item_end), self.section_end))
    }

    /// The field, or `void`.
    pub fn field(&self) -> &str {
        behind(self.until(self.field_end), self.item_end)
    }

    /// The code of a multi-choice.
    pub fn code(&self) -> Option<&str> {
        let has_code = usize::from(self.field_end) < self.text.len();
        has_code.then(|| behind(&self.text, self.field_end))
    }

    /// Whether the key withdraws an item.
    pub fn is_void(&self) -> bool {
        self.item().is_some() && self.field() == VOID
    }

    fn until(&self, end: u8) -> &str {
        &self.text[..usize::from(end)]
    }

    /// The text form.
    pub fn as_str(&self) -> &str {
        &self.text
    }
}

/// What stands behind the mark at this place.
fn behind(text: &str, mark: u8) -> &str {
    &text[usize::from(mark) + 1..]
}

/// The field name that withdraws an item; the dictionary can't use it for a field.
pub const VOID: &str = "void";

fn is_name(text: &str) -> bool {
    text.as_bytes().first().is_some_and(u8::is_ascii_lowercase)
        && text
            .bytes()
            .all(|b| b.is_ascii_lowercase() || b.is_ascii_digit() || b == b'_')
}

fn is_item(text: &str) -> bool {
    !text.is_empty()
        && text
            .bytes()
            .all(|b| b.is_ascii_alphanumeric() || b == b'-' || b == b'_')
}

fn is_code(text: &str) -> bool {
    !text.is_empty() && text.bytes().all(|b| b.is_ascii_alphanumeric() || b == b'_')
}

impl fmt::Display for Key {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.text)
    }
}

impl fmt::Debug for Key {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.text)
    }
}

impl FromStr for Key {
    type Err = BadKey;

    fn from_str(text: &str) -> Result<Self, BadKey> {
        Self::parse(text)
    }
}

/// One scalar. Text, date, reference, choice and point are `Text`; empty is `Null`, since nothing
/// is ever deleted (an Automerge delete swallows concurrent edits).
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Value {
    /// Empty.
    Null,
    /// Yes or no.
    Bool(bool),
    /// A whole number.
    Int(i64),
    /// Text, date (`YYYY-MM-DD` or `YYYY-MM`), code, record id or point; at most
    /// [`VALUE_BYTES_MAX`] bytes.
    Text(String),
}

impl Value {
    /// The text, if it is one.
    pub fn as_text(&self) -> Option<&str> {
        match self {
            Value::Text(text) => Some(text),
            _ => None,
        }
    }

    /// Whether the value is empty.
    pub fn is_null(&self) -> bool {
        matches!(self, Value::Null)
    }
}

impl From<&str> for Value {
    fn from(text: &str) -> Self {
        Value::Text(text.to_owned())
    }
}

impl From<i64> for Value {
    fn from(number: i64) -> Self {
        Value::Int(number)
    }
}

impl From<bool> for Value {
    fn from(flag: bool) -> Self {
        Value::Bool(flag)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_form_of_the_grammar_parses_into_its_parts() {
        let key = Key::parse("identity.name").unwrap();
        assert_eq!(
            (key.section(), key.item(), key.field(), key.code()),
            ("identity", None, "name", None)
        );
        let key = Key::parse("care_needs.needs/06").unwrap();
        assert_eq!((key.field(), key.code()), ("needs", Some("06")));
        let key = Key::parse("screening#C-2026-1.screened_on").unwrap();
        assert_eq!(
            (key.section(), key.item(), key.field()),
            ("screening", Some("C-2026-1"), "screened_on")
        );
        let key = Key::parse("water#a1b2c3d4.treatment/1").unwrap();
        assert_eq!(
            (key.item(), key.field(), key.code()),
            (Some("a1b2c3d4"), "treatment", Some("1"))
        );
        assert!(Key::parse("water#a1.void").unwrap().is_void());
    }

    #[test]
    fn what_is_outside_the_grammar_is_refused() {
        for text in [
            "",
            ".",
            "a",
            "a.",
            ".a",
            "A.b",
            "a.B",
            "a#.b",
            "a#x",
            "a.b/",
            "a.b/c/d",
            "a.b.c",
            "a b.c",
            "a.void",
            "a#x.void/1",
            "1a.b",
            "a#x#y.b",
            "a.b#c",
            "名.b",
            "a#嘎.b",
        ] {
            assert!(Key::parse(text).is_err(), "{text}");
        }
        let longest = format!("a.{}", "b".repeat(KEY_BYTES_MAX - 2));
        assert!(Key::parse(&longest).is_ok());
        assert!(Key::parse(&format!("{longest}b")).is_err());
    }
}
