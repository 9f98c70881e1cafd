//! Ingest of a request's batches into feeds and records, in the caller's transaction.
//!
//! First the batches, in the request's order and with what waited for them; then, once each however
//! many batches changed it, the records. That gives the same as batch by batch, because a record's
//! state is a function of the changes held and not of their order (R10).

use std::collections::{BTreeMap, BTreeSet};

use store::event::{self, EventKind};
use store::record::Unreadable;
use store::{Conn, StoreError, feed, record};
use sync_core::admit::ASIDE_OF_DEVICE_MAX;
use sync_core::batch::{BadBatch, Batch};
use sync_core::control::Control;
use sync_core::feed::Node;
use sync_core::hub::{Bringer, Placement, SpaceHeld, Taken};
use sync_core::id::{BatchHash, DeviceId, RecordId, Space};
use sync_core::quarantine::is_excluded;
use sync_core::record::RecordState;
use sync_core::wire::RejectedBatch;

use crate::changed::ChangedRecords;
use crate::quarantine::{load_effective_changes, rebuild, refresh};

/// Batches of a feed with a parent missing that are kept for later (R6). A phone that finds no room sends its
/// batch again with the next request. What other devices have waiting takes none of it.
pub(crate) const STASH_MAX: usize = 64;

/// States of records as they are stored.
type States = BTreeMap<RecordId, Result<RecordState, Unreadable>>;

/// What waits in each space for a parent.
pub(crate) type Stashes = BTreeMap<Space, Vec<(DeviceId, Node)>>;

/// Stores what was brought and moves `held` along. `stashes` is what waits in each space.
/// Also returns the records whose shown values changed.
pub(crate) async fn take(
    now: i64,
    conn: &mut Conn,
    control: &Control,
    held: &mut BTreeMap<Space, SpaceHeld>,
    stashes: Stashes,
    batches: &[Result<Batch, BadBatch>],
    bringer: Bringer,
) -> Result<(Taken, ChangedRecords), StoreError> {
    let changed = |(space, stash)| {
        let changed = SpaceChanges {
            tips: BTreeMap::new(),
            records: BTreeMap::new(),
            again: BTreeSet::new(),
            stash,
            forked: BTreeSet::new(),
            stopped: BTreeSet::new(),
            crowded: BTreeSet::new(),
            states: States::new(),
        };
        (space, changed)
    };
    let mut spaces: BTreeMap<Space, SpaceChanges> = stashes.into_iter().map(changed).collect();
    for (space, changed) in &mut spaces {
        let is_new = |batch: &&Batch| {
            let of_space = held.get(space).filter(|_| batch.header.space == *space);
            of_space.is_some_and(|held| !held.arrivals.contains_key(&batch.hash))
        };
        let new = batches.iter().flatten().filter(is_new);
        let records = new.flat_map(|batch| &batch.entries).map(|of| of.record);
        let records: BTreeSet<RecordId> = records.collect();
        let records: Vec<RecordId> = records.into_iter().collect();
        let stored = record::states(conn, space, &records).await?;
        let none = |record| (record, Ok(RecordState::default()));
        changed.states = records.into_iter().map(none).collect();
        changed.states.extend(stored);
    }
    let mut ingest = Ingest {
        now,
        control,
        held,
        taken: Taken::default(),
        spaces,
        bringer,
    };
    for (index, batch) in (0u32..).zip(batches) {
        ingest.batch(conn, index, batch).await?;
    }
    ingest.finish(conn).await
}

struct Ingest<'a> {
    now: i64,
    control: &'a Control,
    held: &'a mut BTreeMap<Space, SpaceHeld>,
    taken: Taken,
    spaces: BTreeMap<Space, SpaceChanges>,
    bringer: Bringer,
}

/// What changes in a space by one request.
struct SpaceChanges {
    /// The tips of the feeds that grew, before they did.
    tips: BTreeMap<DeviceId, BTreeSet<BatchHash>>,
    /// The changes that arrived, by record.
    records: BTreeMap<RecordId, Vec<(DeviceId, Vec<u8>)>>,
    /// The records that are made from all their batches: something of a device arrived that has lost
    /// the space.
    again: BTreeSet<RecordId>,
    /// What waits for a parent.
    stash: Vec<(DeviceId, Node)>,
    /// The feeds that have two branches now, or had for a moment.
    forked: BTreeSet<DeviceId>,
    /// The feeds of which a branch too many came.
    stopped: BTreeSet<DeviceId>,
    /// The feeds of which no more may wait.
    crowded: BTreeSet<DeviceId>,
    /// The records that the batches bring something of, before anything is taken.
    states: States,
}

