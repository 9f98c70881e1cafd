//! Form 2: batches that also refer to what their receiver holds.
//!
//! What an edit follows is mostly known at the other end: the record, the change that it continues,
//! the operations that it replaces. A message names the batches where that stands ([`Reference`]),
//! first of all, so that the receiver can look them up at once; then it tells each batch by its
//! difference to what they say and to what stood in the message before. The receiver rebuilds the
//! very bytes, and the batch's signature shows whether both ends meant the same. A receiver who
//! lacks one of the batches ([`BadCompact::Unresolved`]) asks for form 1.
//!
//! Every function here describes a part of the message for both directions: what it is `given` is
//! written, by the writing end; what it gives was read, by the reading end.

mod entry;
mod header;
mod memory;
mod put;

use memory::{Before, Models, Trail};

use super::coder::{Bit, Number, Reader as StreamReader, Stream, Text, Tree, Writer};
use super::plan::{OutgoingBatch, OutgoingParts, plan};
use super::reference::{DecodedBatch, FEED_BYTES, REFERENCES_MAX, Reference, ReferencedBatch};
use super::*;

/// The number of the form.
pub(crate) const FORM: u64 = 2;

/// What both ends know of a message before it comes.
pub(crate) struct Frame<'a> {
    /// The installation.
    pub(crate) network: NetworkId,
    /// The device that asks in this exchange.
    pub(crate) device: DeviceId,
    /// The spaces of the exchange, in the order of the request.
    pub(crate) spaces: &'a [Space],
}

/// Encodes batches in their stored form, in their order. `known` is what the receiver holds and may
/// be referred to.
pub(crate) fn encode(frame: &Frame<'_>, batches: &[Vec<u8>], known: &[ReferencedBatch]) -> Vec<u8> {
    let mut out = Vec::new();
    put_unsigned(&mut out, FORM);
    if batches.is_empty() {
        return out;
    }
    let plan = plan(frame.network, frame.spaces, batches, known);
    let stream = Writer::after(out);
    let mut course = Transcoder::new(frame, stream, plan.list, usize::MAX);
    match course.tell(&plan.batches) {
        Ok(()) => course.stream.finish(),
        // The writing end has no reason to fail; the other form has none at all.
        Err(_) => super::encode(frame.network, batches),
    }
}

/// What a message of any form refers to: at most [`REFERENCES_MAX`] batches.
pub(crate) fn references(frame: &Frame<'_>, bytes: &[u8]) -> Result<Vec<Reference>, BadCompact> {
    match opened(bytes)? {
        None | Some([]) => Ok(Vec::new()),
        Some(rest) => list(frame, &mut StreamReader::new(rest), &[]),
    }
}

/// Rebuilds the stored forms from a message of any form; see [`super::decode`] for the limits.
/// `find` looks up what is referred to.
pub(crate) fn decode(
    frame: &Frame<'_>,
    bytes: &[u8],
    find: &mut dyn FnMut(&Reference) -> Option<ReferencedBatch>,
    (count_max, bytes_max): (usize, usize),
) -> Result<Vec<Vec<u8>>, BadCompact> {
    let rest = match opened(bytes)? {
        None => return super::decode(frame.network, bytes, count_max, bytes_max),
        Some([]) => return Ok(Vec::new()),
        Some(rest) => rest,
    };
    let mut stream = StreamReader::new(rest);
    let list = list(frame, &mut stream, &[])?;
    let held = list.iter().map(|reference| {
        let known = find(reference).filter(|known| known.reference == *reference);
        known
            .as_ref()
            .and_then(DecodedBatch::of)
            .ok_or(BadCompact::Unresolved)
    });
    let held = held.collect::<Result<Vec<DecodedBatch>, _>>()?;
    let mut course = Transcoder::new(frame, stream, held, bytes_max);
    let batches = course.hear(count_max)?;
    match course.stream.is_at_end() {
        true => Ok(batches),
        false => Err(BadCompact::Shape),
    }
}

/// What follows the number of a message in the form that refers; `None` if it is in another one.
pub(crate) fn opened(bytes: &[u8]) -> Result<Option<&[u8]>, BadCompact> {
    let mut input = Reader(bytes);
    let refers = input.unsigned()? == FORM;
    Ok(refers.then_some(input.0))
}

