//! Form 1: a message by itself. It has three streams, each with what compresses well together: numbers
//! (LEB128), random bytes (ids, hashes, signatures) and texts.

use super::*;
use crate::change::columns::{Reader, put_signed, put_unsigned};
use crate::change::{
    CHANGE_BYTES_MAX, CHANGE_DEPS_MAX, CHANGE_OPS_MAX, CHANGE_PREDS_MAX, COUNTER_MAX,
};
use crate::value::{KEY_BYTES_MAX, VALUE_BYTES_MAX};

/// The form of what follows, first in it: another one can stand beside this one later.
const FORM: u64 = 1;

// What a batch or a change is told as. The numbers are on the wire.
const AS_IT_IS: u64 = 0;
const COMPACT: u64 = 1;

/// Encodes batches in their stored form, in their order.
pub(crate) fn encode(network: NetworkId, batches: &[Vec<u8>]) -> Vec<u8> {
    let mut out = Out::default();
    let mut memory = Memory::default();
    put_unsigned(&mut out.numbers, batches.len() as u64);
    for bytes in batches {
        match canonical(network, bytes) {
            Some(parts) => {
                put_unsigned(&mut out.numbers, COMPACT);
                out.batch(&mut memory, &parts);
            }
            None => {
                put_unsigned(&mut out.numbers, AS_IT_IS);
                out.text(bytes);
            }
        }
    }
    out.packed()
}

/// Rebuilds the stored forms: at most `count_max` batches of at most `bytes_max` bytes together.
pub(crate) fn decode(
    network: NetworkId,
    bytes: &[u8],
    count_max: usize,
    bytes_max: usize,
) -> Result<Vec<Vec<u8>>, BadCompact> {
    let mut input = Reader(bytes);
    if input.unsigned()? != FORM {
        return Err(BadCompact::Shape);
    }
    let numbers = length(&mut input)?;
    let random = length(&mut input)?;
    let mut input = In {
        numbers: Reader(input.take(numbers)?),
        random: Reader(input.take(random)?),
        texts: Reader(input.0),
        room: bytes_max,
    };
    let mut memory = Memory::default();
    let count = input.count(count_max).map_err(|_| BadCompact::TooLarge)?;
    let mut batches = Vec::new();
    for _ in 0..count {
        let batch = match input.number()? {
            AS_IT_IS => {
                let bytes = input.text()?;
                input.spend(bytes.len())?;
                bytes.to_vec()
            }
            COMPACT => input.batch(network, &mut memory)?,
            _ => return Err(BadCompact::Shape),
        };
        batches.push(batch);
    }
    let rest = [input.numbers.0, input.random.0, input.texts.0];
    if rest.iter().all(|rest| rest.is_empty()) {
        Ok(batches)
    } else {
        Err(BadCompact::Shape)
    }
}

fn length(input: &mut Reader<'_>) -> Result<usize, BadCompact> {
    usize::try_from(input.unsigned()?).map_err(|_| BadCompact::Shape)
}

/// What both ends remember of the message so far.
#[derive(Default)]
struct Memory {
    spaces: Table<Space>,
    devices: Table<DeviceId>,
    authors: Table<AuthorId>,
    records: Table<RecordId>,
    actors: Table<ActorId>,
    keys: Table<Key>,
    batches: Table<BatchHash>,
    trails: BTreeMap<(Space, RecordId), Trail>,
    time: i64,
    seq: i64,
}

/// The changes of one document in the message so far.
#[derive(Default)]
struct Trail {
    changes: Table<ChangeHash>,
    ends: BTreeMap<ChangeHash, u32>,
    last: BTreeMap<Key, OpId>,
}

impl Trail {
    fn take(&mut self, change: &Change) {
        self.changes.add(change.hash);
        self.ends.insert(change.hash, change.ops_end());
        for (op, put) in change.ops() {
            self.last.insert(put.key.clone(), op);
        }
    }

    /// The counter that a change on these dependencies starts with, as far as the message tells.
    fn next_op(&self, deps: &[ChangeHash]) -> i64 {
        let ends = deps.iter().filter_map(|dep| self.ends.get(dep));
        i64::from(ends.max().copied().unwrap_or(0)) + 1
    }
}

/// The streams while they are written.
#[derive(Default)]
struct Out {
    numbers: Vec<u8>,
    random: Vec<u8>,
    texts: Vec<u8>,
}

impl Out {
    fn packed(self) -> Vec<u8> {
        let mut head = Vec::new();
        put_unsigned(&mut head, FORM);
        put_unsigned(&mut head, self.numbers.len() as u64);
        put_unsigned(&mut head, self.random.len() as u64);
        [head, self.numbers, self.random, self.texts].concat()
    }

