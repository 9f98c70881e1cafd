//! The server's batches in memory, and the two ways to load what an exchange needs of a space.

use std::collections::{BTreeMap, BTreeSet};
use std::rc::Rc;

use sync_core::batch::{Batch, Reference, ReferencedBatch};
use sync_core::control::Control;
use sync_core::feed::{Feed, Node, Tip, Vector};
use sync_core::hub::SpaceHeld;
use sync_core::id::{BatchHash, DeviceId, RecordId, Space};
use sync_core::quarantine::{HeldChange, effective_changes};
use sync_core::wire::SpaceClaim;

/// A batch in the server's store.
pub(super) struct Stored {
    /// The batch, read.
    pub(super) batch: Batch,
    /// Its place in its feed.
    pub(super) node: Node,
}

/// One space in the server's store.
#[derive(Clone, Default)]
pub(super) struct SpaceStore {
    /// All batches in the order in which they came in.
    pub(super) arrivals: Vec<Rc<Stored>>,
    places: BTreeMap<BatchHash, usize>,
    feeds: BTreeMap<DeviceId, Rc<Feed>>,
    /// Batches with a parent missing (R6).
    pub(super) stash: BTreeMap<BatchHash, Rc<Stored>>,
}

impl SpaceStore {
    /// A held batch.
    pub(super) fn get(&self, hash: BatchHash) -> Option<&Rc<Stored>> {
        self.places.get(&hash).map(|at| &self.arrivals[*at])
    }

    /// All feeds, whole.
    pub(super) fn feeds(&self) -> impl Iterator<Item = (DeviceId, &Feed)> {
        self.feeds
            .iter()
            .map(|(device, feed)| (*device, feed.as_ref()))
    }

    /// The vector.
    pub(super) fn vector(&self) -> Vector {
        Vector::of(
            self.feeds
                .iter()
                .map(|(device, feed)| (device, feed.as_ref())),
        )
    }

    /// Takes a batch that is new.
    pub(super) fn push(&mut self, stored: Rc<Stored>) {
        self.places.insert(stored.node.hash, self.arrivals.len());
        let feed = self.feeds.entry(stored.batch.header.device).or_default();
        Rc::make_mut(feed).insert(stored.node.clone());
        self.arrivals.push(stored);
    }
}

impl SpaceStore {
    /// Blots the entries of these records out of everything held.
    pub(super) fn redact(&mut self, erased: &BTreeSet<RecordId>) {
        let waiting = self.stash.values_mut();
        for stored in self.arrivals.iter_mut().chain(waiting) {
            let mut entries = stored.batch.entries.iter();
            if entries.any(|entry| erased.contains(&entry.record))
                && let Ok(batch) = stored.batch.clone().redact(|of| erased.contains(&of))
            {
                let node = stored.node.clone();
                *stored = Rc::new(Stored { batch, node });
            }
        }
    }
}

impl Stored {
    fn known(&self) -> ReferencedBatch {
        let header = &self.batch.header;
        ReferencedBatch {
            reference: Reference::to(&header.space, header.device, header.seq),
            hash: self.node.hash,
            bytes: self.batch.bytes().to_vec(),
        }
    }
}

/// What the server finds of a reference.
pub(super) fn find(
    spaces: &BTreeMap<Space, SpaceStore>,
    reference: &Reference,
) -> Option<ReferencedBatch> {
    let store = spaces.get(&reference.space)?;
    let devices = Reference::nameable(store.feeds.keys().copied());
    let feed = store.feeds.get(devices.get(&reference.feed)?)?;
    let stored = store.get(feed.only(reference.seq)?.hash)?;
    Some(stored.known())
}

/// What the server may refer to in an answer about `claimed` spaces.
pub(super) fn known(
    spaces: &BTreeMap<Space, SpaceStore>,
    claimed: &[Space],
    holds: impl Fn(&Space, DeviceId, u32) -> bool,
) -> Vec<ReferencedBatch> {
    let mut known = Vec::new();
    for (space, store) in spaces.iter().filter(|(space, _)| claimed.contains(space)) {
        for (device, feed) in &store.feeds {
            let nodes = feed.path().filter(|node| holds(space, *device, node.seq));
            known.extend(nodes.filter_map(|node| Some(store.get(node.hash)?.known())));
        }
    }
    known
}

/// The batches of a space that don't count by themselves.
pub(super) fn quarantined(
    control: &Control,
    space: &Space,
    store: &SpaceStore,
) -> BTreeSet<BatchHash> {
    let feeds = store.feeds();
    let quarantined = feeds.flat_map(|(device, feed)| control.quarantined(space, device, feed));
    quarantined.map(|(batch, _)| batch).collect()
}

