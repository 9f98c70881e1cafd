//! Random histories with everything that may go wrong in them, and a second, naive admission that
//! follows the words of the rules, for the tests of this module and of [`crate::record`].

use std::collections::{BTreeMap, BTreeSet};

use super::BESIDE_MAX;
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

/// A history of up to `length` changes by three devices that see random parts of it, also of what
/// they wrote themselves; `faults` in a hundred are broken on purpose, forged or lost.
pub(crate) fn history(dice: &mut Dice, length: usize, faults: usize) -> HeldChanges {
    let mut made: Vec<Change> = Vec::new();
    let mut held = HeldChanges::new();
    for _ in 0..length {
        let mut deps: Vec<ChangeHash> = if dice.one_in(4) {
            (0..dice.below(3))
                .filter_map(|_| pick(dice, &made).map(|change| change.hash))
                .collect()
        } else {
            heads(&made)
        };
        deps.sort_unstable();
        deps.dedup();
        let past = past(&deps, &made);
        let who = dice.below(3) as u8 + 1;
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
        let mut actor = None;
        if dice.below(100) < faults {
            match dice.below(6) {
                0 => actor = pick(dice, &made).map(|change| change.actor),
                1 => start_op += 1,
                2 => start_op = 1 << 30,
                3 => puts[0].preds.clear(),
                4 => puts[0].preds.push(OpId {
                    counter: start_op.max(2) - 1,
                    actor: ActorId([who; ActorId::LEN]),
                }),
                _ => signer = device(who % 3 + 1),
            }
        }
        let (change, raw) = match actor {
            Some(actor) => Change::forge(deps, actor, start_op, 0, puts),
            None => Change::make(deps, device(who), start_op, 0, puts),
        };
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

fn pick<'a>(dice: &mut Dice, made: &'a [Change]) -> Option<&'a Change> {
    (!made.is_empty()).then(|| &made[dice.below(made.len())])
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
            && change.is_of(*device)
            && !known.contains(&change)
        {
            known.push(change);
        }
    }
    let mut admitted: BTreeSet<ChangeHash> = BTreeSet::new();
    loop {
        let more = known.iter().filter(|change| {
            !admitted.contains(&change.hash)
                && change.deps.iter().all(|dep| admitted.contains(dep))
                && follows(change, &known)
        });
        let more: Vec<ChangeHash> = more.map(|change| change.hash).collect();
        if more.is_empty() {
            break;
        }
        admitted.extend(more);
    }
    thin_naively(&known, admitted)
}

/// Of the valid changes those that are not too many side by side, by the words of the rule.
fn thin_naively(known: &[Change], valid: BTreeSet<ChangeHash>) -> BTreeSet<ChangeHash> {
    let of = |change: &Change| (1..=3).map(device).find(|device| change.is_of(*device));
    let mut ranked: Vec<&Change> = known.iter().filter(|c| valid.contains(&c.hash)).collect();
    ranked.sort_by_key(|change| (change.start_op, change.hash));
    let mut under: Vec<&Change> = Vec::new();
    let mut over: BTreeSet<ChangeHash> = BTreeSet::new();
    for change in &ranked {
        let own: Vec<&&Change> = under.iter().filter(|c| of(c) == of(change)).collect();
        let is_top = |one: &Change| !own.iter().any(|c| past(&c.deps, known).contains(&one.hash));
        let outside = |one: &Change| !past(&change.deps, known).contains(&one.hash);
        match own.iter().filter(|c| is_top(c) && outside(c)).count() >= BESIDE_MAX {
            true => drop(over.insert(change.hash)),
            false => under.push(change),
        }
    }
    let mut kept = valid;
    loop {
        let goes = |change: &&&Change| {
            let rests = |c: &&Change| {
                let is_others = kept.contains(&c.hash) && of(c) != of(change);
                is_others && past(&c.deps, known).contains(&change.hash)
            };
            let is_over = over.contains(&change.hash) && !ranked.iter().any(rests);
            kept.contains(&change.hash)
                && (is_over || !change.deps.iter().all(|dep| kept.contains(dep)))
        };
        let gone: Vec<ChangeHash> = ranked.iter().filter(goes).map(|c| c.hash).collect();
        if gone.is_empty() {
            return kept;
        }
        kept.retain(|hash| !gone.contains(hash));
    }
}

/// A history in which the first device writes mostly side by side, and the others on what they see.
pub(crate) fn wide_history(dice: &mut Dice, length: usize) -> HeldChanges {
    let mut made: Vec<Change> = Vec::new();
    let mut held = HeldChanges::new();
    for value in 0..length {
        let who = if dice.one_in(6) {
            2 + dice.below(2) as u8
        } else {
            1
        };
        let mut deps = match (who, dice.below(8)) {
            (1, 0..=5) => Vec::new(),
            (_, 6) => heads(&made),
            _ => {
                let seen = (0..1 + dice.below(3)).filter_map(|_| pick(dice, &made));
                seen.map(|change| change.hash).collect()
            }
        };
        deps.sort_unstable();
        deps.dedup();
        let past = past(&deps, &made);
        let before = made.iter().filter(|c| past.contains(&c.hash));
        let start_op = before.map(Change::ops_end).max().unwrap_or(0) + 1;
        let key = key(&format!("s.f{}", dice.below(3)));
        let preds = visible(&key, &past, &made);
        let value = Value::Int(value as i64);
        let puts = vec![Put { key, value, preds }];
        let (change, raw) = Change::make(deps, device(who), start_op, 0, puts);
        held.push((device(who), raw));
        made.push(change);
    }
    held
}

fn follows(change: &Change, known: &[Change]) -> bool {
    let past = past(&change.deps, known);
    let before = known.iter().filter(|c| past.contains(&c.hash));
    change.start_op == before.map(Change::ops_end).max().unwrap_or(0) + 1
        && change
            .puts
            .iter()
            .all(|put| put.preds == visible(&put.key, &past, known))
}
