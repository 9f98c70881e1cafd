//! A reader and writer of raw Automerge changes: the part of *valid change v1* that needs only the
//! bytes (REPLICATION.md §3).
//!
//! Automerge 0.12 trusts its input: `Change::try_from` checks no checksum, a change of 61 bytes may
//! claim ten million operations, and a change whose columns are encoded in another way than
//! Automerge itself would choose applies cleanly and gives a document that can't be loaded again
//! (its hash is recomputed from the operations on load). So nothing reaches Automerge that this
//! module hasn't read. It is total: every length and every run is compared with its limit before
//! anything is decoded or allocated, and there is exactly one byte string for one content, because
//! what was read is written again and compared.
//!
//! The chunk: magic, checksum, type, length, then dependencies, actor, number, first operation,
//! time, message, other actors, columns. <https://automerge.org/automerge-binary-format-spec/>

use std::collections::BTreeSet;

use sha2::{Digest, Sha256};

use crate::id::{ActorId, ChangeHash, DeviceId};
use crate::value::{Key, Value};

pub(crate) mod columns;

use columns::{Reader, put_bytes, put_signed, put_unsigned, put_value, read_runs, runs_of};

/// Longest change, in bytes.
pub const CHANGE_BYTES_MAX: usize = 64 * 1024;
/// Most operations of one change.
pub const CHANGE_OPS_MAX: usize = 4096;
/// Most dependencies of one change: the heads of a document that its writer saw.
pub const CHANGE_DEPS_MAX: usize = 1024;
/// Most predecessors of one change, over all its operations.
pub const CHANGE_PREDS_MAX: usize = 4096;
/// Highest operation counter. Automerge counts in `u32` and adds without asking; nobody gets near
/// this by editing.
pub const COUNTER_MAX: u32 = 1 << 31;
/// Latest time of a change, in Unix seconds: the end of the year 9999. Times are display only, but
/// Automerge stores them as differences, which must not overflow.
pub const TIME_MAX: i64 = 253_402_300_799;

const MAGIC: [u8; 4] = [0x85, 0x6f, 0x4a, 0x83];
const CHECKSUM_END: usize = 8;
const CHUNK_CHANGE: u8 = 1;
/// `set` among Automerge's actions.
const ACTION_PUT: u64 = 1;

// Column numbers: identifier and type. Those of objects, list elements, marks are not ours.
const KEY: u64 = 0x15;
const INSERT: u64 = 0x34;
const ACTION: u64 = 0x42;
const VALUE_META: u64 = 0x56;
const VALUE_RAW: u64 = 0x57;
const PRED_COUNT: u64 = 0x70;
const PRED_ACTOR: u64 = 0x71;
const PRED_COUNTER: u64 = 0x73;

/// One operation's name. The order is Automerge's: of the operations visible under one key, the
/// greatest wins.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct OpId {
    /// One more than the highest the writer had seen (a Lamport clock).
    pub counter: u32,
    /// Who wrote it.
    pub actor: ActorId,
}

/// One operation: a value written under a key of the root map.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Put {
    /// Where.
    pub key: Key,
    /// What.
    pub value: Value,
    /// The operations that this one replaces, ascending.
    pub preds: Vec<OpId>,
}

/// A change whose bytes follow the rules.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Change {
    /// The name of the change.
    pub hash: ChangeHash,
    /// SHA-256 of the chunk's content without the actor: what the actor follows from.
    pub content: [u8; 32],
    /// The heads that its writer saw, ascending.
    pub deps: Vec<ChangeHash>,
    /// Who wrote it: nobody writes a second change as the same actor.
    pub actor: ActorId,
    /// The counter of the first operation; the others follow on.
    pub start_op: u32,
    /// Unix seconds by the writer's clock; display only (R27).
    pub time: i64,
    /// The operations; at least one, no key twice.
    pub puts: Vec<Put>,
}

