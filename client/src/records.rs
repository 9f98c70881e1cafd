//! What people do with records on a phone: add, edit, look, list, settle.
//!
//! Nothing here decides what a record means: the core checks and merges, the dictionary says what a
//! field is, and this puts both behind verbs with plain arguments.

use std::collections::{BTreeMap, BTreeSet};

use sync_core::figure::UnitFacts;
use sync_core::id::{RecordId, Subject};
use sync_core::record::Slot;
use sync_core::replica::{Context, Edit, Shown};
use sync_core::show::{self, ShownConflict, ShownRecord};
use sync_core::value::{Key, Value};

use crate::clock;
use crate::dictionary::{register_of, repeats, section_of, stands_in};
use crate::error::{Complaint, PhoneError};
use crate::phone::{Open, Phone};
use crate::typed::{self, Fields};

/// How a conflict is settled.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Choice {
    /// One of the values listed, counted from 0.
    Take(usize),
    /// Another value, as typed.
    Set(String),
}

impl Phone {
    /// Registers a person or household with `section.field=value` each; fields of a repeating
    /// section make its first item. `unit` may be left out where the device holds one.
    pub fn add(
        &mut self,
        subject: Subject,
        unit: Option<&str>,
        sets: &[String],
    ) -> Result<RecordId, PhoneError> {
        let open = self.opened()?;
        let unit = unit_for(open, unit)?;
        let mut context = Context {
            now: clock::now(),
            today: "",
            rng: &mut clock::rng(),
        };
        let record = RecordId::draw(subject, context.now.saturating_mul(1000), context.random());
        let names = |set: &String, key: &str| typed::split(set).is_ok_and(|(name, _)| name == key);
        let as_typed = |error| keys_as_typed(error, &|key| sets.iter().any(|set| names(set, key)));
        let puts = first_puts(open, sets, || typed::item_id(context.random()));
        let edit = edit_of(open, record, &unit, puts.map_err(as_typed)?)?;
        self.save(&edit).map_err(as_typed)?;
        Ok(record)
    }

    /// Writes `KEY=VALUE` each to a record; returns how many changes that made.
    pub fn edit(&mut self, id: &str, sets: &[String]) -> Result<usize, PhoneError> {
        let open = self.opened()?;
        let (record, unit) = find(open, id)?;
        let shown = open.replica.view(&unit, record);
        let mut puts = Vec::new();
        let mut wrong = Vec::new();
        for set in sets {
            let (text, value) = typed::split(set)?;
            let made = typed::key(text).and_then(|key| {
                typed::puts(open.package()?, &key, value, &|key| ticked(&shown, key))
            });
            collect(made, &mut puts, &mut wrong)?;
        }
        let edit = edit_of(open, record, &unit, all_or(puts, wrong)?)?;
        self.save(&edit)
    }

    /// Adds an item of a repeating section, or writes to the one that its natural key names.
    pub fn item(&mut self, id: &str, section: &str, sets: &[String]) -> Result<String, PhoneError> {
        let open = self.opened()?;
        let (record, unit) = find(open, id)?;
        repeating(open, section)?;
        let mut fields = Fields::new();
        for set in sets {
            let (name, value) = typed::split(set)?;
            fields.insert(name.to_owned(), value.to_owned());
        }
        let mut context = Context {
            now: clock::now(),
            today: "",
            rng: &mut clock::rng(),
        };
        let drawn = || typed::item_id(context.random());
        let item = typed::item_of(open.package()?, section, &fields, drawn)?;
        let shown = open.replica.view(&unit, record);
        let as_typed = |error| keys_as_typed(error, &|_| true);
        let puts = item_puts(open, section, &item, &fields, &|key| ticked(&shown, key));
        let edit = edit_of(open, record, &unit, puts.map_err(as_typed)?)?;
        self.save(&edit).map_err(as_typed)?;
        Ok(item)
    }

    /// Withdraws an item; nothing of it is deleted, and writing `void=false` brings it back.
    pub fn void_item(&mut self, id: &str, section: &str, item: &str) -> Result<(), PhoneError> {
        let open = self.opened()?;
        let (record, unit) = find(open, id)?;
        repeating(open, section)?;
        let key = Key::void(section, item)
            .map_err(|_| PhoneError::wrong(Complaint::about("unknown_item", item)))?;
        let there = |other: &&Key| other.section() == section && other.item() == Some(item);
        if !open
            .replica
            .view(&unit, record)
            .keys()
            .copied()
            .any(|other| there(&other))
        {
            return Err(PhoneError::wrong(Complaint::about("unknown_item", item)));
        }
        let edit = edit_of(open, record, &unit, vec![(key, Value::Bool(true))])?;
        self.save(&edit)?;
        Ok(())
    }

    /// Everything that one record shows, over the classes held of its unit.
    pub fn show(&mut self, id: &str) -> Result<ShownRecord, PhoneError> {
        let open = self.opened()?;
        let (record, unit) = find(open, id)?;
        Ok(show::record(&open.replica, &unit, record, &open.today()))
    }

