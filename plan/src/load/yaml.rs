//! YAML as a tree with places, stricter than YAML is.
//!
//! YAML 1.1 and 1.2 disagree on what `01`, `no`, `on` and `N` are, so a tree keeps whether a scalar
//! was quoted, and whoever reads a code asks for it. Aliases are refused: a reader of one line must
//! see what it says.

use std::fmt;

use serde::de::{Deserialize, Deserializer, MapAccess, SeqAccess, Visitor};
use serde_saphyr::Spanned;

/// A value with its place.
#[derive(Debug)]
pub(super) struct Node {
    /// From 1.
    pub(super) line: u32,
    pub(super) quoted: bool,
    pub(super) value: Value,
}

#[derive(Debug)]
pub(super) enum Value {
    Null,
    Bool(bool),
    Integer(i64),
    Text(String),
    List(Vec<Node>),
    Map(Vec<(Node, Node)>),
    /// A number with a fraction or out of range: nothing in the plan is one.
    Other,
}

/// YAML that can't be read, with its place where it is known.
#[derive(Debug)]
pub(super) struct Unreadable {
    pub(super) line: u32,
    pub(super) column: u32,
    pub(super) reason: String,
}

pub(super) fn parse(text: &str) -> Result<Node, Unreadable> {
    let options = serde_saphyr::options! { with_snippet: false };
    let raw = serde_saphyr::from_str_with_options::<Spanned<Raw>>(text, options);
    let raw = raw.map_err(|error| {
        let place = error.location();
        let number = |number: u64| u32::try_from(number).unwrap_or(u32::MAX);
        Unreadable {
            line: place.map_or(0, |place| number(place.line())),
            column: place.map_or(0, |place| number(place.column())),
            reason: error.without_snippet().to_string(),
        }
    })?;
    node(raw, text)
}

fn node(raw: Spanned<Raw>, text: &str) -> Result<Node, Unreadable> {
    let line = u32::try_from(raw.referenced.line()).unwrap_or(u32::MAX);
    if raw.referenced.line() != raw.defined.line()
        || raw.referenced.column() != raw.defined.column()
    {
        let column = u32::try_from(raw.referenced.column()).unwrap_or(u32::MAX);
        return Err(Unreadable {
            line,
            column,
            reason: "aliases are not allowed".into(),
        });
    }
    let at = raw
        .referenced
        .span()
        .byte_offset()
        .and_then(|at| usize::try_from(at).ok());
    let first = at.and_then(|at| text.as_bytes().get(at));
    let quoted = matches!(first, Some(b'"' | b'\''));
    let value = match raw.value {
        Raw::Null => Value::Null,
        Raw::Bool(value) => Value::Bool(value),
        Raw::Integer(value) => Value::Integer(value),
        Raw::Text(value) => Value::Text(value),
        Raw::Other => Value::Other,
        Raw::List(values) => Value::List(
            values
                .into_iter()
                .map(|value| node(value, text))
                .collect::<Result<_, _>>()?,
        ),
        Raw::Map(entries) => {
            let entry = |(key, value)| Ok((node(key, text)?, node(value, text)?));
            Value::Map(entries.into_iter().map(entry).collect::<Result<_, _>>()?)
        }
    };
    Ok(Node {
        line,
        quoted,
        value,
    })
}

enum Raw {
    Null,
    Bool(bool),
    Integer(i64),
    Text(String),
    List(Vec<Spanned<Raw>>),
    Map(Vec<(Spanned<Raw>, Spanned<Raw>)>),
    Other,
}

impl<'de> Deserialize<'de> for Raw {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        deserializer.deserialize_any(RawVisitor)
    }
}

struct RawVisitor;

impl<'de> Visitor<'de> for RawVisitor {
    type Value = Raw;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("a value")
    }

    fn visit_unit<E>(self) -> Result<Raw, E> {
        Ok(Raw::Null)
    }

    fn visit_bool<E>(self, value: bool) -> Result<Raw, E> {
        Ok(Raw::Bool(value))
    }

    fn visit_i64<E>(self, value: i64) -> Result<Raw, E> {
        Ok(Raw::Integer(value))
    }

    fn visit_u64<E>(self, value: u64) -> Result<Raw, E> {
        Ok(i64::try_from(value).map_or(Raw::Other, Raw::Integer))
    }

    fn visit_i128<E>(self, _: i128) -> Result<Raw, E> {
        Ok(Raw::Other)
    }

    fn visit_u128<E>(self, _: u128) -> Result<Raw, E> {
        Ok(Raw::Other)
    }

    fn visit_f64<E>(self, _: f64) -> Result<Raw, E> {
        Ok(Raw::Other)
    }

    fn visit_str<E>(self, value: &str) -> Result<Raw, E> {
        Ok(Raw::Text(value.to_owned()))
    }

    fn visit_seq<A: SeqAccess<'de>>(self, mut values: A) -> Result<Raw, A::Error> {
        let mut list = Vec::new();
        while let Some(value) = values.next_element()? {
            list.push(value);
        }
        Ok(Raw::List(list))
    }

    fn visit_map<A: MapAccess<'de>>(self, mut entries: A) -> Result<Raw, A::Error> {
        let mut map = Vec::new();
        while let Some(entry) = entries.next_entry()? {
            map.push(entry);
        }
        Ok(Raw::Map(map))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_tree_knows_lines_and_quotes_of_keys_and_values() {
        let Ok(Node {
            value: Value::Map(entries),
            ..
        }) = parse("\"01\": a\n02: 'b'\non: no\n户: x\n")
        else {
            panic!("a map");
        };
        let told: Vec<_> = entries
            .iter()
            .map(|(k, v)| (k.line, k.quoted, v.quoted))
            .collect();
        assert_eq!(
            told,
            [
                (1, true, false),
                (2, false, true),
                (3, false, false),
                (4, false, false)
            ]
        );
        assert!(
            matches!(entries[2].0.value, Value::Bool(true)),
            "{:?}",
            entries[2].0
        );
        assert!(matches!(entries[2].1.value, Value::Bool(false)));
    }

    #[test]
    fn what_is_no_yaml_is_told_with_line_and_column() {
        let bad = parse("a: 1\nb: [1\nc: 2\n").expect_err("an error");
        assert!(
            bad.line > 0 && bad.column > 0,
            "{}:{} {}",
            bad.line,
            bad.column,
            bad.reason
        );
        let twice = parse("a: 1\na: 2\n").expect_err("an error");
        assert_eq!(twice.line, 2, "{}", twice.reason);
        let alias = parse("a: &x 1\nb: *x\n").expect_err("an error");
        assert_eq!(
            (alias.line, alias.reason.as_str()),
            (2, "aliases are not allowed")
        );
    }
}
