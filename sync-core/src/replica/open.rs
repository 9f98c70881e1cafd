//! Opening a replica from the rows of its store. What does not read is made again or fetched again.

use std::collections::{BTreeMap, BTreeSet};

use super::*;
use crate::record::DocumentError;

/// What was wrong with a store that could be opened all the same.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct OpenReport {
    /// Rows that did not read; what they held is fetched again or rebuilt where possible.
    pub unreadable_rows: usize,
    /// Records rebuilt from their batches.
    pub rebuilt: usize,
}

/// How a host hands out all values of a table, in any order.
pub type EachRow<'a> = dyn FnMut(Table, &mut dyn FnMut(Vec<u8>)) -> Result<(), Unreadable> + 'a;

/// Why a store is no replica.
#[derive(Debug, thiserror::Error)]
pub enum OpenError {
    /// The store has never been enrolled.
    #[error("the store is not enrolled")]
    NotEnrolled,
    /// The host could not read.
    #[error(transparent)]
    Unreadable(#[from] Unreadable),
}

impl Replica {
    /// Opens a replica from all rows of its store (any order within a table).
    ///
    /// Rows that don't read are counted, not fatal: a record is rebuilt from its batches, a batch
    /// comes again with the next exchange. Without the row that says who this is there is nothing
    /// to open.
    pub fn open(
        rows: &dyn ReadRows,
        each: &mut EachRow<'_>,
    ) -> Result<(Self, OpenReport), OpenError> {
        let (mut replica, mut report) = Self::read(rows, each)?;
        report.rebuilt = replica.rebuild_lost_records(rows)?;
        Ok((replica, report))
    }

    /// Opens a replica for a host that marks its merges, so that nothing is merged yet. A record whose row is
    /// lost is suspected: it is made again when it has been marked ([`Replica::suspects`]).
    pub fn open_marking(
        rows: &dyn ReadRows,
        each: &mut EachRow<'_>,
    ) -> Result<(Self, OpenReport), OpenError> {
        let (mut replica, report) = Self::read(rows, each)?;
        replica.mark_merges();
        for (space, lost) in replica.lost_records() {
            let suspected = RecordState::empty().parked_for(DocumentError::Suspected);
            let states = lost.into_iter().map(|record| (record, suspected.clone()));
            replica.held_mut(space).records.extend(states);
        }
        Ok((replica, report))
    }

    fn read(rows: &dyn ReadRows, each: &mut EachRow<'_>) -> Result<(Self, OpenReport), OpenError> {
        let mut report = OpenReport::default();
        let me = rows
            .read(Table::Meta, stored::ME)?
            .ok_or(OpenError::NotEnrolled)?;
        let me = stored::read_me(&me).ok_or(OpenError::NotEnrolled)?;
        let hub = rows.read(Table::Meta, stored::HUB)?;
        let hub = hub
            .and_then(|bytes| stored::read_hub(&bytes))
            .unwrap_or_default();
        let mut replica = Self::with(me, Control::new(me.network), hub);

        // Two entries have one number where an exchange brought back a row that was lost.
        let mut entries = BTreeSet::new();
        each(
            Table::Control,
            &mut |value| match stored::read_control(&value) {
                Some(entry) => drop(entries.insert(entry)),
                None => report.unreadable_rows += 1,
            },
        )?;
        report.unreadable_rows += replica.take_stored_control(entries);
        replica.make_spaces();

        each(
            Table::Batch,
            &mut |value| match Batch::from_store(me.network, &value) {
                Ok(batch) => {
                    let held = replica.held_mut(batch.header.space.clone());
                    let records = batch.entries.iter().map(|entry| entry.record).collect();
                    held.insert(batch.header.device, batch.node(), records);
                }
                Err(_) => report.unreadable_rows += 1,
            },
        )?;
        replica.mend_feeds();
        each(
            Table::Record,
            &mut |value| match stored::read_record(&value) {
                Some((space, record, state)) => {
                    replica.held_mut(space).records.insert(record, state);
                }
                None => report.unreadable_rows += 1,
            },
        )?;
        each(
            Table::Staged,
            &mut |value| match stored::read_staged(&value) {
                Some((space, number, staged)) => {
                    replica.held_mut(space).staged.insert(number, staged);
                }
                None => report.unreadable_rows += 1,
            },
        )?;
        each(
            Table::Stash,
            &mut |value| match Batch::from_store(me.network, &value) {
                Ok(batch) => {
                    let held = replica.held_mut(batch.header.space.clone());
                    held.stash.insert(batch.hash, value);
                }
                Err(_) => report.unreadable_rows += 1,
            },
        )?;
        each(
            Table::Orphaned,
            &mut |value| match stored::read_kept(&value) {
                Some((space, record, changes)) => {
                    replica.held_mut(space).orphaned.insert(record, changes);
                }
                None => report.unreadable_rows += 1,
            },
        )?;
        each(Table::Meta, &mut |value| {
            if let Some((space, base)) = stored::read_base(&value)
                && let Some(held) = replica.spaces.get_mut(&space)
            {
                held.base = base;
            }
            if let Some((space, receipt)) = stored::read_receipt(&value)
                && let Some(held) = replica.spaces.get_mut(&space)
            {
                held.receipt = Some(receipt);
            }
            if let Some((space, safe)) = stored::read_safe(&value)
                && let Some(held) = replica.spaces.get_mut(&space)
            {
                held.safe = safe;
            }
        })?;
        Ok((replica, report))
    }

    /// Takes the entries of the control feed, each with its number. One that rests on a later one has that
    /// taken first. Returns how many say nothing that holds.
    fn take_stored_control(&mut self, mut entries: BTreeSet<(u64, Vec<u8>)>) -> usize {
        loop {
            let before = entries.len();
            entries.retain(|(_, bytes)| match self.control.check(bytes) {
                Ok(entry) => {
                    entry.into_iter().for_each(|new| self.control.apply(new));
                    false
                }
                Err(_) => true,
            });
            if entries.is_empty() || entries.len() == before {
                return entries.len();
            }
        }
    }

    /// Batches come from the store in any order, and one that did not read leaves a gap: nodes
    /// whose parents are gone count as not held, so that they are fetched again.
    fn mend_feeds(&mut self) {
        for held in self.spaces.values_mut() {
            for feed in held.feeds.values_mut() {
                feed.mend();
            }
        }
    }

    /// The records of which something is held and whose cache row is lost.
    fn lost_records(&self) -> BTreeMap<Space, BTreeSet<RecordId>> {
        let of_space = |(space, held): (&Space, &SpaceReplica)| {
            let staged = held.staged.values().map(|staged| staged.entry.record);
            let known = held.touched.keys().copied().chain(staged);
            let lost = known.filter(|record| !held.records.contains_key(record));
            (space.clone(), lost.collect())
        };
        self.spaces.iter().map(of_space).collect()
    }

    /// They are made again from batches and staged edits.
    fn rebuild_lost_records(&mut self, rows: &dyn ReadRows) -> Result<usize, Unreadable> {
        let mut count = 0;
        for (space, lost) in self.lost_records() {
            let quarantined = self.quarantined(&self.control, &space, &BTreeMap::new());
            for record in lost {
                let state = self.rebuilt(rows, &space, record, &quarantined)?;
                let held = self.held_mut(space.clone());
                held.records.insert(record, state);
                // The next message that is merged writes its row.
                held.behind.insert(record, Waits::ForRebuild);
                count += 1;
            }
        }
        Ok(count)
    }
}
