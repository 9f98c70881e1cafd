//! Ingest of others' batches into feeds and records, from an answer or a bundle.

mod stash;

use std::collections::{BTreeMap, BTreeSet};
use std::ops::Bound::{Excluded, Unbounded};
use std::sync::Arc;

use crate::batch::{BadBatch, Batch};
use crate::control::Control;
use crate::feed::{BRANCHES_BROUGHT_MAX, Feed, Misplaced, Node, opens_branch};
use crate::id::{BatchHash, DeviceId, Place, RecordId, Space};
use crate::quarantine::is_excluded;
use crate::record::RecordState;
use crate::replica::{Prepared, Quarantined, Replica, Step, Waits};
use crate::row::{ReadRows, Table, Unreadable};
use crate::stored;
use stash::Waiting;

/// The batches of an answer or a bundle on their way into feeds and records.
pub(crate) struct BatchIngest<'a> {
    replica: &'a Replica,
    control: &'a Control,
    /// New batches in an order in which parents come first.
    held: Vec<Batch>,
    /// The ones above, by feed, to find parents among them.
    nodes: BTreeMap<(Space, DeviceId), BTreeMap<BatchHash, Node>>,
    /// The tips of these feeds with what is new.
    tips: BTreeMap<(Space, DeviceId), BTreeSet<BatchHash>>,
    /// Branches of a feed that are taken.
    branches_max: usize,
    stashed: BTreeMap<(Space, BatchHash), Waiting>,
    unstashed: BTreeSet<(Space, BatchHash)>,
    /// Who wrote what the replica has waiting, once that is asked.
    authors: BTreeMap<Space, BTreeMap<BatchHash, DeviceId>>,
    /// Codes of those that are not held.
    pub(crate) not_held: Vec<&'static str>,
    /// Some were left out because no more may wait.
    pub(crate) stash_full: bool,
}

impl<'a> BatchIngest<'a> {
    pub(crate) fn new(replica: &'a Replica, control: &'a Control) -> Self {
        Self {
            replica,
            control,
            held: Vec::new(),
            nodes: BTreeMap::new(),
            tips: BTreeMap::new(),
            branches_max: usize::MAX,
            stashed: BTreeMap::new(),
            unstashed: BTreeSet::new(),
            authors: BTreeMap::new(),
            not_held: Vec::new(),
            stash_full: false,
        }
    }

    /// For what anybody may have made: of a feed no more branches are taken than an honest carrier can have of
    /// the server. What the server holds is taken whole.
    pub(crate) fn bounded(self) -> Self {
        Self {
            branches_max: BRANCHES_BROUGHT_MAX,
            ..self
        }
    }

    /// How many are new here.
    pub(crate) fn count(&self) -> usize {
        self.held.len()
    }

    /// How many of them wait for others.
    pub(crate) fn waiting(&self) -> usize {
        self.stashed.len()
    }

    /// Whether any that are new were written elsewhere than by `device`.
    pub(crate) fn has_of_others(&self, device: DeviceId) -> bool {
        self.held.iter().any(|batch| batch.header.device != device)
    }

    pub(crate) fn receive(&mut self, bytes: Vec<u8>) {
        let network = self.replica.me.network;
        let batch = match Batch::from_store(network, &bytes) {
            Ok(batch) => batch,
            Err(unfit) => return self.not_held.push(unfit.code()),
        };
        let space = batch.header.space.clone();
        if !self.replica.spaces.contains_key(&space) && !self.granted(&space) {
            return self.not_held.push("space_not_granted");
        }
        // An author that is not known yet may be enrolled by a control entry still on its way.
        let batch = match self.control.receive(&bytes) {
            Ok(batch) => batch,
            Err(BadBatch::Author) => {
                let erased = |record| self.control.is_erased(record);
                return match batch.redact(erased) {
                    Ok(batch) => self.stash(&batch),
                    Err(unfit) => self.not_held.push(unfit.code()),
                };
            }
            Err(unfit) => return self.not_held.push(unfit.code()),
        };
        match self.place(&batch) {
            Placement::Held => {}
            Placement::New if self.is_branch_too_many(&batch) => {
                self.not_held.push(BadBatch::Branches.code());
            }
            Placement::New => self.accept(batch),
            Placement::Gap => self.stash(&batch),
            Placement::Wrong => self.not_held.push(BadBatch::Parents.code()),
        }
    }

