//! Merges that end a browser's program, since no panic can be caught there (R15).
//!
//! Of some records a merge is *deadly*, whatever they say. A healthy host meets such a record once among others
//! and once alone. Then it leaves that one parked, and everything else goes on.

use std::collections::BTreeSet;

use phone::merging::Mark;
use sync_core::id::Place;
use sync_core::id::RecordId;
use sync_core::record::{DocumentError, RecordState};
use sync_core::replica::{Prepared, Replica};
use sync_core::row::{ReadRows, Table};

use super::fault::{Fault, Plant};
use super::host::Persisted;
use super::oracle::{Broken, Checked, broken, require};
use super::world::World;

/// One of so many records is deadly.
const DEADLY_ONE_OF: u8 = 8;
/// How often a record may end the same program, as long as the office decides nothing: among others, and alone.
const ENDS_MAX: u32 = 2;

/// Whether a record shows what it showed before a merge that may have ended the program.
pub(super) fn is_kept_apart(state: &RecordState) -> bool {
    use DocumentError::{Ended, Suspected};
    matches!(state.parked(), Some(Suspected | Ended))
}

impl World {
    /// Whether a merge of the record ends a browser's program.
    fn is_deadly(&self, record: RecordId) -> bool {
        let last = record.to_bytes().last().copied();
        self.config.deadly && last.is_some_and(|byte| byte.is_multiple_of(DEADLY_ONE_OF))
    }

    /// Whether a phone marks what it merges.
    pub(super) fn marks(&self, p: usize) -> bool {
        let forgets = self.options.plant == Some(Plant::ForgetsTheMark);
        self.phones[p].disk.is_buffered() && !forgets
    }

    /// Parks what a phone was merging when it ended. Whether its process still runs.
    pub(super) fn recover(&mut self, p: usize) -> Result<bool, Broken> {
        let Some(process) = &self.phones[p].process else {
            return Ok(false);
        };
        let store = self.phones[p].disk.as_seen_by(&process.writer);
        let mark = store.read(Table::Meta, Mark::KEY);
        let mark = mark.map_err(|error| broken("R8", error.to_string()))?;
        let Some(mark) = mark.map(|mark| Mark::read(&mark)) else {
            return Ok(true);
        };
        let prepared = mark.park(&process.replica);
        self.say(|w| format!("{} parks what it was merging: {mark:?}", w.name(p)));
        Ok(self.take_step(p, prepared)?.is_some())
    }

    /// Ends a program that has merged anything deadly while it opened its store. Whether it still runs.
    pub(super) fn outlives_opening(&mut self, p: usize) -> Result<bool, Broken> {
        let Some(process) = &self.phones[p].process else {
            return Ok(false);
        };
        let replica = &process.replica;
        let made_again = replica.spaces().flat_map(|space| {
            let behind = replica.behind(space);
            behind.map(move |record| (space.clone(), record))
        });
        let made_again = made_again.collect();
        Ok(!self.ends(p, &made_again)?)
    }

    /// Marks what a phone is about to merge, where it does so. Whether its process still runs.
    pub(super) fn mark(&mut self, p: usize, mark: &Mark) -> Result<bool, Broken> {
        if !self.marks(p) || mark.places.is_empty() {
            return Ok(true);
        }
        match self.persist(p, &[mark.row()])? {
            Persisted::Done => Ok(matches!(self.flush(p)?, Persisted::Done)),
            Persisted::Full | Persisted::Fenced | Persisted::Dead { .. } => Ok(false),
        }
    }

    /// Takes a step that merges, and its mark away; `None` if it is not taken.
    pub(super) fn merge<T>(
        &mut self,
        p: usize,
        mut prepared: Prepared<T>,
        marked: &BTreeSet<Place>,
    ) -> Result<Option<T>, Broken> {
        if !self.phones[p].disk.is_buffered() {
            return self.take_step(p, prepared);
        }
        let merged = prepared.merged();
        let merged: BTreeSet<Place> = merged.map(|(space, r)| (space.clone(), r)).collect();
        if self.ends(p, &merged)? {
            return Ok(None);
        }
        if self.marks(p) {
            require("R15", merged.is_subset(marked), || {
                let name = self.name(p);
                format!("{name} merges {merged:?} and has marked {marked:?}")
            })?;
            prepared.rows.push(Mark::gone());
        }
        self.take_step(p, prepared)
    }