/// Why a change is not a valid change v1. The numbers are on disk, the codes are for people and
/// logs; both are for good.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, thiserror::Error)]
#[error("{}", self.code())]
pub enum BadChange {
    /// Longer than [`CHANGE_BYTES_MAX`].
    TooLong = 0,
    /// No magic, another kind of chunk, or a length that isn't the chunk's.
    Header = 1,
    /// The checksum is not that of the content.
    Checksum = 2,
    /// Ends early, runs over, or holds a number that is none.
    Malformed = 3,
    /// More than [`CHANGE_OPS_MAX`] operations, or none.
    Operations = 4,
    /// More than [`CHANGE_DEPS_MAX`] dependencies, or not ascending.
    Dependencies = 5,
    /// An actor of another length than ours.
    Actor = 6,
    /// A message, a footer, or a column that our changes don't have.
    Extra = 7,
    /// Something else than a put in the root map.
    Action = 8,
    /// Outside the key grammar.
    Key = 9,
    /// One key twice.
    RepeatedKey = 10,
    /// A value that is no null, Boolean, integer or text within its limit.
    Value = 11,
    /// More than [`CHANGE_PREDS_MAX`] predecessors, not ascending, two of one actor under one key, or not
    /// before the change.
    Predecessors = 12,
    /// A counter that is 0 or above [`COUNTER_MAX`].
    Counter = 13,
    /// A time outside 1970 to [`TIME_MAX`].
    Time = 14,
    /// The same content has another encoding, which Automerge would choose.
    NotCanonical = 15,
    /// The actor isn't the one of this change and the device that signed the batch.
    Device = 16,
    /// The actor's number for it isn't 1.
    Sequence = 17,
    /// `start_op` doesn't follow the highest operation in the causal past.
    StartOp = 18,
    /// The predecessors aren't what was visible in the causal past.
    NotVisible = 19,
}

impl BadChange {
    const ALL: [BadChange; 20] = [
        BadChange::TooLong,
        BadChange::Header,
        BadChange::Checksum,
        BadChange::Malformed,
        BadChange::Operations,
        BadChange::Dependencies,
        BadChange::Actor,
        BadChange::Extra,
        BadChange::Action,
        BadChange::Key,
        BadChange::RepeatedKey,
        BadChange::Value,
        BadChange::Predecessors,
        BadChange::Counter,
        BadChange::Time,
        BadChange::NotCanonical,
        BadChange::Device,
        BadChange::Sequence,
        BadChange::StartOp,
        BadChange::NotVisible,
    ];

    /// The reason as a stable code.
    pub fn code(&self) -> &'static str {
        match self {
            BadChange::TooLong => "change.too_long",
            BadChange::Header => "change.header",
            BadChange::Checksum => "change.checksum",
            BadChange::Malformed => "change.malformed",
            BadChange::Operations => "change.operations",
            BadChange::Dependencies => "change.dependencies",
            BadChange::Actor => "change.actor",
            BadChange::Extra => "change.extra",
            BadChange::Action => "change.action",
            BadChange::Key => "change.key",
            BadChange::RepeatedKey => "change.repeated_key",
            BadChange::Value => "change.value",
            BadChange::Predecessors => "change.predecessors",
            BadChange::Counter => "change.counter",
            BadChange::Time => "change.time",
            BadChange::NotCanonical => "change.not_canonical",
            BadChange::Device => "change.device",
            BadChange::Sequence => "change.sequence",
            BadChange::StartOp => "change.start_op",
            BadChange::NotVisible => "change.not_visible",
        }
    }

    /// The reason's number on disk.
    pub fn number(self) -> u8 {
        self as u8
    }

    /// The reason with this number.
    pub fn from_number(number: u8) -> Option<Self> {
        Self::ALL.get(usize::from(number)).copied()
    }
}

