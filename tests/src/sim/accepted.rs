//! World without what does not count: after a revocation every record is what it were if only the accepted
//! part of the revoked device's words existed, and what honest words were built on.
//!
//! Which words those are is found here from the batches' own parents and the changes' own dependencies, and
//! told to an empty record one by one in the order in which they came.

use std::collections::{BTreeMap, BTreeSet};
use std::convert::Infallible;

use sync_core::id::{BatchHash, ChangeHash, DeviceId, RecordId, Short, Space};
use sync_core::record::RecordState;

use super::held::SpaceStore;
use super::oracle::{Checked, change_head, require};
use super::world::World;

/// A change of a record, by whom, and whether it counts whatever is built on it.
struct Word<'s> {
    record: RecordId,
    device: DeviceId,
    change: &'s [u8],
    hash: ChangeHash,
    deps: Vec<ChangeHash>,
    accepted: bool,
}

impl World {
    /// Every record of a space from which somebody was revoked.
    pub(super) fn check_accepted_part(&self) -> Checked {
        let hub = &self.hub.state;
        for (space, store) in &hub.spaces {
            let mut revoked = store.feeds().map(|(device, _)| device);
            if !revoked.any(|device| hub.control.cut(device, space).is_some()) {
                continue;
            }
            let expected = self.of_accepted(space, store);
            for ((_, record), state) in hub.records.iter().filter(|((of, _), _)| of == space) {
                let none = RecordState::default();
                let other = expected.get(record).unwrap_or(&none);
                require("Revoked", **state == *other, || {
                    format!(
                        "{record} of {space} is {state:#?}\nand were {other:#?}\nof accepted words alone"
                    )
                })?;
            }
        }
        Ok(())
    }

    fn of_accepted(&self, space: &Space, store: &SpaceStore) -> BTreeMap<RecordId, RecordState> {
        let accepted = self.accepted(space, store);
        let mut words = Vec::new();
        for stored in &store.arrivals {
            let accepted = accepted.contains(&stored.node.hash);
            for entry in &stored.batch.entries {
                let head = change_head(&entry.change);
                words.push(Word {
                    record: entry.record,
                    device: stored.batch.header.device,
                    change: &entry.change,
                    hash: head.as_ref().map_or(ChangeHash([0; 32]), |head| head.hash),
                    deps: head.map_or(Vec::new(), |head| head.deps),
                    accepted,
                });
            }
        }
        let left_out = |word: &Word<'_>| {
            let excluded = self.hub.state.control.excluded_changes(space, word.record);
            excluded.contains(&word.hash)
        };
        words.retain(|word| !left_out(word));
        let built_on = built_on(&words);
        words.retain(|word| word.accepted || built_on.contains(&(word.record, word.hash)));
        let mut told: BTreeMap<RecordId, Vec<(DeviceId, Vec<u8>)>> = BTreeMap::new();
        let mut states: BTreeMap<RecordId, RecordState> = BTreeMap::new();
        for word in words {
            let told = told.entry(word.record).or_default();
            told.push((word.device, word.change.to_vec()));
            let state = states.entry(word.record).or_default();
            let all = || Ok::<_, Infallible>(told.clone());
            let Ok(next) = state.add(&[(word.device, word.change)], all);
            *state = next;
        }
        states
    }

    /// The batches of a space that count by themselves: all of those who were not revoked, and of the others
    /// what the server held by then and what the office has taken since.
    fn accepted(&self, space: &Space, store: &SpaceStore) -> BTreeSet<BatchHash> {
        let control = &self.hub.state.control;
        let mut accepted = BTreeSet::new();
        let mut open = Vec::new();
        for stored in &store.arrivals {
            let hash = stored.node.hash;
            let name = Short(std::array::from_fn(|at| hash.0[at]));
            let cut = control.cut(stored.batch.header.device, space);
            if cut.is_none_or(|cut| cut.iter().any(|tip| tip.hash == name)) {
                open.push(hash);
            }
            if control
                .verdict(hash)
                .is_some_and(|verdict| verdict.accepted)
            {
                accepted.insert(hash);
            }
        }
        let mut seen = BTreeSet::new();
        while let Some(hash) = open.pop() {
            if seen.insert(hash)
                && let Some(stored) = store.get(hash)
            {
                open.extend(&stored.batch.header.prev);
            }
        }
        accepted.extend(seen);
        accepted
    }
}

/// What accepted words were built on, directly or not.
fn built_on(words: &[Word<'_>]) -> BTreeSet<(RecordId, ChangeHash)> {
    let mut deps: BTreeMap<(RecordId, ChangeHash), &[ChangeHash]> = BTreeMap::new();
    let mut open = Vec::new();
    for word in words {
        deps.insert((word.record, word.hash), &word.deps);
        if word.accepted {
            open.extend(word.deps.iter().map(|dep| (word.record, *dep)));
        }
    }
    let mut found = BTreeSet::new();
    while let Some(place) = open.pop() {
        if found.insert(place) {
            let deps = deps.get(&place).copied().unwrap_or_default();
            open.extend(deps.iter().map(|dep| (place.0, *dep)));
        }
    }
    found
}