    /// Makes a step durable and applies it; `None` if the process is gone, or never gets so far.
    fn take_step<T>(&mut self, p: usize, prepared: Prepared<T>) -> Result<Option<T>, Broken> {
        match self.persist(p, &prepared.rows.clone())? {
            Persisted::Done => {}
            Persisted::Full | Persisted::Fenced | Persisted::Dead { .. } => return Ok(None),
        }
        let process = self.phones[p].process.as_mut();
        let outcome = process.map(|process| process.replica.apply(prepared));
        match self.flush(p)? {
            Persisted::Done => Ok(outcome),
            Persisted::Full | Persisted::Fenced | Persisted::Dead { .. } => Ok(None),
        }
    }

    /// Ends a program that merges these records, if one of them is deadly. Whether it did.
    fn ends(&mut self, p: usize, merged: &BTreeSet<Place>) -> Result<bool, Broken> {
        let mut merged = merged.iter();
        let Some(place) = merged.find(|(_, record)| self.is_deadly(*record)) else {
            return Ok(false);
        };
        if !self.phones[p].disk.is_buffered() {
            return Ok(false);
        }
        let process = self.phones[p].process.as_ref();
        let decided = process.map_or(0, |process| process.replica.control().entries().count());
        self.count(Fault::EndedByMerge);
        self.say(|w| format!("{} ends in a merge of {}", w.name(p), place.1));
        self.kill(p, false);
        let ended = self.phones[p].ended.entry((place.clone(), decided));
        let times = ended.or_default();
        *times += 1;
        let again = *times > ENDS_MAX;
        require("R15", !again, || {
            format!("{} ends {} again and again", place.1, self.name(p))
        })?;
        Ok(true)
    }

    /// Merges what may have ended the program, each record alone. Whether the process still runs.
    pub(super) fn prove(&mut self, p: usize) -> Result<bool, Broken> {
        loop {
            let Some(process) = &self.phones[p].process else {
                return Ok(false);
            };
            let Some(place) = process.replica.suspects().next() else {
                return Ok(true);
            };
            let record = place.1;
            if !self.merge_alone(p, place)? {
                // Something else ended it meanwhile, which nobody can tell from a deadly merge.
                self.unlucky.insert(record);
                return Ok(false);
            }
            self.count(Fault::Proven);
        }
    }

    fn merge_alone(&mut self, p: usize, place: Place) -> Result<bool, Broken> {
        let mark = Mark {
            places: BTreeSet::from([place.clone()]),
            alone: true,
        };
        if !self.mark(p, &mark)? {
            return Ok(false);
        }
        let Some(process) = &self.phones[p].process else {
            return Ok(false);
        };
        let store = self.phones[p].disk.as_seen_by(&process.writer);
        let prepared = process.replica.prepare_rebuild(&store, &place);
        let prepared = prepared.map_err(|error| broken("R8", error.to_string()))?;
        Ok(self.merge(p, prepared, &mark.places)?.is_some())
    }

    /// In the end nothing is kept apart but what had to be.
    pub(super) fn check_kept_apart(&self, p: usize, replica: &Replica) -> Checked {
        for space in replica.spaces() {
            for (record, state) in replica.records(space) {
                let had_to = match state.parked() {
                    Some(DocumentError::Ended) => {
                        self.is_deadly(record) || self.unlucky.contains(&record)
                    }
                    Some(DocumentError::Suspected) => false,
                    _ => true,
                };
                require("R15", had_to, || {
                    format!("{} keeps {record} of {space} apart", self.name(p))
                })?;
            }
        }
        Ok(())
    }
}
