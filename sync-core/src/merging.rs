//! Merges that may end the program: for hosts where a panic can't be caught (R15).
//!
//! Such a host writes down which records it is about to merge before it does so, and that it has done so
//! with what came of it. What it finds written down when it opens its store ended the program. Those
//! records are parked as suspects, so that everything else goes on; one by one they are then merged from
//! the batches held, and only one that ends the program alone stays parked.

use std::collections::BTreeSet;

use crate::batch::Batch;
use crate::bundle;
use crate::document::DocumentError;
use crate::exchange::{ExchangeError, Outgoing};
use crate::id::{DeviceId, RecordId, Space};
use crate::record::RecordState;
use crate::relay::ImportError;
use crate::replica::{Prepared, Replica, Step};
use crate::row::{ReadRows, Unreadable};
use crate::seal::SealingKey;
use crate::stored;

/// A record in a space.
pub type Place = (Space, RecordId);

impl Replica {
    /// The records that [`Replica::prepare_answer`] may merge. Nothing is merged to find out.
    pub fn merges_of_answer(
        &self,
        rows: &dyn ReadRows,
        outgoing: &Outgoing,
        bytes: &[u8],
    ) -> Result<BTreeSet<Place>, ExchangeError> {
        let answer = self.hear(rows, outgoing, bytes)?.answer;
        Ok(self.merges(&answer.control, &answer.batches))
    }

    /// The records that [`Replica::prepare_import`] may merge.
    pub fn merges_of_bundle(
        &self,
        key: &SealingKey,
        file: &[u8],
    ) -> Result<BTreeSet<Place>, ImportError> {
        let contents = bundle::unseal(self.me.network, [key], file)?.contents;
        let mut places = BTreeSet::new();
        for content in &contents {
            places.extend(self.merges(&content.control, &content.batches));
        }
        Ok(places)
    }

    fn merges(&self, control: &[Vec<u8>], batches: &[Vec<u8>]) -> BTreeSet<Place> {
        let mut places = BTreeSet::new();
        if control.is_empty() && batches.is_empty() {
            return places;
        }
        let stashed = self.spaces.values().flat_map(|held| held.stash.values());
        for bytes in batches.iter().chain(stashed) {
            if let Ok(batch) = Batch::from_store(self.me.network, bytes) {
                let space = &batch.header.space;
                let records = batch.entries.iter().map(|entry| entry.record);
                places.extend(records.map(|record| (space.clone(), record)));
            }
        }
        let mut after = self.control.clone();
        for bytes in control {
            if let Ok(Some(entry)) = after.check(bytes) {
                after.apply(entry);
            }
        }
        let decided = after.left_out_since(&self.control);
        places.extend(decided.map(|(space, record)| (space.clone(), record)));
        if after.cut_devices().next().is_some() {
            // Whatever was made on what no longer counts is made again.
            for (space, held) in &self.spaces {
                places.extend(held.touched.keys().map(|record| (space.clone(), *record)));
            }
        }
        places
    }

    /// Prepares to park records whose merge ended the program: as suspects, or for good if the program ended
    /// while it merged this one alone.
    pub fn prepare_suspect(&self, places: &BTreeSet<Place>) -> Prepared<()> {
        let reason = match places.len() {
            1 => DocumentError::Ended,
            _ => DocumentError::Suspected,
        };
        let mut out = Prepared::default();
        for (space, record) in places {
            let state = self.record(space, *record).cloned().unwrap_or_default();
            self.put_state(space, *record, state.parked_for(reason), &mut out);
        }
        out
    }

    /// The records that wait to be merged one by one.
    pub fn suspects(&self) -> impl Iterator<Item = Place> {
        self.spaces.iter().flat_map(|(space, held)| {
            let suspected = held
                .records
                .iter()
                .filter(|(_, state)| state.parked() == Some(DocumentError::Suspected));
            suspected.map(|(record, _)| (space.clone(), *record))
        })
    }

    /// Prepares to merge everything held of a record anew. Mark it alone before.
    pub fn prepare_rebuild(
        &self,
        rows: &dyn ReadRows,
        (space, record): &Place,
    ) -> Result<Prepared<()>, Unreadable> {
        let uncounted = self.uncounted(&self.control, space, &Default::default());
        let changes = self.changes_of(rows, space, *record, &[], &uncounted, &self.control)?;
        let changes: Vec<(DeviceId, &[u8])> = changes
            .iter()
            .map(|(device, raw)| (*device, raw.as_slice()))
            .collect();
        let mut out = Prepared::default();
        self.put_state(space, *record, RecordState::rebuild(&changes), &mut out);
        Ok(out)
    }

    fn put_state(
        &self,
        space: &Space,
        record: RecordId,
        state: RecordState,
        out: &mut Prepared<()>,
    ) {
        out.rows.push(stored::record_row(space, record, &state));
        out.steps
            .push(Step::Record(space.clone(), record, Box::new(state)));
    }
}
