//! Facts of a unit's records, each by itself and linked ones as one.

use std::collections::{BTreeMap, BTreeSet};

use plan::Package;
use plan::dictionary::{Kind, Repeating};
use plan::expression::{Datum, Facts, Fields, Item};
use store::{Conn, StoreError, record};
use sync_core::id::{RecordId, Space, Subject};
use sync_core::record::View;
use sync_core::value::{Key, Value};

use super::number::{CalendarDay, Pairs, day, firsts, id_number};

/// The classes that everybody's figures see; others only where an indicator says that it reads them.
const CLASSES: [&str; 3] = ["general", "care", "referral"];

/// The records of a unit, group by group.
pub(super) struct RecountedUnit {
    pub(super) groups: Vec<Group>,
    /// What each household says.
    households: BTreeMap<RecordId, Facts>,
}

/// Records that are one person; one household or organisation.
pub(super) struct Group {
    /// Its smallest record.
    pub(super) first: RecordId,
    /// The valid ID numbers that its records show.
    pub(super) numbers: BTreeSet<String>,
    /// Its records.
    pub(super) members: BTreeSet<RecordId>,
    /// Of whom somebody said that they are not one of its records.
    pub(super) parted: BTreeSet<RecordId>,
    /// What they say as one.
    pub(super) facts: Facts,
}

impl RecountedUnit {
    /// Reads the records in the spaces of a unit.
    ///
    /// # Errors
    /// A row that does not read: `verify` names its record.
    pub(super) async fn read(
        conn: &mut Conn,
        package: &Package,
        spaces: &[Space],
    ) -> Result<Self, StoreError> {
        let classes = classes(package);
        let mut records: BTreeMap<RecordId, Record> = BTreeMap::new();
        for space in spaces {
            let class = space.class.key();
            if !classes.contains(class) {
                continue;
            }
            for (id, state) in record::of_space(conn, space).await? {
                let record = records.entry(id).or_default();
                record.take(package, id, class, state?.view());
            }
        }
        Ok(Self::of(package, &records))
    }

    fn of(package: &Package, records: &BTreeMap<RecordId, Record>) -> Self {
        let said: BTreeMap<RecordId, Facts> = records
            .iter()
            .map(|(id, record)| (*id, record.facts(package)))
            .collect();
        let numbers: Vec<&BTreeSet<String>> = records.values().map(|r| &r.numbers).collect();
        let mut members: BTreeMap<usize, Vec<RecordId>> = BTreeMap::new();
        let (same, parted) = (pairs(records, "same"), pairs(records, "not_same"));
        for (id, first) in records.keys().zip(firsts(&numbers, &same, &parted)) {
            members.entry(first).or_default().push(*id);
        }
        let apart = apart(records);
        let group = |members: Vec<RecordId>| {
            let numbers = members.iter().filter_map(|id| records.get(id));
            let facts = members.iter().filter_map(|id| Some((*id, said.get(id)?)));
            Some(Group {
                first: *members.first()?,
                numbers: numbers.flat_map(|r| r.numbers.clone()).collect(),
                parted: { members.iter() }
                    .filter_map(|id| apart.get(id))
                    .flatten()
                    .copied()
                    .collect(),
                facts: as_one(facts.collect(), records),
                members: members.into_iter().collect(),
            })
        };
        let groups = members.into_values().filter_map(group).collect();
        let of_household = |(id, _): &(RecordId, Facts)| id.subject == Subject::Household;
        let households = said.into_iter().filter(of_household).collect();
        Self { groups, households }
    }

    /// The household in which a person lives as of a date, as far as it is recorded in the unit.
    pub(super) fn home(&self, package: &Package, group: &Group, as_of: &str) -> Option<&Facts> {
        if group.first.subject != Subject::Person {
            return None;
        }
        let all = residences(package, &group.facts);
        let newest_begun = begun_by(&all, as_of).into_iter().max();
        let residence = newest_begun.or_else(|| all.into_iter().max())?;
        self.households.get(&residence.household?)
    }
}

/// The classes of data that are read.
fn classes(package: &Package) -> BTreeSet<&str> {
    let indicators = package.indicators.iter();
    let named = indicators.flat_map(|indicator| &indicator.count.classes);
    named.map(String::as_str).chain(CLASSES).collect()
}