    /// Receives batches from the one at `at` on, as far as the work goes; how many are received then.
    pub(crate) fn receive_from(
        &mut self,
        batches: &[Vec<u8>],
        mut at: usize,
        work: &mut Work,
    ) -> usize {
        while at < batches.len() && work.is_left() {
            self.receive(batches[at].clone());
            work.spend(Work::BATCH);
            at += 1;
        }
        at
    }

    fn granted(&self, space: &Space) -> bool {
        self.control.holds(self.replica.me.device, space)
    }

    fn place(&self, batch: &Batch) -> Placement {
        let (space, device) = (&batch.header.space, batch.header.device);
        let held = self.replica.spaces.get(space);
        let fresh = self.nodes.get(&(space.clone(), device));
        let node_of = |hash: BatchHash| {
            let feed = held.and_then(|held| held.feeds.get(&device));
            feed.and_then(|feed| feed.node(hash))
                .or_else(|| fresh?.get(&hash))
        };
        if node_of(batch.hash).is_some() {
            return Placement::Held;
        }
        match Feed::place(&batch.node(), |hash| node_of(hash).map(|node| node.seq)) {
            Ok(()) => Placement::New,
            Err(Misplaced::Missing(_)) => Placement::Gap,
            Err(Misplaced::Parents) => Placement::Wrong,
        }
    }

    fn is_branch_too_many(&self, batch: &Batch) -> bool {
        let feed = (batch.header.space.clone(), batch.header.device);
        let node = batch.node();
        let too_many = |tips: &BTreeSet<BatchHash>| {
            opens_branch(tips, &node) && tips.len() >= self.branches_max
        };
        match self.tips.get(&feed) {
            Some(tips) => too_many(tips),
            None => too_many(&self.tips_held(&feed)),
        }
    }

    fn tips_held(&self, (space, device): &(Space, DeviceId)) -> BTreeSet<BatchHash> {
        let held = self.replica.spaces.get(space);
        let feed = held.and_then(|held| held.feeds.get(device));
        feed.into_iter()
            .flat_map(Feed::tips)
            .map(|node| node.hash)
            .collect()
    }

    fn accept(&mut self, batch: Batch) {
        let feed = (batch.header.space.clone(), batch.header.device);
        if self.branches_max < usize::MAX {
            let held = self.tips_held(&feed);
            let tips = self.tips.entry(feed.clone()).or_insert(held);
            tips.retain(|tip| !batch.header.prev.contains(tip));
            tips.insert(batch.hash);
        }
        self.nodes
            .entry(feed)
            .or_default()
            .insert(batch.hash, batch.node());
        self.held.push(batch);
    }

    /// The rows and steps of everything that was taken, and of as many records as the work allows: those of
    /// `pending` first came with slices before. What is left of them is marked as behind, durably.
    pub(crate) fn write(
        self,
        rows: &dyn ReadRows,
        pending: &Pending,
        work: &mut Work,
        out: &mut Prepared<()>,
    ) -> Result<Pending, Unreadable> {
        let quarantine_changes = self.quarantine_changes();
        let brings_nothing = self.held.is_empty() && !self.is_told_anew();
        let left = match pending.marked && brings_nothing {
            true => self.go_on(rows, &quarantine_changes, pending, work, out)?,
            false => {
                let records = self.concerned(&quarantine_changes, pending, out);
                self.begin(rows, &quarantine_changes, records, work, out)?
            }
        };
        self.write_stash(out);
        Ok(left)
    }

