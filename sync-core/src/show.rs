//! Shown records, for people and programs: plain values under the dictionary's keys, linked records
//! as one, and all that needs attention.
//!
//! The phone and the server show a record the same way, whatever they keep it in ([`Source`]).

#[cfg(feature = "json")]
pub mod json;
mod why;

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use plan::Package;

use crate::check::{Problem, check_record};
use crate::group::{self, Group, ID_NUMBER_KEY, IDENTITY, IdNumber, Ties};
use crate::id::{RecordId, Subject};
use crate::link::{self, Statement};
use crate::record::MultiValue;
use crate::value::{Key, Value};
use crate::view::RecordValues;

pub use why::{Why, why};

/// Where the records are that are shown.
pub trait Source {
    /// The plan that says what they mean.
    fn package(&self) -> Option<&Package>;
    /// All records of a unit, over the classes held.
    fn records_of(&self, unit: &str) -> BTreeSet<RecordId>;
    /// The values of one record, over the classes held.
    fn view(&self, unit: &str, record: RecordId) -> RecordValues<'_>;

    /// The groups of a subject's records in a unit ([`grouped`]), for who remembers them.
    fn groups(&self, unit: &str, subject: Subject) -> Arc<Vec<Group>> {
        Arc::new(grouped(self, unit, subject))
    }

    /// What is wrong or missing in what a record shows ([`check_record`]), for who remembers it.
    fn problems(
        &self,
        _unit: &str,
        record: RecordId,
        shown: &RecordValues<'_>,
        today: &str,
    ) -> Vec<Problem> {
        let problems = |package| check_record(package, record, shown, today);
        self.package().map(problems).unwrap_or_default()
    }
}

/// A value as it is shown.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum ShownValue {
    /// Empty; only in conflicts and histories, where emptying a field is something that happened.
    Empty,
    /// Yes or no.
    Flag(bool),
    /// A whole number.
    Number(i64),
    /// Text, date, code, reference.
    Text(String),
    /// The chosen codes of a multi-choice, ascending.
    Codes(Vec<String>),
}

impl From<&Value> for ShownValue {
    fn from(value: &Value) -> Self {
        match value {
            Value::Null => Self::Empty,
            Value::Bool(flag) => Self::Flag(*flag),
            Value::Int(number) => Self::Number(*number),
            Value::Text(text) => Self::Text(text.clone()),
        }
    }
}

impl ShownValue {
    /// The value as text, for sorting.
    fn text(&self) -> String {
        match self {
            Self::Empty => String::new(),
            Self::Flag(flag) => flag.to_string(),
            Self::Number(number) => number.to_string(),
            Self::Text(text) => text.clone(),
            Self::Codes(codes) => codes.join(","),
        }
    }
}

/// One item of a repeating section.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ShownItem {
    /// The item's id.
    pub item: String,
    /// Its fields, without the section.
    pub fields: BTreeMap<String, ShownValue>,
}

/// Values written apart under one key. The first is the one that shows.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ShownConflict {
    /// The record to settle it at.
    pub record: RecordId,
    /// Where.
    pub key: String,
    /// The different values.
    pub values: Vec<ShownValue>,
}

/// A record, or a group of linked records as one.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ShownRecord {
    /// The record; of a group the smallest.
    pub id: RecordId,
    /// The org unit that holds it.
    pub unit: String,
    /// The other records of the same group.
    pub linked: Vec<RecordId>,
    /// `section.field` of single sections, empty ones left out.
    pub fields: BTreeMap<String, ShownValue>,
    /// The items of repeating sections, withdrawn ones left out.
    pub items: BTreeMap<String, Vec<ShownItem>>,
    /// Keys in conflict.
    pub conflicts: Vec<ShownConflict>,
    /// What is wrong with the values or missing among them.
    pub problems: Vec<Problem>,
}

/// Everything that one record shows. `today` (`YYYY-MM-DD`) is for its problems.
pub fn record(source: &dyn Source, unit: &str, record: RecordId, today: &str) -> ShownRecord {
    let group = group_of(source, unit, record);
    shown_record(source, unit, record, group.as_ref(), today)
}