/// The changes of a record that admission is asked about, with the device that signed each.
pub(super) fn changes_of(
    control: &Control,
    space: &Space,
    store: Option<&SpaceStore>,
    record: RecordId,
) -> Vec<(DeviceId, Vec<u8>)> {
    let quarantined = store.map(|store| quarantined(control, space, store));
    let quarantined = quarantined.unwrap_or_default();
    let arrivals = store
        .map(|store| store.arrivals.as_slice())
        .unwrap_or_default();
    let held = arrivals
        .iter()
        .flat_map(|stored| {
            let device = stored.batch.header.device;
            let counts = !quarantined.contains(&stored.node.hash);
            let entries = stored
                .batch
                .entries
                .iter()
                .filter(|entry| entry.record == record);
            entries.map(move |entry| HeldChange {
                device,
                in_effect: counts,
                change: entry.change.clone(),
            })
        })
        .collect();
    effective_changes(held, control.excluded_changes(space, record))
}

fn since(store: &SpaceStore, counter: u64) -> Vec<(DeviceId, Node)> {
    let after = store
        .arrivals
        .iter()
        .skip(usize::try_from(counter).unwrap_or(usize::MAX));
    let mut since: Vec<_> = after
        .map(|stored| (stored.batch.header.device, stored.node.clone()))
        .collect();
    since.reverse();
    since
}

pub(super) fn load_all(store: &SpaceStore, counter: u64) -> SpaceHeld {
    let arrivals = store
        .arrivals
        .iter()
        .map(|stored| stored.node.hash)
        .zip(1u64..);
    SpaceHeld {
        counter: store.arrivals.len() as u64,
        feeds: store
            .feeds()
            .map(|(device, feed)| (device, feed.clone()))
            .collect(),
        arrivals: arrivals.collect(),
        since: since(store, counter),
    }
}

/// The least that the contract of [`SpaceHeld`] asks for, where an answer takes so many batches at most.
pub(super) fn load_part(
    store: &SpaceStore,
    claim: &SpaceClaim,
    batches: &[&Batch],
    lacking_max: usize,
) -> SpaceHeld {
    let is_empty = claim.counter == 0 && {
        let named = claim.changes.iter().chain(&claim.locators);
        let mut tips = named.flat_map(|(_, tips)| tips);
        !tips.any(|tip| store.feeds().any(|(_, feed)| feed.find(tip.hash).is_some()))
    };
    let first = store.arrivals.iter().take(lacking_max);
    let first: BTreeSet<BatchHash> = first.map(|stored| stored.node.hash).collect();
    let since = since(store, claim.counter);
    let mut feeds = BTreeMap::new();
    let mut arrivals = BTreeMap::new();
    for (device, whole) in store.feeds() {
        let claimed = claim.changes.iter().filter(|(of, _)| *of == device);
        let rungs = claim.locators.iter().filter(|(of, _)| *of == device);
        let theirs: Vec<Tip> = claimed
            .chain(rungs)
            .flat_map(|(_, tips)| tips)
            .copied()
            .collect();
        let mut wanted: BTreeSet<BatchHash> = whole.tips().map(|node| node.hash).collect();
        wanted.extend(
            theirs
                .iter()
                .filter_map(|tip| whole.find(tip.hash))
                .map(|n| n.hash),
        );
        for (_, node) in since.iter().filter(|(of, _)| *of == device) {
            // Their parents are the tips of the phone's base: without them it would be taken for
            // a stranger and asked for a ladder.
            wanted.insert(node.hash);
            wanted.extend(&node.prev);
        }
        for batch in batches.iter().filter(|batch| batch.header.device == device) {
            wanted.insert(batch.hash);
            wanted.extend(&batch.header.prev);
        }
        let told = claim.changes.iter().any(|(of, _)| *of == device);
        if told || claim.counter == 0 {
            let known = theirs.iter().filter_map(|tip| whole.find(tip.hash));
            let lowest = known.map(|node| node.seq).min().unwrap_or(0);
            // A branch that the phone lacks can begin below what it knows.
            let lowest = if branched(whole) { 0 } else { lowest };
            let above = whole
                .missing(&[])
                .into_iter()
                .filter(|node| node.seq > lowest);
            let above = above.map(|node| node.hash);
            match (is_empty, branched(whole)) {
                (true, _) => wanted.extend(above.filter(|hash| first.contains(hash))),
                (false, true) => wanted.extend(above),
                (false, false) => wanted.extend(above.take(lacking_max)),
            }
        }
        let nodes: Vec<Node> = wanted
            .iter()
            .filter_map(|hash| whole.node(*hash))
            .cloned()
            .collect();
        for node in &nodes {
            if let Some(at) = store.places.get(&node.hash) {
                arrivals.insert(node.hash, *at as u64 + 1);
            }
        }
        let tips: Vec<BatchHash> = whole.tips().map(|node| node.hash).collect();
        feeds.insert(device, Feed::from_parts(nodes, &tips));
    }
    SpaceHeld {
        counter: store.arrivals.len() as u64,
        feeds,
        arrivals,
        since,
    }
}

fn branched(feed: &Feed) -> bool {
    let numbers: BTreeSet<u32> = feed.missing(&[]).into_iter().map(|node| node.seq).collect();
    numbers.len() < feed.len()
}
