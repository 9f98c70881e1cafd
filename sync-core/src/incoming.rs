//! Batches of others on their way into feeds and records, by an answer or a bundle.

use std::collections::{BTreeMap, BTreeSet};

use crate::batch::{self, Batch, Unfit};
use crate::control::Control;
use crate::feed::{Feed, Misplaced, Node};
use crate::id::{BatchHash, DeviceId, RecordId, Space};
use crate::record::RecordState;
use crate::replica::{Prepared, Replica, STASH_BATCHES_MAX, Step, Uncounted};
use crate::row::{ReadRows, Table, Unreadable};
use crate::standing::is_left_out;
use crate::stored;

/// The batches of an answer or a bundle on their way into feeds and records.
pub(crate) struct Incoming<'a> {
    replica: &'a Replica,
    control: &'a Control,
    /// New batches in an order in which parents come first.
    held: Vec<Batch>,
    /// The ones above, by feed, to find parents among them.
    nodes: BTreeMap<(Space, DeviceId), BTreeMap<BatchHash, Node>>,
    stashed: BTreeMap<(Space, BatchHash), Vec<u8>>,
    unstashed: BTreeSet<(Space, BatchHash)>,
    /// Codes of those that are not held.
    pub(crate) not_held: Vec<&'static str>,
    /// Some were left out because no more may wait.
    pub(crate) stash_full: bool,
}

