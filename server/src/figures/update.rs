//! From records that changed to cells that change.
//!
//! An edit of a household concerns who lives there; a corrected ID number concerns whose records it
//! parts and joins, in other units too. So first it is found who is concerned, then each of their
//! groups is counted again from its records as they are now, and the cells change by the difference
//! to what the group added before. All in the caller's transaction, which on this engine is the only
//! one that writes.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use plan::Package;
use plan::expression::Facts;
use sqlx::SqliteConnection;
use sync_core::control::{Control, ControlEntry, Elsewhere};
use sync_core::facts::{TIES, facts, homes};
use sync_core::figure::{Away, Change, Contribution, Counter, UnitFacts, seats};
use sync_core::group::{Group, ID_NUMBER_KEY, IdNumber};
use sync_core::id::{Class, RecordId, Space, Subject};
use sync_core::show::{self, Source};

use super::reads::Reads;
use crate::app::Shared;
use crate::show::Unit;
use crate::store::figure::{self, Cell, Generation};
use crate::store::link::{self, Blind, Holder, Home};
use crate::store::{StoreError, control, record};

/// The records whose shown values changed, by unit, with the parts that did: `section.field`, or
/// `section` of a repeating one.
#[derive(Debug, Default)]
pub(crate) struct Touched(BTreeMap<String, Changed>);

type Changed = BTreeMap<RecordId, BTreeSet<String>>;

impl Touched {
    /// Notes that a record shows something else in these parts.
    pub(crate) fn note(&mut self, unit: &str, record: RecordId, parts: BTreeSet<String>) {
        let records = self.0.entry(unit.to_owned()).or_default();
        records.entry(record).or_default().extend(parts);
    }

    /// Takes in what another part of the transaction touched.
    pub(crate) fn join(&mut self, other: Self) {
        for (unit, records) in other.0 {
            for (record, parts) in records {
                self.note(&unit, record, parts);
            }
        }
    }
}

/// Brings everything that follows from the touched records up to date.
pub(crate) async fn update(
    conn: &mut SqliteConnection,
    shared: &Shared,
    control: &Control,
    touched: Touched,
) -> Result<(), StoreError> {
    let generations = figure::generations(conn).await?;
    update_in(conn, shared, control, touched, &generations).await
}

/// The same in these generations alone.
pub(super) async fn update_in(
    conn: &mut SqliteConnection,
    shared: &Shared,
    control: &Control,
    touched: Touched,
    generations: &[Generation],
) -> Result<(), StoreError> {
    let Some(package) = control.package().filter(|_| !touched.0.is_empty()) else {
        return Ok(());
    };
    let reads = shared.reads.of(control, generations);
    let mut concerned = Concerned::default();
    for (unit, changed) in touched.0 {
        concerned
            .touched(conn, shared, package, &reads, &unit, changed)
            .await?;
    }
    concerned.sharing_numbers(conn).await?;

    let classes = classes(control, generations);
    let mut units = BTreeMap::new();
    for (unit, records) in &concerned.records {
        let source = load(conn, package, unit, &classes, records).await?;
        let said = UnitFacts::read(&source, package, unit);
        open_conflicts(conn, &source, unit, &said, records).await?;
        units.insert(unit.clone(), (source, said));
    }
    let counter = Counter::new(package);
    let away = concerned.away(&counter, &units);
    tell(conn, shared, control, &away).await?;
    for generation in generations {
        let Some(package) = control.package_of(generation.package) else {
            continue;
        };
        for (unit, (source, said)) in &units {
            let Some(records) = concerned
                .counted
                .get(unit)
                .filter(|_| generation.covers(unit))
            else {
                continue;
            };
            let counting = Counting {
                generation,
                unit,
                records,
                away: &away,
            };
            // Another package may know other fields.
            if generation.package == control.package_entry().unwrap_or(generation.package) {
                counting.count(conn, &counter, said).await?;
            } else {
                let said = UnitFacts::read(source, package, unit);
                counting.count(conn, &Counter::new(package), &said).await?;
            }
        }
    }
    Ok(())
}