/// The pairs of records, by their places, of which this is said.
fn pairs(records: &BTreeMap<RecordId, Record>, statement: &str) -> Pairs {
    let place: BTreeMap<&RecordId, usize> = records.keys().zip(0..).collect();
    let mut pairs = Pairs::new();
    for (at, record) in records.values().enumerate() {
        for (other, said) in &record.said {
            if let Some(other) = place.get(other).filter(|_| said == statement) {
                pairs.insert((at, *other));
            }
        }
    }
    pairs
}

/// Of whom it is said that they are not this record, in whichever of the two it stands.
fn apart(records: &BTreeMap<RecordId, Record>) -> BTreeMap<RecordId, BTreeSet<RecordId>> {
    let mut apart: BTreeMap<RecordId, BTreeSet<RecordId>> = BTreeMap::new();
    for (id, record) in records {
        for (other, _) in record.said.iter().filter(|(_, said)| *said == "not_same") {
            apart.entry(*id).or_default().insert(*other);
            apart.entry(*other).or_default().insert(*id);
        }
    }
    apart
}

/// One record over its classes: what shows under each key.
#[derive(Default)]
struct Record {
    values: Vec<(Key, Value)>,
    numbers: BTreeSet<String>,
    /// What is said of it and greater records.
    said: BTreeMap<RecordId, String>,
    /// Greater records that are the same person though this field differs.
    confirmed: BTreeSet<(RecordId, String)>,
}

impl Record {
    /// Takes in what is recorded in one class. A key that belongs to another class, to another
    /// subject or to nothing in the plan says nothing here.
    fn take(&mut self, package: &Package, id: RecordId, class: &str, view: &View) {
        for (key, slot) in view.iter() {
            if key.section() == "same" && class == "general" {
                self.take_statement(id, key, slot.winner());
                continue;
            }
            let section = package.section(key.section());
            if !section.is_some_and(|(of, it)| of.key == id.subject.key() && it.class == class) {
                continue;
            }
            if key.as_str() == "identity.id_no" {
                // Of numbers written apart each links; which one is hers is for people to say.
                let texts = slot.values().filter_map(|written| written.value.as_text());
                self.numbers.extend(texts.filter_map(id_number));
            }
            self.values.push((key.clone(), slot.winner().clone()));
        }
    }

    /// Takes in what is said of this record and another: of two persons, in the smaller one.
    fn take_statement(&mut self, id: RecordId, key: &Key, value: &Value) {
        let item = key.item().unwrap_or_default();
        let Ok(other) = item.parse::<RecordId>() else {
            return;
        };
        let persons = id.subject == Subject::Person && other.subject == Subject::Person;
        if !persons || other <= id || other.to_string() != item {
            return;
        }
        match (key.field(), key.code(), value) {
            ("state", None, Value::Text(said)) => drop(self.said.insert(other, said.clone())),
            ("despite", Some(field), Value::Bool(true)) => {
                self.confirmed.insert((other, field.to_owned()));
            }
            _ => {}
        }
    }

    fn facts(&self, package: &Package) -> Facts {
        let withdrawn: BTreeSet<(&str, Option<&str>)> = self
            .values
            .iter()
            .filter(|(key, value)| key.is_void() && *value == Value::Bool(true))
            .map(|(key, _)| (key.section(), key.item()))
            .collect();
        let mut facts = Facts::default();
        for (key, value) in &self.values {
            if key.is_void() || withdrawn.contains(&(key.section(), key.item())) {
                continue;
            }
            let Some((_, section)) = package.section(key.section()) else {
                continue;
            };
            let Some(field) = section.field(key.field()) else {
                continue;
            };
            let choices = matches!(field.kind, Kind::Choices { .. });
            let repeats = section.repeating != Repeating::No;
            if key.code().is_some() != choices || key.item().is_some() != repeats {
                continue;
            }
            let fields = match key.item() {
                None => facts.single.entry(section.key.clone()).or_default(),
                Some(id) => fields_of_item(facts.items.entry(section.key.clone()).or_default(), id),
            };
            match key.code() {
                None => drop(fields.insert(field.key.clone(), datum(value))),
                Some(code) => tick(fields, &field.key, code, value),
            }
        }
        facts
    }
}

fn datum(value: &Value) -> Datum {
    match value {
        Value::Null => Datum::Null,
        Value::Bool(yes) => Datum::Bool(*yes),
        Value::Int(number) => Datum::Int(*number),
        Value::Text(text) => Datum::Text(text.clone()),
    }
}