impl Change {
    /// Reads one uncompressed change chunk and nothing but it.
    pub fn parse(raw: &[u8]) -> Result<Change, BadChange> {
        if raw.len() > CHANGE_BYTES_MAX {
            return Err(BadChange::TooLong);
        }
        let mut input = Reader(raw);
        if input.take(MAGIC.len()).ok() != Some(&MAGIC) {
            return Err(BadChange::Header);
        }
        let checksum = input
            .take(CHECKSUM_END - MAGIC.len())
            .map_err(|_| BadChange::Header)?;
        if input.take(1).ok() != Some(&[CHUNK_CHANGE]) {
            return Err(BadChange::Header);
        }
        let length = input.unsigned().map_err(|_| BadChange::Header)?;
        let body = input.0;
        let mut header = Vec::with_capacity(10);
        put_unsigned(&mut header, body.len() as u64);
        if length != body.len() as u64 || raw.len() - CHECKSUM_END - 1 - body.len() != header.len()
        {
            return Err(BadChange::Header);
        }
        let mut change = Self::parse_body(body)?;
        change.hash = hash_of(body);
        if change.hash.0[..4] != *checksum {
            return Err(BadChange::Checksum);
        }
        let content = change.parts();
        change.content = content.digest();
        if content.with(change.actor) != body {
            return Err(BadChange::NotCanonical);
        }
        Ok(change)
    }

    /// Makes the change of `device` with this content, and its bytes. Lists need not be in order.
    /// Whether the result keeps the limits is for [`Self::parse`] to say.
    pub fn make(
        deps: Vec<ChangeHash>,
        device: DeviceId,
        start_op: u32,
        time: i64,
        puts: Vec<Put>,
    ) -> (Change, Vec<u8>) {
        Self::sealed(deps, start_op, time, puts, |content| {
            ActorId::of(device, content)
        })
    }

    /// The same as an actor that need not be its own: what only somebody hostile makes.
    pub fn forge(
        deps: Vec<ChangeHash>,
        actor: ActorId,
        start_op: u32,
        time: i64,
        puts: Vec<Put>,
    ) -> (Change, Vec<u8>) {
        Self::sealed(deps, start_op, time, puts, |_| actor)
    }

    fn sealed(
        mut deps: Vec<ChangeHash>,
        start_op: u32,
        time: i64,
        mut puts: Vec<Put>,
        actor_of: impl FnOnce([u8; 32]) -> ActorId,
    ) -> (Change, Vec<u8>) {
        deps.sort_unstable();
        deps.dedup();
        for put in &mut puts {
            put.preds.sort_unstable();
        }
        let mut change = Change {
            hash: ChangeHash([0; 32]),
            content: [0; 32],
            deps,
            actor: ActorId([0; ActorId::LEN]),
            start_op,
            time,
            puts,
        };
        let content = change.parts();
        change.content = content.digest();
        change.actor = actor_of(change.content);
        let body = content.with(change.actor);
        change.hash = hash_of(&body);
        let mut raw = Vec::with_capacity(body.len() + 16);
        raw.extend_from_slice(&MAGIC);
        raw.extend_from_slice(&change.hash.0[..4]);
        raw.push(CHUNK_CHANGE);
        put_unsigned(&mut raw, body.len() as u64);
        raw.extend_from_slice(&body);
        (change, raw)
    }

    /// Whether it is `device` that wrote it, and as the actor that this change has.
    pub fn is_of(&self, device: DeviceId) -> bool {
        self.actor == ActorId::of(device, self.content)
    }

    /// The counter of the last operation.
    pub fn ops_end(&self) -> u32 {
        // `parse` lets at most CHANGE_OPS_MAX operations through, below COUNTER_MAX.
        self.start_op
            .saturating_add(self.puts.len() as u32)
            .saturating_sub(1)
    }

    /// The operations with their names.
    pub fn ops(&self) -> impl Iterator<Item = (OpId, &Put)> {
        self.puts.iter().zip(self.start_op..).map(|(put, counter)| {
            (
                OpId {
                    counter,
                    actor: self.actor,
                },
                put,
            )
        })
    }