/// A group as one row, without items: the values of its first record, and of the others where it
/// has none, unless it is open whether they are one person.
pub fn row(source: &dyn Source, unit: &str, group: &Group, today: &str) -> ShownRecord {
    let first = group.id();
    let mut row = shown_record(source, unit, first, Some(group), today);
    row.items.clear();
    let cut = cut_conflicts(group).into_iter();
    row.conflicts.extend(cut.filter(|cut| cut.record != first));
    let open_identity = who_is_open(source, unit, group);
    for member in group.linked(first) {
        let other = shown_record(source, unit, member, None, today);
        row.conflicts.extend(other.conflicts);
        row.problems.extend(other.problems);
        if !open_identity {
            for (key, value) in other.fields {
                row.fields.entry(key).or_insert(value);
            }
        }
    }
    row
}

/// The groups of a subject's records in a unit, by their first record.
pub fn groups(source: &dyn Source, unit: &str, subject: Subject) -> Vec<Group> {
    source.groups(unit, subject).to_vec()
}

/// Works out the groups of a subject's records in a unit.
pub fn grouped<S: Source + ?Sized>(source: &S, unit: &str, subject: Subject) -> Vec<Group> {
    let records = source.records_of(unit).into_iter();
    group::groups_by(
        records
            .filter(|record| record.subject == subject)
            .map(|record| (record, ties(record, &source.view(unit, record)))),
    )
}

/// What ties a record to others and parts it from them.
pub fn ties(record: RecordId, shown: &RecordValues<'_>) -> Ties<IdNumber> {
    Ties {
        numbers: id_numbers(record, shown),
        links: link::links(record, shown.iter().map(|(key, slot)| (*key, *slot))),
    }
}

/// The valid ID numbers that a record shows, all of them where it is in conflict. Persons have ID
/// numbers: what stands under their key elsewhere ties nothing.
pub fn id_numbers(record: RecordId, shown: &RecordValues<'_>) -> Vec<IdNumber> {
    let shown = shown.iter().filter(|_| record.subject == Subject::Person);
    let slot = { shown }.find(|(key, _)| key.as_str() == ID_NUMBER_KEY);
    let values = slot.into_iter().flat_map(|(_, slot)| slot.values());
    let texts = values.filter_map(|written| written.value.as_text());
    texts.filter_map(IdNumber::parse).collect()
}

/// Everything of a unit that somebody must settle, by record.
pub fn conflicts(source: &dyn Source, unit: &str) -> Vec<ShownConflict> {
    let of_subject = |subject: Subject| {
        let groups = groups(source, unit, subject);
        conflicts_of(source, unit, &groups)
    };
    Subject::ALL.into_iter().flat_map(of_subject).collect()
}

/// What somebody must settle of these groups of a unit.
pub fn conflicts_of<'g>(
    source: &dyn Source,
    unit: &str,
    groups: impl IntoIterator<Item = &'g Group>,
) -> Vec<ShownConflict> {
    let mut all = Vec::new();
    for group in groups {
        let first = group.id();
        for member in group.members() {
            all.extend(slot_conflicts(member, &source.view(unit, member)));
        }
        // One record alone contradicts nobody.
        if !group.linked(first).is_empty() {
            all.extend(identity_conflicts(source, unit, group, first));
        }
        all.extend(cut_conflicts(group));
    }
    all
}

