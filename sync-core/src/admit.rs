//! Admission of the changes held for a record: a pure function of what is held, in any order of
//! arrival (REPLICATION.md §3, R10–R13).
//!
//! A change is **admitted** when its bytes are valid (see [`crate::change`]), everything it depends on
//! is held and admitted, and it is what the device that signed it would write on exactly that causal
//! past: the actor is that of this change and this device, `start_op` follows on, the predecessors
//! are the operations that were visible. Any other is set **aside** with the reason; it stays held
//! and may be admitted later.
//!
//! One device's changes that stand side by side on a record are at most [`BESIDE_MAX`], so that nobody
//! makes it too wide for others to edit, and have at most [`OPS_OF_DEVICE_MAX`] operations together, so that
//! nobody makes it too long. Those beyond are aside too (module `crowd`), unless another device has built on
//! them.
//!
//! This goes along the hash graph, which has no cycles, so it has one answer. Nobody can write two
//! changes as one actor, so what others have built on stays admitted, whatever else arrives.
//!
//! `start_op` is above that of every dependency, so ascending (`start_op`, hash) is a causal order;
//! the whole judgement is one pass over it, without recursion. The causal past is a bit set that
//! moves along a chain of changes and is dropped with its last reader.

use std::collections::{BTreeMap, BTreeSet};

use minicbor::{Decoder, Encoder, decode, encode};
use sha2::{Digest, Sha256};

use crate::change::{BadChange, Change, OpId, Put};
use crate::id::{ChangeHash, DeviceId};
use crate::value::Key;

mod crowd;

pub use crowd::{ASIDE_OF_DEVICE_MAX, BESIDE_MAX, OPS_OF_DEVICE_MAX};

/// What [`admit`] makes of the changes held for one record.
#[derive(Debug)]
pub struct Admitted<'a> {
    /// The admitted changes with their bytes, every change after those it depends on; one order
    /// for one set.
    pub changes: Vec<(Change, &'a [u8])>,
    /// The others, ascending.
    pub aside: Vec<Aside>,
}

/// A change that is held but not admitted.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct Aside {
    /// The change, or SHA-256 of the bytes where they are none.
    pub change: ChangeHash,
    /// The device whose batch holds it.
    pub device: DeviceId,
    /// The reason.
    pub why: AsideReason,
}

/// Why a change is set aside.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum AsideReason {
    /// It, or something it depends on, depends on a change that isn't held.
    Waiting {
        /// The smallest hash that is missing.
        missing: ChangeHash,
    },
    /// It is no valid change; it never will be.
    Invalid(BadChange),
    /// Something it depends on is invalid, or one too many.
    Follows {
        /// The smallest hash of those.
        dep: ChangeHash,
    },
    /// Its device has written too many side by side, or too much in all.
    Crowded,
}

/// A change that was read and isn't judged yet.
struct Candidate<'a> {
    change: Change,
    raw: &'a [u8],
    device: DeviceId,
}

/// Judges all the changes held for one record; each with the device that signed its batch. A change
/// may be held several times.
///
/// Cost: near linear in the bytes; n changes that are all concurrent take n² / 64 steps.
pub fn admit<'a>(held: &[(DeviceId, &'a [u8])]) -> Admitted<'a> {
    let mut aside = BTreeSet::new();
    let mut candidates: BTreeMap<ChangeHash, Candidate<'a>> = BTreeMap::new();
    for &(device, raw) in held {
        match read(device, raw) {
            Err(refused) => {
                aside.insert(refused);
            }
            Ok(change) => {
                let candidate = Candidate {
                    change,
                    raw,
                    device,
                };
                let known = candidates.entry(candidate.change.hash).or_insert(candidate);
                known.device = known.device.min(device);
            }
        }
    }
    let mut candidates: Vec<Candidate<'a>> = candidates.into_values().collect();
    candidates.sort_by_key(|candidate| (candidate.change.start_op, candidate.change.hash));

    let reasons = judge(&candidates);
    let mut changes = Vec::with_capacity(candidates.len());
    for (candidate, why) in candidates.into_iter().zip(reasons) {
        let Candidate {
            change,
            raw,
            device,
        } = candidate;
        match why {
            None => changes.push((change, raw)),
            Some(why) => {
                let change = change.hash;
                aside.insert(Aside {
                    change,
                    device,
                    why,
                });
            }
        }
    }
    Admitted {
        changes,
        aside: aside.into_iter().collect(),
    }
}