/// Who counts elsewhere and when, by unit and group; those who always count where they are too.
type AwayOf = BTreeMap<(String, RecordId), Away>;

/// Whom a change concerns.
#[derive(Default)]
struct Concerned {
    /// Their records, by unit.
    records: BTreeMap<String, BTreeSet<RecordId>>,
    /// Those of them of which an indicator may say something else now.
    counted: BTreeMap<String, BTreeSet<RecordId>>,
    /// ID numbers that they show or showed.
    numbers: BTreeSet<Blind>,
    /// Those of them that somebody showed from now on, or no longer.
    tied: BTreeSet<Blind>,
    /// Who shows them now.
    holders: BTreeSet<Holder>,
}

impl Concerned {
    /// Adds the records of a unit that were touched and who lives in their households, and writes
    /// down anew what ties them to others.
    async fn touched(
        &mut self,
        conn: &mut SqliteConnection,
        shared: &Shared,
        package: &Package,
        reads: &[Arc<Reads>],
        unit: &str,
        changed: Changed,
    ) -> Result<(), StoreError> {
        let those = |holds: &dyn Fn(&RecordId, &BTreeSet<String>) -> bool| {
            let those = changed.iter().filter(|(record, in_)| holds(record, in_));
            those.map(|(record, _)| *record).collect::<Vec<RecordId>>()
        };
        let tied = those(&|record, parts| {
            record.subject == Subject::Person && TIES.iter().any(|tie| parts.contains(*tie))
        });
        let homes = those(&|record, parts| {
            record.subject == Subject::Household && reads.iter().any(|of| of.home(parts))
        });
        let counted =
            those(&|record, parts| reads.iter().any(|of| of.subject(record.subject, parts)));
        let numbers = tie(conn, shared, package, unit, &tied).await?;
        self.numbers.extend(&numbers);
        self.tied.extend(numbers);
        let dwellers = link::dwellers(conn, unit, &homes).await?;
        let dwellers: Vec<RecordId> = dwellers.into_iter().map(|(_, person)| person).collect();
        let records = self.records.entry(unit.to_owned()).or_default();
        records.extend(changed.keys().chain(&dwellers));
        let all = self.counted.entry(unit.to_owned()).or_default();
        all.extend(counted.iter().chain(&tied).chain(&dwellers));
        Ok(())
    }

    /// Adds whoever shares an ID number with somebody who is concerned, in any unit.
    async fn sharing_numbers(&mut self, conn: &mut SqliteConnection) -> Result<(), StoreError> {
        let mut fresh = self.records.clone();
        let mut asked = BTreeSet::new();
        loop {
            for (unit, records) in &fresh {
                let persons = records.iter().filter(|r| r.subject == Subject::Person);
                let persons: Vec<RecordId> = persons.copied().collect();
                let shown = link::numbers_of(conn, unit, &persons).await?;
                self.numbers
                    .extend(shown.iter().map(|(number, _, _)| *number));
            }
            let numbers: Vec<Blind> = self.numbers.difference(&asked).copied().collect();
            if numbers.is_empty() {
                return Ok(());
            }
            fresh.clear();
            let holders = link::holders(conn, &numbers).await?;
            let mut sharing: BTreeMap<Blind, usize> = BTreeMap::new();
            for (number, _, _) in &holders {
                *sharing.entry(*number).or_default() += 1;
            }
            for (number, unit, record) in &holders {
                let known = self.records.entry(unit.clone()).or_default();
                if known.insert(*record) {
                    fresh.entry(unit.clone()).or_default().insert(*record);
                }
                // Whoever shares a number, or did, may have another seat now.
                if sharing.get(number).is_some_and(|holders| *holders > 1)
                    || self.tied.contains(number)
                {
                    let counted = self.counted.entry(unit.clone()).or_default();
                    counted.insert(*record);
                }
            }
            self.holders.extend(holders);
            asked.extend(numbers);
        }
    }

