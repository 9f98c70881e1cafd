//! Units of a replica as they are shown: values, groups, facts, problems and tasks, worked out once.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use plan::Package;
use plan::expression::ExpressionError;

use super::{RecordValues, Replica, values_of_class};
use crate::check::{self, Problem};
use crate::figure::UnitFacts;
use crate::group::Group;
use crate::id::{ChangeHash, Class, RecordId, Space, Subject};
use crate::show::{self, ShownRecord, Source};
use crate::task::{self, Due};

impl Replica {
    /// The unit that holds a record, if any.
    pub fn unit_of(&self, record: RecordId) -> Option<&str> {
        self.spaces
            .iter()
            .find(|(_, held)| held.records.contains_key(&record))
            .map(|(space, _)| space.unit())
    }

    /// What a record shows, over all classes held of its unit.
    pub fn view(&self, unit: &str, record: RecordId) -> RecordValues<'_> {
        let package = self.control.package();
        self.spaces
            .iter()
            .filter(|(space, _)| space.unit() == unit)
            .filter_map(|(space, held)| Some((space.class, held.records.get(&record)?)))
            .flat_map(|(class, state)| values_of_class(package, class, state))
            .collect()
    }

    /// What is recorded in a unit, group by group, as the newest plan package reads it; nothing without
    /// one.
    pub fn facts(&self, unit: &str) -> Arc<UnitFacts> {
        let package = self.control.package();
        let read = |package| UnitFacts::read(self, package, unit);
        self.cache
            .facts(unit, || package.map(read).unwrap_or_default())
    }

    /// The tasks of a unit that are due by `until`, the longest due first; none without a plan package. `today`
    /// is the date that the registers are asked as of.
    ///
    /// # Errors
    /// An expression of the plan that this program can't compile: the plan is newer.
    pub fn due(
        &self,
        unit: &str,
        today: &str,
        until: &str,
    ) -> Result<Vec<Due<'_>>, ExpressionError> {
        let Some(package) = self.package() else {
            return Ok(Vec::new());
        };
        let work_out = || task::planned(&self.facts(unit), package, today);
        let planned = self.cache.tasks(unit, today, work_out)?;
        let due = planned.iter().take_while(|task| task.due.as_str() <= until);
        Ok(due.filter_map(|task| task.of(package, unit)).collect())
    }

    /// A group of a unit as a row of a list ([`show::row`]).
    pub fn row(&self, unit: &str, group: &Group, today: &str) -> Arc<ShownRecord> {
        let make = || show::row(self, unit, group, today);
        self.cache.row(unit, group, today, make)
    }

    /// All records of a unit, over all classes.
    pub fn records_of(&self, unit: &str) -> BTreeSet<RecordId> {
        self.spaces
            .iter()
            .filter(|(space, _)| space.unit() == unit)
            .flat_map(|(_, held)| held.records.keys().copied())
            .collect()
    }

    /// The units of which anything is held.
    pub fn units(&self) -> BTreeSet<&str> {
        self.spaces.keys().map(Space::unit).collect()
    }

    /// A record's heads by class, for a form to remember what it showed.
    pub fn heads(&self, unit: &str, record: RecordId) -> BTreeMap<Class, Vec<ChangeHash>> {
        self.spaces
            .iter()
            .filter(|(space, _)| space.unit() == unit)
            .filter_map(|(space, held)| {
                Some((space.class, held.records.get(&record)?.heads().to_vec()))
            })
            .collect()
    }
}

impl Source for Replica {
    fn package(&self) -> Option<&Package> {
        self.package()
    }

    fn records_of(&self, unit: &str) -> BTreeSet<RecordId> {
        self.records_of(unit)
    }

    fn view(&self, unit: &str, record: RecordId) -> RecordValues<'_> {
        self.view(unit, record)
    }

    fn groups(&self, unit: &str, subject: Subject) -> Arc<Vec<Group>> {
        let make = || show::grouped(self, unit, subject);
        self.cache.groups(unit, subject, make)
    }

    fn problems(
        &self,
        unit: &str,
        record: RecordId,
        shown: &RecordValues<'_>,
        today: &str,
    ) -> Vec<Problem> {
        let Some(package) = self.control.package() else {
            return Vec::new();
        };
        self.cache.problems(unit, record, today, || {
            check::check_record(package, record, shown, today)
        })
    }
}