    fn parse_body(body: &[u8]) -> Result<Change, BadChange> {
        let mut input = Reader(body);
        let count = input.unsigned()?;
        if count > CHANGE_DEPS_MAX as u64 {
            return Err(BadChange::Dependencies);
        }
        let mut deps: Vec<ChangeHash> = Vec::new();
        for _ in 0..count {
            let dep = ChangeHash::from_slice(input.take(ChangeHash::LEN)?);
            let dep = dep.map_err(|_| BadChange::Malformed)?;
            if deps.last().is_some_and(|last| *last >= dep) {
                return Err(BadChange::Dependencies);
            }
            deps.push(dep);
        }
        let actor = input.actor()?;
        if input.unsigned()? != 1 {
            return Err(BadChange::Sequence);
        }
        let start_op = input.counter()?;
        let time = input.signed()?;
        if !(0..=TIME_MAX).contains(&time) {
            return Err(BadChange::Time);
        }
        if input.unsigned()? != 0 {
            return Err(BadChange::Extra);
        }
        let mut others = Vec::new();
        for _ in 0..input.unsigned()? {
            // Each costs bytes, so a count that lies ends with the input.
            others.push(input.actor()?);
        }
        let columns = Columns::parse(&mut input)?;
        let ops = columns.operations()?;
        if u64::from(start_op) + ops as u64 > u64::from(COUNTER_MAX) {
            return Err(BadChange::Counter);
        }
        let puts = columns.puts(ops, &others, start_op)?;
        Ok(Change {
            hash: ChangeHash([0; 32]),
            content: [0; 32],
            deps,
            actor,
            start_op,
            time,
            puts,
        })
    }

    /// The chunk's content as Automerge writes it, but for the actor.
    fn parts(&self) -> Parts {
        let others: BTreeSet<ActorId> = (self.puts.iter())
            .flat_map(|put| put.preds.iter().map(|pred| pred.actor))
            .collect();
        let others: Vec<ActorId> = others.into_iter().collect();
        // 0 is the actor itself, which has written nothing that it could replace.
        let index = |actor: ActorId| {
            others
                .binary_search(&actor)
                .map_or(0, |found| found as u64 + 1)
        };
        let puts = &self.puts;

        let mut values = Vec::new();
        let metas: Vec<u64> = puts
            .iter()
            .map(|put| put_value(&mut values, &put.value))
            .collect();
        let preds = || puts.iter().flat_map(|put| put.preds.iter());
        let mut before = 0;
        let steps: Vec<i64> = preds()
            .map(|pred| {
                let step = i64::from(pred.counter) - before;
                before = i64::from(pred.counter);
                step
            })
            .collect();
        let mut insert = Vec::new();
        put_unsigned(&mut insert, puts.len() as u64);
        let keys: Vec<&str> = puts.iter().map(|put| put.key.as_str()).collect();
        let columns = [
            (
                KEY,
                runs_of(&keys, |out, key| put_bytes(out, key.as_bytes())),
            ),
            (INSERT, insert),
            (
                ACTION,
                runs_of(&vec![ACTION_PUT; puts.len()], |out, n| {
                    put_unsigned(out, *n)
                }),
            ),
            (VALUE_META, runs_of(&metas, |out, n| put_unsigned(out, *n))),
            (VALUE_RAW, values),
            (
                PRED_COUNT,
                runs_of(
                    &puts
                        .iter()
                        .map(|put| put.preds.len() as u64)
                        .collect::<Vec<_>>(),
                    |out, n| put_unsigned(out, *n),
                ),
            ),
            (
                PRED_ACTOR,
                runs_of(
                    &preds().map(|pred| index(pred.actor)).collect::<Vec<_>>(),
                    |out, n| put_unsigned(out, *n),
                ),
            ),
            (PRED_COUNTER, runs_of(&steps, |out, n| put_signed(out, *n))),
        ];

        let mut deps = Vec::with_capacity(8 + 32 * self.deps.len());
        put_unsigned(&mut deps, self.deps.len() as u64);
        for dep in &self.deps {
            deps.extend_from_slice(&dep.0);
        }
        let mut out = Vec::new();
        put_unsigned(&mut out, 1);
        put_unsigned(&mut out, u64::from(self.start_op));
        put_signed(&mut out, self.time);
        put_unsigned(&mut out, 0);
        put_unsigned(&mut out, others.len() as u64);
        for other in &others {
            put_bytes(&mut out, &other.0);
        }
        // Automerge leaves out columns without data.
        let present = || columns.iter().filter(|(_, data)| !data.is_empty());
        put_unsigned(&mut out, present().count() as u64);
        for (number, data) in present() {
            put_unsigned(&mut out, *number);
            put_unsigned(&mut out, data.len() as u64);
        }
        for (_, data) in present() {
            out.extend_from_slice(data);
        }
        Parts { deps, rest: out }
    }
}