    /// When each person who is concerned counts in another unit.
    fn away(&self, counter: &Counter<'_>, units: &Units<'_>) -> AwayOf {
        let mut away = AwayOf::new();
        let mut group_of: BTreeMap<(&str, RecordId), RecordId> = BTreeMap::new();
        for (unit, (_, said)) in units {
            for (id, (group, _)) in said.groups.range(..) {
                if id.subject == Subject::Person {
                    group_of.extend(group.members().map(|member| ((unit.as_str(), member), *id)));
                    away.insert((unit.clone(), *id), Away::default());
                }
            }
        }
        let dates = counter.dates(Subject::Person);
        for clan in clans(&self.holders, &group_of) {
            let said: Vec<(RecordId, &Facts)> = clan
                .iter()
                .filter_map(|(unit, id)| {
                    let (_, facts) = units.get(*unit)?.1.groups.get(id)?;
                    Some((*id, facts))
                })
                .collect();
            let seats = seats(counter.package(), &said, &dates);
            for ((unit, id), seat) in clan.iter().zip(seats) {
                away.insert(((*unit).to_owned(), *id), seat);
            }
        }
        away
    }
}

/// What was loaded of each unit.
type Units<'a> = BTreeMap<String, (Unit<'a>, UnitFacts)>;

/// Groups of different units that share ID numbers, several of one person each; by unit and group.
fn clans<'a>(
    holders: &'a BTreeSet<Holder>,
    group_of: &BTreeMap<(&str, RecordId), RecordId>,
) -> Vec<BTreeSet<(&'a str, RecordId)>> {
    let mut clans: Vec<(BTreeSet<Blind>, BTreeSet<_>)> = Vec::new();
    let mut numbers_of: BTreeMap<(&str, RecordId), BTreeSet<Blind>> = BTreeMap::new();
    for (number, unit, record) in holders {
        if let Some(group) = group_of.get(&(unit.as_str(), *record)) {
            let numbers = numbers_of.entry((unit, *group)).or_default();
            numbers.insert(*number);
        }
    }
    for (group, mut numbers) in numbers_of {
        let mut clan = BTreeSet::from([group]);
        clans.retain(|(other, groups)| {
            let apart = other.is_disjoint(&numbers);
            if !apart {
                numbers.extend(other);
                clan.extend(groups);
            }
            apart
        });
        clans.push((numbers, clan));
    }
    let several = clans.into_iter().map(|(_, clan)| clan);
    several.filter(|clan| clan.len() > 1).collect()
}

/// Writes which numbers persons show and which households they name; gives the numbers that they
/// show or showed.
async fn tie(
    conn: &mut SqliteConnection,
    shared: &Shared,
    package: &Package,
    unit: &str,
    persons: &[RecordId],
) -> Result<BTreeSet<Blind>, StoreError> {
    if persons.is_empty() {
        return Ok(BTreeSet::new());
    }
    let wanted = persons.iter().copied().collect();
    let general = BTreeSet::from([Class::General]);
    let source = load_records(conn, package, unit, &general, &wanted).await?;
    let (mut numbers, mut households) = (BTreeSet::<Holder>::new(), BTreeSet::<Home>::new());
    for person in persons {
        let shown = source.view(unit, *person);
        let slot = shown.iter().find(|(key, _)| key.as_str() == ID_NUMBER_KEY);
        let values = slot.into_iter().flat_map(|(_, slot)| slot.values());
        let valid = values.filter_map(|written| IdNumber::parse(written.value.as_text()?));
        numbers
            .extend(valid.map(|number| (shared.numbers.blind(&number), unit.to_owned(), *person)));
        let values = shown.iter().map(|(key, slot)| (*key, slot.winner()));
        let named = homes(&facts(package, values)).into_iter();
        households.extend(named.map(|household| (household, *person)));
    }
    let stored = link::numbers_of(conn, unit, persons).await?;
    for gone in stored.difference(&numbers) {
        link::remove_number(conn, gone).await?;
    }
    let added: Vec<&Holder> = numbers.difference(&stored).collect();
    link::add_numbers(conn, &added).await?;

    let stored_homes = link::homes_of(conn, unit, persons).await?;
    for gone in stored_homes.difference(&households) {
        link::remove_home(conn, unit, gone).await?;
    }
    let added: Vec<&Home> = households.difference(&stored_homes).collect();
    link::add_homes(conn, unit, &added).await?;
    let either = stored.into_iter().chain(numbers);
    Ok(either.map(|(number, _, _)| number).collect())
}