fn tips(held: &SpaceHeld, device: DeviceId) -> BTreeSet<BatchHash> {
    let feed = held.feeds.get(&device);
    feed.into_iter()
        .flat_map(|feed| feed.tips())
        .map(|node| node.hash)
        .collect()
}

impl Ingest<'_> {
    async fn batch(
        &mut self,
        conn: &mut Conn,
        index: u32,
        batch: &Result<Batch, BadBatch>,
    ) -> Result<(), StoreError> {
        let batch = match batch {
            Ok(batch) if self.held.contains_key(&batch.header.space) => batch,
            other => {
                let unfit = other.as_ref().err().copied().unwrap_or(BadBatch::Space);
                self.refuse(index, unfit);
                // What a phone is told to send again it does not count as held here.
                if unfit != BadBatch::Reference {
                    self.doubt_all();
                }
                return Ok(());
            }
        };
        let (space, device, node) = (&batch.header.space, batch.header.device, batch.node());
        let Some(place) = self.held.get(space).map(|held| held.place(device, &node)) else {
            return Ok(());
        };
        // It may stand twice in a request, and find no room but the second time.
        self.taken.unkept.remove(&node.hash);
        match place {
            Placement::Held => self.taken.sent.push((space.clone(), device, node)),
            Placement::New if !self.has_room(space, device, &node, self.bringer) => {
                self.refuse(index, BadBatch::Branches);
                self.taken.doubtful.insert((space.clone(), device));
            }
            Placement::New if self.is_of_no_use(batch) => {
                self.refuse(index, BadBatch::Aside);
                self.taken.doubtful.insert((space.clone(), device));
            }
            Placement::New => {
                self.taken.sent.push((space.clone(), device, node));
                self.hold(conn, batch).await?;
                self.unstash(conn, space).await?;
            }
            Placement::Gap(_) => {
                self.stash(conn, batch).await?;
                self.taken.doubtful.insert((space.clone(), device));
            }
            Placement::Wrong => {
                self.refuse(index, BadBatch::Parents);
                self.taken.doubtful.insert((space.clone(), device));
            }
        }
        Ok(())
    }

    /// Whether a batch opens no branch too many; the office hears of one that does.
    fn has_room(&mut self, space: &Space, device: DeviceId, node: &Node, bringer: Bringer) -> bool {
        let held = self.held.get(space);
        let room = held.is_none_or(|held| held.has_room(self.control, device, node, bringer));
        if !room && let Some(changed) = self.spaces.get_mut(space) {
            changed.stopped.insert(device);
        }
        room
    }

    /// Whether too much of its device is set aside on a record of the batch; the office hears of it.
    fn is_of_no_use(&mut self, batch: &Batch) -> bool {
        let device = batch.header.device;
        let Some(changed) = self.spaces.get_mut(&batch.header.space) else {
            return false;
        };
        let is_full = |state: &RecordState| {
            let aside = state.aside().iter().filter(|aside| aside.device == device);
            aside.count() >= ASIDE_OF_DEVICE_MAX
        };
        let mut states = batch
            .entries
            .iter()
            .map(|of| changed.states.get(&of.record));
        let is_full = states.any(|state| matches!(state, Some(Ok(state)) if is_full(state)));
        if is_full {
            changed.stopped.insert(device);
        }
        is_full
    }

    fn refuse(&mut self, index: u32, unfit: BadBatch) {
        self.taken.refused.push(RejectedBatch {
            index,
            code: unfit.code().into(),
        });
    }

    /// Which feed an unreadable batch was meant for is not known: all of them are told.
    fn doubt_all(&mut self) {
        for (space, held) in self.held.iter() {
            let feeds = held.feeds.keys().map(|device| (space.clone(), *device));
            self.taken.doubtful.extend(feeds);
        }
    }

    async fn hold(&mut self, conn: &mut Conn, batch: &Batch) -> Result<(), StoreError> {
        let (space, device) = (&batch.header.space, batch.header.device);
        let (Some(held), Some(changed)) = (self.held.get_mut(space), self.spaces.get_mut(space))
        else {
            return Ok(());
        };
        changed
            .tips
            .entry(device)
            .or_insert_with(|| tips(held, device));
        let arrival = held.hold(device, batch.node());
        if tips(held, device).len() > 1 {
            changed.forked.insert(device);
        }
        feed::add(conn, space, arrival, batch).await?;
        let changed_records: BTreeSet<RecordId> =
            batch.entries.iter().map(|entry| entry.record).collect();
        let has_lost = self.control.cut(device, space).is_some();
        if has_lost {
            changed.again.extend(&changed_records);
        }
        let changed_records: Vec<RecordId> = changed_records.into_iter().collect();
        record::touch(conn, space, &changed_records, arrival).await?;
        for entry in &batch.entries {
            let arrived = changed.records.entry(entry.record).or_default();
            let excluded = self.control.excluded_changes(space, entry.record);
            // Whether it counts is known when the feed has grown by all that came.
            if !has_lost && !is_excluded(excluded, &entry.change) {
                arrived.push((device, entry.change.clone()));
            }
        }
        Ok(())
    }

    async fn stash(&mut self, conn: &mut Conn, batch: &Batch) -> Result<(), StoreError> {
        let Some(changed) = self.spaces.get_mut(&batch.header.space) else {
            return Ok(());
        };
        let device = batch.header.device;
        let of_feed = changed.stash.iter().filter(|(of, _)| *of == device);
        let of_feed: Vec<BatchHash> = of_feed.map(|(_, node)| node.hash).collect();
        if of_feed.contains(&batch.hash) {
            return Ok(());
        }
        if of_feed.len() >= STASH_MAX {
            changed.crowded.insert(device);
            self.taken.unkept.insert(batch.hash);
            return Ok(());
        }
        changed.stash.push((device, batch.node()));
        feed::stash(conn, &batch.header.space, batch).await
    }

    /// Holds what waited and fits now, as long as something does.
    async fn unstash(&mut self, conn: &mut Conn, space: &Space) -> Result<(), StoreError> {
        loop {
            let (Some(held), Some(changed)) = (self.held.get(space), self.spaces.get_mut(space))
            else {
                return Ok(());
            };
            let ready = changed
                .stash
                .iter()
                .position(|(device, node)| !matches!(held.place(*device, node), Placement::Gap(_)));
            let Some(at) = ready else { return Ok(()) };
            let (device, node) = changed.stash.swap_remove(at);
            let bytes = feed::stashed_bytes(conn, space, node.hash).await?;
            feed::unstash(conn, space, node.hash).await?;
            // What is held by now, or turned out to contradict its parents, is only put away.
            let (Placement::New, Some(bytes)) = (held.place(device, &node), bytes) else {
                continue;
            };
            let unreadable = StoreError::Unreadable {
                table: "stash",
                column: "bytes",
            };
            let batch =
                Batch::from_store(self.control.network(), &bytes).map_err(|_| unreadable)?;
            self.taken.doubtful.insert((space.clone(), device));
            // Who brought it is not known any more; its bringer brings it again.
            if self.has_room(space, device, &node, Bringer::Unknown) {
                self.hold(conn, &batch).await?;
            }
        }
    }

    /// Writes what follows from the batches: tips, counters, records.
    async fn finish(self, conn: &mut Conn) -> Result<(Taken, ChangedRecords), StoreError> {
        let mut changed_records = ChangedRecords::default();
        for (space, mut changed) in self.spaces {
            let Some(held) = self.held.get(&space) else {
                continue;
            };
            for device in &changed.crowded {
                tracing::warn!(
                    stash_max = STASH_MAX,
                    %device,
                    "no more of a feed may wait; its batches must come again"
                );
            }
            for device in &changed.stopped {
                let (kind, of) = (EventKind::FeedStopped, Some(&space));
                if !event::is_noted(conn, kind, *device, &space).await? {
                    event::add(self.now, conn, kind, Some(*device), of).await?;
                }
            }
            if changed.tips.is_empty() {
                continue;
            }
            for device in changed.tips.keys() {
                if self.control.cut(*device, &space).is_some() {
                    let moved = refresh(conn, self.control, &space, *device).await?;
                    changed.again.extend(moved);
                }
            }
            for record in &changed.again {
                changed.records.entry(*record).or_default();
            }
            for (device, before) in changed.tips {
                let after = tips(held, device);
                move_tips(conn, &space, device, &before, &after).await?;
                let (now, of) = (self.now, Some(&space));
                let forked = changed.forked.contains(&device);
                if forked && before.len() <= 1 {
                    event::add(now, conn, EventKind::ForkSeen, Some(device), of).await?;
                }
                if (forked || before.len() > 1) && after.len() == 1 {
                    event::add(now, conn, EventKind::ForkHealed, Some(device), of).await?;
                }
            }
            feed::set_counter(self.now, conn, &space, held.counter).await?;
            let (arrived, states) = (changed.records, changed.states);
            let made = update(conn, self.control, &space, arrived, &changed.again, states);
            let made = made.await?;
            for (record, parts) in made {
                changed_records.note(space.unit(), record, parts);
            }
        }
        Ok((self.taken, changed_records))
    }
}