/// The values that [`record`] lists under a key in conflict, in its order.
pub fn values_in_conflict(
    source: &dyn Source,
    unit: &str,
    record: RecordId,
    key: &Key,
) -> Vec<Value> {
    let shown = source.view(unit, record);
    if let Some(values) = shown.get(key).and_then(|slot| slot.conflict()) {
        return values
            .into_iter()
            .map(|written| written.value.clone())
            .collect();
    }
    let Some(group) = group_of(source, unit, record) else {
        return Vec::new();
    };
    if link::is_state(key) {
        let cut = group.cut().filter(|(first, _)| *first == record);
        let mut said = cut.filter(|(_, other)| link::other_of(key) == Some(*other));
        return said.next().map(|_| both_ways()).unwrap_or_default();
    }
    let (section, fields) = IDENTITY;
    let field = fields.into_iter().find(|field| *field == key.field());
    match field.filter(|_| key.section() == section && key.item().is_none()) {
        Some(field) => identity_values(source, unit, &group, record, field),
        None => Vec::new(),
    }
}

fn group_of(source: &dyn Source, unit: &str, record: RecordId) -> Option<Group> {
    let groups = source.groups(unit, record.subject);
    let of_record = groups.iter().find(|group| group.has(record));
    of_record.cloned()
}

fn shown_record(
    source: &dyn Source,
    unit: &str,
    record: RecordId,
    group: Option<&Group>,
    today: &str,
) -> ShownRecord {
    let slots = source.view(unit, record);
    let package = source.package();
    let date_of = |section: &str| {
        let (_, section) = package?.section(section)?;
        section.repeating.date().map(str::to_owned)
    };
    let (fields, items) = values(&slots, &date_of);
    let mut conflicts = slot_conflicts(record, &slots);
    if let Some(group) = group {
        conflicts.extend(identity_conflicts(source, unit, group, record));
        let own = |cut: &ShownConflict| cut.record == record;
        conflicts.extend(cut_conflicts(group).into_iter().filter(own));
    }
    ShownRecord {
        id: record,
        unit: unit.to_owned(),
        linked: group.map(|group| group.linked(record)).unwrap_or_default(),
        fields,
        items,
        conflicts,
        problems: source.problems(unit, record, &slots, today),
    }
}

/// `section.field` of single sections.
type ShownFields = BTreeMap<String, ShownValue>;
/// Items by section.
type ShownItems = BTreeMap<String, Vec<ShownItem>>;

/// The fields of single sections and the items of repeating ones.
fn values(
    slots: &RecordValues<'_>,
    date_of: &dyn Fn(&str) -> Option<String>,
) -> (ShownFields, ShownItems) {
    let mut fields = BTreeMap::new();
    let mut items: BTreeMap<&str, BTreeMap<&str, ShownFields>> = BTreeMap::new();
    let mut withdrawn = BTreeSet::new();
    // What was said of two records is no part of either: it shows in which are linked.
    let of_plan = slots
        .iter()
        .filter(|(key, _)| key.section() != link::SECTION);
    for (key, slot) in of_plan {
        let value = slot.winner();
        match key.item() {
            Some(item) if key.is_void() => {
                if value == &Value::Bool(true) {
                    withdrawn.insert((key.section(), item));
                }
            }
            Some(item) => {
                let of_item = items
                    .entry(key.section())
                    .or_default()
                    .entry(item)
                    .or_default();
                put(of_item, key.field().to_owned(), key.code(), value);
            }
            None => {
                let name = format!("{}.{}", key.section(), key.field());
                put(&mut fields, name, key.code(), value);
            }
        }
    }
    let shown = |(section, of_section): (&str, BTreeMap<&str, ShownFields>)| {
        let date = date_of(section);
        let mut listed: Vec<ShownItem> = of_section
            .into_iter()
            .filter(|(item, _)| !withdrawn.contains(&(section, *item)))
            .map(|(item, fields)| ShownItem {
                item: item.to_owned(),
                fields,
            })
            .collect();
        listed.sort_by_cached_key(|item| {
            let dated = date.as_ref().and_then(|date| item.fields.get(date));
            (
                dated.map(ShownValue::text).unwrap_or_default(),
                item.item.clone(),
            )
        });
        (section.to_owned(), listed)
    };
    let items = items
        .into_iter()
        .map(shown)
        .filter(|(_, listed)| !listed.is_empty())
        .collect();
    (fields, items)
}

