//! Parsing of typed text: text and the dictionary in, keys and values out.
//!
//! Nothing is judged here. Text that is no number where a number belongs goes on as text, and the
//! core's check says what is wrong with it, in the same words wherever it was typed.

use std::collections::BTreeMap;
use std::str::FromStr;

use plan::Package;
use plan::dictionary::{Kind, Repeating};
use sync_core::value::{Key, Value};

use crate::dictionary::{kind_of, section_of};
use crate::error::{Issue, PhoneError};

/// Alphabet of drawn item ids: Crockford's base32, so that they can be read out.
const ITEM_ALPHABET: &[u8; 32] = b"0123456789abcdefghjkmnpqrstvwxyz";
/// Length of a drawn item id.
pub(crate) const ITEM_ID_LEN: usize = 8;

/// A value as it is typed, and where.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Typed {
    /// A key, or a field's name where the section is known.
    pub name: String,
    /// The text, without blanks around it; nothing empties the field.
    pub value: String,
}

impl Typed {
    /// `value` under `name`.
    pub fn new(name: &str, value: &str) -> Self {
        Self {
            name: name.trim().to_owned(),
            value: value.trim().to_owned(),
        }
    }
}

impl FromStr for Typed {
    type Err = PhoneError;

    /// Reads `name=value`; the value may hold further equals signs or be empty.
    fn from_str(set: &str) -> Result<Self, PhoneError> {
        let halves = set.split_once('=');
        let (name, value) =
            halves.ok_or_else(|| PhoneError::wrong(Issue::about("not_a_set", set)))?;
        Ok(Self::new(name, value))
    }
}

/// The id of a drawn item, from eight random bytes.
pub(crate) fn drawn_item(random: [u8; ITEM_ID_LEN]) -> String {
    random
        .iter()
        .map(|byte| ITEM_ALPHABET[usize::from(byte % 32)] as char)
        .collect()
}

/// Reads a full key.
pub(crate) fn key_of(text: &str) -> Result<Key, PhoneError> {
    Key::parse(text).map_err(|_| PhoneError::wrong(Issue::about("bad_key", text)))
}

/// What a text under `key` writes. `ticked` are the codes of a multi-choice that are chosen now:
/// those that the text does not name are taken back.
pub(crate) fn puts_of(
    package: &Package,
    key: &Key,
    text: &str,
    ticked: &dyn Fn(&Key) -> Vec<String>,
) -> Result<Vec<(Key, Value)>, PhoneError> {
    let kind = match key {
        key if key.is_void() => Some(&Kind::Bool),
        key => kind_of(package, key.section(), key.field()),
    };
    match kind {
        Some(Kind::Choices { .. }) if key.code().is_none() => {
            let mut codes: BTreeMap<String, bool> =
                ticked(key).into_iter().map(|code| (code, false)).collect();
            for code in text
                .split([',', '，', '、'])
                .map(str::trim)
                .filter(|code| !code.is_empty())
            {
                codes.insert(code.to_owned(), true);
            }
            let put = |(code, chosen): (String, bool)| {
                let key = key.with_code(&code).map_err(|_| {
                    let issue = Issue::about("unknown_code", key.as_str());
                    PhoneError::wrong(issue.with("value", &code))
                })?;
                Ok((key, Value::Bool(chosen)))
            };
            codes.into_iter().map(put).collect()
        }
        Some(Kind::Choices { .. } | Kind::Bool) => Ok(vec![(key.clone(), yes_or_no(text))]),
        Some(Kind::Integer { .. }) => Ok(vec![(key.clone(), integer(text))]),
        Some(_) | None => Ok(vec![(key.clone(), words(text))]),
    }
}

/// Null where nothing was typed.
fn words(text: &str) -> Value {
    if text.is_empty() {
        Value::Null
    } else {
        Value::from(text)
    }
}

fn integer(text: &str) -> Value {
    text.parse::<i64>().map_or_else(|_| words(text), Value::Int)
}

fn yes_or_no(text: &str) -> Value {
    match text.to_ascii_lowercase().as_str() {
        "true" | "yes" | "是" => Value::Bool(true),
        "false" | "no" | "否" => Value::Bool(false),
        _ => words(text),
    }
}

/// The fields typed for an item: names without their section.
pub(crate) type Fields = BTreeMap<String, String>;