/// Writes which tips a feed has now, that had others before.
async fn move_tips(
    conn: &mut Conn,
    space: &Space,
    device: DeviceId,
    before: &BTreeSet<BatchHash>,
    after: &BTreeSet<BatchHash>,
) -> Result<(), StoreError> {
    let mut gone = before.difference(after);
    let mut new = after.difference(before);
    loop {
        match (gone.next(), new.next()) {
            (Some(gone), Some(new)) => {
                feed::move_tip(conn, space, device, (*gone, *new)).await?;
            }
            (Some(gone), None) => feed::remove_tip(conn, space, device, *gone).await?,
            (None, Some(new)) => feed::add_tip(conn, space, device, *new).await?,
            (None, None) => return Ok(()),
        }
    }
}

/// The record's state can't be made from what it was and what arrived alone.
struct NeedsAll;

/// Rebuilds the records of a space that something arrived for; returns those that show something
/// else than before, with the parts that do.
async fn update(
    conn: &mut Conn,
    control: &Control,
    space: &Space,
    arrived: BTreeMap<RecordId, Vec<(DeviceId, Vec<u8>)>>,
    again: &BTreeSet<RecordId>,
    mut before: States,
) -> Result<Vec<(RecordId, BTreeSet<String>)>, StoreError> {
    let unread = arrived
        .keys()
        .filter(|record| !before.contains_key(*record));
    let unread: Vec<RecordId> = unread.copied().collect();
    before.extend(record::states(conn, space, &unread).await?);
    let mut states = Vec::new();
    let mut changed = Vec::new();
    for (changed_records, arrived) in arrived {
        let before = state_of(before.remove(&changed_records));
        let continued = before
            .as_ref()
            .filter(|_| !again.contains(&changed_records))
            .and_then(|before| before.append(&borrowed(&arrived), || Err(NeedsAll)).ok());
        let next = match continued {
            Some(next) => next,
            None => rebuild(&load_effective_changes(conn, control, space, changed_records).await?),
        };
        let parts = before.unwrap_or_default();
        let parts = parts.view().changed_parts(next.view());
        if !parts.is_empty() {
            changed.push((changed_records, parts));
        }
        if let Some(reason) = next.parked() {
            tracing::warn!(%reason, "a record is parked");
        }
        states.push((changed_records, next));
    }
    record::set_states(conn, space, states).await?;
    Ok(changed)
}

/// A stored state; `None` for one that does not read: it is made again of the batches.
fn state_of(stored: Option<Result<RecordState, Unreadable>>) -> Option<RecordState> {
    let state = stored.unwrap_or_else(|| Ok(RecordState::default()));
    if state.is_err() {
        tracing::error!(
            table = "record",
            column = "state",
            "a row does not read and is made again"
        );
    }
    state.ok()
}

fn borrowed(changes: &[(DeviceId, Vec<u8>)]) -> Vec<(DeviceId, &[u8])> {
    changes
        .iter()
        .map(|(device, change)| (*device, change.as_slice()))
        .collect()
}