    fn number(&mut self, number: u64) {
        put_unsigned(&mut self.numbers, number);
    }

    fn difference(&mut self, number: i64) {
        put_signed(&mut self.numbers, number);
    }

    fn text(&mut self, bytes: &[u8]) {
        self.number(bytes.len() as u64);
        self.texts.extend_from_slice(bytes);
    }

    fn known<T: Clone + Ord>(&mut self, table: &mut Table<T>, thing: &T, bytes: &[u8]) {
        let number = table.number(thing);
        self.number(number);
        if number == 0 {
            self.random.extend_from_slice(bytes);
        }
    }

    fn batch(&mut self, memory: &mut Memory, parts: &Parts) {
        let header = &parts.header;
        let space = memory.spaces.number(&header.space);
        self.number(space);
        if space == 0 {
            self.text(header.space.unit().as_bytes());
            self.number(header.space.class as u64);
        }
        self.known(&mut memory.devices, &header.device, &header.device.0);
        self.known(&mut memory.authors, &header.author, &header.author.0);
        self.difference(i64::from(header.seq) - memory.seq);
        self.number(header.prev.len() as u64);
        for parent in &header.prev {
            self.past(&memory.batches, parent, &parent.0);
        }
        self.number(u64::from(header.dictionary));
        self.difference(header.time.wrapping_sub(memory.time));
        self.random.extend_from_slice(&parts.signature);
        self.random.extend_from_slice(&parts.seed);
        self.number(parts.entries.len() as u64);
        for entry in &parts.entries {
            self.known(&mut memory.records, &entry.record, &entry.record.to_bytes());
            self.change(memory, header, entry);
        }
        memory.end_batch(parts.hash, header);
    }

    /// Something that stood here `n` places back, or 0 and its bytes.
    fn past<T: Clone + Ord>(&mut self, table: &Table<T>, thing: &T, bytes: &[u8]) {
        let back = table.back(thing);
        self.number(back);
        if back == 0 {
            self.random.extend_from_slice(bytes);
        }
    }

    fn change(&mut self, memory: &mut Memory, header: &Header, entry: &Entry) {
        let Some(change) = told(header.device, entry) else {
            self.number(AS_IT_IS);
            return self.text(&entry.change);
        };
        self.number(COMPACT);
        let document = (header.space.clone(), entry.record);
        let trail = memory.trails.entry(document).or_default();
        self.number(change.deps.len() as u64);
        for dep in &change.deps {
            self.past(&trail.changes, dep, &dep.0);
        }
        self.difference(i64::from(change.start_op) - trail.next_op(&change.deps));
        self.difference(change.time.wrapping_sub(header.time));
        self.number(change.puts.len() as u64);
        for put in &change.puts {
            let key = memory.keys.number(&put.key);
            self.number(key);
            if key == 0 {
                self.text(put.key.as_str().as_bytes());
            }
            self.value(&put.value);
            // Usually the put replaces what the message wrote last under the key, or nothing.
            match (put.preds.as_slice(), trail.last.get(&put.key)) {
                ([], _) => self.number(0),
                ([pred], Some(last)) if pred == last => self.number(1),
                (preds, _) => {
                    self.number(1 + preds.len() as u64);
                    for pred in preds {
                        self.number(u64::from(pred.counter));
                        self.known(&mut memory.actors, &pred.actor, &pred.actor.0);
                    }
                }
            }
        }
        trail.take(&change);
        memory.actors.note(change.actor);
    }

    fn value(&mut self, value: &Value) {
        match value {
            Value::Null => self.number(NULL),
            Value::Bool(false) => self.number(FALSE),
            Value::Bool(true) => self.number(TRUE),
            Value::Int(number) => {
                self.number(INTEGER);
                self.difference(*number);
            }
            Value::Text(text) => {
                self.number(TEXT + text.len() as u64);
                self.texts.extend_from_slice(text.as_bytes());
            }
        }
    }
}

impl Memory {
    fn end_batch(&mut self, hash: BatchHash, header: &Header) {
        self.batches.add(hash);
        self.time = header.time;
        self.seq = i64::from(header.seq);
    }
}

struct In<'a> {
    numbers: Reader<'a>,
    random: Reader<'a>,
    texts: Reader<'a>,
    /// Bytes that may still be made.
    room: usize,
}

impl<'a> In<'a> {
    fn number(&mut self) -> Result<u64, BadCompact> {
        Ok(self.numbers.unsigned()?)
    }

    fn difference(&mut self) -> Result<i64, BadCompact> {
        Ok(self.numbers.signed()?)
    }

    /// A count of at most `most` things.
    fn count(&mut self, most: usize) -> Result<usize, BadCompact> {
        let count = usize::try_from(self.number()?).ok();
        count
            .filter(|count| *count <= most)
            .ok_or(BadCompact::Shape)
    }

