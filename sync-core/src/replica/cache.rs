//! Cache of what is worked out of a unit's records: who is one person, what they say, what is wrong with
//! them. A step that touches a unit's records drops what it may change of it, so that a list is not
//! worked out anew at every look.

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use super::*;
use crate::figure::UnitFacts;
use crate::group::Group;
use crate::show::ShownRecord;
use crate::task::Planned;

/// What is worked out already, by unit.
#[derive(Debug, Default)]
pub(super) struct Cache(Mutex<BTreeMap<String, OfUnit>>);

#[derive(Debug, Default)]
struct OfUnit {
    groups: BTreeMap<Subject, Arc<Vec<Group>>>,
    facts: Option<Arc<UnitFacts>>,
    /// The tasks, and the day as of which they are.
    tasks: Option<(String, Arc<Vec<Planned>>)>,
    /// The day as of which records are judged.
    today: String,
    problems: BTreeMap<RecordId, Vec<Problem>>,
    /// The rows of lists, by the first record of their group.
    rows: BTreeMap<RecordId, (Group, Arc<ShownRecord>)>,
    /// The row that a record stands in.
    row_of: BTreeMap<RecordId, RecordId>,
}

impl OfUnit {
    /// Drops what was judged as of another day.
    fn turn_to(&mut self, today: &str) {
        if self.today != today {
            self.problems.clear();
            self.rows.clear();
            self.row_of.clear();
            today.clone_into(&mut self.today);
        }
    }
}

impl Cache {
    pub(super) fn groups(
        &self,
        unit: &str,
        subject: Subject,
        make: impl FnOnce() -> Vec<Group>,
    ) -> Arc<Vec<Group>> {
        if let Some(groups) = self.with(unit, |of| of.groups.get(&subject).cloned()) {
            return groups;
        }
        let made = Arc::new(make());
        self.with(unit, |of| of.groups.insert(subject, made.clone()));
        made
    }

    pub(super) fn facts(&self, unit: &str, make: impl FnOnce() -> UnitFacts) -> Arc<UnitFacts> {
        if let Some(facts) = self.with(unit, |of| of.facts.clone()) {
            return facts;
        }
        let made = Arc::new(make());
        self.with(unit, |of| of.facts = Some(made.clone()));
        made
    }

    pub(super) fn tasks<E>(
        &self,
        unit: &str,
        today: &str,
        make: impl FnOnce() -> Result<Vec<Planned>, E>,
    ) -> Result<Arc<Vec<Planned>>, E> {
        let known = self.with(unit, |of| of.tasks.clone());
        if let Some((_, tasks)) = known.filter(|(day, _)| day == today) {
            return Ok(tasks);
        }
        let made = Arc::new(make()?);
        self.with(unit, |of| of.tasks = Some((today.to_owned(), made.clone())));
        Ok(made)
    }

    pub(super) fn problems(
        &self,
        unit: &str,
        record: RecordId,
        today: &str,
        make: impl FnOnce() -> Vec<Problem>,
    ) -> Vec<Problem> {
        let known = self.with(unit, |of| {
            of.turn_to(today);
            of.problems.get(&record).cloned()
        });
        known.unwrap_or_else(|| {
            let made = make();
            self.with(unit, |of| of.problems.insert(record, made.clone()));
            made
        })
    }

    pub(super) fn row(
        &self,
        unit: &str,
        group: &Group,
        today: &str,
        make: impl FnOnce() -> ShownRecord,
    ) -> Arc<ShownRecord> {
        let known = self.with(unit, |of| {
            of.turn_to(today);
            let known = of.rows.get(&group.id());
            // A record that joined a group has left its row as it was.
            let known = known.filter(|(members, _)| members == group);
            known.map(|(_, row)| row.clone())
        });
        known.unwrap_or_else(|| {
            let made = Arc::new(make());
            self.with(unit, |of| {
                let id = group.id();
                of.row_of.extend(group.members().map(|member| (member, id)));
                of.rows.insert(id, (group.clone(), made.clone()));
            });
            made
        })
    }

    /// A record of the unit is another one, or gone.
    pub(super) fn touched(&mut self, unit: &str, record: RecordId) {
        if let Some(of) = self.all().get_mut(unit) {
            of.groups.remove(&record.subject);
            of.facts = None;
            of.tasks = None;
            of.problems.remove(&record);
            if let Some(row) = of.row_of.remove(&record) {
                of.rows.remove(&row);
            }
        }
    }

    /// Nothing of the unit is held any more.
    pub(super) fn forget(&mut self, unit: &str) {
        self.all().remove(unit);
    }

    /// Values may mean something else from now on.
    pub(super) fn clear(&mut self) {
        self.all().clear();
    }

    fn with<T>(&self, unit: &str, look: impl FnOnce(&mut OfUnit) -> T) -> T {
        let mut all = self.all();
        match all.get_mut(unit) {
            Some(of) => look(of),
            None => look(all.entry(unit.to_owned()).or_default()),
        }
    }

    /// Whole at any time: nothing that could panic runs while it is held.
    fn all(&self) -> MutexGuard<'_, BTreeMap<String, OfUnit>> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}