    /// The records of a subject, a group of linked ones as one row without items; those that belong
    /// in `register`, and where `search` stands somewhere in a field of one of its records.
    pub fn list(
        &mut self,
        subject: Subject,
        register: Option<&str>,
        search: Option<&str>,
    ) -> Result<Vec<ShownRecord>, PhoneError> {
        let open = self.opened()?;
        let today = open.today();
        let mut rows = Vec::new();
        let register = match register {
            Some(name) => {
                let package = open.package()?;
                Some((package, register_of(package, name, subject)?))
            }
            None => None,
        };
        let search = search.map(str::to_lowercase);
        for unit in open.replica.units() {
            let views: BTreeMap<RecordId, Shown<'_>> = open
                .replica
                .records_of(unit)
                .into_iter()
                .map(|record| (record, open.replica.view(unit, record)))
                .collect();
            let said = register.map(|(package, register)| {
                let said = UnitFacts::read(&open.replica, package, unit);
                (package, register, said)
            });
            for group in show::groups(&open.replica, unit, subject) {
                let mut members = group.members();
                let found = |search: &String| members.any(|member| has(&views, member, search));
                if !search.as_ref().is_none_or(found) {
                    continue;
                }
                if let Some((package, register, said)) = &said
                    && !stands_in(package, register, said, group.id(), &today)?
                {
                    continue;
                }
                rows.push(show::row(&open.replica, unit, &group, &today));
            }
        }
        rows.sort_by_key(|row| row.id);
        Ok(rows)
    }

    /// Everything that somebody must settle, by record.
    pub fn conflicts(&mut self) -> Result<Vec<ShownConflict>, PhoneError> {
        let open = self.opened()?;
        let units = open.replica.units();
        Ok(units
            .into_iter()
            .flat_map(|unit| show::conflicts(&open.replica, unit))
            .collect())
    }

    /// Settles a key of a record for all who have seen no more than this phone has.
    pub fn resolve(&mut self, id: &str, key: &str, choice: &Choice) -> Result<(), PhoneError> {
        let open = self.opened()?;
        let (record, unit) = find(open, id)?;
        let parsed = typed::key(key)?;
        let seen = open.replica.heads(&unit, record);
        let values = show::values_in_conflict(&open.replica, &unit, record, &parsed);
        if values.len() < 2 {
            return Err(PhoneError::wrong(Complaint::about("no_conflict", key)));
        }
        let puts = match choice {
            Choice::Take(at) => {
                let value = values.get(*at).cloned().ok_or_else(|| {
                    let complaint = Complaint::about("no_such_value", key);
                    PhoneError::wrong(complaint.with("last", values.len() - 1))
                })?;
                vec![(parsed, value)]
            }
            Choice::Set(text) => {
                let shown = open.replica.view(&unit, record);
                typed::puts(open.package()?, &parsed, text.trim(), &|key| {
                    ticked(&shown, key)
                })?
            }
        };
        let edit = Edit {
            seen,
            ..edit_of(open, record, &unit, puts)?
        };
        self.save(&edit)?;
        Ok(())
    }
}

/// The unit that takes a new record.
fn unit_for(open: &Open, unit: Option<&str>) -> Result<String, PhoneError> {
    let units = open.replica.units();
    match unit {
        Some(unit) if units.contains(unit) => Ok(unit.to_owned()),
        Some(unit) => Err(PhoneError::wrong(Complaint::about("unit_not_held", unit))),
        None => match units.iter().collect::<Vec<_>>().as_slice() {
            [unit] => Ok((**unit).to_owned()),
            [] => Err(PhoneError::wrong(Complaint::new("no_unit"))),
            several => {
                let list: Vec<&str> = several.iter().map(|unit| **unit).collect();
                Err(PhoneError::wrong(
                    Complaint::new("which_unit").with("units", list.join(", ")),
                ))
            }
        },
    }
}

/// The record that `id` names, and the unit that holds it. An organisation's exists as soon as its
/// unit is held.
pub(crate) fn find(open: &Open, id: &str) -> Result<(RecordId, String), PhoneError> {
    let record: RecordId = id
        .parse()
        .map_err(|_| PhoneError::wrong(Complaint::about("bad_id", id)))?;
    if let Some(unit) = open.replica.unit_of(record) {
        return Ok((record, unit.to_owned()));
    }
    let units = open.replica.units();
    let own = units
        .into_iter()
        .find(|unit| RecordId::organisation(unit) == record);
    let unit = own.ok_or_else(|| PhoneError::wrong(Complaint::about("unknown_record", id)))?;
    Ok((record, unit.to_owned()))
}

fn edit_of(
    open: &Open,
    record: RecordId,
    unit: &str,
    puts: Vec<(Key, Value)>,
) -> Result<Edit, PhoneError> {
    if puts.is_empty() {
        return Err(PhoneError::wrong(Complaint::new("nothing_set")));
    }
    let author = open.author()?;
    Ok(Edit {
        record,
        unit: unit.to_owned(),
        author,
        puts,
        seen: BTreeMap::new(),
    })
}