/// The part of the judgement that needs no other change.
pub(crate) fn read(device: DeviceId, raw: &[u8]) -> Result<Change, Aside> {
    let refused = |change, reason| {
        Err(Aside {
            change,
            device,
            why: AsideReason::Invalid(reason),
        })
    };
    match Change::parse(raw) {
        Ok(change) if change.is_of(device) => Ok(change),
        Ok(change) => refused(change.hash, BadChange::Device),
        Err(reason) => refused(ChangeHash(Sha256::digest(raw).into()), reason),
    }
}

/// Why each candidate is not admitted, in their order; none for those that are.
fn judge(candidates: &[Candidate<'_>]) -> Vec<Option<AsideReason>> {
    let index: BTreeMap<ChangeHash, usize> = candidates
        .iter()
        .enumerate()
        .map(|(at, c)| (c.change.hash, at))
        .collect();
    let deps: Vec<Vec<Option<usize>>> = candidates
        .iter()
        .map(|c| {
            c.change
                .deps
                .iter()
                .map(|dep| index.get(dep).copied())
                .collect()
        })
        .collect();
    let mut readers = vec![0usize; candidates.len()];
    for dep in deps.iter().flatten().flatten() {
        readers[*dep] += 1;
    }

    let mut reasons: Vec<Option<AsideReason>> = Vec::with_capacity(candidates.len());
    let mut pasts: Vec<Option<Bits>> = Vec::with_capacity(candidates.len());
    let mut history = History::default();
    let mut written = crowd::Written::default();
    let mut over = Vec::new();
    for (at, candidate) in candidates.iter().enumerate() {
        let change = &candidate.change;
        let mut why = standing(at, change, &deps[at], &reasons);
        let mut past = Bits::default();
        // Readers are counted whatever the verdict, so that the last one frees the set.
        for dep in deps[at].iter().flatten().filter(|dep| **dep < at) {
            readers[*dep] -= 1;
            let last = readers[*dep] == 0;
            if why.is_none() {
                past.join(&mut pasts[*dep], last);
                past.set(*dep);
            }
            if last {
                pasts[*dep] = None;
            }
        }
        if why.is_none() {
            // The highest operation of the past is one of a dependency: counters rise along deps.
            let ends = deps[at]
                .iter()
                .flatten()
                .map(|dep| candidates[*dep].change.ops_end());
            why = if change.start_op == ends.max().unwrap_or(0) + 1 {
                history.check(change, &past).err().map(AsideReason::Invalid)
            } else {
                Some(AsideReason::Invalid(BadChange::StartOp))
            };
        }
        if why.is_none() {
            history.add(change, at, &past);
            if written.take(candidate.device, at, &past, change.puts.len()) {
                over.push(at);
            }
        }
        pasts.push((why.is_none() && readers[at] > 0).then_some(past));
        reasons.push(why);
    }
    crowd::thin(candidates, &deps, over, &mut reasons);
    reasons
}

/// What became of its dependencies means for the change. Missing ones come first: as long as
/// one is missing nothing else that arrives changes the answer.
fn standing(
    at: usize,
    change: &Change,
    deps: &[Option<usize>],
    reasons: &[Option<AsideReason>],
) -> Option<AsideReason> {
    let named = || change.deps.iter().zip(deps);
    if let Some((missing, _)) = named().find(|(_, dep)| dep.is_none()) {
        return Some(AsideReason::Waiting { missing: *missing });
    }
    if deps.iter().flatten().any(|dep| *dep >= at) {
        return Some(AsideReason::Invalid(BadChange::StartOp));
    }
    let aside = || named().filter_map(|(hash, dep)| Some((hash, reasons.get((*dep)?)?.as_ref()?)));
    let waiting = aside().filter_map(|(_, why)| match why {
        AsideReason::Waiting { missing } => Some(*missing),
        _ => None,
    });
    if let Some(missing) = waiting.min() {
        return Some(AsideReason::Waiting { missing });
    }
    aside()
        .next()
        .map(|(dep, _)| AsideReason::Follows { dep: *dep })
}

/// The admitted changes so far, arranged for the question what was visible.
#[derive(Default)]
struct History<'a> {
    by_key: BTreeMap<&'a Key, Vec<KeyOp<'a>>>,
}

/// One operation on a key.
struct KeyOp<'a> {
    change: usize,
    op: OpId,
    preds: &'a [OpId],
    /// Whether every earlier operation on the key is in this one's past.
    covers: bool,
}