    /// Takes what came into feeds: the records that it and what was pending concerns.
    fn concerned(
        &self,
        quarantine_changes: &BTreeMap<Space, QuarantineChange>,
        pending: &Pending,
        out: &mut Prepared<()>,
    ) -> BTreeMap<Place, Arrived> {
        let left = pending.iter();
        let mut records: BTreeMap<Place, Arrived> = left
            .map(|(place, arrived)| (place.clone(), arrived.clone()))
            .collect();
        take_over(&mut records, self.replica);
        for batch in &self.held {
            let quarantined = quarantine_changes.get(&batch.header.space);
            let counts = quarantined.is_none_or(|standing| !standing.now.contains_key(&batch.hash));
            for entry in &batch.entries {
                let place = (batch.header.space.clone(), entry.record);
                let of_record = records.entry(place).or_default();
                let excluded = self
                    .control
                    .excluded_changes(&batch.header.space, entry.record);
                if counts && !is_excluded(excluded, &entry.change) {
                    let change = entry.change.as_slice().into();
                    of_record.changes.push((batch.header.device, change));
                }
            }
            let (space, bytes) = (&batch.header.space, Some(batch.bytes()));
            let row = stored::batch_row(Table::Batch, space, batch.hash, bytes);
            out.put(row, Step::hold(batch));
        }
        // Records of batches that count now and did not, or the other way; and of new verdicts.
        let moved = quarantine_changes.iter().flat_map(|(space, standing)| {
            standing.moved.iter().map(move |record| (space, *record))
        });
        let decided = self.control.exclusions_since(&self.replica.control);
        let decided =
            decided.filter(|(space, record)| self.replica.record(space, *record).is_some());
        for (space, record) in moved.chain(decided) {
            if !self.is_kept_apart(space, record) {
                let of_record = records.entry((space.clone(), record)).or_default();
                of_record.again = true;
            } else if self.is_told_anew() {
                // Something of it may be left out by now: it is merged once more, and alone.
                self.replica.put_suspected(space, record, out);
            }
        }
        records
    }

    /// Merges the records that came, as long as there is work to do it with, and marks the others.
    fn begin(
        &self,
        rows: &dyn ReadRows,
        quarantine_changes: &BTreeMap<Space, QuarantineChange>,
        records: BTreeMap<Place, Arrived>,
        work: &mut Work,
        out: &mut Prepared<()>,
    ) -> Result<Pending, Unreadable> {
        let mut left = BTreeMap::new();
        for (place, arrived) in records {
            if !self.is_wanted(&place) {
                continue;
            }
            if work.allows(&place) {
                self.merge(rows, quarantine_changes, &place, &arrived, work, out)?;
            } else {
                self.mark(&place, &arrived, out);
                left.insert(place, arrived);
            }
        }
        Ok(Pending {
            records: Arc::new(left),
            merged: None,
            marked: true,
        })
    }

    /// Merges the next of the records that wait, as long as there is work to do it with. The others are not
    /// looked at: they are marked.
    fn go_on(
        &self,
        rows: &dyn ReadRows,
        quarantine_changes: &BTreeMap<Space, QuarantineChange>,
        pending: &Pending,
        work: &mut Work,
        out: &mut Prepared<()>,
    ) -> Result<Pending, Unreadable> {
        let mut left = pending.clone();
        for (place, arrived) in pending.iter() {
            if self.is_wanted(place) {
                if !work.allows(place) {
                    break;
                }
                self.merge(rows, quarantine_changes, place, arrived, work, out)?;
            }
            left.merged = Some(place.clone());
        }
        Ok(left)
    }

    /// Of an erased record there is nothing to make, and one that may have ended the program is merged alone.
    fn is_wanted(&self, (space, record): &Place) -> bool {
        !self.is_kept_apart(space, *record) && !self.control.is_erased(*record)
    }

    fn is_kept_apart(&self, space: &Space, record: RecordId) -> bool {
        let state = self.replica.record(space, record);
        state.is_some_and(RecordState::is_deadly)
    }

    /// Whether control entries came with it.
    fn is_told_anew(&self) -> bool {
        !std::ptr::eq(self.control, &self.replica.control)
    }

