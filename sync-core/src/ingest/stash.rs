//! The batches that wait on a phone for their parents, or for the enrolment of their author (R6).

use super::*;

/// At most this many batches wait, per space.
pub(super) const STASH_BATCHES_MAX: usize = 256;
/// At most this many of one feed, so that no device takes the room of the others.
pub(super) const STASHED_OF_FEED_MAX: usize = 64;
/// At most this many of devices that are not known here: anybody may have made those.
pub(super) const STASHED_OF_STRANGERS_MAX: usize = 128;

/// A batch that is to wait.
pub(super) struct Waiting {
    device: DeviceId,
    bytes: Vec<u8>,
}

impl BatchIngest<'_> {
    /// Puts a batch beside those that wait. One that waits already keeps its place.
    pub(super) fn stash(&mut self, batch: &Batch) {
        let (space, device) = (&batch.header.space, batch.header.device);
        let held = self.replica.spaces.get(space);
        let waits = held.is_some_and(|held| held.stash.contains_key(&batch.hash));
        if !waits && !self.has_room(space, device) {
            self.stash_full = true;
            return;
        }
        let bytes = batch.bytes().to_vec();
        let waiting = Waiting { device, bytes };
        self.stashed.insert((space.clone(), batch.hash), waiting);
    }

    fn has_room(&mut self, space: &Space, device: DeviceId) -> bool {
        let authors = self.authors.entry(space.clone()).or_insert_with(|| {
            let network = self.replica.me.network;
            let held = self.replica.spaces.get(space);
            let stash = held.into_iter().flat_map(|held| held.stash.values());
            let read = stash.filter_map(|bytes| Batch::from_store(network, bytes).ok());
            read.map(|batch| (batch.hash, batch.header.device))
                .collect()
        });
        let fresh = self.stashed.iter();
        let fresh = fresh.filter(|((of, hash), _)| of == space && !authors.contains_key(hash));
        let fresh = fresh.map(|(_, waiting)| waiting.device);
        let all: Vec<DeviceId> = authors.values().copied().chain(fresh).collect();
        let is_stranger = |device: &DeviceId| self.control.enrolment(*device).is_none();
        let count = |counts: &dyn Fn(&DeviceId) -> bool| all.iter().filter(|it| counts(it)).count();
        all.len() < STASH_BATCHES_MAX
            && count(&|it| *it == device) < STASHED_OF_FEED_MAX
            && (!is_stranger(&device) || count(&is_stranger) < STASHED_OF_STRANGERS_MAX)
    }

    /// Takes what waits for as long as something of it finds its place.
    pub(crate) fn unstash(&mut self) {
        let fresh = std::mem::take(&mut self.stashed);
        let mut waiting: BTreeMap<(Space, BatchHash), Vec<u8>> = fresh
            .into_iter()
            .map(|(key, waiting)| (key, waiting.bytes))
            .collect();
        for (space, held) in &self.replica.spaces {
            let stash = held.stash.iter();
            waiting.extend(stash.map(|(hash, bytes)| ((space.clone(), *hash), bytes.clone())));
        }
        loop {
            let before = waiting.len();
            for ((space, hash), bytes) in waiting {
                self.receive(bytes);
                if !self.stashed.contains_key(&(space.clone(), hash)) {
                    self.unstashed.insert((space, hash));
                }
            }
            if self.stashed.is_empty() || self.stashed.len() == before {
                break;
            }
            let left = std::mem::take(&mut self.stashed).into_iter();
            waiting = left.map(|(key, waiting)| (key, waiting.bytes)).collect();
        }
    }

    pub(super) fn write_stash(self, out: &mut Prepared<()>) {
        let is_there = |space: &Space, hash: &BatchHash| {
            let held = self.replica.spaces.get(space);
            held.is_some_and(|held| held.stash.contains_key(hash))
        };
        for ((space, hash), Waiting { bytes, .. }) in self.stashed {
            if !is_there(&space, &hash) {
                let row = stored::batch_row(Table::Stash, &space, hash, Some(&bytes));
                out.put(row, Step::Stash(space, hash, bytes));
            }
        }
        for (space, hash) in self.unstashed {
            if is_there(&space, &hash) {
                let row = stored::batch_row(Table::Stash, &space, hash, None);
                out.put(row, Step::Unstash(space, hash));
            }
        }
    }
}
