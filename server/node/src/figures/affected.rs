//! Groups affected by a change: members of an edited household, and records that an ID number or a
//! statement joins or parts, in any unit.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use plan::expression::Facts;
use store::link::{self, Blind, Holder, Home, Linked, Ties};
use store::{Conn, StoreError};
use sync_core::control::Control;
use sync_core::facts::{TIES, facts, homes};
use sync_core::figure::{Absence, Counter, UnitFacts, absences};
use sync_core::group::{Group, gather};
use sync_core::id::{Class, EntryHash, RecordId, Subject};
use sync_core::show::{self, Source};

use super::load::{load_records, persons};
use crate::changed::ChangedParts;
use crate::context::NodeContext;
use crate::reads::Reads;
use crate::unit_records::UnitRecords;

/// Who counts elsewhere and when, by unit and group; those who always count where they are too.
pub(super) type Absences = BTreeMap<(String, RecordId), Absence>;

/// The records of a unit of which an indicator may say something else now.
#[derive(Debug, Default)]
pub(super) struct Stale(BTreeMap<RecordId, Concerned>);

/// Which indicators they are.
#[derive(Debug)]
enum Concerned {
    All,
    /// Those that read one of these parts of the record, and no others.
    Reading(BTreeSet<String>),
}

impl Stale {
    /// Adds records of which any indicator may say something else.
    fn extend(&mut self, records: impl IntoIterator<Item = RecordId>) {
        let all = records.into_iter().map(|record| (record, Concerned::All));
        self.0.extend(all);
    }

    /// Adds a record of which these parts have changed.
    fn change(&mut self, record: RecordId, parts: &BTreeSet<String>) {
        let reading = || Concerned::Reading(BTreeSet::new());
        if let Concerned::Reading(known) = self.0.entry(record).or_insert_with(reading) {
            known.extend(parts.iter().cloned());
        }
    }

    /// The records.
    pub(super) fn records(&self) -> impl Iterator<Item = RecordId> {
        self.0.keys().copied()
    }

    /// Whether a group is concerned.
    pub(super) fn concerns(&self, group: &Group) -> bool {
        group.members().any(|member| self.0.contains_key(&member))
    }

    /// The indicators to which a group may add something else; none where these may be all.
    pub(super) fn indicators(&self, group: &Group, reads: &Reads) -> Option<BTreeSet<u16>> {
        let mut indicators = BTreeSet::new();
        for member in group.members() {
            match self.0.get(&member) {
                Some(Concerned::All) => return None,
                Some(Concerned::Reading(parts)) => {
                    indicators.extend(reads.indicators(member.subject, parts));
                }
                None => {}
            }
        }
        Some(indicators)
    }
}

/// Whom a change concerns.
#[derive(Default)]
pub(super) struct Affected {
    /// Their records, by unit.
    pub(super) records: BTreeMap<String, BTreeSet<RecordId>>,
    /// Those of them of which an indicator may say something else now.
    pub(super) stale: BTreeMap<String, Stale>,
    /// ID numbers that they show or showed.
    numbers: BTreeSet<Blind>,
    /// Those of them that somebody showed from now on, or no longer.
    tied: BTreeSet<Blind>,
    /// Who shows them now.
    holders: BTreeSet<Holder>,
    /// Who is one person in two units, as a move or the office says, under a tie of each two.
    told: BTreeSet<Holder>,
    /// Persons of whom all of this was read when their ties were written.
    read: BTreeSet<(String, RecordId)>,
}

