//! Ingest at the server in memory: batches into feeds and records, or into the stash until their
//! parents come (R6).

use std::collections::{BTreeMap, BTreeSet};
use std::rc::Rc;

use sync_core::batch::{BadBatch, Batch};
use sync_core::control::Control;
use sync_core::hub::{Bringer, Placement, SpaceHeld, Taken};
use sync_core::id::{RecordId, Space};
use sync_core::wire::{RejectedBatch, Request};

use super::fault::Plant;
use super::held::{Stored, changes_of};
use super::hub::{HubState, MemoryHub};

/// Batches of a feed with a parent missing that the server keeps for later.
pub(super) const STASH_MAX: usize = 64;

impl MemoryHub {
    pub(super) fn take(
        &self,
        state: &mut HubState,
        held: &mut BTreeMap<Space, SpaceHeld>,
        request: &Request,
        incoming: Vec<Result<Batch, BadBatch>>,
    ) -> Taken {
        let mut taken = Taken::default();
        for (index, batch) in (0u32..).zip(incoming) {
            let batch = match batch {
                Ok(batch) if held.contains_key(&batch.header.space) => batch,
                other => {
                    let unfit = other.err().unwrap_or(BadBatch::Space);
                    taken.refused.push(RejectedBatch {
                        index,
                        code: unfit.code().into(),
                    });
                    // What a phone is told to send again it does not count as held here.
                    if unfit != BadBatch::Reference {
                        self.doubt_all(request, held, &mut taken);
                    }
                    continue;
                }
            };
            let node = batch.node();
            let space = batch.header.space.clone();
            let device = batch.header.device;
            if self.plant == Some(Plant::OwnFeedsOnly) && device != request.device {
                continue;
            }
            let Some(place) = held.get(&space).map(|held| held.place(device, &node)) else {
                continue;
            };
            // It may stand twice in a request, and find no room but the second time.
            taken.unkept.remove(&node.hash);
            let place = match (place, self.plant) {
                (Placement::Gap(_), Some(Plant::GapApplied)) => Placement::New,
                (place, _) => place,
            };
            let bringer = Bringer::Device(request.device);
            let room = held.get(&space);
            let room =
                room.is_some_and(|held| held.has_room(&state.control, device, &node, bringer));
            match place {
                Placement::Held => taken.sent.push((space, device, node)),
                Placement::New if !room && self.plant != Some(Plant::BranchesUnbounded) => {
                    let code = BadBatch::Branches.code().into();
                    taken.refused.push(RejectedBatch { index, code });
                    taken.doubtful.insert((space, device));
                }
                Placement::New => {
                    taken.sent.push((space.clone(), device, node.clone()));
                    self.hold(state, held, Rc::new(Stored { batch, node }));
                    self.unstash(state, held, &space, &mut taken);
                }
                Placement::Gap(_) => {
                    let store = state.spaces.entry(space.clone()).or_default();
                    let of_feed = store.stash.values();
                    let of_feed = of_feed.filter(|other| other.batch.header.device == device);
                    if of_feed.count() < STASH_MAX || store.stash.contains_key(&node.hash) {
                        let stored = Rc::new(Stored { batch, node });
                        store.stash.insert(stored.node.hash, stored);
                    } else {
                        taken.unkept.insert(node.hash);
                    }
                    taken.doubtful.insert((space, device));
                }
                Placement::Wrong => {
                    let code = BadBatch::Parents.code().into();
                    taken.refused.push(RejectedBatch { index, code });
                    taken.doubtful.insert((space, device));
                }
            }
        }
        taken
    }

    /// Which feed an unreadable batch was meant for is not known: all of them are told.
    fn doubt_all(&self, request: &Request, held: &BTreeMap<Space, SpaceHeld>, taken: &mut Taken) {
        for claim in &request.spaces {
            let feeds = held.get(&claim.space).map(|held| held.feeds.keys());
            let feeds = feeds.into_iter().flatten();
            taken
                .doubtful
                .extend(feeds.map(|device| (claim.space.clone(), *device)));
        }
    }

    pub(super) fn hold(
        &self,
        state: &mut HubState,
        held: &mut BTreeMap<Space, SpaceHeld>,
        stored: Rc<Stored>,
    ) {
        let space = stored.batch.header.space.clone();
        let device = stored.batch.header.device;
        let store = state.spaces.entry(space.clone()).or_default();
        let used = store
            .arrivals
            .iter()
            .any(|other| other.batch.header.device == device && other.node.seq == stored.node.seq);
        if used && self.plant == Some(Plant::DoNothingOnUsedNumber) {
            return;
        }
        if let Some(held) = held.get_mut(&space) {
            held.hold(device, stored.node.clone());
        }
        store.push(stored.clone());
        let control = state.control.clone();
        if control.cut(device, &space).is_some() && self.plant != Some(Plant::CutIgnored) {
            // What counts of the whole feed may be another by now.
            let of_feed = store.arrivals.iter();
            let of_feed = of_feed.filter(|stored| stored.batch.header.device == device);
            let entries = of_feed.flat_map(|stored| &stored.batch.entries);
            let records: BTreeSet<RecordId> = entries.map(|entry| entry.record).collect();
            return state.remake(&space, records);
        }
        for entry in &stored.batch.entries {
            let key = (space.clone(), entry.record);
            let store = state.spaces.get(&space);
            let before = state.records.get(&key).cloned().unwrap_or_default();
            let all = || {
                let changes = changes_of(&control, &space, store, entry.record);
                Ok::<_, std::convert::Infallible>(changes)
            };
            let Ok(next) = before.add(&[(device, entry.change.as_slice())], all);
            state.records.insert(key, Rc::new(next));
        }
    }

    fn unstash(
        &self,
        state: &mut HubState,
        held: &mut BTreeMap<Space, SpaceHeld>,
        space: &Space,
        taken: &mut Taken,
    ) {
        loop {
            let Some(store) = state.spaces.get_mut(space) else {
                return;
            };
            let fits = store.stash.values().find(|stored| {
                held.get(space).is_some_and(|held| {
                    let place = held.place(stored.batch.header.device, &stored.node);
                    place == Placement::New
                })
            });
            let Some(stored) = fits.cloned() else { return };
            store.stash.remove(&stored.node.hash);
            let device = stored.batch.header.device;
            let room = held.get(space);
            let control = &state.control;
            let fits =
                |held: &SpaceHeld| held.has_room(control, device, &stored.node, Bringer::Unknown);
            if !room.is_some_and(fits) && self.plant != Some(Plant::BranchesUnbounded) {
                continue;
            }
            taken
                .doubtful
                .insert((space.clone(), stored.batch.header.device));
            self.hold(state, held, stored);
        }
    }

    /// Takes batches out of a request as they came, whatever is missing in them: a planted mistake.
    pub(super) fn unblot(
        &self,
        control: &Control,
        bytes: &[u8],
        incoming: &mut [Result<Batch, BadBatch>],
    ) {
        let Ok((request, _)) = Request::decode_with(self.network(), bytes, &mut |_| None) else {
            return;
        };
        for (batch, bytes) in incoming.iter_mut().zip(&request.batches) {
            if matches!(batch, Err(BadBatch::Redacted)) {
                let key_of = |device, space: &Space| control.writer_key(device, space);
                *batch = Batch::verify(self.network(), bytes, key_of);
            }
        }
    }
}
