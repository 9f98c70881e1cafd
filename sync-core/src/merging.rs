//! Merges that may end the program: for hosts where a panic can't be caught (R15).
//!
//! Such a host writes down which records it is about to merge before it does so, and that it has done so
//! with what came of it. What it finds written down when it opens its store ended the program. Those
//! records are parked as suspects, so that everything else goes on; one by one they are then merged from
//! the batches held, and only one that ends the program alone stays parked.

use std::collections::BTreeSet;

use crate::document::DocumentError;
use crate::exchange::{Arrival, Work};
use crate::id::{DeviceId, Place, RecordId, Space};
use crate::record::RecordState;
use crate::replica::{Prepared, Quarantined, Replica, Step};
use crate::row::{ReadRows, Row, Unreadable};
use crate::stored;

impl Arrival {
    /// The records that the next slice merges on a host that marks its merges: none before all batches are
    /// taken, then no more than a slice has work for.
    pub fn merges(&self) -> BTreeSet<Place> {
        match self.at < self.heard.answer.batches.len() {
            true => BTreeSet::new(),
            false => self.pending.first(Work::RECORDS).cloned().collect(),
        }
    }
}

impl Replica {
    /// Has what is held and not merged yet kept as suspected, since it can't be merged at an opening: for a
    /// host that marks its merges. It takes answers with [`Work::slice_of`].
    pub fn mark_merges(&mut self) {
        self.marks_merges = true;
    }

    /// The row of a record that is behind: none, so that whoever opens the store makes it again; or what it
    /// shows, as suspected.
    pub(crate) fn behind_row(&self, space: &Space, record: RecordId, state: &RecordState) -> Row {
        if !self.marks_merges {
            return stored::no_record_row(space, record);
        }
        let suspected = state.clone().parked_for(DocumentError::Suspected);
        stored::record_row(space, record, &suspected)
    }

    /// Prepares to park records whose merge ended the program: as [`DocumentError::Suspected`], or for good as
    /// [`DocumentError::Ended`] if it was a suspect that was merged alone.
    pub fn prepare_suspect(&self, places: &BTreeSet<Place>, reason: DocumentError) -> Prepared<()> {
        let mut out = Prepared::default();
        for (space, record) in places {
            self.put_parked(space, *record, reason, &mut out);
        }
        out
    }

    /// Has a record that is kept apart merged alone once more.
    pub(crate) fn put_suspected(&self, space: &Space, record: RecordId, out: &mut Prepared<()>) {
        self.put_parked(space, record, DocumentError::Suspected, out);
    }

    fn put_parked(
        &self,
        space: &Space,
        record: RecordId,
        reason: DocumentError,
        out: &mut Prepared<()>,
    ) {
        let state = self.record(space, record).cloned().unwrap_or_default();
        let state = state.parked_for(reason);
        let row = stored::record_row(space, record, &state);
        out.put(row, Step::Parked(space.clone(), record, Box::new(state)));
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

    /// Prepares to merge everything held of a record anew. Mark it alone before. One of which nothing is held
    /// goes: what was to be merged has not come to stay.
    pub fn prepare_rebuild(
        &self,
        rows: &dyn ReadRows,
        (space, record): &Place,
    ) -> Result<Prepared<()>, Unreadable> {
        let mut out = Prepared::default();
        match self.holds_of(space, *record) {
            true => {
                let quarantined = self.quarantined(&self.control, space, &Default::default());
                let state = self.rebuilt(rows, space, *record, &quarantined)?;
                let row = stored::record_row(space, *record, &state);
                out.put(row, Step::Merged(space.clone(), *record, Box::new(state)));
            }
            false => out.put(
                stored::no_record_row(space, *record),
                Step::Forget(space.clone(), *record),
            ),
        }
        Ok(out)
    }

    /// The state that all that is held of a record makes.
    pub(crate) fn rebuilt(
        &self,
        rows: &dyn ReadRows,
        space: &Space,
        record: RecordId,
        quarantined: &Quarantined,
    ) -> Result<RecordState, Unreadable> {
        let changes = self.changes_of(rows, space, record, &[], quarantined, &self.control)?;
        let changes: Vec<(DeviceId, &[u8])> = changes
            .iter()
            .map(|(device, raw)| (*device, raw.as_slice()))
            .collect();
        Ok(RecordState::rebuild(&changes))
    }

    /// Whether any change of a record is held, in effect or not.
    fn holds_of(&self, space: &Space, record: RecordId) -> bool {
        self.spaces.get(space).is_some_and(|held| {
            let mut staged = held.staged.values();
            held.touched.contains_key(&record) || staged.any(|staged| staged.entry.record == record)
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::id::Class;
    use crate::testing::{TestDevice, general};
    use crate::value::Value;

    fn take(station: &mut TestDevice, prepared: Prepared<()>) {
        station.rows.write(&prepared.rows);
        station.replica.apply(prepared);
    }

    #[test]
    fn a_suspect_is_made_again_of_what_is_held_and_goes_where_nothing_is() {
        let mut station = TestDevice::new(1, &[Class::General]);
        station.rows.write(&station.replica.first_rows());
        let (saved, never_came) = (station.person(), station.person());
        let name = ("identity.name", Value::from("其其格"));
        station.save(saved, &[name]).unwrap();
        let whole = station.replica.record(&general(), saved).cloned();
        let places = BTreeSet::from([saved, never_came].map(|record| (general(), record)));
        let parked = station
            .replica
            .prepare_suspect(&places, DocumentError::Suspected);
        take(&mut station, parked);
        assert_eq!(station.replica.suspects().count(), 2);
        for place in &places {
            let rebuilt = station.replica.prepare_rebuild(&station.rows, place);
            take(&mut station, rebuilt.unwrap());
        }
        for _ in 0..2 {
            let space = general();
            let shown: Vec<_> = station.replica.records(&space).map(|(id, _)| id).collect();
            assert_eq!(shown, [saved]);
            assert_eq!(station.replica.record(&space, saved), whole.as_ref());
            assert_eq!(station.reopen().rebuilt, 0);
        }
    }
}