impl Affected {
    /// Adds the records of a unit that were touched and who lives in their households, and writes
    /// down anew what ties them to others.
    pub(super) async fn add_changed(
        &mut self,
        conn: &mut Conn,
        context: &NodeContext,
        control: &Control,
        reads: &BTreeMap<EntryHash, Arc<Reads>>,
        unit: &str,
        changed: ChangedParts,
    ) -> Result<(), StoreError> {
        let those = |holds: &dyn Fn(&RecordId, &BTreeSet<String>) -> bool| {
            let those = changed.iter().filter(|(record, in_)| holds(record, in_));
            those.map(|(record, _)| *record).collect::<Vec<RecordId>>()
        };
        let tied = those(&|record, parts| {
            record.subject == Subject::Person && TIES.iter().any(|tie| parts.contains(*tie))
        });
        let homes = those(&|record, parts| {
            record.subject == Subject::Household && reads.values().any(|of| of.home(parts))
        });
        let (numbers, others) = tie(conn, context, control, unit, &tied).await?;
        self.numbers.extend(&numbers);
        self.tied.extend(numbers);
        self.read
            .extend(tied.iter().map(|record| (unit.to_owned(), *record)));
        let dwellers = link::dwellers(conn, unit, &homes).await?;
        let dwellers: Vec<RecordId> = dwellers.into_iter().map(|(_, person)| person).collect();
        let records = self.records.entry(unit.to_owned()).or_default();
        records.extend(changed.keys().chain(&dwellers).chain(&others));
        let stale = self.stale.entry(unit.to_owned()).or_default();
        let others = tied.into_iter().chain(dwellers).chain(others);
        stale.extend(others);
        for (record, parts) in &changed {
            let mut of = reads.values();
            if of.any(|of| !of.indicators(record.subject, parts).is_empty()) {
                stale.change(*record, parts);
            }
        }
        Ok(())
    }

    /// Adds whoever may be the same person as somebody who is concerned: who shares an ID number with
    /// her, in any unit, of whom something was said together with her, and as whom she went on or
    /// from whom she came.
    pub(super) async fn expand_links(
        &mut self,
        conn: &mut Conn,
        control: &Control,
    ) -> Result<(), StoreError> {
        let mut fresh = self.records.clone();
        let mut asked = BTreeSet::new();
        loop {
            // Whoever is linked with somebody may have moved, and be linked with others there.
            loop {
                let known = self.known();
                self.add_told(control, &mut fresh);
                self.add_linked(conn, &mut fresh).await?;
                if self.known() == known {
                    break;
                }
            }
            for (unit, records) in &fresh {
                let shown = link::numbers_of(conn, unit, &self.unread(unit, records)).await?;
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
                    let counted = self.stale.entry(unit.clone()).or_default();
                    counted.extend([*record]);
                }
            }
            self.holders.extend(holders);
            asked.extend(numbers);
        }
    }

    /// The persons among records of a unit whose ties were not read yet.
    fn unread(&self, unit: &str, records: &BTreeSet<RecordId>) -> Vec<RecordId> {
        let mut persons = persons(records);
        persons.retain(|person| !self.read.contains(&(unit.to_owned(), *person)));
        persons
    }

    /// How many records are concerned.
    fn known(&self) -> usize {
        self.records.values().map(BTreeSet::len).sum()
    }

    /// Adds to `fresh` who is one person with somebody in it in another unit, as a move or the office says,
    /// whether or not they show a number; and of whom the office says that she is not.
    fn add_told(&mut self, control: &Control, fresh: &mut BTreeMap<String, BTreeSet<RecordId>>) {
        let mut due: Vec<(String, RecordId)> = fresh
            .iter()
            .flat_map(|(unit, records)| records.iter().map(|record| (unit.clone(), *record)))
            .collect();
        while let Some((unit, record)) = due.pop() {
            let same = control.same_person(&unit, record);
            for (there, other) in same {
                let tie = link_key(record.max(*other));
                self.told.insert((tie, unit.clone(), record));
                self.told.insert((tie, there.clone(), *other));
            }
            let same = control.same_person(&unit, record);
            for (there, other) in same.chain(control.other_person(&unit, record)) {
                let counted = self.stale.entry(there.clone()).or_default();
                counted.extend([*other]);
                let known = self.records.entry(there.clone()).or_default();
                if known.insert(*other) {
                    fresh.entry(there.clone()).or_default().insert(*other);
                    due.push((there.clone(), *other));
                }
            }
        }
    }

    /// Adds to `fresh` whoever was linked with somebody in it or parted from her, and whoever with
    /// those. Each of them may be in another group now.
    async fn add_linked(
        &mut self,
        conn: &mut Conn,
        fresh: &mut BTreeMap<String, BTreeSet<RecordId>>,
    ) -> Result<(), StoreError> {
        for (unit, records) in fresh {
            let mut last = self.unread(unit, records);
            while !last.is_empty() {
                let linked = link::linked_with(conn, unit, &last).await?;
                let stale = self.stale.entry(unit.clone()).or_default();
                stale.extend(linked.iter().copied());
                let known = self.records.entry(unit.clone()).or_default();
                last = linked.into_iter().filter(|of| known.insert(*of)).collect();
                records.extend(&last);
            }
        }
        Ok(())
    }

    /// When each person who is concerned counts in another unit: by what is known, and by what the office
    /// knows of. Only the latter is for phones: a number that somebody typed tells nobody of another unit.
    pub(super) fn absences(
        &self,
        counter: &Counter<'_>,
        control: &Control,
        units: &Units<'_>,
    ) -> (Absences, Absences) {
        let known: BTreeSet<Holder> = self.holders.union(&self.told).cloned().collect();
        let seats = Seats::new(counter, control, units);
        (seats.absences(&known), seats.absences(&self.told))
    }
}