/// The classes that are read: what the indicators need, and what the office sees.
fn classes(control: &Control, generations: &[Generation]) -> BTreeSet<Class> {
    let packages = generations
        .iter()
        .filter_map(|generation| control.package_of(generation.package));
    let needed = packages
        .flat_map(|package| &package.indicators)
        .flat_map(|indicator| &indicator.count.classes)
        .filter_map(|class| Class::from_key(class));
    needed.chain(Class::CADRE).collect()
}

/// The records of a unit that are concerned, with the households that their persons name.
async fn load<'a>(
    conn: &mut SqliteConnection,
    package: &'a Package,
    unit: &str,
    classes: &BTreeSet<Class>,
    records: &BTreeSet<RecordId>,
) -> Result<Unit<'a>, StoreError> {
    let persons = records.iter().filter(|r| r.subject == Subject::Person);
    let persons: Vec<RecordId> = persons.copied().collect();
    let homes = link::homes_of(conn, unit, &persons).await?;
    let mut wanted = records.clone();
    wanted.extend(homes.into_iter().map(|(household, _)| household));
    load_records(conn, package, unit, classes, &wanted).await
}

async fn load_records<'a>(
    conn: &mut SqliteConnection,
    package: &'a Package,
    unit: &str,
    classes: &BTreeSet<Class>,
    records: &BTreeSet<RecordId>,
) -> Result<Unit<'a>, StoreError> {
    let records: Vec<RecordId> = records.iter().copied().collect();
    let mut source = Unit::empty(Some(package));
    for class in classes {
        let Ok(space) = Space::new(unit, *class) else {
            continue;
        };
        for state in record::states(conn, &space.to_string(), &records).await? {
            // A damaged cache must not keep a phone's batch out; `verify` names it.
            if source.take(*class, vec![state]).is_err() {
                tracing::error!(table = "record", column = "state", "a row does not read");
            }
        }
    }
    Ok(source)
}

/// Writes which of the groups have something to be settled.
async fn open_conflicts(
    conn: &mut SqliteConnection,
    source: &Unit<'_>,
    unit: &str,
    said: &UnitFacts,
    records: &BTreeSet<RecordId>,
) -> Result<(), StoreError> {
    let conflicts = show::conflicts(source, unit);
    let in_conflict: BTreeSet<RecordId> = conflicts.into_iter().map(|of| of.record).collect();
    let groups = said.groups.values().map(|(group, _)| group);
    let open: BTreeSet<RecordId> = groups
        .filter(|group| group.members().any(|member| in_conflict.contains(&member)))
        .map(|group| group.id())
        .filter(|id| records.contains(id))
        .collect();
    let all: Vec<RecordId> = records.iter().copied().collect();
    let stored = link::open_of(conn, unit, &all).await?;
    for changed in open.symmetric_difference(&stored) {
        link::set_open(conn, unit, *changed, open.contains(changed)).await?;
    }
    Ok(())
}

