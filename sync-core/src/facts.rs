//! What a record's values are to the expressions of the plan.

use std::collections::{BTreeMap, BTreeSet};

use plan::Package;
use plan::dictionary::{Kind, Repeating};
use plan::expression::{Datum, Facts, Item};

use crate::id::RecordId;
use crate::value::{Key, Value};

/// The section that says where a person lives, and its field that names the household.
const RESIDENCE: (&str, &str) = ("residence", "household");

/// The facts of one record: withdrawn items left out, the ticked codes of a multi-choice as a list.
/// Keys that the package does not know are left out; expressions can't name them.
pub fn facts<'a>(
    package: &Package,
    values: impl IntoIterator<Item = (&'a Key, &'a Value)>,
) -> Facts {
    let mut facts = Facts::default();
    let mut items: BTreeMap<&str, BTreeMap<&str, Item>> = BTreeMap::new();
    let mut withdrawn: BTreeSet<(&str, &str)> = BTreeSet::new();
    for (key, value) in values {
        let Some((_, section)) = package.section(key.section()) else {
            continue;
        };
        if key.is_void() {
            if value == &Value::Bool(true)
                && let Some(item) = key.item()
            {
                withdrawn.insert((key.section(), item));
            }
            continue;
        }
        let Some(field) = section.field(key.field()) else {
            continue;
        };
        let fields = match (key.item(), &section.repeating) {
            (None, Repeating::No) => facts.single.entry(section.key.clone()).or_default(),
            (Some(id), Repeating::ByDate(_) | Repeating::ByKey(..) | Repeating::Drawn) => {
                let of_section = items.entry(key.section()).or_default();
                let fresh = || Item {
                    id: id.to_owned(),
                    ..Item::default()
                };
                &mut of_section.entry(id).or_insert_with(fresh).fields
            }
            _ => continue,
        };
        match (key.code(), &field.kind) {
            (Some(code), Kind::Choices { .. }) => {
                let codes = fields
                    .entry(field.key.clone())
                    .or_insert(Datum::Codes(Vec::new()));
                // Keys come in ascending order, so codes do too.
                if let (Datum::Codes(codes), Value::Bool(true)) = (codes, value) {
                    codes.push(code.to_owned());
                }
            }
            (None, kind) if !matches!(kind, Kind::Choices { .. }) => {
                fields.insert(field.key.clone(), datum(value));
            }
            _ => {}
        }
    }
    for (section, of_section) in items {
        let kept = of_section
            .into_iter()
            .filter(|(id, _)| !withdrawn.contains(&(section, *id)))
            .map(|(_, item)| item);
        facts.items.insert(section.to_owned(), kept.collect());
    }
    facts
}

fn datum(value: &Value) -> Datum {
    match value {
        Value::Null => Datum::Null,
        Value::Bool(flag) => Datum::Bool(*flag),
        Value::Int(number) => Datum::Int(*number),
        Value::Text(text) => Datum::Text(text.clone()),
    }
}

/// The household in which a person lives as of a date (`YYYY-MM-DD`): that of the newest residence
/// begun by then, or of the newest at all if none had begun.
pub fn home_of(package: &Package, facts: &Facts, as_of: &str) -> Option<RecordId> {
    let (section, household) = RESIDENCE;
    let date = package.section(section)?.1.repeating.date()?;
    let begun = |item: &&Item| match item.fields.get(date) {
        Some(Datum::Text(since)) => Some(since.clone()),
        _ => None,
    };
    let items = facts.items.get(section)?;
    let newest = |items: &mut dyn Iterator<Item = &Item>| {
        let dated = items.map(|item| (begun(&item), item.id.clone(), item.fields.get(household)));
        dated
            .max_by(|a, b| (&a.0, &a.1).cmp(&(&b.0, &b.1)))
            .and_then(|(_, _, home)| home.cloned())
    };
    let reached = |item: &&Item| begun(item).is_some_and(|since| since.as_str() <= as_of);
    let home = newest(&mut items.iter().filter(reached)).or_else(|| newest(&mut items.iter()))?;
    match home {
        Datum::Text(id) => id.parse().ok(),
        _ => None,
    }
}