    /// Merges a record.
    fn merge(
        &self,
        rows: &dyn ReadRows,
        quarantine_changes: &BTreeMap<Space, QuarantineChange>,
        (space, record): &Place,
        arrived: &Arrived,
        work: &mut Work,
        out: &mut Prepared<()>,
    ) -> Result<(), Unreadable> {
        let (everything, empty) = (Quarantined::new(), RecordState::empty());
        let standing = quarantine_changes.get(space);
        let quarantined = standing.map_or(&everything, |standing| &standing.now);
        let state = self.replica.record(space, *record).unwrap_or(&empty);
        let all = || {
            let fresh = self.held.iter();
            let fresh = fresh.filter(|batch| batch.header.space == *space);
            let fresh: Vec<&Batch> = fresh.collect();
            self.replica
                .changes_of(rows, space, *record, &fresh, quarantined, self.control)
        };
        // Another message may have been broken off between two slices of this one.
        let held = self.replica.spaces.get(space);
        let waits = held.and_then(|held| held.behind.get(record));
        let next = match arrived.again || waits == Some(&Waits::ForRebuild) {
            true => RecordState::rebuild(&borrowed(&all()?)),
            false => state.add(&borrowed(&arrived.changes), all)?,
        };
        work.on_record(&next, arrived);
        let row = stored::record_row(space, *record, &next);
        out.put(row, Step::Merged(space.clone(), *record, Box::new(next)));
        Ok(())
    }

    /// Marks a record as behind, unless it is marked so already.
    fn mark(&self, (space, record): &Place, arrived: &Arrived, out: &mut Prepared<()>) {
        let waits = match arrived.again {
            true => Waits::ForRebuild,
            false => Waits::ForItsMessage,
        };
        let held = self.replica.spaces.get(space);
        if held.and_then(|held| held.behind.get(record)) != Some(&waits) {
            let empty = RecordState::empty();
            let state = self.replica.record(space, *record).unwrap_or(&empty);
            let row = self.replica.behind_row(space, *record, state);
            out.put(row, Step::Behind(space.clone(), *record, waits));
        }
    }
}

/// Work that a slice may do, in microseconds of a server's processor. It is reckoned and not measured, since
/// the core has no clock.
#[derive(Clone, Debug)]
pub struct Work {
    left: usize,
    /// The records that may be merged, if not all may.
    only: Option<BTreeSet<Place>>,
}

impl Work {
    /// What a call may wait for: some 20 ms, and with the host's commit less than 50.
    pub const SLICE: Work = Work::of(Self::OF_SLICE);
    /// Everything at once, for a host that nobody waits for.
    pub const ALL: Work = Work::of(usize::MAX);
    /// One batch or one record.
    pub const LEAST: Work = Work::of(1);
    /// The most records that [`Self::SLICE`] merges.
    pub(crate) const RECORDS: usize = Self::OF_SLICE / Self::RECORD;

    const OF_SLICE: usize = 20_000;
    const BATCH: usize = 100;
    const RECORD: usize = 250;
    const CHANGE: usize = 30;
    /// Bytes of a document that are loaded, saved and loaded again in a microsecond.
    const BYTES: usize = 16;

    const fn of(left: usize) -> Self {
        Self { left, only: None }
    }

    /// A slice that merges no other records than these, which the host has marked ([`Arrival::merges`]).
    ///
    /// [`Arrival::merges`]: crate::exchange::Arrival::merges
    pub fn slice_of(places: BTreeSet<Place>) -> Self {
        Self {
            only: Some(places),
            ..Self::SLICE
        }
    }

    /// As much of it as there is, of the same records.
    pub(crate) fn without_end(&self) -> Self {
        Self {
            left: usize::MAX,
            only: self.only.clone(),
        }
    }

    fn is_left(&self) -> bool {
        self.left > 0
    }

    fn allows(&self, place: &Place) -> bool {
        let only = self.only.as_ref();
        self.is_left() && only.is_none_or(|only| only.contains(place))
    }

    fn on_record(&mut self, state: &RecordState, arrived: &Arrived) {
        let changes = Self::CHANGE * arrived.changes.len();
        self.spend(Self::RECORD + changes + state.saved().len() / Self::BYTES);
    }

