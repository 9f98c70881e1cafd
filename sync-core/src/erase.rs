//! Erasure on a phone: what an order removes from its store (R29–R32).
//!
//! A message that brings a new order is taken in two steps, each durable by itself: first the control
//! entries and with them the erasure, then, when the message comes again, all the rest. So nothing
//! else ever has to do with a store in which something is half erased.
//!
//! What the phone's own author wrote on such a record and the office never saw is neither applied nor
//! lost: it is *kept*, sealed as everything is, until its author registers it anew or drops it.

use std::collections::{BTreeMap, BTreeSet};

use crate::batch::Batch;
use crate::change::Change;
use crate::control::Control;
use crate::id::{AuthorId, BatchHash, RecordId, Space};
use crate::ingest::{BatchIngest, Pending, Work};
use crate::replica::{Context, Edit, EditError, Edited, Prepared, Replica, SpaceReplica, Step};
use crate::row::{ReadRows, Row, Table, Unreadable};
use crate::stored;
use crate::value::{Key, Value};

/// What is kept of an erased record.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct OrphanedChanges {
    /// The erased record.
    pub record: RecordId,
    /// The org unit.
    pub unit: String,
    /// What was written, the last value of each key.
    pub values: BTreeMap<Key, Value>,
}

impl Replica {
    /// The records that `control` names as erased and that were not before.
    pub(crate) fn newly_erased(&self, control: &Control) -> BTreeSet<RecordId> {
        let erased = control.erased();
        erased
            .filter(|record| !self.control.is_erased(*record))
            .collect()
    }

    /// Prepares the erasure of these records, which `control` orders.
    pub(crate) fn erase(
        &self,
        context: &mut Context<'_>,
        rows: &dyn ReadRows,
        control: &Control,
        records: &BTreeSet<RecordId>,
        mut work: Work,
        out: &mut Prepared<()>,
    ) -> Result<(), Unreadable> {
        for (space, held) in &self.spaces {
            let mut erasure = Erasure {
                replica: self,
                control,
                records,
                space,
                held,
                kept: BTreeMap::new(),
            };
            erasure.batches(context, rows, out)?;
            erasure.stash(out);
            erasure.staged(out);
            let gone = records.iter().filter(|record| {
                held.records.contains_key(record) || held.touched.contains_key(record)
            });
            for record in gone {
                out.put(
                    stored::no_record_row(space, *record),
                    Step::Forget(space.clone(), *record),
                );
            }
            for (record, changes) in erasure.kept {
                out.put(
                    stored::kept_row(space, record, &changes),
                    Step::Orphan(space.clone(), record, changes),
                );
            }
        }
        // What else came with the order says what counts of other records.
        let incoming = BatchIngest::new(self, control);
        incoming.write(rows, &Pending::default(), &mut work, out)?;
        Ok(())
    }

    /// What is kept of erased records.
    pub fn orphans(&self) -> Vec<OrphanedChanges> {
        let mut kept: BTreeMap<RecordId, OrphanedChanges> = BTreeMap::new();
        for (space, held) in &self.spaces {
            for (record, changes) in &held.orphaned {
                let of = kept.entry(*record).or_insert_with(|| OrphanedChanges {
                    record: *record,
                    unit: space.unit().to_owned(),
                    values: BTreeMap::new(),
                });
                let read = changes.iter().filter_map(|raw| Change::parse(raw).ok());
                let puts = read.flat_map(|change| change.puts);
                of.values.extend(puts.map(|put| (put.key, put.value)));
            }
        }
        kept.into_values().collect()
    }

    /// Prepares to drop what is kept of an erased record; nothing if nothing is.
    pub fn prepare_drop_kept(&self, record: RecordId) -> Prepared<()> {
        let mut out = Prepared::default();
        let (rows, steps) = self.dropped(record);
        out.rows.extend(rows);
        out.steps.extend(steps);
        out
    }

    /// Prepares to register what is kept of an erased record anew, as the record `anew`; `None` if
    /// nothing is kept.
    pub fn prepare_register_kept(
        &self,
        context: &mut Context<'_>,
        record: RecordId,
        anew: RecordId,
        author: AuthorId,
    ) -> Result<Option<Prepared<Edited>>, EditError> {
        let kept = self
            .orphans()
            .into_iter()
            .find(|kept| kept.record == record);
        let Some(kept) = kept else { return Ok(None) };
        let edit = Edit {
            record: anew,
            unit: kept.unit,
            author,
            puts: kept.values.into_iter().collect(),
            seen: BTreeMap::new(),
        };
        let mut prepared = self.prepare_edit(context, &edit)?;
        let (rows, steps) = self.dropped(record);
        prepared.rows.extend(rows);
        prepared.steps.extend(steps);
        Ok(Some(prepared))
    }

