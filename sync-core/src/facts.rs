//! Facts: a record's values as the plan's expressions see them.

use std::collections::{BTreeMap, BTreeSet};

use plan::Package;
use plan::dictionary::{Kind, Repeating};
use plan::expression::{Datum, Facts, Fields, Item};

use crate::date::is_date;
use crate::group::{Group, IDENTITY};
use crate::id::RecordId;
use crate::link;
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
        // One Boolean for each code of a multi-choice, one value for everything else.
        if key.code().is_some() != matches!(field.kind, Kind::Choices { .. }) {
            continue;
        }
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
        match key.code() {
            Some(code) => {
                let codes = fields
                    .entry(field.key.clone())
                    .or_insert(Datum::Codes(Vec::new()));
                // Keys come in ascending order, so codes do too.
                if let (Datum::Codes(codes), Value::Bool(true)) = (codes, value) {
                    codes.push(code.to_owned());
                }
            }
            None => drop(fields.insert(field.key.clone(), datum(value))),
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

/// What ties a person's record to others: to those that are her too, and to a household. Named as
/// `View::changed_parts` does.
pub const TIES: [&str; 5] = [
    link::SECTION,
    "identity.id_no",
    "identity.name",
    "identity.birth_date",
    "residence",
];

/// What linked records say as one: the first one's values, the others' where it has none, and the
/// items of all. `said` gives a member's facts.
pub fn joined(group: &Group, mut said: impl FnMut(RecordId) -> Option<Facts>) -> Facts {
    let members = group.members();
    let members: Vec<(RecordId, Facts)> = members
        .filter_map(|member| Some((member, said(member)?)))
        .collect();
    let (section, fields) = IDENTITY;
    let who_is_open = fields.iter().any(|field| {
        let values = members
            .iter()
            .filter_map(|(member, of)| Some((*member, known(of, section, field)?)));
        group.differs(field, values)
    });
    let mut members = members.into_iter().map(|(_, facts)| facts);
    let mut joined = members.next().unwrap_or_default();
    let others = members.filter(|_| !who_is_open);
    for other in others {
        for (section, fields) in other.single {
            fill(joined.single.entry(section).or_default(), fields);
        }
        for (section, items) in other.items {
            let held = joined.items.entry(section).or_default();
            for item in items {
                match held.iter_mut().find(|known| known.id == item.id) {
                    Some(known) => fill(&mut known.fields, item.fields),
                    None => held.push(item),
                }
            }
        }
    }
    joined
}

fn known<'a>(facts: &'a Facts, section: &str, field: &str) -> Option<&'a Datum> {
    let value = facts.single.get(section)?.get(field)?;
    (*value != Datum::Null).then_some(value)
}

fn fill(into: &mut Fields, from: Fields) {
    for (field, value) in from {
        let held = into.entry(field).or_insert(Datum::Null);
        if *held == Datum::Null {
            *held = value;
        }
    }
}

/// The households that a person's residences name, whenever they were.
pub fn homes(facts: &Facts) -> BTreeSet<RecordId> {
    let (section, household) = RESIDENCE;
    let items = facts.items.get(section).into_iter().flatten();
    let named = items.filter_map(|item| match item.fields.get(household) {
        Some(Datum::Text(id)) => id.parse().ok(),
        _ => None,
    });
    named.collect()
}

/// The newest day by which a person's residence had begun as of a date, for telling where she lives
/// of two places.
pub(crate) fn lives_since(package: &Package, facts: &Facts, as_of: &str) -> Option<String> {
    let begun = residences(package, facts).filter_map(|(since, _)| since);
    begun.filter(|since| since.as_str() <= as_of).max()
}

/// The household in which a person lives as of a date (`YYYY-MM-DD`): that of the newest residence
/// begun by then, or of the newest at all if none had begun. Of several begun on one day it is that
/// of the greater item, as everywhere.
pub fn home_of(package: &Package, facts: &Facts, as_of: &str) -> Option<RecordId> {
    let (_, household) = RESIDENCE;
    let newest = |(since, item): &(Option<String>, &Item)| (since.clone(), item.id.clone());
    let begun = |(since, _): &(Option<String>, &Item)| {
        since.as_ref().is_some_and(|since| since.as_str() <= as_of)
    };
    let now = residences(package, facts).filter(begun).max_by_key(newest);
    let (_, residence) = now.or_else(|| residences(package, facts).max_by_key(newest))?;
    match residence.fields.get(household)? {
        Datum::Text(id) => id.parse().ok(),
        _ => None,
    }
}

/// A person's residences, each with the day on which it began; `YYYY-MM` is the first of that month,
/// and what is no date has not begun.
fn residences<'f>(
    package: &Package,
    facts: &'f Facts,
) -> impl Iterator<Item = (Option<String>, &'f Item)> {
    let (section, _) = RESIDENCE;
    let date = package.section(section);
    let date = date.and_then(|(_, section)| section.repeating.date().map(str::to_owned));
    let items = facts.items.get(section).into_iter().flatten();
    items.map(move |item| {
        let since = date.as_ref().and_then(|date| item.fields.get(date));
        let since = match since {
            Some(Datum::Text(month)) if month.len() == 7 => format!("{month}-01"),
            Some(Datum::Text(day)) => day.clone(),
            _ => return (None, item),
        };
        (is_date(&since).then_some(since), item)
    })
}