impl<'a> Incoming<'a> {
    pub(crate) fn new(replica: &'a Replica, control: &'a Control) -> Self {
        Self {
            replica,
            control,
            held: Vec::new(),
            nodes: BTreeMap::new(),
            stashed: BTreeMap::new(),
            unstashed: BTreeSet::new(),
            not_held: Vec::new(),
            stash_full: false,
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

    pub(crate) fn take(&mut self, bytes: Vec<u8>) {
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
            Err(Unfit::Author) => {
                let erased = |record| self.control.is_erased(record);
                let kept = batch.blot(erased).map(|b| (b.hash, b.bytes().to_vec()));
                return match kept {
                    Ok((hash, bytes)) => self.stash(space, hash, bytes),
                    Err(unfit) => self.not_held.push(unfit.code()),
                };
            }
            Err(unfit) => return self.not_held.push(unfit.code()),
        };
        match self.place(&batch) {
            Place::Held => {}
            Place::New => self.hold(batch),
            Place::Gap => self.stash(space, batch.hash, bytes),
            Place::Wrong => self.not_held.push(batch::Unfit::Parents.code()),
        }
    }

    fn granted(&self, space: &Space) -> bool {
        self.control.holds(self.replica.me.device, space)
    }

    fn place(&self, batch: &Batch) -> Place {
        let (space, device) = (&batch.header.space, batch.header.device);
        let held = self.replica.spaces.get(space);
        let fresh = self.nodes.get(&(space.clone(), device));
        let node_of = |hash: BatchHash| {
            let feed = held.and_then(|held| held.feeds.get(&device));
            feed.and_then(|feed| feed.node(hash))
                .or_else(|| fresh?.get(&hash))
        };
        if node_of(batch.hash).is_some() {
            return Place::Held;
        }
        match Feed::place(&batch.node(), |hash| node_of(hash).map(|node| node.seq)) {
            Ok(()) => Place::New,
            Err(Misplaced::Missing(_)) => Place::Gap,
            Err(Misplaced::Parents) => Place::Wrong,
        }
    }

    fn hold(&mut self, batch: Batch) {
        let feed = (batch.header.space.clone(), batch.header.device);
        self.nodes
            .entry(feed)
            .or_default()
            .insert(batch.hash, batch.node());
        self.held.push(batch);
    }

    fn stash(&mut self, space: Space, hash: BatchHash, bytes: Vec<u8>) {
        let known = self
            .replica
            .spaces
            .get(&space)
            .map_or(0, |held| held.stash.len());
        let fresh = self.stashed.keys().filter(|(s, _)| *s == space).count();
        if known + fresh >= STASH_BATCHES_MAX {
            self.stash_full = true;
        } else {
            self.stashed.insert((space, hash), bytes);
        }
    }

    /// Takes what waits in the stash for as long as something of it finds its place.
    pub(crate) fn unstash(&mut self) {
        let mut waiting: BTreeMap<(Space, BatchHash), Vec<u8>> = std::mem::take(&mut self.stashed);
        for (space, held) in &self.replica.spaces {
            let stash = held.stash.iter();
            waiting.extend(stash.map(|(hash, bytes)| ((space.clone(), *hash), bytes.clone())));
        }
        loop {
            let before = waiting.len();
            for ((space, hash), bytes) in std::mem::take(&mut waiting) {
                self.take(bytes.clone());
                if self.stashed.remove(&(space.clone(), hash)).is_some() {
                    waiting.insert((space, hash), bytes);
                } else {
                    self.unstashed.insert((space, hash));
                }
            }
            if waiting.is_empty() || waiting.len() == before {
                break;
            }
        }
        self.stashed = waiting;
    }

    /// The rows and steps of everything that was taken.
    pub(crate) fn write(
        self,
        rows: &dyn ReadRows,
        out: &mut Prepared<()>,
    ) -> Result<(), Unreadable> {
        let standings = self.standings();
        let mut arrived: BTreeMap<(Space, RecordId), Vec<Signed<'_>>> = BTreeMap::new();
        for batch in &self.held {
            let uncounted = standings.get(&batch.header.space);
            let counts = uncounted.is_none_or(|standing| !standing.now.contains_key(&batch.hash));
            for entry in &batch.entries {
                let of_record = arrived
                    .entry((batch.header.space.clone(), entry.record))
                    .or_default();
                let left_out = self.control.left_out(&batch.header.space, entry.record);
                if counts && !is_left_out(left_out, &entry.change) {
                    of_record.push((batch.header.device, &entry.change));
                }
            }
            out.rows.push(stored::batch_row(
                Table::Batch,
                &batch.header.space,
                batch.hash,
                Some(batch.bytes()),
            ));
            out.steps.push(Step::hold(batch));
        }
        let empty = RecordState::empty();
        // Records of batches that count now and did not, or the other way; and of new verdicts.
        let mut again: BTreeSet<(Space, RecordId)> = BTreeSet::new();
        for (space, standing) in &standings {
            again.extend(standing.moved.iter().map(|record| (space.clone(), *record)));
        }
        let decided = self.control.left_out_since(&self.replica.control);
        let held =
            |(space, record): &(&Space, RecordId)| self.replica.record(space, *record).is_some();
        again.extend(
            decided
                .filter(held)
                .map(|(space, record)| (space.clone(), record)),
        );
        // Of an erased record there is nothing to make.
        again.retain(|(_, record)| !self.control.is_erased(*record));
        for place in &again {
            arrived.entry(place.clone()).or_default();
        }
        let everything = Uncounted::new();
        for (place, changes) in &arrived {
            let (space, record) = place;
            let standing = standings.get(space);
            let uncounted = standing.map_or(&everything, |standing| &standing.now);
            let state = self.replica.record(space, *record).unwrap_or(&empty);
            let fresh: Vec<&Batch> = self
                .held
                .iter()
                .filter(|batch| batch.header.space == *space)
                .collect();
            let all = || {
                self.replica
                    .changes_of(rows, space, *record, &fresh, uncounted, self.control)
            };
            let next = match again.contains(place) {
                true => RecordState::rebuild(&borrowed(&all()?)),
                false => state.add(changes, all)?,
            };
            out.rows.push(stored::record_row(space, *record, &next));
            out.steps
                .push(Step::Record(space.clone(), *record, Box::new(next)));
        }
        for ((space, hash), bytes) in self.stashed {
            let held = self.replica.spaces.get(&space);
            if held.is_none_or(|held| !held.stash.contains_key(&hash)) {
                out.rows
                    .push(stored::batch_row(Table::Stash, &space, hash, Some(&bytes)));
                out.steps.push(Step::Stash(space, hash, bytes));
            }
        }
        for (space, hash) in self.unstashed {
            let held = self.replica.spaces.get(&space);
            if held.is_some_and(|held| held.stash.contains_key(&hash)) {
                out.rows
                    .push(stored::batch_row(Table::Stash, &space, hash, None));
                out.steps.push(Step::Unstash(space, hash));
            }
        }
        Ok(())
    }
}

impl Incoming<'_> {
    /// How batches of revoked devices stand, by space, where there are any.
    fn standings(&self) -> BTreeMap<Space, Standings> {
        let mut standings = BTreeMap::new();
        if self.control.cut_devices().next().is_none() {
            return standings;
        }
        let fresh = self.nodes.keys().map(|(space, _)| space);
        let spaces: BTreeSet<&Space> = self.replica.spaces.keys().chain(fresh).collect();
        for space in spaces {
            let before = self
                .replica
                .uncounted(&self.replica.control, space, &BTreeMap::new());
            let now = self.replica.uncounted(self.control, space, &self.nodes);
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
            standings.insert(space.clone(), Standings { now, moved });
        }
        standings
    }
}

/// How the batches of revoked devices stand in a space, and what that changes.
struct Standings {
    /// Those that don't count by themselves.
    now: Uncounted,
    /// The records of batches for which that is new: those to make again.
    moved: BTreeSet<RecordId>,
}

fn borrowed(changes: &[(DeviceId, Vec<u8>)]) -> Vec<Signed<'_>> {
    let mut borrowed = Vec::new();
    for (device, change) in changes {
        borrowed.push((*device, change.as_slice()));
    }
    borrowed
}

/// A change with the device that signed its batch.
type Signed<'a> = (DeviceId, &'a [u8]);

enum Place {
    Held,
    New,
    Gap,
    Wrong,
}

#[cfg(test)]
mod tests;
