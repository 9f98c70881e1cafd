//! Incremental update: from changed records to changed cells.
//!
//! First it is found who is concerned, then each of their groups is counted again from its records
//! as they are now, and the cells change by the difference to what the group added before. All in
//! the caller's transaction, which on this engine is the only one that writes.

use std::collections::{BTreeMap, BTreeSet};

use store::figure::{self, Cell, Generation};
use store::{Conn, StoreError, link};
use sync_core::control::{ControlEntry, CountedElsewhere, Signer};
use sync_core::figure::{CellDelta, Contribution, Counter, UnitFacts};
use sync_core::group::Group;
use sync_core::id::{Class, RecordId, Space};
use sync_core::show;

use super::affected::{Absences, Affected, Stale};
use super::load::{classes, load};
use crate::changed::ChangedRecords;
use crate::reads::Reads;
use crate::transaction::WriteTx;
use crate::unit_records::UnitRecords;

/// Brings everything that follows from the records that the transaction has changed up to date.
pub(crate) async fn update(tx: &mut WriteTx<'_>) -> Result<(), StoreError> {
    let changed_records = tx.take_changed();
    if changed_records.is_empty() {
        return Ok(());
    }
    let generations = figure::generations(&mut tx.conn).await?;
    update_in(tx, changed_records, &generations).await
}

/// The same in these generations alone.
pub(super) async fn update_in(
    tx: &mut WriteTx<'_>,
    changed_records: ChangedRecords,
    generations: &[Generation],
) -> Result<(), StoreError> {
    let control = tx.control.clone();
    let Some(package) = control.package().filter(|_| !changed_records.is_empty()) else {
        return Ok(());
    };
    let (conn, node) = (&mut tx.conn, tx.node);
    let reads = node.reads.of(&control, generations);
    let mut affected = Affected::default();
    for (unit, changed) in changed_records.0 {
        affected
            .add_changed(conn, node, &control, &reads, &unit, changed)
            .await?;
    }
    affected.expand_links(conn, &control).await?;

    let classes = classes(&control, generations);
    let mut units = BTreeMap::new();
    for (unit, records) in &affected.records {
        let source = load(conn, &control, unit, &classes, records).await?;
        let said = UnitFacts::read(&source, package, unit);
        open_conflicts(conn, &source, unit, &said, records).await?;
        units.insert(unit.clone(), (source, said));
    }
    let counter = Counter::new(package);
    let (away, told) = affected.absences(&counter, &control, &units);
    tell(tx, &told).await?;
    let conn = &mut tx.conn;
    for generation in generations {
        let Some(package) = control.package_of(generation.package) else {
            continue;
        };
        for (unit, (source, said)) in &units {
            let stale = affected.stale.get(unit).filter(|_| generation.covers(unit));
            let (Some(stale), Some(reads)) = (stale, reads.get(&generation.package)) else {
                continue;
            };
            let counting = Counting {
                generation,
                unit,
                stale,
                reads,
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

/// Writes which of the groups have something to be settled.
async fn open_conflicts(
    conn: &mut Conn,
    source: &UnitRecords<'_>,
    unit: &str,
    said: &UnitFacts,
    records: &BTreeSet<RecordId>,
) -> Result<(), StoreError> {
    let groups = || said.groups.values().map(|(group, _)| group);
    let conflicts = show::conflicts_of(source, unit, groups());
    let in_conflict: BTreeSet<RecordId> = conflicts.into_iter().map(|of| of.record).collect();
    let open: BTreeSet<RecordId> = groups()
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

/// Tells the phones of a unit, by the control feed, who counts elsewhere from now on, of those of whom the
/// office knows that they are recorded there too.
async fn tell(tx: &mut WriteTx<'_>, away: &Absences) -> Result<(), StoreError> {
    let network = tx.control.network();
    let mut told = Vec::new();
    for ((unit, record), away) in away {
        let (said, number) = tx.control.elsewhere(unit, *record);
        let Ok(space) = Space::new(unit, Class::General) else {
            continue;
        };
        if said == *away {
            continue;
        }
        let statement = CountedElsewhere {
            record: *record,
            away: away.clone(),
        };
        let number = number.saturating_add(1);
        let entry = |signer: Signer<'_>| {
            ControlEntry::elsewhere(network, &space, &statement, number, signer)
        };
        match tx.signed(entry) {
            Ok(entry) => told.extend(entry),
            // The figures here stand all the same; the phones of the unit count her on.
            Err(error) => tracing::error!(%error, "who counts elsewhere cannot be told"),
        }
    }
    tx.add(&told).await
}

/// One unit's part in one generation.
struct Counting<'a> {
    generation: &'a Generation,
    unit: &'a str,
    stale: &'a Stale,
    reads: &'a Reads,
    away: &'a Absences,
}

impl Counting<'_> {
    /// Counts the groups again and changes the cells by the difference.
    async fn count(
        &self,
        conn: &mut Conn,
        counter: &Counter<'_>,
        said: &UnitFacts,
    ) -> Result<(), StoreError> {
        let (number, unit) = (self.generation.number, self.unit);
        let groups = said.groups.values().map(|(group, _)| group);
        let members = groups
            .filter(|group| self.stale.concerns(group))
            .flat_map(Group::members);
        let records: BTreeSet<RecordId> = members.chain(self.stale.records()).collect();
        let records: Vec<RecordId> = records.into_iter().collect();
        let before = figure::contributions(conn, number, unit, &records).await?;
        let now = self.contributions(counter, said, &before);

        let mut change = CellDelta::default();
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

    /// What the groups that are concerned add, those left out that add nothing.
    fn contributions(
        &self,
        counter: &Counter<'_>,
        said: &UnitFacts,
        before: &BTreeMap<RecordId, Contribution>,
    ) -> BTreeMap<RecordId, Contribution> {
        let nothing = Contribution::default();
        let mut now = BTreeMap::new();
        for (id, (group, facts)) in &said.groups {
            if !self.stale.concerns(group) {
                continue;
            }
            let home = |as_of: &str| said.home(counter.package(), facts, as_of);
            let away = self.away.get(&(self.unit.to_owned(), *id));
            let away = away.cloned().unwrap_or_default();
            let indicators = self.stale.indicators(group, self.reads);
            let contribution = match indicators {
                None => counter.contribution(id.subject, facts, &home, &away),
                Some(indicators) => {
                    let before = before.get(id).unwrap_or(&nothing);
                    let of = (id.subject, facts);
                    counter.contribution_after(before, &indicators, of, &home, &away)
                }
            };
            if !contribution.is_empty() {
                now.insert(*id, contribution);
            }
        }
        now
    }
}
