//! Validation of one value against its field.

use plan::Package;
use plan::dictionary::{Field, Kind, Repeating, Subject};

use super::{Problem, shown_text};
use crate::date::is_date;
use crate::id::RecordId;
use crate::value::{Key, Value};

/// No date before this one is anybody's.
const DATE_MIN: &str = "1900-01-01";

/// What is wrong with one value by itself. Empty is always good here.
pub(super) fn value_problem(
    package: &Package,
    of: &Subject,
    key: &Key,
    value: &Value,
    today: &str,
) -> Option<Problem> {
    let problem = |code| Some(Problem::new(key, code));
    let Some(section) = of.section(key.section()) else {
        let elsewhere = package.section(key.section()).is_some();
        return problem(if elsewhere {
            "wrong_subject"
        } else {
            "unknown_key"
        });
    };
    match (&section.repeating, key.item()) {
        (Repeating::Other(_), _) => return problem("unknown_key"),
        (Repeating::No, Some(_)) => return problem("not_repeating"),
        (Repeating::No, None) => {}
        (_, None) => return problem("item_needed"),
        (_, Some(_)) => {}
    }
    if key.is_void() {
        let flag = matches!(value, Value::Null | Value::Bool(_));
        return if flag {
            None
        } else {
            typed(key, value, "not_a_bool")
        };
    }
    let Some(field) = section.field(key.field()) else {
        return problem("unknown_key");
    };
    let chosen = key.code().is_some();
    if !field.is_known() || chosen != matches!(field.kind, Kind::Choices { .. }) {
        return problem("unknown_key");
    }
    if value.is_null() {
        return None;
    }
    kind_problem(package, field, key, value, today)
}

fn kind_problem(
    package: &Package,
    field: &Field,
    key: &Key,
    value: &Value,
    today: &str,
) -> Option<Problem> {
    let coded = |list: &str, code: &str| {
        let known = package.code_list(list).is_some_and(|list| list.takes(code));
        (!known).then(|| Problem::new(key, "unknown_code").with("value", code))
    };
    match (&field.kind, value) {
        (Kind::Integer { min, max }, Value::Int(number)) => {
            (!(*min..=*max).contains(number)).then(|| {
                let problem = Problem::new(key, "out_of_range").with("value", number);
                problem.with("min", min).with("max", max)
            })
        }
        (Kind::Integer { .. }, _) => typed(key, value, "not_an_integer"),
        (Kind::Bool, Value::Bool(_)) => None,
        (Kind::Bool, _) => typed(key, value, "not_a_bool"),
        (Kind::Choices { codes }, Value::Bool(_)) => coded(codes, key.code().unwrap_or_default()),
        (Kind::Choices { .. }, _) => typed(key, value, "not_a_bool"),
        (kind, Value::Text(text)) => match kind {
            Kind::Text {
                max_chars, pattern, ..
            } => text_problem(package, key, text, *max_chars, pattern.as_deref()),
            Kind::Date { month, future } => date_problem(key, text, *month, *future, today),
            Kind::Choice { codes } => coded(codes, text),
            Kind::Reference { subject } => {
                let named = text.parse::<RecordId>().ok();
                let fits = named.is_some_and(|id| id.subject.key() == subject);
                (!fits).then(|| Problem::new(key, "bad_reference").with("value", text))
            }
            Kind::Point => {
                (!is_point(text)).then(|| Problem::new(key, "bad_point").with("value", text))
            }
            // Taken above, with every value that they can have.
            Kind::Integer { .. } | Kind::Bool | Kind::Choices { .. } | Kind::Other(_) => None,
        },
        _ => Some(Problem::new(key, "not_text")),
    }
}

fn typed(key: &Key, value: &Value, code: &'static str) -> Option<Problem> {
    Some(Problem::new(key, code).with("value", shown_text(value)))
}

fn text_problem(
    package: &Package,
    key: &Key,
    text: &str,
    max_chars: u32,
    pattern: Option<&str>,
) -> Option<Problem> {
    if text.chars().count() > max_chars as usize {
        return Some(Problem::new(key, "too_long").with("max", max_chars));
    }
    let fits = pattern.is_none_or(|pattern| package.pattern_matches(pattern, text));
    (!fits).then(|| Problem::new(key, "bad_pattern").with("value", text))
}

fn date_problem(key: &Key, text: &str, month: bool, future: bool, today: &str) -> Option<Problem> {
    let day = if month && text.len() == 7 {
        format!("{text}-01")
    } else {
        text.to_owned()
    };
    if !is_date(&day) || day.as_str() < DATE_MIN {
        return Some(Problem::new(key, "not_a_date").with("value", text));
    }
    // Both are ISO 8601, so their order is that of their letters.
    (!future && day.as_str() > today).then(|| Problem::new(key, "future_date").with("value", text))
}

/// `latitude,longitude` in degrees with at most one decimal: about 11 km, which names no household.
fn is_point(text: &str) -> bool {
    let Some((latitude, longitude)) = text.split_once(',') else {
        return false;
    };
    let fits = |text: &str, most: f64| {
        let fraction = text.split_once('.').map_or("", |(_, fraction)| fraction);
        let plain = text
            .bytes()
            .all(|b| b.is_ascii_digit() || b == b'-' || b == b'.');
        plain
            && fraction.len() <= 1
            && text
                .parse::<f64>()
                .is_ok_and(|degrees| degrees.abs() <= most)
    };
    fits(latitude, 90.0) && fits(longitude, 180.0)
}