/// The batches referred to: space, feed and number of each.
fn list<S: Stream>(
    frame: &Frame<'_>,
    stream: &mut S,
    given: &[&Reference],
) -> Result<Vec<Reference>, BadCompact> {
    let mut model = ListModels::default();
    let mut feeds: Table<[u8; FEED_BYTES]> = Table::default();
    feeds.add(Reference::feed_of(frame.device));
    let count = count(stream, &mut model.count, given.len(), REFERENCES_MAX)?;
    let mut list = Vec::new();
    for place in 0..count {
        let given = given.get(place);
        let space = given.and_then(|given| frame.spaces.iter().position(|s| *s == given.space));
        let space = stream.number(&mut model.space, space.unwrap_or(0) as u64)?;
        let space = usize::try_from(space).ok();
        let space = space.and_then(|space| frame.spaces.get(space));
        let feed = listed(
            stream,
            &mut model.feed,
            &mut feeds,
            given.map(|given| (&given.feed, given.feed)),
            Some,
        )?;
        let seq = stream.number(&mut model.seq, given.map_or(0, |given| given.seq.into()))?;
        list.push(Reference {
            space: space.ok_or(BadCompact::Shape)?.clone(),
            feed,
            seq: u32::try_from(seq).map_err(|_| BadCompact::Shape)?,
        });
    }
    Ok(list)
}

#[derive(Default)]
struct ListModels {
    count: Number,
    space: Number,
    feed: Number,
    seq: Number,
}

/// A count of at most `most` things.
fn count<S: Stream>(
    stream: &mut S,
    model: &mut Number,
    given: usize,
    most: usize,
) -> Result<usize, BadCompact> {
    let count = usize::try_from(stream.number(model, given as u64)?).ok();
    count
        .filter(|count| *count <= most)
        .ok_or(BadCompact::Shape)
}

/// Something by its number in a table, from 1; or 0 and its bytes, and the table has it from then on.
fn listed<S: Stream, T: Clone + Ord, const N: usize>(
    stream: &mut S,
    model: &mut Number,
    table: &mut Table<T>,
    given: Option<(&T, [u8; N])>,
    make: impl FnOnce([u8; N]) -> Option<T>,
) -> Result<T, BadCompact> {
    let number = given.and_then(|(thing, _)| table.places.get(thing));
    let number = number.map_or(0, |place| *place as u64 + 1);
    match stream.number(model, number)? {
        0 => {
            let thing = plain(stream, given.map(|(_, bytes)| bytes), make)?;
            table.note(thing.clone());
            Ok(thing)
        }
        number => table.at(number),
    }
}

/// Something as it is.
fn plain<S: Stream, T, const N: usize>(
    stream: &mut S,
    given: Option<[u8; N]>,
    make: impl FnOnce([u8; N]) -> Option<T>,
) -> Result<T, BadCompact> {
    let mut bytes = given.unwrap_or([0; N]);
    stream.raw(&mut bytes)?;
    make(bytes).ok_or(BadCompact::Shape)
}

/// One end of a message: its stream, and what it remembers of it.
struct Transcoder<'a, S> {
    network: NetworkId,
    listed: &'a [Space],
    requester: DeviceId,
    stream: S,
    models: Models,
    held: Vec<DecodedBatch>,
    /// So many of the batches referred to were used, in their order.
    used: usize,
    /// Records whose changes of a batch are taken: what is looked through once is not again.
    taken: BTreeSet<(usize, RecordId)>,
    spaces: Table<Space>,
    devices: Table<DeviceId>,
    authors: Table<AuthorId>,
    records: Table<RecordId>,
    actors: Table<ActorId>,
    keys: Table<Key>,
    /// The value that stood last under a key.
    samples: BTreeMap<Key, Value>,
    trails: BTreeMap<(Space, RecordId), Trail>,
    batches: Table<BatchHash>,
    before: BTreeMap<BatchHash, Before>,
    of_feed: BTreeMap<(Space, DeviceId), BatchHash>,
    last: Option<Before>,
    /// Bytes that may still be made.
    room: usize,
    /// The same of keys, values and predecessors alone: a change has room for many equal ones.
    room_of_puts: usize,
}

impl<'a, S: Stream> Transcoder<'a, S> {
    fn new(frame: &Frame<'a>, stream: S, held: Vec<DecodedBatch>, room: usize) -> Self {
        let mut spaces = Table::default();
        frame
            .spaces
            .iter()
            .for_each(|space| spaces.note(space.clone()));
        let mut devices = Table::default();
        devices.add(frame.device);
        held.iter()
            .for_each(|held| devices.note(held.header.device));
        Self {
            network: frame.network,
            listed: frame.spaces,
            requester: frame.device,
            stream,
            models: Models::default(),
            held,
            used: 0,
            taken: BTreeSet::new(),
            spaces,
            devices,
            authors: Table::default(),
            records: Table::default(),
            actors: Table::default(),
            keys: Table::default(),
            samples: BTreeMap::new(),
            trails: BTreeMap::new(),
            batches: Table::default(),
            before: BTreeMap::new(),
            of_feed: BTreeMap::new(),
            last: None,
            room,
            room_of_puts: room,
        }
    }