/// Who of the persons of some units counts where.
struct Seats<'a> {
    counter: &'a Counter<'a>,
    control: &'a Control,
    units: &'a Units<'a>,
    group_of: BTreeMap<(&'a str, RecordId), RecordId>,
}

impl<'a> Seats<'a> {
    fn new(counter: &'a Counter<'a>, control: &'a Control, units: &'a Units<'a>) -> Self {
        let mut group_of = BTreeMap::new();
        for (unit, (_, said)) in units {
            for (id, (group, _)) in said.groups.range(..) {
                if id.subject == Subject::Person {
                    group_of.extend(group.members().map(|member| ((unit.as_str(), member), *id)));
                }
            }
        }
        Self {
            counter,
            control,
            units,
            group_of,
        }
    }

    /// When each group counts in another unit, if those who share a tie are one person.
    fn absences(&self, holders: &BTreeSet<Holder>) -> Absences {
        let here = self.group_of.iter();
        let here = here.map(|((unit, _), id)| ((*unit).to_owned(), *id));
        let mut away: Absences = here.map(|group| (group, Absence::default())).collect();
        let dates = self.counter.dates(Subject::Person);
        for cluster in self.clusters(holders) {
            let said: Vec<(RecordId, &Facts)> = cluster
                .iter()
                .filter_map(|(unit, id)| {
                    let (_, facts) = self.units.get(*unit)?.1.groups.get(id)?;
                    Some((*id, facts))
                })
                .collect();
            let seats = absences(self.counter.package(), &said, &dates);
            for ((unit, id), seat) in cluster.iter().zip(seats) {
                away.insert(((*unit).to_owned(), *id), seat);
            }
        }
        away
    }