/// The puts of a new record.
fn first_puts(
    open: &Open,
    sets: &[String],
    mut drawn: impl FnMut() -> String,
) -> Result<Vec<(Key, Value)>, PhoneError> {
    let package = open.package()?;
    let mut items: BTreeMap<String, Fields> = BTreeMap::new();
    let mut puts = Vec::new();
    let mut wrong = Vec::new();
    for set in sets {
        let (text, value) = typed::split(set)?;
        let key = match typed::key(text) {
            Ok(key) => key,
            Err(error) => {
                collect(Err(error), &mut puts, &mut wrong)?;
                continue;
            }
        };
        let repeats = section_of(package, key.section()).is_some_and(repeats);
        if repeats && key.item().is_none() {
            let name = text.split_once('.').map_or(text, |(_, name)| name);
            let fields = items.entry(key.section().to_owned()).or_default();
            fields.insert(name.to_owned(), value.to_owned());
        } else {
            collect(
                typed::puts(package, &key, value, &|_| Vec::new()),
                &mut puts,
                &mut wrong,
            )?;
        }
    }
    for (section, fields) in &items {
        let made = typed::item_of(package, section, fields, &mut drawn)
            .and_then(|item| item_puts(open, section, &item, fields, &|_| Vec::new()));
        collect(made, &mut puts, &mut wrong)?;
    }
    all_or(puts, wrong)
}

fn item_puts(
    open: &Open,
    section: &str,
    item: &str,
    fields: &Fields,
    ticked: &dyn Fn(&Key) -> Vec<String>,
) -> Result<Vec<(Key, Value)>, PhoneError> {
    let package = open.package()?;
    let mut puts = Vec::new();
    let mut wrong = Vec::new();
    for (name, value) in fields {
        let made = Key::item_field(section, item, name)
            .map_err(|_| {
                PhoneError::wrong(Complaint::about("bad_key", &format!("{section}.{name}")))
            })
            .and_then(|key| typed::puts(package, &key, value, ticked));
        collect(made, &mut puts, &mut wrong)?;
    }
    all_or(puts, wrong)
}

/// Names the values of an item that was just made as they were typed, `section.field`: nobody has
/// seen the item's id yet.
fn keys_as_typed(error: PhoneError, typed: &dyn Fn(&str) -> bool) -> PhoneError {
    let PhoneError::Wrong(mut complaints) = error else {
        return error;
    };
    for complaint in &mut complaints {
        let Ok(key) = Key::parse(&complaint.key) else {
            continue;
        };
        let name = format!("{}.{}", key.section(), key.field());
        if key.item().is_some() && typed(&name) {
            complaint.key = name;
        }
    }
    // They came in the order of ids that were drawn.
    complaints.sort_by(|one, other| one.key.cmp(&other.key));
    PhoneError::Wrong(complaints)
}

/// All complaints at once are kinder than one after the other.
fn collect<T>(
    made: Result<Vec<T>, PhoneError>,
    puts: &mut Vec<T>,
    wrong: &mut Vec<Complaint>,
) -> Result<(), PhoneError> {
    match made {
        Ok(made) => puts.extend(made),
        Err(PhoneError::Wrong(complaints)) => wrong.extend(complaints),
        Err(error) => return Err(error),
    }
    Ok(())
}

fn all_or<T>(puts: Vec<T>, wrong: Vec<Complaint>) -> Result<Vec<T>, PhoneError> {
    if wrong.is_empty() {
        Ok(puts)
    } else {
        Err(PhoneError::Wrong(wrong))
    }
}

fn repeating(open: &Open, section: &str) -> Result<(), PhoneError> {
    match section_of(open.package()?, section).map(repeats) {
        None => Err(PhoneError::wrong(Complaint::about(
            "unknown_section",
            section,
        ))),
        Some(false) => Err(PhoneError::wrong(Complaint::about(
            "not_repeating",
            section,
        ))),
        Some(true) => Ok(()),
    }
}

/// The codes of a multi-choice that are chosen now.
fn ticked(shown: &Shown<'_>, key: &Key) -> Vec<String> {
    let of_field = |other: &&Key| {
        (other.section(), other.item(), other.field()) == (key.section(), key.item(), key.field())
    };
    let chosen = |slot: &Slot| {
        slot.values()
            .any(|written| written.value == Value::Bool(true))
    };
    shown
        .iter()
        .filter(|(other, slot)| of_field(other) && chosen(slot))
        .filter_map(|(other, _)| other.code().map(str::to_owned))
        .collect()
}

/// Whether a text stands in a field of a single section of a record, or is its id.
fn has(views: &BTreeMap<RecordId, Shown<'_>>, record: RecordId, search: &str) -> bool {
    let fields: BTreeSet<String> = views
        .get(&record)
        .into_iter()
        .flatten()
        .filter(|(key, _)| key.item().is_none())
        .flat_map(|(_, slot)| slot.values())
        .filter_map(|written| written.value.as_text().map(str::to_lowercase))
        .collect();
    record.to_string() == search || fields.iter().any(|text| text.contains(search))
}