    fn spend(&mut self, bytes: usize) -> Result<(), BadCompact> {
        self.room = self.room.checked_sub(bytes).ok_or(BadCompact::TooLarge)?;
        Ok(())
    }

    fn spend_on_puts(&mut self, bytes: usize) -> Result<(), BadCompact> {
        let room = self.room_of_puts.checked_sub(bytes);
        self.room_of_puts = room.ok_or(BadCompact::TooLarge)?;
        Ok(())
    }

    /// A batch that is not in our form.
    fn as_it_is(&mut self, given: Option<&[u8]>) -> Result<Vec<u8>, BadCompact> {
        let length = given.map_or(0, |given| given.len() as u64);
        let length = self.stream.number(&mut self.models.raw_length, length)?;
        let length = usize::try_from(length).map_err(|_| BadCompact::Shape)?;
        self.spend(length)?;
        // Every byte costs one, so a length that lies ends with the input.
        let mut bytes = Vec::new();
        for place in 0..length {
            let mut byte = [given
                .and_then(|given| given.get(place))
                .copied()
                .unwrap_or(0)];
            self.stream.raw(&mut byte)?;
            bytes.push(byte[0]);
        }
        Ok(bytes)
    }

    /// A batch in our form.
    fn batch(&mut self, given: Option<&OutgoingParts>) -> Result<Vec<u8>, BadCompact> {
        let header = self.header(given)?;
        let mut signature = given.map_or([0; 64], |given| given.parts.signature);
        self.stream.raw(&mut signature)?;
        let mut seed = given.map_or([0; 16], |given| given.parts.seed);
        self.stream.raw(&mut seed)?;
        let entries_given = given.map_or(0, |given| given.parts.entries.len());
        let count = count(
            &mut self.stream,
            &mut self.models.entries,
            entries_given,
            BATCH_ENTRIES_MAX,
        )?;
        let mut entries = Vec::new();
        let mut time = header.time;
        for place in 0..count {
            let given = given.and_then(|given| {
                let told = given.entries.get(place)?;
                Some((
                    given.parts.entries.get(place)?,
                    told.change.as_ref(),
                    told.references.as_slice(),
                ))
            });
            let entry = self.entry(&header, &mut time, given)?;
            self.spend(entry_bytes(&entry))?;
            entries.push(entry);
        }
        let (hash, stored) = match given {
            Some(given) => (given.parts.hash, Vec::new()),
            None => {
                let bytes = header.encode();
                let commitments = commitments(&seed, &entries);
                let message = signed_message(self.network, &bytes, &commitments);
                let hash = BatchHash(Sha256::digest(&message).into());
                (hash, Envelope::stored(bytes, signature, seed, &entries))
            }
        };
        let before = Before::of(&header);
        self.batches.note(hash);
        self.before.insert(hash, before);
        self.of_feed.insert((header.space, header.device), hash);
        self.last = Some(before);
        Ok(stored)
    }
}

impl Transcoder<'_, Writer> {
    /// Writes the whole message.
    fn tell(&mut self, batches: &[OutgoingBatch]) -> Result<(), BadCompact> {
        let frame = Frame {
            network: self.network,
            device: self.requester,
            spaces: self.listed,
        };
        let given: Vec<&Reference> = self.held.iter().map(|held| &held.reference).collect();
        list(&frame, &mut self.stream, &given)?;
        let model = &mut self.models.batches;
        self.stream.number(model, batches.len() as u64)?;
        for told in batches {
            let (as_it_is, apart) = match told {
                OutgoingBatch::AsItIs(bytes) => (Some(bytes), None),
                OutgoingBatch::Apart(apart) => (None, Some(apart)),
            };
            let canonical = &mut self.models.canonical;
            self.stream.bit(canonical, as_it_is.is_some())?;
            match (as_it_is, apart) {
                (Some(bytes), _) => self.as_it_is(Some(bytes))?,
                (_, apart) => self.batch(apart.map(Box::as_ref))?,
            };
        }
        Ok(())
    }
}

impl Transcoder<'_, StreamReader<'_>> {
    /// Reads the batches, after the list.
    fn hear(&mut self, count_max: usize) -> Result<Vec<Vec<u8>>, BadCompact> {
        let count = self.stream.number(&mut self.models.batches, 0)?;
        if count > count_max as u64 {
            return Err(BadCompact::TooLarge);
        }
        let mut batches = Vec::new();
        for _ in 0..count {
            let as_it_is = self.stream.bit(&mut self.models.canonical, false)?;
            batches.push(match as_it_is {
                true => self.as_it_is(None)?,
                false => self.batch(None)?,
            });
        }
        Ok(batches)
    }
}

#[cfg(test)]
mod tests;