/// A chunk's content before and behind the actor.
struct Parts {
    deps: Vec<u8>,
    rest: Vec<u8>,
}

impl Parts {
    fn digest(&self) -> [u8; 32] {
        let mut hash = Sha256::new();
        hash.update(&self.deps);
        hash.update(&self.rest);
        hash.finalize().into()
    }

    fn with(self, actor: ActorId) -> Vec<u8> {
        let mut body = self.deps;
        put_bytes(&mut body, &actor.0);
        body.extend_from_slice(&self.rest);
        body
    }
}

/// The columns of our kind of change; an absent one is empty.
#[derive(Default)]
struct Columns<'a> {
    key: &'a [u8],
    insert: &'a [u8],
    action: &'a [u8],
    value_meta: &'a [u8],
    value_raw: &'a [u8],
    pred_count: &'a [u8],
    pred_actor: &'a [u8],
    pred_counter: &'a [u8],
}

impl<'a> Columns<'a> {
    /// Reads the columns' numbers, lengths and data, up to the end of the input.
    fn parse(input: &mut Reader<'a>) -> Result<Self, BadChange> {
        let count = input.unsigned()?;
        if count > 8 {
            return Err(BadChange::Extra);
        }
        let mut lengths = Vec::with_capacity(8);
        for _ in 0..count {
            lengths.push((input.unsigned()?, input.unsigned()?));
        }
        let mut columns = Self::default();
        for (number, length) in lengths {
            let length = usize::try_from(length).map_err(|_| BadChange::Malformed)?;
            let data = input.take(length)?;
            // A column given twice or out of order doesn't survive the comparison with our own
            // writing of the change.
            match number {
                KEY => columns.key = data,
                INSERT => columns.insert = data,
                ACTION => columns.action = data,
                VALUE_META => columns.value_meta = data,
                VALUE_RAW => columns.value_raw = data,
                PRED_COUNT => columns.pred_count = data,
                PRED_ACTOR => columns.pred_actor = data,
                PRED_COUNTER => columns.pred_counter = data,
                _ => return Err(BadChange::Extra),
            }
        }
        if input.0.is_empty() {
            Ok(columns)
        } else {
            Err(BadChange::Extra)
        }
    }

    /// The number of operations, from the one run that a column of nothing but puts is.
    fn operations(&self) -> Result<usize, BadChange> {
        let mut input = Reader(self.action);
        let run = if self.action.is_empty() {
            0
        } else {
            input.signed()?
        };
        let count = if run == -1 { 1 } else { run };
        match usize::try_from(count) {
            Ok(count) if (1..=CHANGE_OPS_MAX).contains(&count) => {
                if input.unsigned()? == ACTION_PUT && input.0.is_empty() {
                    Ok(count)
                } else {
                    Err(BadChange::Action)
                }
            }
            // A literal run of several actions can't be all puts and be written that way.
            _ if count < 0 && count >= -(CHANGE_OPS_MAX as i64) => Err(BadChange::Action),
            _ => Err(BadChange::Operations),
        }
    }