    fn spend(&mut self, work: usize) {
        if self.left < usize::MAX {
            self.left = self.left.saturating_sub(work);
        }
    }
}

/// Records that a message has brought something of, and that are not merged yet. Slices share them.
#[derive(Clone, Debug, Default)]
pub(crate) struct Pending {
    records: Arc<BTreeMap<Place, Arrived>>,
    /// Those up to this one are merged.
    merged: Option<Place>,
    /// A slice has marked all of them as behind.
    marked: bool,
}

#[derive(Clone, Debug, Default)]
struct Arrived {
    /// With the device that signed each.
    changes: Vec<(DeviceId, Arc<[u8]>)>,
    /// They are not all that the record lacks: it is made again from what is held.
    again: bool,
}

impl Pending {
    pub(crate) fn is_empty(&self) -> bool {
        self.iter().next().is_none()
    }

    /// The first of these records, at most `count`.
    pub(crate) fn first(&self, count: usize) -> impl Iterator<Item = &Place> {
        self.iter().map(|(place, _)| place).take(count)
    }

    fn iter(&self) -> impl Iterator<Item = (&Place, &Arrived)> {
        let after = self.merged.as_ref().map_or(Unbounded, Excluded);
        self.records.range((after, Unbounded))
    }
}

/// Adds what messages before this one left behind when they were broken off.
fn take_over(records: &mut BTreeMap<Place, Arrived>, replica: &Replica) {
    for (space, held) in &replica.spaces {
        for (record, waits) in &held.behind {
            let place = (space.clone(), *record);
            let ours = records.contains_key(&place);
            let arrived = records.entry(place).or_default();
            arrived.again |= !ours || *waits == Waits::ForRebuild;
        }
    }
}

impl BatchIngest<'_> {
    /// How batches of revoked devices stand, by space, where there are any.
    fn quarantine_changes(&self) -> BTreeMap<Space, QuarantineChange> {
        let mut quarantine_changes = BTreeMap::new();
        if self.control.cut_devices().next().is_none() {
            return quarantine_changes;
        }
        let fresh = self.nodes.keys().map(|(space, _)| space);
        let spaces: BTreeSet<&Space> = self.replica.spaces.keys().chain(fresh).collect();
        for space in spaces {
            let before = self
                .replica
                .quarantined(&self.replica.control, space, &BTreeMap::new());
            let now = self.replica.quarantined(self.control, space, &self.nodes);
            let held = self.replica.spaces.get(space);
            let is_moved = |hash: &BatchHash| before.contains_key(hash) != now.contains_key(hash);
            let moved = held.into_iter().flat_map(|held| &held.touched);
            let moved = moved.filter(|(_, batches)| batches.iter().any(is_moved));
            // What does not count by itself counts once a held change was made on it.
            let waits =
                |batch: &&Batch| batch.header.space == *space && now.contains_key(&batch.hash);
            let came = self.held.iter().filter(waits);
            let came = came
                .flat_map(|batch| &batch.entries)
                .map(|entry| entry.record);
            let moved = moved.map(|(record, _)| *record).chain(came).collect();
            quarantine_changes.insert(space.clone(), QuarantineChange { now, moved });
        }
        quarantine_changes
    }
}

/// How the batches of revoked devices stand in a space, and what that changes.
struct QuarantineChange {
    /// Those that don't count by themselves.
    now: Quarantined,
    /// The records of batches for which that is new: those to make again.
    moved: BTreeSet<RecordId>,
}

fn borrowed<T: AsRef<[u8]>>(changes: &[(DeviceId, T)]) -> Vec<Signed<'_>> {
    let mut borrowed = Vec::new();
    for (device, change) in changes {
        borrowed.push((*device, change.as_ref()));
    }
    borrowed
}

/// A change with the device that signed its batch.
type Signed<'a> = (DeviceId, &'a [u8]);

enum Placement {
    Held,
    New,
    Gap,
    Wrong,
}

#[cfg(test)]
mod tests;