impl<'a> History<'a> {
    fn check(&self, change: &Change, past: &Bits) -> Result<(), BadChange> {
        let is_visible = |put: &Put| self.visible(&put.key, past).0 == put.preds;
        match change.puts.iter().all(is_visible) {
            true => Ok(()),
            false => Err(BadChange::NotVisible),
        }
    }

    fn add(&mut self, change: &'a Change, at: usize, past: &Bits) {
        for (op, put) in change.ops() {
            let covers = self.visible(&put.key, past).1;
            let op = KeyOp {
                change: at,
                op,
                preds: &put.preds,
                covers,
            };
            self.by_key.entry(&put.key).or_default().push(op);
        }
    }

    /// The operations on `key` visible in `past`, ascending, and whether `past` holds every
    /// operation on it.
    ///
    /// An admitted put replaces all that is visible in its past, so nothing before an operation that
    /// `covers` can be visible: on a chain of edits this looks at one operation.
    fn visible(&self, key: &Key, past: &Bits) -> (Vec<OpId>, bool) {
        let mut visible = Vec::new();
        let mut replaced: BTreeSet<OpId> = BTreeSet::new();
        let mut all = true;
        for op in self.by_key.get(key).into_iter().flatten().rev() {
            if !past.has(op.change) {
                all = false;
                continue;
            }
            if !replaced.contains(&op.op) {
                visible.push(op.op);
            }
            replaced.extend(op.preds);
            if op.covers {
                break;
            }
        }
        visible.sort_unstable();
        (visible, all)
    }
}

/// A set of small numbers.
#[derive(Default)]
struct Bits(Vec<u64>);

impl Bits {
    fn has(&self, at: usize) -> bool {
        self.0
            .get(at / 64)
            .is_some_and(|word| word >> (at % 64) & 1 == 1)
    }

    fn set(&mut self, at: usize) {
        if self.0.len() <= at / 64 {
            self.0.resize(at / 64 + 1, 0);
        }
        self.0[at / 64] |= 1 << (at % 64);
    }

    /// Adds `other`, taking its memory when nobody else will `need` it.
    fn join(&mut self, other: &mut Option<Bits>, last: bool) {
        let Some(set) = other.as_ref() else { return };
        if self.0.is_empty() {
            self.0 = if last {
                other.take().unwrap_or_default().0
            } else {
                set.0.clone()
            };
            return;
        }
        self.0.resize(self.0.len().max(set.0.len()), 0);
        for (word, more) in self.0.iter_mut().zip(&set.0) {
            *word |= more;
        }
    }
}

impl<C> encode::Encode<C> for Aside {
    /// `[change, device, kind, hash or number of the reason]`
    fn encode<W: encode::Write>(
        &self,
        e: &mut Encoder<W>,
        _: &mut C,
    ) -> Result<(), encode::Error<W::Error>> {
        e.array(4)?.bytes(&self.change.0)?.bytes(&self.device.0)?;
        match &self.why {
            AsideReason::Waiting { missing } => e.u8(0)?.bytes(&missing.0)?,
            AsideReason::Invalid(reason) => e.u8(1)?.u8(reason.number())?,
            AsideReason::Follows { dep } => e.u8(2)?.bytes(&dep.0)?,
            AsideReason::Crowded => e.u8(3)?.null()?,
        };
        Ok(())
    }
}

impl<'b, C> decode::Decode<'b, C> for Aside {
    fn decode(d: &mut Decoder<'b>, _: &mut C) -> Result<Self, decode::Error> {
        if d.array()? != Some(4) {
            return Err(decode::Error::message("a change set aside has 4 parts"));
        }
        let change = read_hash(d)?;
        let device = DeviceId::from_slice(d.bytes()?).map_err(decode::Error::message)?;
        let why = match d.u8()? {
            0 => AsideReason::Waiting {
                missing: read_hash(d)?,
            },
            1 => {
                let reason = BadChange::from_number(d.u8()?);
                AsideReason::Invalid(
                    reason.ok_or_else(|| decode::Error::message("unknown reason"))?,
                )
            }
            2 => AsideReason::Follows { dep: read_hash(d)? },
            3 => {
                d.null()?;
                AsideReason::Crowded
            }
            _ => return Err(decode::Error::message("unknown kind of reason")),
        };
        Ok(Aside {
            change,
            device,
            why,
        })
    }
}

fn read_hash(d: &mut Decoder<'_>) -> Result<ChangeHash, decode::Error> {
    ChangeHash::from_slice(d.bytes()?).map_err(decode::Error::message)
}

#[cfg(test)]
pub(crate) mod world;

#[cfg(test)]
mod tests;