/// Adds a code of a multi-choice that is ticked. One in which every code was unticked is an empty
/// list, which is an answer.
fn tick(fields: &mut Fields, field: &str, code: &str, value: &Value) {
    let mut codes = match fields.remove(field) {
        Some(Datum::Codes(codes)) => codes,
        _ => Vec::new(),
    };
    if *value == Value::Bool(true) {
        codes.push(code.to_owned());
        codes.sort();
    }
    fields.insert(field.to_owned(), Datum::Codes(codes));
}

fn fields_of_item<'i>(items: &'i mut Vec<Item>, id: &str) -> &'i mut Fields {
    let at = items.iter().position(|item| item.id == id);
    let at = at.unwrap_or_else(|| {
        items.push(Item {
            id: id.to_owned(),
            fields: Fields::new(),
        });
        items.len() - 1
    });
    &mut items[at].fields
}

/// What linked records say as one, the one with the smallest id first. Others fill what it leaves
/// empty and add their items, unless names or birth dates among them differ and nobody confirmed
/// that they are one all the same: then it is open who they are, and the first speaks alone.
fn as_one(members: Vec<(RecordId, &Facts)>, records: &BTreeMap<RecordId, Record>) -> Facts {
    let mut members_in_order = members.iter().map(|(_, facts)| *facts);
    let mut one = members_in_order.next().cloned().unwrap_or_default();
    let differ = |field: &str| {
        let mut known = Vec::new();
        for (id, facts) in &members {
            let identity = facts.single.get("identity");
            let value = identity.and_then(|identity| identity.get(field));
            known.extend(
                value
                    .filter(|value| **value != Datum::Null)
                    .map(|value| (*id, value)),
            );
        }
        let confirmed = |a: RecordId, b: RecordId| {
            let record = records.get(&a.min(b));
            record.is_some_and(|r| r.confirmed.contains(&(a.max(b), field.to_owned())))
        };
        // From the first of them to whoever says the same or is confirmed, and on from there.
        let mut left = known.split_off(known.len().min(1));
        let mut reached = known;
        while let Some((id, value)) = reached.pop() {
            let (near, far) = left
                .into_iter()
                .partition(|(other, theirs)| *theirs == value || confirmed(id, *other));
            left = far;
            let near: Vec<_> = near;
            reached.extend(near);
        }
        !left.is_empty()
    };
    if differ("name") || differ("birth_date") {
        return one;
    }
    for other in members_in_order {
        for (section, fields) in &other.single {
            fill(one.single.entry(section.clone()).or_default(), fields);
        }
        for (section, items) in &other.items {
            let into = one.items.entry(section.clone()).or_default();
            for item in items {
                fill(fields_of_item(into, &item.id), &item.fields);
            }
        }
    }
    one
}

fn fill(into: &mut Fields, from: &Fields) {
    for (field, value) in from {
        if into.get(field).is_none_or(|held| *held == Datum::Null) {
            into.insert(field.clone(), value.clone());
        }
    }
}

/// A residence of a person. Ordered by the day on which it began, an unknown one first; of one day
/// by item.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(super) struct Residence<'f> {
    /// When it began.
    pub(super) since: Option<CalendarDay>,
    item: &'f str,
    household: Option<RecordId>,
}

/// The residences of a person, in any order.
pub(super) fn residences<'f>(package: &Package, facts: &'f Facts) -> Vec<Residence<'f>> {
    let section = package.section("residence");
    let date = section.and_then(|(_, section)| section.repeating.date());
    let text = |item: &'f Item, field: &str| match item.fields.get(field) {
        Some(Datum::Text(text)) => Some(text.as_str()),
        _ => None,
    };
    let items = facts.items.get("residence").into_iter().flatten();
    let residence = |item: &'f Item| Residence {
        since: date.and_then(|date| day(text(item, date)?)),
        item: &item.id,
        household: text(item, "household").and_then(|id| id.parse().ok()),
    };
    items.map(residence).collect()
}

/// Those that had begun by a date.
pub(super) fn begun_by<'f>(residences: &[Residence<'f>], as_of: &str) -> Vec<Residence<'f>> {
    let as_of = day(as_of);
    let begun = |residence: &&Residence<'_>| residence.since.is_some() && residence.since <= as_of;
    residences.iter().filter(begun).copied().collect()
}
