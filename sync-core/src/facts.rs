//! What a record's values are to the expressions of the plan.

use std::collections::{BTreeMap, BTreeSet};

use plan::Package;
use plan::dictionary::{Kind, Repeating};
use plan::expression::{Datum, Facts, Fields, Item};

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

/// The sections of a person that tie her record to others: to whose is her too, and to a household.
pub const TIES: [&str; 2] = ["identity", "residence"];

/// Fields that tell persons apart: where linked records differ in one, it is open whether they are
/// one person, and nothing of one is another's (R36).
const IDENTITY: [(&str, &str); 2] = [("identity", "name"), ("identity", "birth_date")];

/// What linked records say as one: the first one's values, the others' where it has none, and the
/// items of all. `members` are their facts, in the order of their ids.
pub fn joined(members: impl IntoIterator<Item = Facts>) -> Facts {
    let mut members = members.into_iter();
    let mut joined = members.next().unwrap_or_default();
    let others: Vec<Facts> = members.collect();
    if !others.iter().all(|other| same_person(&joined, other)) {
        return joined;
    }
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

/// Whether nothing of what tells persons apart differs.
fn same_person(a: &Facts, b: &Facts) -> bool {
    IDENTITY.iter().all(|(section, field)| {
        match (known(a, section, field), known(b, section, field)) {
            (Some(a), Some(b)) => a == b,
            _ => true,
        }
    })
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
    let (section, _) = RESIDENCE;
    let date = package.section(section)?.1.repeating.date()?;
    let begun = facts.items.get(section)?.iter().filter_map(|item| {
        let Some(Datum::Text(since)) = item.fields.get(date) else {
            return None;
        };
        // `YYYY-MM` is the first of that month.
        let day = if since.len() == 7 { "-01" } else { "" };
        Some(format!("{since}{day}"))
    });
    begun.filter(|since| since.as_str() <= as_of).max()
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