    fn puts(&self, ops: usize, others: &[ActorId], start_op: u32) -> Result<Vec<Put>, BadChange> {
        let mut insert = Reader(self.insert);
        if insert.unsigned()? != ops as u64 || !insert.0.is_empty() {
            return Err(BadChange::Action);
        }
        let metas = read_runs(self.value_meta, ops, |input| input.unsigned())?;
        let counts = read_runs(self.pred_count, ops, |input| input.unsigned())?;
        let total = counts
            .iter()
            .fold(0u64, |sum, count| sum.saturating_add(*count));
        // Under a key each is of another actor, and each actor takes bytes: before anything is unfolded.
        let too_many = counts.iter().any(|count| *count > others.len() as u64);
        if too_many || total > CHANGE_PREDS_MAX as u64 {
            return Err(BadChange::Predecessors);
        }
        let total = total as usize;
        let pred_actors = read_runs(self.pred_actor, total, |input| input.unsigned())?;
        let pred_steps = read_runs(self.pred_counter, total, |input| input.signed())?;
        let mut preds = Vec::with_capacity(total);
        let mut counter = 0i64;
        for (actor, step) in pred_actors.into_iter().zip(pred_steps) {
            counter = counter.checked_add(step).ok_or(BadChange::Predecessors)?;
            let other = usize::try_from(actor).ok();
            let other = other.and_then(|place| others.get(place.checked_sub(1)?));
            let actor = *other.ok_or(BadChange::Predecessors)?;
            if counter < 1 || counter >= i64::from(start_op) {
                return Err(BadChange::Predecessors);
            }
            preds.push(OpId {
                counter: counter as u32,
                actor,
            });
        }
        // Keys are read without copying them: a run repeats one key, which is refused.
        let keys = read_runs(self.key, ops, |input| {
            let length = usize::try_from(input.unsigned()?).map_err(|_| BadChange::Malformed)?;
            let text = std::str::from_utf8(input.take(length)?).map_err(|_| BadChange::Key)?;
            Ok(text)
        })?;
        let mut seen = BTreeSet::new();
        let mut values = Reader(self.value_raw);
        let mut rest = preds.as_slice();
        let mut puts = Vec::with_capacity(ops);
        for ((text, meta), count) in keys.into_iter().zip(metas).zip(counts) {
            if !seen.insert(text) {
                return Err(BadChange::RepeatedKey);
            }
            let key = Key::parse(text).map_err(|_| BadChange::Key)?;
            let value = values.value(meta)?;
            // The counts add up to the length of `preds`, so the split is inside it.
            let (own, others) = rest
                .split_at_checked(count as usize)
                .ok_or(BadChange::Malformed)?;
            rest = others;
            // A change writes a key once, and is its own actor: two of one actor would be made up.
            let actors: BTreeSet<ActorId> = own.iter().map(|pred| pred.actor).collect();
            let ascend = own.windows(2).all(|pair| pair[0] < pair[1]);
            if !ascend || actors.len() < own.len() {
                return Err(BadChange::Predecessors);
            }
            puts.push(Put {
                key,
                value,
                preds: own.to_vec(),
            });
        }
        if values.0.is_empty() {
            Ok(puts)
        } else {
            Err(BadChange::Value)
        }
    }
}

fn hash_of(body: &[u8]) -> ChangeHash {
    let mut head = vec![CHUNK_CHANGE];
    put_unsigned(&mut head, body.len() as u64);
    let mut hash = Sha256::new();
    hash.update(&head);
    hash.update(body);
    ChangeHash(hash.finalize().into())
}

#[cfg(test)]
mod tests;