    fn text(&mut self) -> Result<&'a [u8], BadCompact> {
        let length = usize::try_from(self.number()?).map_err(|_| BadCompact::Shape)?;
        Ok(self.texts.take(length)?)
    }

    fn random<const N: usize>(&mut self) -> Result<[u8; N], BadCompact> {
        self.random
            .take(N)?
            .try_into()
            .map_err(|_| BadCompact::Shape)
    }

    fn spend(&mut self, bytes: usize) -> Result<(), BadCompact> {
        self.room = self.room.checked_sub(bytes).ok_or(BadCompact::TooLarge)?;
        Ok(())
    }

    fn known<T: Clone + Ord, const N: usize>(
        &mut self,
        table: &mut Table<T>,
        make: impl FnOnce([u8; N]) -> Option<T>,
    ) -> Result<T, BadCompact> {
        match self.number()? {
            0 => {
                let thing = make(self.random()?).ok_or(BadCompact::Shape)?;
                table.add(thing.clone());
                Ok(thing)
            }
            number => table.at(number),
        }
    }

    fn past<T: Clone + Ord>(
        &mut self,
        table: &Table<T>,
        make: impl FnOnce([u8; 32]) -> T,
    ) -> Result<T, BadCompact> {
        match self.number()? {
            0 => Ok(make(self.random()?)),
            back => table.at_back(back),
        }
    }

    fn batch(&mut self, network: NetworkId, memory: &mut Memory) -> Result<Vec<u8>, BadCompact> {
        let space = match self.number()? {
            0 => {
                let unit = std::str::from_utf8(self.text()?).map_err(|_| BadCompact::Shape)?;
                let class = u8::try_from(self.number()?)
                    .ok()
                    .and_then(Class::from_number);
                let class = class.ok_or(BadCompact::Shape)?;
                let space = Space::new(unit, class).map_err(|_| BadCompact::Shape)?;
                memory.spaces.add(space.clone());
                space
            }
            number => memory.spaces.at(number)?,
        };
        let device = self.known(&mut memory.devices, |bytes| Some(DeviceId(bytes)))?;
        let author = self.known(&mut memory.authors, |bytes| Some(AuthorId(bytes)))?;
        let seq = memory.seq.checked_add(self.difference()?);
        let seq = seq
            .and_then(|seq| u32::try_from(seq).ok())
            .ok_or(BadCompact::Shape)?;
        let mut prev = Vec::new();
        for _ in 0..self.count(BATCH_PARENTS_MAX)? {
            prev.push(self.past(&memory.batches, BatchHash)?);
        }
        let dictionary = u32::try_from(self.number()?).map_err(|_| BadCompact::Shape)?;
        let time = memory.time.wrapping_add(self.difference()?);
        let (signature, seed) = (self.random()?, self.random()?);
        let header = Header {
            space,
            device,
            author,
            seq,
            prev,
            dictionary,
            time,
        };
        let header_bytes = header.encode();
        let mut entries = Vec::new();
        for _ in 0..self.count(BATCH_ENTRIES_MAX)? {
            let read = |bytes: [u8; RecordId::LEN]| RecordId::from_slice(&bytes).ok();
            let record = self.known(&mut memory.records, read)?;
            let change = self.change(memory, &header, record)?;
            let entry = Entry { record, change };
            self.spend(entry_bytes(&entry))?;
            entries.push(entry);
        }
        let commitments = commitments(&seed, &entries);
        let message = signed_message(network, &header_bytes, &commitments);
        let hash = BatchHash(Sha256::digest(&message).into());
        let stored = Envelope::stored(header_bytes, signature, seed, &entries);
        memory.end_batch(hash, &header);
        Ok(stored)
    }

    fn change(
        &mut self,
        memory: &mut Memory,
        header: &Header,
        record: RecordId,
    ) -> Result<Vec<u8>, BadCompact> {
        match self.number()? {
            AS_IT_IS => return Ok(self.text()?.to_vec()),
            COMPACT => {}
            _ => return Err(BadCompact::Shape),
        }
        let trail = memory
            .trails
            .entry((header.space.clone(), record))
            .or_default();
        let mut deps = Vec::new();
        for _ in 0..self.count(CHANGE_DEPS_MAX)? {
            deps.push(self.past(&trail.changes, ChangeHash)?);
        }
        let start_op = self.counter(trail.next_op(&deps))?;
        let time = header.time.wrapping_add(self.difference()?);
        let mut puts = Vec::new();
        let mut preds_left = CHANGE_PREDS_MAX;
        // Keys and texts stand in a change at full length: refused before they are written out.
        let mut room = CHANGE_BYTES_MAX;
        for _ in 0..self.count(CHANGE_OPS_MAX)? {
            let key = self.key(&mut memory.keys)?;
            let value = self.value()?;
            let preds = match self.number()? {
                0 => Vec::new(),
                1 => vec![trail.last.get(&key).copied().ok_or(BadCompact::Shape)?],
                more => {
                    let count = usize::try_from(more - 1)
                        .ok()
                        .filter(|count| *count <= preds_left);
                    let count = count.ok_or(BadCompact::Shape)?;
                    preds_left -= count;
                    let mut preds = Vec::new();
                    for _ in 0..count {
                        let counter = u32::try_from(self.number()?);
                        let counter = counter.map_err(|_| BadCompact::Shape)?;
                        let actor = self.known(&mut memory.actors, |bytes| Some(ActorId(bytes)))?;
                        preds.push(OpId { counter, actor });
                    }
                    preds
                }
            };
            let length = key.as_str().len() + value.as_text().map_or(0, str::len);
            room = room.checked_sub(length).ok_or(BadCompact::TooLarge)?;
            puts.push(Put { key, value, preds });
        }
        let (change, raw) = Change::make(deps, header.device, start_op, time, puts);
        memory.actors.note(change.actor);
        trail.take(&change);
        Ok(raw)
    }

    /// A counter told as a difference to what it must be; with room above it for every operation
    /// that a change can have.
    fn counter(&mut self, expected: i64) -> Result<u32, BadCompact> {
        let number = expected
            .checked_add(self.difference()?)
            .ok_or(BadCompact::Shape)?;
        let fits = |number: &u32| *number <= COUNTER_MAX;
        u32::try_from(number)
            .ok()
            .filter(fits)
            .ok_or(BadCompact::Shape)
    }

    fn key(&mut self, keys: &mut Table<Key>) -> Result<Key, BadCompact> {
        match self.number()? {
            0 => {
                let text = Some(self.text()?).filter(|text| text.len() <= KEY_BYTES_MAX);
                let text = text.and_then(|text| std::str::from_utf8(text).ok());
                let key = text
                    .and_then(|text| Key::parse(text).ok())
                    .ok_or(BadCompact::Shape)?;
                keys.add(key.clone());
                Ok(key)
            }
            number => keys.at(number),
        }
    }

    fn value(&mut self) -> Result<Value, BadCompact> {
        Ok(match self.number()? {
            NULL => Value::Null,
            FALSE => Value::Bool(false),
            TRUE => Value::Bool(true),
            INTEGER => Value::Int(self.difference()?),
            kind => {
                let length = usize::try_from(kind - TEXT).ok();
                let length = length.filter(|length| *length <= VALUE_BYTES_MAX);
                let bytes = self.texts.take(length.ok_or(BadCompact::Shape)?)?;
                let text = std::str::from_utf8(bytes).map_err(|_| BadCompact::Shape)?;
                Value::Text(text.to_owned())
            }
        })
    }
}

