//! Admission of the changes held for a record: a pure function of what is held, in any order of
//! arrival (REPLICATION.md §3, R10–R13).
//!
//! - A change is **valid** when its bytes are (see [`crate::change`]), everything it depends on is
//!   held and valid, and it is what its actor would write on exactly that causal past: the actor is
//!   one of the device that signed it, `seq` and `start_op` follow on, the predecessors are the
//!   operations that were visible.
//! - A change is **admitted** when it is valid, its hash is the smallest of the valid changes with
//!   its (actor, seq), and everything it depends on is admitted.
//!
//! Both go along the hash graph, which has no cycles, so each has one answer. A change that isn't
//! admitted is set **aside** with the reason; it stays held and may be admitted later.
//!
//! `start_op` is above that of every dependency, so ascending (`start_op`, hash) is a causal order;
//! the whole judgement is one pass over it, without recursion. The causal past is a bit set that
//! moves along a chain of changes and is dropped with its last reader.

use std::collections::{BTreeMap, BTreeSet};

use minicbor::{Decoder, Encoder, decode, encode};
use sha2::{Digest, Sha256};

use crate::change::{BadChange, Change, OpId};
use crate::id::{ActorId, ChangeHash, DeviceId};
use crate::value::Key;

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
    /// The change's actor, where the bytes could be read.
    pub actor: Option<ActorId>,
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
    /// Another valid change has its (actor, seq) and a smaller hash (R13).
    Twin {
        /// The smaller one.
        kept: ChangeHash,
    },
    /// Something it depends on is invalid or a twin.
    Follows {
        /// The smallest hash of those.
        dep: ChangeHash,
    },
}

/// A change that was read and isn't judged yet.
struct Candidate<'a> {
    change: Change,
    raw: &'a [u8],
    device: DeviceId,
}

enum Admission {
    Valid,
    Not(AsideReason),
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

    let verdicts = judge(&candidates);
    let (admitted, reasons) = choose(&candidates, verdicts);
    for (candidate, why) in candidates.iter().zip(reasons) {
        if let Some(why) = why {
            aside.insert(Aside {
                change: candidate.change.hash,
                device: candidate.device,
                actor: Some(candidate.change.actor),
                why,
            });
        }
    }
    let changes = candidates
        .into_iter()
        .zip(admitted)
        .filter(|(_, admitted)| *admitted)
        .map(|(candidate, _)| (candidate.change, candidate.raw))
        .collect();
    Admitted {
        changes,
        aside: aside.into_iter().collect(),
    }
}

/// The part of validity that needs no other change.
pub(crate) fn read(device: DeviceId, raw: &[u8]) -> Result<Change, Aside> {
    let refused = |change, actor, reason| {
        Err(Aside {
            change,
            device,
            actor,
            why: AsideReason::Invalid(reason),
        })
    };
    match Change::parse(raw) {
        Ok(change) if change.actor.is_of(device) => Ok(change),
        Ok(change) => refused(change.hash, Some(change.actor), BadChange::Device),
        Err(reason) => refused(ChangeHash(Sha256::digest(raw).into()), None, reason),
    }
}

