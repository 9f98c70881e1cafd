//! Verbs on records: add, edit, show, list, resolve.
//!
//! Nothing here decides what a record means: the core checks and merges, the dictionary says what a
//! field is, and this puts both behind verbs with plain arguments.

use std::collections::BTreeSet;
use std::sync::Arc;

use sync_core::id::{RecordId, Subject};
use sync_core::replica::Edit;
use sync_core::show::{self, ShownConflict, ShownRecord, Source};
use sync_core::value::{Key, Value};

use crate::dictionary::{register_of, stands_in};
use crate::draft::{Draft, edit_of, repeating, ticked};
use crate::error::{Issue, PhoneError};
use crate::phone::{Open, Phone};
use crate::typed::{Typed, key_of, puts_of};

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
        typed: &[Typed],
    ) -> Result<RecordId, PhoneError> {
        let (edit, _) = self.save_draft(&Draft::New { subject, unit }, typed)?;
        Ok(edit.record)
    }

    /// Writes `KEY=VALUE` each to a record; returns how many changes that made.
    pub fn edit(&mut self, id: &str, typed: &[Typed]) -> Result<usize, PhoneError> {
        let (_, changes) = self.save_draft(&Draft::Edit { id }, typed)?;
        Ok(changes)
    }

    /// Adds an item of a repeating section, or writes to the one that its natural key names; gives
    /// the item's id.
    pub fn item(&mut self, id: &str, section: &str, typed: &[Typed]) -> Result<String, PhoneError> {
        let (edit, _) = self.save_draft(&Draft::Item { id, section }, typed)?;
        let item = edit.puts.first().and_then(|(key, _)| key.item());
        Ok(item.unwrap_or_default().to_owned())
    }

    /// Withdraws an item; nothing of it is deleted, and writing `void=false` brings it back.
    pub fn void_item(&mut self, id: &str, section: &str, item: &str) -> Result<(), PhoneError> {
        let open = self.opened()?;
        let (record, unit) = find(open, id)?;
        repeating(open, section)?;
        let key = Key::void(section, item)
            .map_err(|_| PhoneError::wrong(Issue::about("unknown_item", item)))?;
        let there = |other: &&Key| other.section() == section && other.item() == Some(item);
        if !open
            .replica
            .view(&unit, record)
            .keys()
            .copied()
            .any(|other| there(&other))
        {
            return Err(PhoneError::wrong(Issue::about("unknown_item", item)));
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
    ) -> Result<Vec<Arc<ShownRecord>>, PhoneError> {
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
            let said = register.map(|(package, register)| {
                let said = open.replica.facts(unit);
                (package, register, said)
            });
            for group in open.replica.groups(unit, subject).iter() {
                let mut members = group.members();
                let found = |search: &String| members.any(|member| has(open, unit, member, search));
                if !search.as_ref().is_none_or(found) {
                    continue;
                }
                if let Some((package, register, said)) = &said
                    && !stands_in(package, register, said, group.id(), &today)?
                {
                    continue;
                }
                rows.push(open.replica.row(unit, group, &today));
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
        let parsed = key_of(key)?;
        let seen = open.replica.heads(&unit, record);
        let values = show::values_in_conflict(&open.replica, &unit, record, &parsed);
        if values.len() < 2 {
            return Err(PhoneError::wrong(Issue::about("no_conflict", key)));
        }
        let puts = match choice {
            Choice::Take(at) => {
                let value = values.get(*at).cloned().ok_or_else(|| {
                    let issue = Issue::about("no_such_value", key);
                    PhoneError::wrong(issue.with("last", values.len() - 1))
                })?;
                vec![(parsed, value)]
            }
            Choice::Set(text) => {
                let shown = open.replica.view(&unit, record);
                puts_of(open.package()?, &parsed, text.trim(), &|key| {
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

/// The record that `id` names, whether it is held or not.
pub(crate) fn named(id: &str) -> Result<RecordId, PhoneError> {
    id.parse()
        .map_err(|_| PhoneError::wrong(Issue::about("bad_id", id)))
}

/// The record that `id` names, and the unit that holds it. An organisation's exists as soon as its
/// unit is held.
pub(crate) fn find(open: &Open, id: &str) -> Result<(RecordId, String), PhoneError> {
    let record = named(id)?;
    if let Some(unit) = open.replica.unit_of(record) {
        return Ok((record, unit.to_owned()));
    }
    let units = open.replica.units();
    let own = units
        .into_iter()
        .find(|unit| RecordId::organisation(unit) == record);
    let unit = own.ok_or_else(|| PhoneError::wrong(Issue::about("unknown_record", id)))?;
    Ok((record, unit.to_owned()))
}

/// Whether a text stands in a field of a single section of a record, or is its id.
fn has(open: &Open, unit: &str, record: RecordId, search: &str) -> bool {
    let fields: BTreeSet<String> = open
        .replica
        .view(unit, record)
        .into_iter()
        .filter(|(key, _)| key.item().is_none())
        .flat_map(|(_, slot)| slot.values())
        .filter_map(|written| written.value.as_text().map(str::to_lowercase))
        .collect();
    record.to_string() == search || fields.iter().any(|text| text.contains(search))
}