#[cfg(test)]
mod tests {
    use super::super::tests::{NETWORK, record};
    use super::*;
    use crate::wire::{BATCHES_MAX, MESSAGE_BYTES_MAX};

    #[test]
    fn a_change_that_grows_by_references_is_refused_before_it_is_written_out() {
        // One key of 200 bytes, put 4,096 times by reference: 800 KB from 16 KB.
        let mut out = Out::default();
        put_unsigned(&mut out.numbers, 1);
        for number in [COMPACT, 0] {
            out.number(number);
        }
        out.text(b"152522100200");
        out.number(0);
        out.number(0);
        out.random.extend_from_slice(&[1; 8]);
        out.number(0);
        out.random.extend_from_slice(&[2; 8]);
        out.difference(1);
        out.number(0);
        out.number(1);
        out.difference(0);
        out.random.extend_from_slice(&[3; 80]);
        out.number(1);
        out.number(0);
        out.random.extend_from_slice(&record(1).to_bytes());
        out.number(COMPACT);
        out.number(0);
        (0..2).for_each(|_| out.difference(0));
        out.number(CHANGE_OPS_MAX as u64);
        for n in 0..CHANGE_OPS_MAX as u64 {
            out.number(u64::from(n > 0));
            if n == 0 {
                out.text(format!("a.{}", "b".repeat(KEY_BYTES_MAX - 2)).as_bytes());
            }
            out.number(NULL);
            out.number(0);
        }
        let packed = out.packed();
        assert!(packed.len() < 20_000);
        assert_eq!(
            decode(NETWORK, &packed, BATCHES_MAX, MESSAGE_BYTES_MAX),
            Err(BadCompact::TooLarge)
        );
    }
}