    fn dropped(&self, record: RecordId) -> (Vec<Row>, Vec<Step>) {
        let keeping = self
            .spaces
            .iter()
            .filter(|(_, held)| held.orphaned.contains_key(&record));
        keeping
            .map(|(space, _)| {
                let row = stored::kept_row(space, record, &[]);
                (row, Step::Orphan(space.clone(), record, Vec::new()))
            })
            .unzip()
    }
}

/// The erasure in one space.
struct Erasure<'a> {
    replica: &'a Replica,
    control: &'a Control,
    records: &'a BTreeSet<RecordId>,
    space: &'a Space,
    held: &'a SpaceReplica,
    /// Changes of our own author that the office never saw, in order.
    kept: BTreeMap<RecordId, Vec<Vec<u8>>>,
}

impl Erasure<'_> {
    /// Blots the entries out of every batch that has some.
    fn batches(
        &mut self,
        context: &mut Context<'_>,
        rows: &dyn ReadRows,
        out: &mut Prepared<()>,
    ) -> Result<(), Unreadable> {
        let me = self.replica.me;
        let touched = self
            .records
            .iter()
            .filter_map(|record| self.held.touched.get(record));
        let hashes: BTreeSet<BatchHash> = touched.flatten().copied().collect();
        let lacking = self.replica.lacking_at_server(self.space, &[]);
        let unsent: BTreeSet<BatchHash> = lacking.into_iter().map(|(_, node)| node.hash).collect();
        let mut batches = Vec::new();
        for hash in hashes {
            let bytes = rows.read(Table::Batch, &stored::batch_key(self.space, hash))?;
            // A row that does not read holds nothing that could be shown; its batch comes again.
            batches.extend(bytes.and_then(|bytes| Batch::from_store(me.network, &bytes).ok()));
        }
        batches.sort_by_key(|batch| batch.header.seq);
        for batch in batches {
            if batch.header.device == me.device {
                for entry in &batch.entries {
                    if self.is_ours_alone(entry.record, batch.hash) {
                        let kept = self.kept.entry(entry.record).or_default();
                        kept.push(entry.change.clone());
                    }
                }
            }
            let Ok(redacted) = batch.redact(|record| self.records.contains(&record)) else {
                continue;
            };
            let (table, hash) = (Table::Batch, redacted.hash);
            let row = stored::batch_row(table, self.space, hash, Some(redacted.bytes()));
            out.rows.push(row);
            if unsent.contains(&hash) && redacted.header.device == me.device {
                let key = stored::copy_key(self.space, hash);
                out.rows.extend(self.replica.copy(context, key, &redacted));
            }
        }
        Ok(())
    }

    /// Whether an entry of our own batch is of a record to erase, and in no cut of an order.
    fn is_ours_alone(&self, record: RecordId, batch: BatchHash) -> bool {
        if !self.records.contains(&record) {
            return false;
        }
        let device = self.replica.me.device;
        let feed = self.held.feeds.get(&device);
        !self.control.cuts_of(record).any(|cut| {
            let own = feed.into_iter().flat_map(|feed| feed.missing(&[]));
            let seen = own.filter(|node| cut.names(self.space, node));
            let seen: Vec<BatchHash> = seen.map(|node| node.hash).collect();
            feed.is_some_and(|feed| feed.is_below(batch, &seen))
        })
    }

    /// Blots the entries out of what waits for a parent.
    fn stash(&self, out: &mut Prepared<()>) {
        for (hash, bytes) in &self.held.stash {
            let batch = Batch::from_store(self.replica.me.network, bytes);
            let names = |batch: &Batch| {
                let mut entries = batch.entries.iter();
                entries.any(|entry| self.records.contains(&entry.record))
            };
            let Ok(batch) = batch else { continue };
            if !names(&batch) {
                continue;
            }
            let Ok(redacted) = batch.redact(|record| self.records.contains(&record)) else {
                continue;
            };
            let bytes = redacted.bytes().to_vec();
            let row = stored::batch_row(Table::Stash, self.space, *hash, Some(&bytes));
            out.put(row, Step::Stash(self.space.clone(), *hash, bytes));
        }
    }

    /// Takes staged edits back; nobody but their author has seen them. The copy of all that is staged
    /// stays until the next edit or exchange makes it anew: it is sealed to the server, which takes
    /// nothing of an erased record out of it, and the other edits have no copy but this.
    fn staged(&mut self, out: &mut Prepared<()>) {
        for (number, staged) in &self.held.staged {
            let record = staged.entry.record;
            if !self.records.contains(&record) {
                continue;
            }
            let kept = self.kept.entry(record).or_default();
            kept.push(staged.entry.change.clone());
            out.put(
                stored::unstaged_row(self.space, *number),
                Step::Unstage(self.space.clone(), *number),
            );
        }
    }
}

#[cfg(test)]
mod tests;