/// The id of an item: what its section's natural key gives where it declares one, else `drawn`.
pub(crate) fn item_of(
    package: &Package,
    section: &str,
    fields: &Fields,
    drawn: impl FnOnce() -> String,
) -> Result<String, PhoneError> {
    let Some(Repeating::ByKey(names, _)) =
        section_of(package, section).map(|found| &found.repeating)
    else {
        return Ok(drawn());
    };
    let mut parts = Vec::new();
    for name in names {
        let part = fields.get(name).filter(|part| !part.is_empty());
        let shaped = |part: &&String| {
            part.bytes()
                .all(|b| b.is_ascii_alphanumeric() || b == b'-' || b == b'_')
        };
        let whole = format!("{section}.{name}");
        let part =
            part.ok_or_else(|| PhoneError::wrong(Issue::about("item_key_missing", &whole)))?;
        let part = Some(part).filter(shaped).ok_or_else(|| {
            PhoneError::wrong(Issue::about("unknown_code", &whole).with("value", part))
        })?;
        parts.push(part.as_str());
    }
    Ok(parts.join("-"))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn package() -> Package {
        Package::builtin()
    }

    fn one(text_key: &str, text: &str) -> Value {
        let key = Key::parse(text_key).unwrap();
        puts_of(&package(), &key, text, &|_| Vec::new())
            .unwrap()
            .remove(0)
            .1
    }

    #[test]
    fn text_becomes_what_the_dictionary_says_its_field_is() {
        assert_eq!(one("household.resident_population", "4"), Value::Int(4));
        assert_eq!(one("household.household_no", "0004"), Value::from("0004"));
        assert_eq!(
            one("identity.birth_date", "1985-06-07"),
            Value::from("1985-06-07")
        );
        assert_eq!(
            one("screening#C-2026.on_target_list", "是"),
            Value::Bool(true)
        );
        assert_eq!(
            one("screening#C-2026.on_target_list", "no"),
            Value::Bool(false)
        );
        assert_eq!(one("screening#C-2026.void", "true"), Value::Bool(true));
        assert_eq!(one("identity.phone", ""), Value::Null);
    }

    #[test]
    fn text_of_the_wrong_kind_goes_on_as_text_for_the_check_to_name() {
        assert_eq!(
            one("household.resident_population", "many"),
            Value::from("many")
        );
        assert_eq!(
            one("screening#C-2026.on_target_list", "maybe"),
            Value::from("maybe")
        );
        assert_eq!(one("household.nonsense", "1"), Value::from("1"));
    }

    #[test]
    fn a_multi_choice_ticks_what_is_named_and_takes_back_the_rest() {
        let key = Key::parse("care_needs#n1.needs").unwrap();
        let made = puts_of(&package(), &key, "01, 03", &|_| {
            vec!["02".into(), "03".into()]
        })
        .unwrap();
        let made: Vec<(String, Value)> =
            made.into_iter().map(|(k, v)| (k.to_string(), v)).collect();
        let put = |code: &str, chosen| (format!("care_needs#n1.needs/{code}"), Value::Bool(chosen));
        assert_eq!(made, [put("01", true), put("02", false), put("03", true)]);
    }

    #[test]
    fn a_natural_key_names_its_item_and_other_items_are_drawn() {
        let field = |name: &str, value: &str| (name.to_owned(), value.to_owned());
        let fields = Fields::from([field("cancer", "C"), field("round", "2026")]);
        let drawn = || drawn_item([0, 1, 31, 32, 255, 9, 10, 11]);
        assert_eq!(
            item_of(&package(), "screening", &fields, drawn).unwrap(),
            "C-2026"
        );
        assert_eq!(
            item_of(&package(), "toilet", &Fields::new(), drawn).unwrap(),
            "01z0z9ab"
        );
        let missing = Fields::from([field("cancer", "C")]);
        let error = item_of(&package(), "screening", &missing, drawn).unwrap_err();
        assert_eq!(error.issues()[0].key, "screening.round");
    }

    #[test]
    fn a_set_is_split_at_its_first_equals_sign() {
        let read = |set: &str| set.parse::<Typed>().unwrap();
        assert_eq!(
            read("identity.name=a=b"),
            Typed::new("identity.name", "a=b")
        );
        assert_eq!(read("identity.name ="), Typed::new("identity.name", ""));
        let error = "identity.name".parse::<Typed>().unwrap_err();
        assert_eq!(error.issues()[0].code, "not_a_set");
    }
}