/// Tells the phones of a unit, by the control feed, who counts elsewhere from now on.
async fn tell(
    conn: &mut SqliteConnection,
    shared: &Shared,
    control: &Control,
    away: &AwayOf,
) -> Result<(), StoreError> {
    let sign = |message: &[u8]| shared.node.sign(message);
    for ((unit, record), away) in away {
        let (said, number) = control.elsewhere(unit, *record);
        let Ok(space) = Space::new(unit, Class::General) else {
            continue;
        };
        if said == *away {
            continue;
        }
        let statement = Elsewhere {
            record: *record,
            away: away.clone(),
        };
        let signer: sync_core::control::Signer<'_> = (shared.node.public().bytes, &sign);
        let network = shared.me.network;
        let entry = ControlEntry::elsewhere(network, &space, &statement, number + 1, signer);
        if let Ok(Some(entry)) = control.check(&entry) {
            control::add(conn, &entry).await?;
        }
    }
    Ok(())
}

/// One unit's part in one generation.
struct Counting<'a> {
    generation: &'a Generation,
    unit: &'a str,
    /// The records that are concerned.
    records: &'a BTreeSet<RecordId>,
    away: &'a AwayOf,
}

impl Counting<'_> {
    /// Counts the groups again and changes the cells by the difference.
    async fn count(
        &self,
        conn: &mut SqliteConnection,
        counter: &Counter<'_>,
        said: &UnitFacts,
    ) -> Result<(), StoreError> {
        let (number, unit) = (self.generation.number, self.unit);
        let groups = said.groups.values().map(|(group, _)| group);
        let members = groups
            .filter(|group| self.concerns(group))
            .flat_map(Group::members);
        let records: BTreeSet<RecordId> = members.chain(self.records.iter().copied()).collect();
        let records: Vec<RecordId> = records.into_iter().collect();
        let before = figure::contributions(conn, number, unit, &records).await?;
        let now = self.contributions(counter, said);

        let mut change = Change::default();
        before.values().for_each(|before| change.take_back(before));
        now.values().for_each(|now| change.add(now));
        let package = counter.package();
        let cells: Vec<_> = change
            .cells()
            .filter_map(|(key, tally)| {
                let indicator = package.indicators.get(usize::from(key.indicator))?;
                let by = match key.by {
                    Some(by) => indicator.count.by.get(usize::from(by))?.clone(),
                    None => String::new(),
                };
                let cell = Cell {
                    indicator: indicator.key.clone(),
                    year: key.year,
                    breakdown: by,
                    value: key.value.to_owned(),
                    unit: unit.to_owned(),
                };
                Some((cell, tally))
            })
            .collect();
        figure::add_to_cells(conn, number, &cells).await?;
        for gone in before.keys().filter(|record| !now.contains_key(record)) {
            figure::remove_contribution(conn, number, unit, *gone).await?;
        }
        let changed = now.iter().filter(|(id, now)| before.get(id) != Some(now));
        let changed: Vec<_> = changed.map(|(id, now)| (*id, now)).collect();
        figure::set_contributions(conn, number, unit, &changed).await
    }

    fn concerns(&self, group: &Group) -> bool {
        group.members().any(|member| self.records.contains(&member))
    }

    /// What the groups that are concerned add, those left out that add nothing.
    fn contributions(
        &self,
        counter: &Counter<'_>,
        said: &UnitFacts,
    ) -> BTreeMap<RecordId, Contribution> {
        let mut now = BTreeMap::new();
        for (id, (group, facts)) in &said.groups {
            if !self.concerns(group) {
                continue;
            }
            let home = |as_of: &str| said.home(counter.package(), facts, as_of);
            let away = self.away.get(&(self.unit.to_owned(), *id));
            let away = away.cloned().unwrap_or_default();
            let contribution = counter.contribution(id.subject, facts, &home, &away);
            if !contribution.is_empty() {
                now.insert(*id, contribution);
            }
        }
        now
    }
}
