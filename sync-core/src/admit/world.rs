//! Random histories with everything that may go wrong in them, and a second, naive admission that
//! follows the words of the rules, for the tests of this module and of [`crate::record`].

use std::collections::{BTreeMap, BTreeSet};

use crate::change::{Change, OpId, Put};
use crate::id::{ActorId, ChangeHash, DeviceId};
use crate::value::{Key, Value};

/// A small generator (SplitMix64), so that a failing seed says all.
pub(crate) struct Dice(pub(crate) u64);

impl Dice {
    pub(crate) fn below(&mut self, end: usize) -> usize {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mut word = self.0;
        word = (word ^ (word >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        word = (word ^ (word >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        ((word ^ (word >> 31)) % end as u64) as usize
    }

    pub(crate) fn one_in(&mut self, chances: usize) -> bool {
        self.below(chances) == 0
    }

    pub(crate) fn shuffle<T>(&mut self, list: &mut [T]) {
        for at in (1..list.len()).rev() {
            list.swap(at, self.below(at + 1));
        }
    }
}

/// One of the devices of the tests.
pub(crate) fn device(number: u8) -> DeviceId {
    DeviceId([number; 8])
}

/// One of the device's actors.
pub(crate) fn actor(of: u8, session: u8) -> ActorId {
    ActorId::new(device(of), [session; 8])
}

pub(crate) fn key(text: &str) -> Key {
    Key::parse(text).unwrap()
}

/// Changes that are held, each with its device.
pub(crate) type HeldChanges = Vec<(DeviceId, Vec<u8>)>;

pub(crate) fn borrowed(held: &[(DeviceId, Vec<u8>)]) -> Vec<(DeviceId, &[u8])> {
    held.iter()
        .map(|(device, raw)| (*device, raw.as_slice()))
        .collect()
}

/// A history of up to `length` changes by three devices that see random parts of it. Since an actor
/// that doesn't see its own last change repeats its number, twins come by themselves; `faults` more
/// in a hundred are broken on purpose, forged or lost.
pub(crate) fn history(dice: &mut Dice, length: usize, faults: usize) -> HeldChanges {
    let mut made: Vec<Change> = Vec::new();
    let mut held = HeldChanges::new();
    for _ in 0..length {
        let mut deps: Vec<ChangeHash> = if dice.one_in(4) {
            (0..dice.below(3))
                .filter_map(|_| pick(dice, &made))
                .collect()
        } else {
            heads(&made)
        };
        deps.sort_unstable();
        deps.dedup();
        let past = past(&deps, &made);
        let who = dice.below(3) as u8 + 1;
        let actor = actor(who, dice.below(2) as u8);
        let own = made
            .iter()
            .filter(|c| past.contains(&c.hash) && c.actor == actor);
        let mut seq = own.map(|c| c.seq).max().unwrap_or(0) + 1;
        let before = made.iter().filter(|c| past.contains(&c.hash));
        let mut start_op = before.map(Change::ops_end).max().unwrap_or(0) + 1;
        let mut puts: BTreeMap<Key, Put> = BTreeMap::new();
        for _ in 0..=dice.below(3) {
            let key = key(&format!("s.f{}", dice.below(4)));
            let preds = visible(&key, &past, &made);
            let value = Value::Int(dice.below(3) as i64);
            puts.insert(key.clone(), Put { key, value, preds });
        }
        let mut puts: Vec<Put> = puts.into_values().collect();
        let mut signer = device(who);
        if dice.below(100) < faults {
            match dice.below(6) {
                0 => seq += 1,
                1 => start_op += 1,
                2 => start_op = 1 << 30,
                3 => puts[0].preds.clear(),
                4 => puts[0].preds.push(OpId {
                    counter: start_op.max(2) - 1,
                    actor,
                }),
                _ => signer = device(who % 3 + 1),
            }
        }
        let (change, raw) = Change::make(deps, actor, seq, start_op, 0, puts);
        if dice.below(100) >= faults {
            held.push((signer, raw.clone()));
        }
        if dice.below(100) < faults {
            held.push((device(dice.below(3) as u8 + 1), raw));
        }
        made.push(change);
    }
    held
}

fn pick(dice: &mut Dice, made: &[Change]) -> Option<ChangeHash> {
    (!made.is_empty()).then(|| made[dice.below(made.len())].hash)
}

fn heads(made: &[Change]) -> Vec<ChangeHash> {
    let named: BTreeSet<_> = made.iter().flat_map(|change| &change.deps).collect();
    made.iter()
        .map(|change| change.hash)
        .filter(|hash| !named.contains(hash))
        .collect()
}

/// Everything that `deps` rest on, and they themselves.
pub(crate) fn past(deps: &[ChangeHash], made: &[Change]) -> BTreeSet<ChangeHash> {
    let mut past: BTreeSet<ChangeHash> = BTreeSet::new();
    let mut open = deps.to_vec();
    while let Some(hash) = open.pop() {
        if let Some(change) = made.iter().find(|change| change.hash == hash)
            && past.insert(hash)
        {
            open.extend(&change.deps);
        }
    }
    past
}

/// The operations on `key` in `past` that none in it replaces.
pub(crate) fn visible(key: &Key, past: &BTreeSet<ChangeHash>, made: &[Change]) -> Vec<OpId> {
    let ops = made
        .iter()
        .filter(|change| past.contains(&change.hash))
        .flat_map(Change::ops);
    let ops: Vec<_> = ops.filter(|(_, put)| put.key == *key).collect();
    let replaced: BTreeSet<OpId> = ops.iter().flat_map(|(_, put)| put.preds.clone()).collect();
    let visible: BTreeSet<OpId> = ops.iter().map(|(op, _)| *op).collect();
    visible.difference(&replaced).copied().collect()
}

/// The admitted changes by the words of the rules, as often over everything as it takes.
pub(crate) fn admit_naively(held: &[(DeviceId, Vec<u8>)]) -> BTreeSet<ChangeHash> {
    let mut known: Vec<Change> = Vec::new();
    for (device, raw) in held {
        if let Ok(change) = Change::parse(raw)
            && change.actor.is_of(*device)
            && !known.contains(&change)
        {
            known.push(change);
        }
    }
    let mut valid: BTreeSet<ChangeHash> = BTreeSet::new();
    loop {
        let more = known.iter().filter(|change| {
            !valid.contains(&change.hash)
                && change.deps.iter().all(|dep| valid.contains(dep))
                && is_valid(change, &known)
        });
        let more: Vec<ChangeHash> = more.map(|change| change.hash).collect();
        if more.is_empty() {
            break;
        }
        valid.extend(more);
    }
    let mut admitted: BTreeSet<ChangeHash> = BTreeSet::new();
    loop {
        let more = known.iter().filter(|change| {
            valid.contains(&change.hash)
                && !admitted.contains(&change.hash)
                && change.deps.iter().all(|dep| admitted.contains(dep))
                && !known.iter().any(|other| {
                    valid.contains(&other.hash)
                        && (other.actor, other.seq) == (change.actor, change.seq)
                        && other.hash < change.hash
                })
        });
        let more: Vec<ChangeHash> = more.map(|change| change.hash).collect();
        if more.is_empty() {
            return admitted;
        }
        admitted.extend(more);
    }
}

fn is_valid(change: &Change, known: &[Change]) -> bool {
    let past = past(&change.deps, known);
    let before: Vec<&Change> = known.iter().filter(|c| past.contains(&c.hash)).collect();
    let numbers: BTreeSet<_> = before.iter().map(|c| (c.actor, c.seq)).collect();
    let own = before
        .iter()
        .filter(|c| c.actor == change.actor)
        .map(|c| c.seq)
        .max();
    numbers.len() == before.len()
        && change.seq == own.unwrap_or(0) + 1
        && change.start_op == before.iter().map(|c| c.ops_end()).max().unwrap_or(0) + 1
        && change
            .puts
            .iter()
            .all(|put| put.preds == visible(&put.key, &past, known))
}
