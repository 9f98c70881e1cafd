//! All figures of a unit, from its records: what a phone shows of its own 嘎查.

use std::collections::BTreeMap;

use plan::Package;
use plan::expression::Facts;

use super::{Contribution, Counter, Tally};
use crate::control::Control;
use crate::facts::{facts, home_of, joined};
use crate::group::{Group, IdNumber, Ties, groups_by};
use crate::id::{RecordId, Subject};
use crate::show::{self, Source};
use crate::view::RecordValues;

/// What is recorded in a unit, group by group.
#[derive(Debug, Default)]
pub struct UnitFacts {
    /// What each group says, by its first record.
    pub groups: BTreeMap<RecordId, (Group, Facts)>,
    /// The household that each household's record belongs to, by its first record.
    homes: BTreeMap<RecordId, RecordId>,
}

/// What one record says: of its values as much as a figure or a register needs.
#[derive(Debug)]
pub struct Said {
    ties: Ties<IdNumber>,
    facts: Facts,
}

impl Said {
    /// Of the values that a record shows.
    pub fn of(package: &Package, record: RecordId, shown: &RecordValues<'_>) -> Self {
        let values = shown.iter().map(|(key, slot)| (*key, slot.winner()));
        Self {
            ties: show::ties(record, shown),
            facts: facts(package, values),
        }
    }
}

impl UnitFacts {
    /// Reads a unit's records.
    pub fn read(source: &dyn Source, package: &Package, unit: &str) -> Self {
        let records = source.records_of(unit).into_iter();
        Self::of(records.map(|record| {
            let shown = source.view(unit, record);
            (record, Said::of(package, record, &shown))
        }))
    }

    /// Of what each record says: whoever reads a large unit piece by piece need not keep the values.
    pub fn of(records: impl IntoIterator<Item = (RecordId, Said)>) -> Self {
        let (mut facts, mut ties) = (BTreeMap::new(), Vec::new());
        for (record, said) in records {
            facts.insert(record, said.facts);
            ties.push((record, said.ties));
        }
        let mut read = Self::default();
        for group in groups_by(ties) {
            let said = joined(&group, |member| facts.remove(&member));
            if group.id().subject == Subject::Household {
                let members = group.members().map(|member| (member, group.id()));
                read.homes.extend(members);
            }
            read.groups.insert(group.id(), (group, said));
        }
        read
    }

    /// The facts of the household in which a person lives as of a date.
    pub fn home(&self, package: &Package, person: &Facts, as_of: &str) -> Option<&Facts> {
        let home = self.homes.get(&home_of(package, person, as_of)?)?;
        self.groups.get(home).map(|(_, facts)| facts)
    }

    /// What each group adds.
    pub fn contributions<'s>(
        &'s self,
        counter: &'s Counter<'_>,
        control: &'s Control,
        unit: &'s str,
    ) -> impl Iterator<Item = (RecordId, Contribution)> + 's {
        self.groups.iter().map(move |(id, (_, facts))| {
            let home = |as_of: &str| self.home(counter.package(), facts, as_of);
            let (away, _) = control.elsewhere(unit, *id);
            (*id, counter.contribution(id.subject, facts, &home, &away))
        })
    }
}

/// The figures of a unit: of every indicator, by its place in the package, and every year.
pub fn of_unit(
    said: &UnitFacts,
    package: &Package,
    control: &Control,
    unit: &str,
) -> BTreeMap<(u16, u16), Tally> {
    let counter = Counter::new(package);
    let mut figures: BTreeMap<(u16, u16), Tally> = BTreeMap::new();
    for (_, contribution) in said.contributions(&counter, control, unit) {
        for (key, tally) in contribution.cells().filter(|(key, _)| key.by.is_none()) {
            *figures.entry((key.indicator, key.year)).or_default() += tally;
        }
    }
    figures
}
