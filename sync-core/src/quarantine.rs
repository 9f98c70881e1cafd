//! Quarantine of what a revoked device signed beside its cut (R24).
//!
//! A batch of a device that has lost the space counts by itself only if the cut covers it or the
//! office has accepted it. The others are **pending** until the office decides, then **refused**.
//! Of their changes those count all the same on which a change of a counting batch was made: a live
//! phone that had not heard yet has edited what it saw, and its edit must not be lost. This holds
//! for refused ones too: their values stay until somebody writes over them. The rest never reaches admission, so that nothing a revoked
//! device signs later stands in the way of what counted before.
//!
//! Changes of a record that was parked, and that the server has decided to leave out, count nowhere (R14).
//!
//! All of this is a function of what is held, not of the order in which it came (R10): a phone, the
//! server and a rebuild give the same.

use std::collections::{BTreeMap, BTreeSet};

use crate::change::Change;
use crate::control::Control;
use crate::feed::Feed;
use crate::id::{BatchHash, ChangeHash, DeviceId, Space};

/// How a batch that does not count by itself stands.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Quarantine {
    /// It waits for the office.
    Pending,
    /// The office does not take it.
    Refused,
}

impl Control {
    /// The batches of a device's feed in a space that don't count by themselves. `feed` must hold all
    /// that is held of it.
    pub fn quarantined(
        &self,
        space: &Space,
        device: DeviceId,
        feed: &Feed,
    ) -> BTreeMap<BatchHash, Quarantine> {
        let Some(cut) = self.cut(device, space) else {
            return BTreeMap::new();
        };
        let quarantine = |hash| match self.verdict(hash) {
            None => Some(Quarantine::Pending),
            Some(verdict) => (!verdict.accepted).then_some(Quarantine::Refused),
        };
        let beside = feed.missing(cut).into_iter();
        beside
            .filter_map(|node| Some((node.hash, quarantine(node.hash)?)))
            .collect()
    }
}

/// A change as it is held: by whom its batch is signed, and whether that batch counts by itself.
#[derive(Clone, Debug)]
pub struct HeldChange {
    /// The signer of the batch.
    pub device: DeviceId,
    /// Whether the batch counts by itself.
    pub in_effect: bool,
    /// The change's bytes.
    pub change: Vec<u8>,
}

/// The changes of one record that admission is asked about, of all that are held; `exclusion` is what the
/// server decided that nobody takes ([`Control::excluded_changes`]).
pub fn effective_changes(
    mut held: Vec<HeldChange>,
    excluded: &BTreeSet<ChangeHash>,
) -> Vec<(DeviceId, Vec<u8>)> {
    held.retain(|held| !is_excluded(excluded, &held.change));
    let needed = match held.iter().all(|held| held.in_effect) {
        true => BTreeSet::new(),
        false => needed(&held),
    };
    let counts = |held: &HeldChange| {
        held.in_effect
            || Change::parse(&held.change).is_ok_and(|change| needed.contains(&change.hash))
    };
    let counting = held.into_iter().filter(counts);
    counting.map(|held| (held.device, held.change)).collect()
}

/// Whether a change is one of those that everybody leaves out.
pub fn is_excluded(excluded: &BTreeSet<ChangeHash>, change: &[u8]) -> bool {
    // Nearly always there is none, and then nothing is read.
    !excluded.is_empty()
        && Change::parse(change).is_ok_and(|change| excluded.contains(&change.hash))
}

/// What changes of counting batches depend on, directly or not.
fn needed(held: &[HeldChange]) -> BTreeSet<ChangeHash> {
    let mut deps: BTreeMap<ChangeHash, Vec<ChangeHash>> = BTreeMap::new();
    let mut open: Vec<ChangeHash> = Vec::new();
    for held in held {
        if let Ok(change) = Change::parse(&held.change) {
            if held.in_effect {
                open.extend(&change.deps);
            }
            deps.insert(change.hash, change.deps);
        }
    }
    let mut needed = BTreeSet::new();
    while let Some(hash) = open.pop() {
        if needed.insert(hash) {
            open.extend(deps.get(&hash).into_iter().flatten());
        }
    }
    needed
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::change::Put;
    use crate::value::{Key, Value};

    const LIVE: DeviceId = DeviceId([1; 8]);
    const REVOKED: DeviceId = DeviceId([2; 8]);

    fn change(device: DeviceId, random: u8, deps: &[ChangeHash], start_op: u32) -> HeldChange {
        let put = Put {
            key: Key::parse("identity.aliases").unwrap(),
            value: Value::from(format!("{random}").as_str()),
            preds: Vec::new(),
        };
        let change = Change::make(deps.to_vec(), device, start_op, 0, vec![put]).1;
        HeldChange {
            device,
            in_effect: device == LIVE,
            change,
        }
    }

    fn hash(held: &HeldChange) -> ChangeHash {
        Change::parse(&held.change).unwrap().hash
    }

    fn counted(held: &[&HeldChange]) -> BTreeSet<ChangeHash> {
        let held = held.iter().map(|held| (*held).clone()).collect();
        let counting = effective_changes(held, &BTreeSet::new()).into_iter();
        counting
            .map(|(_, change)| Change::parse(&change).unwrap().hash)
            .collect()
    }

    #[test]
    fn a_change_that_waits_counts_once_a_live_one_is_built_on_it() {
        let first = change(REVOKED, 1, &[], 1);
        let second = change(REVOKED, 2, &[hash(&first)], 2);
        let beside = change(REVOKED, 3, &[], 1);
        let live = change(LIVE, 4, &[hash(&second)], 3);
        assert!(counted(&[&first, &second, &beside]).is_empty());
        let expected = BTreeSet::from([&first, &second, &live].map(hash));
        assert_eq!(counted(&[&first, &second, &beside, &live]), expected);
        assert_eq!(counted(&[&live, &beside, &second, &first]), expected);
    }

    #[test]
    fn a_change_held_twice_counts_if_one_of_its_batches_does() {
        let waiting = change(REVOKED, 1, &[], 1);
        let accepted = HeldChange {
            in_effect: true,
            ..waiting.clone()
        };
        assert_eq!(counted(&[&waiting, &accepted]).len(), 1);
    }

    #[test]
    fn bytes_that_are_no_change_stay_where_they_count_and_only_there() {
        let nonsense = |counts| HeldChange {
            device: LIVE,
            in_effect: counts,
            change: vec![1, 2, 3],
        };
        let counting = effective_changes(vec![nonsense(true), nonsense(false)], &BTreeSet::new());
        assert_eq!(counting.len(), 1, "admission says what is wrong with it");
    }
}