/// Validity of each candidate, in their order.
fn judge(candidates: &[Candidate<'_>]) -> Vec<Admission> {
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

    let mut verdicts: Vec<Admission> = Vec::with_capacity(candidates.len());
    let mut pasts: Vec<Option<Bits>> = Vec::with_capacity(candidates.len());
    let mut history = History::default();
    for (at, candidate) in candidates.iter().enumerate() {
        let change = &candidate.change;
        let mut why = standing(at, change, &deps[at], &verdicts);
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
        match why {
            Some(why) => {
                verdicts.push(Admission::Not(why));
                pasts.push(None);
            }
            None => {
                history.add(change, at, &past);
                verdicts.push(Admission::Valid);
                pasts.push((readers[at] > 0).then_some(past));
            }
        }
    }
    verdicts
}

/// What the verdicts on its dependencies mean for the change. Missing ones come first: as long as
/// one is missing nothing else that arrives changes the answer.
fn standing(
    at: usize,
    change: &Change,
    deps: &[Option<usize>],
    verdicts: &[Admission],
) -> Option<AsideReason> {
    let named = || change.deps.iter().zip(deps);
    if let Some((missing, _)) = named().find(|(_, dep)| dep.is_none()) {
        return Some(AsideReason::Waiting { missing: *missing });
    }
    if deps.iter().flatten().any(|dep| *dep >= at) {
        return Some(AsideReason::Invalid(BadChange::StartOp));
    }
    let reasons = || {
        named().filter_map(|(hash, dep)| match verdicts.get((*dep)?)? {
            Admission::Valid => None,
            Admission::Not(why) => Some((hash, why)),
        })
    };
    let waiting = reasons().filter_map(|(_, why)| match why {
        AsideReason::Waiting { missing } => Some(*missing),
        _ => None,
    });
    if let Some(missing) = waiting.min() {
        return Some(AsideReason::Waiting { missing });
    }
    reasons()
        .next()
        .map(|(dep, _)| AsideReason::Follows { dep: *dep })
}

/// Of the valid ones: which are admitted, and why the others are not.
fn choose(
    candidates: &[Candidate<'_>],
    verdicts: Vec<Admission>,
) -> (Vec<bool>, Vec<Option<AsideReason>>) {
    let mut smallest: BTreeMap<(ActorId, u32), ChangeHash> = BTreeMap::new();
    for (candidate, verdict) in candidates.iter().zip(&verdicts) {
        if matches!(verdict, Admission::Valid) {
            let change = &candidate.change;
            let least = smallest
                .entry((change.actor, change.seq))
                .or_insert(change.hash);
            *least = change.hash.min(*least);
        }
    }
    let mut admitted: BTreeSet<ChangeHash> = BTreeSet::new();
    let mut flags = Vec::with_capacity(candidates.len());
    let mut reasons = Vec::with_capacity(candidates.len());
    for (candidate, verdict) in candidates.iter().zip(verdicts) {
        let change = &candidate.change;
        let why = match verdict {
            Admission::Not(why) => Some(why),
            Admission::Valid => match smallest.get(&(change.actor, change.seq)) {
                Some(kept) if *kept != change.hash => Some(AsideReason::Twin { kept: *kept }),
                _ => change
                    .deps
                    .iter()
                    .find(|dep| !admitted.contains(dep))
                    .map(|dep| AsideReason::Follows { dep: *dep }),
            },
        };
        if why.is_none() {
            admitted.insert(change.hash);
        }
        flags.push(why.is_none());
        reasons.push(why);
    }
    (flags, reasons)
}

/// The valid changes so far, arranged for the questions that validity asks.
#[derive(Default)]
struct History<'a> {
    changes: BTreeMap<usize, &'a Change>,
    by_number: BTreeMap<(ActorId, u32), Vec<usize>>,
    /// Changes that share their (actor, seq) with another.
    twins: Bits,
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
        // The past of one dependency was checked with it.
        if change.deps.len() > 1 {
            let mut numbers = BTreeSet::new();
            let mut twins = past
                .common(&self.twins)
                .filter_map(|at| self.changes.get(&at));
            if !twins.all(|twin| numbers.insert((twin.actor, twin.seq))) {
                return Err(BadChange::TwinsInPast);
            }
        }
        // Pasts are closed, so the actor's highest number is seq - 1 when that one is in and this
        // one is not.
        let holds = |seq| {
            let same = self.by_number.get(&(change.actor, seq));
            same.is_some_and(|same| same.iter().any(|at| past.has(*at)))
        };
        if holds(change.seq) || (change.seq > 1 && !holds(change.seq - 1)) {
            return Err(BadChange::Sequence);
        }
        for put in &change.puts {
            if self.visible(&put.key, past).0 != put.preds {
                return Err(BadChange::NotVisible);
            }
        }
        Ok(())
    }

    fn add(&mut self, change: &'a Change, at: usize, past: &Bits) {
        self.changes.insert(at, change);
        let same = self
            .by_number
            .entry((change.actor, change.seq))
            .or_default();
        same.push(at);
        if same.len() > 1 {
            same.iter().for_each(|twin| self.twins.set(*twin));
        }
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
    /// A valid put replaces all that is visible in its past, so nothing before an operation that
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

    /// The numbers in both sets, ascending.
    fn common<'a>(&'a self, other: &'a Bits) -> impl Iterator<Item = usize> + 'a {
        self.0
            .iter()
            .zip(&other.0)
            .enumerate()
            .flat_map(|(at, (one, two))| {
                let mut word = one & two;
                std::iter::from_fn(move || {
                    let bit = (word != 0).then(|| word.trailing_zeros() as usize)?;
                    word &= word - 1;
                    Some(at * 64 + bit)
                })
            })
    }
}

impl<C> encode::Encode<C> for Aside {
    /// `[change, device, actor or null, kind, hash or number of the reason]`
    fn encode<W: encode::Write>(
        &self,
        e: &mut Encoder<W>,
        _: &mut C,
    ) -> Result<(), encode::Error<W::Error>> {
        e.array(5)?.bytes(&self.change.0)?.bytes(&self.device.0)?;
        match &self.actor {
            Some(actor) => e.bytes(&actor.0)?,
            None => e.null()?,
        };
        match &self.why {
            AsideReason::Waiting { missing } => e.u8(0)?.bytes(&missing.0)?,
            AsideReason::Invalid(reason) => e.u8(1)?.u8(reason.number())?,
            AsideReason::Twin { kept } => e.u8(2)?.bytes(&kept.0)?,
            AsideReason::Follows { dep } => e.u8(3)?.bytes(&dep.0)?,
        };
        Ok(())
    }
}

impl<'b, C> decode::Decode<'b, C> for Aside {
    fn decode(d: &mut Decoder<'b>, _: &mut C) -> Result<Self, decode::Error> {
        if d.array()? != Some(5) {
            return Err(decode::Error::message("a change set aside has 5 parts"));
        }
        let change = read_hash(d)?;
        let device = DeviceId::from_slice(d.bytes()?).map_err(decode::Error::message)?;
        let actor = if d.datatype()? == minicbor::data::Type::Null {
            d.null()?;
            None
        } else {
            Some(ActorId::from_slice(d.bytes()?).map_err(decode::Error::message)?)
        };
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
            2 => AsideReason::Twin {
                kept: read_hash(d)?,
            },
            3 => AsideReason::Follows { dep: read_hash(d)? },
            _ => return Err(decode::Error::message("unknown kind of reason")),
        };
        Ok(Aside {
            change,
            device,
            actor,
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