    /// Groups that share ties over several units, several of one person each; by unit and group. Groups
    /// that somebody parted are two people, whatever they share: of one unit the one with the smaller id
    /// is the one that other units know.
    fn clusters(&self, holders: &BTreeSet<Holder>) -> Vec<BTreeSet<(&'a str, RecordId)>> {
        let mut ties_of: BTreeMap<(&'a str, RecordId), BTreeSet<Blind>> = BTreeMap::new();
        for (tie, unit, record) in holders {
            if let Some(group) = self.group(unit, *record) {
                ties_of.entry(group).or_default().insert(*tie);
            }
        }
        let mut parted = BTreeSet::new();
        for one in ties_of.keys() {
            let others = self.parted_from(*one);
            parted.extend(
                others
                    .into_iter()
                    .map(|other| (*one.min(&other), *one.max(&other))),
            );
        }
        let clusters = gather(&ties_of, &BTreeSet::new(), &parted);
        clusters
            .into_iter()
            .filter(|cluster| cluster.len() > 1)
            .collect()
    }

    /// The group of a record, by unit.
    fn group(&self, unit: &str, record: RecordId) -> Option<(&'a str, RecordId)> {
        let (unit, _) = self.units.get_key_value(unit)?;
        let group = self.group_of.get(&(unit.as_str(), record))?;
        Some((unit, *group))
    }

    /// The groups that are another person than this one: as somebody of its unit says, or the office.
    fn parted_from(&self, (unit, id): (&'a str, RecordId)) -> Vec<(&'a str, RecordId)> {
        let group = self.units.get(unit);
        let Some((group, _)) = group.and_then(|(_, said)| said.groups.get(&id)) else {
            return Vec::new();
        };
        let here = group.parted().filter_map(|record| self.group(unit, record));
        let members = group.members();
        let there = members.flat_map(|member| self.control.other_person(unit, member));
        let there = there.filter_map(|(unit, record)| self.group(unit, *record));
        here.chain(there).collect()
    }
}

/// What ties two records that are told to be one person, in the place of a number that both show: the
/// greater of their ids.
fn link_key(greater: RecordId) -> Blind {
    let mut tie = [0; 16];
    tie.copy_from_slice(&greater.to_bytes()[1..]);
    Blind(tie)
}

/// What was loaded of each unit.
pub(super) type Units<'a> = BTreeMap<String, (UnitRecords<'a>, UnitFacts)>;

/// Writes which numbers persons show, of whom else something was said, and which households they
/// name; returns the numbers that they show or showed, and of whom else something is or was said.
async fn tie(
    conn: &mut Conn,
    context: &NodeContext,
    control: &Control,
    unit: &str,
    persons: &[RecordId],
) -> Result<(BTreeSet<Blind>, BTreeSet<RecordId>), StoreError> {
    let Some(package) = control.package().filter(|_| !persons.is_empty()) else {
        return Ok(Default::default());
    };
    let wanted = persons.iter().copied().collect();
    let general = BTreeSet::from([Class::General]);
    let source = load_records(conn, control, unit, &general, &wanted).await?;
    let (mut numbers, mut households) = (BTreeSet::<Holder>::new(), BTreeSet::<Home>::new());
    let mut links = BTreeSet::<Linked>::new();
    for person in persons {
        let shown = source.view(unit, *person);
        let ties = show::ties(*person, &shown);
        let blind = ties
            .numbers
            .iter()
            .map(|number| Blind(context.numbers.blind(number)));
        numbers.extend(blind.map(|number| (number, unit.to_owned(), *person)));
        links.extend(ties.links.iter().map(|link| (*person, link.other)));
        let values = shown.iter().map(|(key, slot)| (*key, slot.winner()));
        let named = homes(&facts(package, values)).into_iter();
        households.extend(named.map(|household| (household, *person)));
    }
    let Ties {
        numbers: stored,
        links: stored_links,
        linked,
        homes: stored_homes,
    } = link::ties_of(conn, unit, persons).await?;
    for gone in stored.difference(&numbers) {
        link::remove_number(conn, gone).await?;
    }
    let added: Vec<&Holder> = numbers.difference(&stored).collect();
    link::add_numbers(conn, &added).await?;

    for gone in stored_links.difference(&links) {
        link::remove_link(conn, unit, gone).await?;
    }
    let added: Vec<&Linked> = links.difference(&stored_links).collect();
    link::add_links(conn, unit, &added).await?;

    for gone in stored_homes.difference(&households) {
        link::remove_home(conn, unit, gone).await?;
    }
    let added: Vec<&Home> = households.difference(&stored_homes).collect();
    link::add_homes(conn, unit, &added).await?;
    let numbers = stored.into_iter().chain(numbers);
    let others = stored_links.into_iter().chain(links);
    Ok((
        numbers.map(|(number, _, _)| number).collect(),
        others.map(|(_, other)| other).chain(linked).collect(),
    ))
}