fn put(fields: &mut ShownFields, name: String, code: Option<&str>, value: &Value) {
    match code {
        None if value.is_null() => {}
        None => drop(fields.insert(name, value.into())),
        Some(code) => {
            if value == &Value::Bool(true) {
                let codes = fields.entry(name).or_insert(ShownValue::Codes(Vec::new()));
                // Keys come ascending, so codes do too.
                if let ShownValue::Codes(codes) = codes {
                    codes.push(code.to_owned());
                }
            }
        }
    }
}

/// The keys of a record that are in conflict, those of withdrawn items too: an edit of an item that
/// somebody else withdrew must not go unseen.
fn slot_conflicts(record: RecordId, slots: &RecordValues<'_>) -> Vec<ShownConflict> {
    let conflict = |(key, slot): (&&Key, &&MultiValue)| {
        let values = slot
            .conflict()?
            .into_iter()
            .map(|written| (&written.value).into())
            .collect();
        Some(ShownConflict {
            record,
            key: key.to_string(),
            values,
        })
    };
    slots.iter().filter_map(conflict).collect()
}

/// Where the records of a group contradict each other about who it is. Settled at `record`, by
/// taking the others' value there, by editing those, by confirming that they are one all the same,
/// or by parting them.
fn identity_conflicts(
    source: &dyn Source,
    unit: &str,
    group: &Group,
    record: RecordId,
) -> Vec<ShownConflict> {
    let (section, fields) = IDENTITY;
    let conflict = |field: &&str| {
        let values = identity_values(source, unit, group, record, field);
        (values.len() > 1).then(|| ShownConflict {
            record,
            key: format!("{section}.{field}"),
            values: values.iter().map(ShownValue::from).collect(),
        })
    };
    fields.iter().filter_map(conflict).collect()
}

/// The different values that the records of a group show under an identity field, `record`'s first;
/// empty if they speak of one person. Empty too if one of them is in conflict in itself: that comes
/// first.
fn identity_values(
    source: &dyn Source,
    unit: &str,
    group: &Group,
    record: RecordId,
    field: &str,
) -> Vec<Value> {
    let mut shown = Vec::new();
    for member in std::iter::once(record).chain(group.linked(record)) {
        let view = source.view(unit, member);
        let Some(slot) = slot_of(&view, field) else {
            continue;
        };
        if slot.conflict().is_some() {
            return Vec::new();
        }
        if !slot.winner().is_null() {
            shown.push((member, slot.winner().clone()));
        }
    }
    if !group.differs(field, shown.iter().map(|(member, value)| (*member, value))) {
        return Vec::new();
    }
    let mut values = Vec::new();
    for (_, value) in shown {
        if !values.contains(&value) {
            values.push(value);
        }
    }
    values
}

/// The slot of an identity field.
fn slot_of<'a>(shown: &RecordValues<'a>, field: &str) -> Option<&'a MultiValue> {
    let key = Key::single(IDENTITY.0, field).ok()?;
    shown.get(&key).copied()
}

/// Whether it is open who a group is: then nothing of one record is shown as another's (R36).
fn who_is_open(source: &dyn Source, unit: &str, group: &Group) -> bool {
    IDENTITY.1.iter().any(|field| {
        let shown = group.members().filter_map(|member| {
            let view = source.view(unit, member);
            let value = slot_of(&view, field)?.winner();
            (!value.is_null()).then(|| (member, value.clone()))
        });
        group.differs(field, shown)
    })
}

/// Ties of a group's records that are cut: somebody said that they are the same, or they show the
/// same number, and others of their groups are said not to be the same.
fn cut_conflicts(group: &Group) -> Vec<ShownConflict> {
    let conflict = |(record, other)| {
        Some(ShownConflict {
            record,
            key: link::state_key(other)?.to_string(),
            values: both_ways().iter().map(ShownValue::from).collect(),
        })
    };
    group.cut().filter_map(conflict).collect()
}

fn both_ways() -> Vec<Value> {
    let ways = [Statement::Same, Statement::NotSame];
    ways.map(|way| Value::from(way.key())).to_vec()
}
