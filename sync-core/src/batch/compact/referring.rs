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

use super::coder::{Bit, Number, Reader as StreamReader, Stream, Text, Tree, Writer};
use super::plan::{Apart, Told, plan};
use super::reference::{FEED_BYTES, Held, Known, REFERENCES_MAX, Reference};
use super::*;

/// The number of this form.
pub(crate) const FORM: u64 = 2;

// What a parent is told as; what is above names one in the message, so many batches back.
const PARENT_AS_IT_IS: u64 = 0;
const PARENT_OF_FEED: u64 = 1;
const PARENT_REFERENCE: u64 = 2;

// What a record is told as; what is above names one of the message.
const RECORD_AS_IT_IS: u64 = 0;
const RECORD_REFERENCE: u64 = 1;

// Who the author is; what is above names one of the message.
const AUTHOR_AS_BEFORE: u64 = 0;
const AUTHOR_AS_IT_IS: u64 = 1;

// What a put replaces; what is above counts the operations that follow.
const PREDS_LAST: u64 = 0;
const PREDS_NONE: u64 = 1;

// What a value is: of its kind, or the same as the last one under its key, or a text as long as that.
const NULL: usize = super::NULL as usize;
const FALSE: usize = super::FALSE as usize;
const TRUE: usize = super::TRUE as usize;
const INTEGER: usize = super::INTEGER as usize;
const TEXT: usize = super::TEXT as usize;
const SAME: usize = 5;
const TEXT_AS_LONG: usize = 6;

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
pub(crate) fn encode(frame: &Frame<'_>, batches: &[Vec<u8>], known: &[Known]) -> Vec<u8> {
    let mut out = Vec::new();
    put_unsigned(&mut out, FORM);
    if batches.is_empty() {
        return out;
    }
    let plan = plan(frame.network, frame.spaces, batches, known);
    let mut course = Course::new(frame, Writer::after(out), plan.list, usize::MAX);
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
    find: &mut dyn FnMut(&Reference) -> Option<Known>,
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
            .and_then(Held::of)
            .ok_or(BadCompact::Unresolved)
    });
    let held = held.collect::<Result<Vec<Held>, _>>()?;
    let mut course = Course::new(frame, stream, held, bytes_max);
    let batches = course.hear(count_max)?;
    match course.stream.is_at_end() {
        true => Ok(batches),
        false => Err(BadCompact::Shape),
    }
}

/// Whether a message is of form 2, and what follows its number.
pub(crate) fn opened(bytes: &[u8]) -> Result<Option<&[u8]>, BadCompact> {
    let mut input = Reader(bytes);
    Ok((input.unsigned()? == FORM).then_some(input.0))
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

/// The models of a message.
#[derive(Default)]
struct Models {
    batches: Number,
    canonical: Bit,
    raw_length: Number,
    space: Number,
    class: Number,
    device: Number,
    parents: Number,
    parent: Number,
    author: Number,
    seq: Number,
    dictionary: Number,
    batch_time: Number,
    entries: Number,
    record: Number,
    place: Number,
    references: Number,
    reference: Number,
    change_as_it_is: Bit,
    deps: Number,
    dep: Number,
    actor: Number,
    of_device: Bit,
    change_seq: Number,
    start_op: Number,
    time: Number,
    puts: Number,
    key: BTreeMap<Option<usize>, Tree<256>>,
    key_far: Number,
    value: [Tree<8>; 5],
    integer: Number,
    length: Number,
    text: Text,
    preds: Number,
    counter: Number,
}

/// The changes of one document that the message has told or referred to.
#[derive(Default)]
struct Trail {
    /// With the last operation of each, ascending.
    changes: Vec<(u32, ChangeHash)>,
    ends: BTreeMap<ChangeHash, u32>,
    seqs: BTreeMap<ActorId, u32>,
    last: BTreeMap<Key, OpId>,
}

impl Trail {
    fn take(&mut self, change: &Change) {
        let end = change.ops_end();
        if self.ends.insert(change.hash, end).is_none() {
            let place = self
                .changes
                .partition_point(|known| *known < (end, change.hash));
            self.changes.insert(place, (end, change.hash));
        }
        let seq = self.seqs.entry(change.actor).or_default();
        *seq = change.seq.max(*seq);
        for (op, put) in change.ops() {
            let last = self.last.entry(put.key.clone()).or_insert(op);
            *last = op.max(*last);
        }
    }

    /// How many places back a change stands, from 1; 0 if it doesn't.
    fn back(&self, change: &ChangeHash) -> u64 {
        let end = self.ends.get(change);
        let place = end.and_then(|end| self.changes.binary_search(&(*end, *change)).ok());
        place.map_or(0, |place| (self.changes.len() - place) as u64)
    }

    fn at_back(&self, back: u64) -> Result<ChangeHash, BadCompact> {
        let back = usize::try_from(back).ok().filter(|back| *back > 0);
        let place = back.and_then(|back| self.changes.len().checked_sub(back));
        let change = place.and_then(|place| self.changes.get(place));
        change.map(|(_, hash)| *hash).ok_or(BadCompact::Shape)
    }

    /// The number that the actor's next change has, as far as is known.
    fn next_seq(&self, actor: ActorId) -> i64 {
        i64::from(self.seqs.get(&actor).copied().unwrap_or(0)) + 1
    }

    /// The counter that a change on these dependencies starts with, as far as is known.
    fn next_op(&self, deps: &[ChangeHash]) -> i64 {
        let ends = deps.iter().filter_map(|dep| self.ends.get(dep));
        i64::from(ends.max().copied().unwrap_or(0)) + 1
    }
}

/// A batch as those that follow it see it.
#[derive(Clone, Copy)]
struct Before {
    seq: u32,
    author: AuthorId,
    dictionary: u32,
    time: i64,
}

impl Before {
    fn of(header: &Header) -> Self {
        Self {
            seq: header.seq,
            author: header.author,
            dictionary: header.dictionary,
            time: header.time,
        }
    }
}

/// One end of a message: its stream, and what it remembers of it.
struct Course<'a, S> {
    network: NetworkId,
    listed: &'a [Space],
    requester: DeviceId,
    stream: S,
    models: Models,
    held: Vec<Held>,
    /// Of the batches referred to, so many were used.
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
}

impl<'a, S: Stream> Course<'a, S> {
    fn new(frame: &Frame<'a>, stream: S, held: Vec<Held>, room: usize) -> Self {
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
        }
    }

    fn spend(&mut self, bytes: usize) -> Result<(), BadCompact> {
        self.room = self.room.checked_sub(bytes).ok_or(BadCompact::TooLarge)?;
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
    fn batch(&mut self, given: Option<&Apart>) -> Result<Vec<u8>, BadCompact> {
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
                let message = signed_message(self.network, &bytes, &commitments(&seed, &entries));
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

    fn header(&mut self, given: Option<&Apart>) -> Result<Header, BadCompact> {
        let parents = given.map_or(&[][..], |given| given.parents.as_slice());
        let given = given.map(|given| &given.parts.header);
        let space = self.space(given.map(|given| &given.space))?;
        let device = listed(
            &mut self.stream,
            &mut self.models.device,
            &mut self.devices,
            given.map(|given| (&given.device, given.device.0)),
            |bytes| Some(DeviceId(bytes)),
        )?;
        let count = count(
            &mut self.stream,
            &mut self.models.parents,
            given.map_or(0, |given| given.prev.len()),
            BATCH_PARENTS_MAX,
        )?;
        let mut prev = Vec::new();
        let mut known: Option<Before> = None;
        for place in 0..count {
            let parent = given.and_then(|given| given.prev.get(place));
            let reference = parents.get(place).copied().flatten();
            let (parent, before) = self.parent(&space, device, parent, reference)?;
            prev.push(parent);
            let seq = before.map_or(0, |before| before.seq);
            if known.is_none_or(|known| known.seq < seq) {
                known = before.or(known);
            }
        }
        let highest = match (known, prev.is_empty()) {
            (Some(known), _) => known.seq,
            (None, true) => 0,
            (None, false) => self.last.map_or(0, |last| last.seq),
        };
        let expected = i64::from(highest) + 1;
        let difference = given.map_or(0, |given| i64::from(given.seq) - expected);
        let difference = self.stream.signed(&mut self.models.seq, difference)?;
        let seq = expected.checked_add(difference);
        let seq = seq.and_then(|seq| u32::try_from(seq).ok());
        let before = known.or(self.last);
        let author = self.author(before, given.map(|given| given.author))?;
        let expected = i64::from(before.map_or(0, |before| before.dictionary));
        let difference = given.map_or(0, |given| i64::from(given.dictionary) - expected);
        let difference = self
            .stream
            .signed(&mut self.models.dictionary, difference)?;
        let dictionary = expected.checked_add(difference);
        let dictionary = dictionary.and_then(|dictionary| u32::try_from(dictionary).ok());
        let expected = self.last.or(known).map_or(0, |before| before.time);
        let difference = given.map_or(0, |given| given.time.wrapping_sub(expected));
        let difference = self
            .stream
            .signed(&mut self.models.batch_time, difference)?;
        Ok(Header {
            space,
            device,
            author,
            seq: seq.ok_or(BadCompact::Shape)?,
            prev,
            dictionary: dictionary.ok_or(BadCompact::Shape)?,
            time: expected.wrapping_add(difference),
        })
    }

    fn space(&mut self, given: Option<&Space>) -> Result<Space, BadCompact> {
        let number = given.and_then(|given| self.spaces.places.get(given));
        let number = number.map_or(0, |place| *place as u64 + 1);
        match self.stream.number(&mut self.models.space, number)? {
            0 => {
                let unit = given.map_or("", Space::unit);
                let unit = self.text(unit, KEY_BYTES_MAX)?;
                let class = given.map_or(0, |given| given.class as u64);
                let class = self.stream.number(&mut self.models.class, class)?;
                let class = u8::try_from(class).ok().and_then(Class::from_number);
                let space = Space::new(&unit, class.ok_or(BadCompact::Shape)?);
                let space = space.map_err(|_| BadCompact::Shape)?;
                self.spaces.note(space.clone());
                Ok(space)
            }
            number => self.spaces.at(number),
        }
    }

    /// A parent, and what is known of it.
    fn parent(
        &mut self,
        space: &Space,
        device: DeviceId,
        given: Option<&BatchHash>,
        reference: Option<usize>,
    ) -> Result<(BatchHash, Option<Before>), BadCompact> {
        let of_feed = self.of_feed.get(&(space.clone(), device)).copied();
        let back = given.map_or(0, |given| self.batches.back(given));
        let kind = match given {
            None => PARENT_AS_IT_IS,
            Some(given) if of_feed == Some(*given) => PARENT_OF_FEED,
            Some(_) if back > 0 => PARENT_REFERENCE + back,
            Some(_) if reference.is_some() => PARENT_REFERENCE,
            Some(_) => PARENT_AS_IT_IS,
        };
        let parent = match self.stream.number(&mut self.models.parent, kind)? {
            PARENT_AS_IT_IS => {
                let given = given.map(|given| given.0);
                let parent = plain(&mut self.stream, given, |bytes| Some(BatchHash(bytes)))?;
                return Ok((parent, None));
            }
            PARENT_OF_FEED => of_feed.ok_or(BadCompact::Shape)?,
            PARENT_REFERENCE => {
                let place = self.reference(reference)?;
                let held = self.held.get(place).ok_or(BadCompact::Shape)?;
                return Ok((held.hash, Some(Before::of(&held.header))));
            }
            back => self.batches.at_back(back - PARENT_REFERENCE)?,
        };
        Ok((parent, self.before.get(&parent).copied()))
    }

    fn author(
        &mut self,
        before: Option<Before>,
        given: Option<AuthorId>,
    ) -> Result<AuthorId, BadCompact> {
        let before = before.map(|before| before.author);
        let kind = match given {
            Some(given) if before == Some(given) => AUTHOR_AS_BEFORE,
            Some(given) => match self.authors.places.get(&given) {
                Some(place) => AUTHOR_AS_IT_IS + 1 + *place as u64,
                None => AUTHOR_AS_IT_IS,
            },
            None => AUTHOR_AS_BEFORE,
        };
        let author = match self.stream.number(&mut self.models.author, kind)? {
            AUTHOR_AS_BEFORE => before.ok_or(BadCompact::Shape)?,
            AUTHOR_AS_IT_IS => {
                let given = given.map(|given| given.0);
                plain(&mut self.stream, given, |bytes| Some(AuthorId(bytes)))?
            }
            number => self.authors.at(number - AUTHOR_AS_IT_IS)?,
        };
        self.authors.note(author);
        Ok(author)
    }

    /// The place of a batch referred to: 0 for the next that was not used yet, else how many places
    /// back it stands.
    fn reference(&mut self, given: Option<usize>) -> Result<usize, BadCompact> {
        let back = given.map_or(0, |given| self.used.saturating_sub(given) as u64);
        let back = self.stream.number(&mut self.models.reference, back)?;
        if back == 0 {
            let place = self.used;
            self.used += 1;
            return match place < self.held.len() {
                true => Ok(place),
                false => Err(BadCompact::Shape),
            };
        }
        let back = usize::try_from(back).map_err(|_| BadCompact::Shape)?;
        self.used.checked_sub(back).ok_or(BadCompact::Shape)
    }

    /// Takes what a batch says of a record into the document's trail.
    fn take_reference(
        &mut self,
        space: &Space,
        record: RecordId,
        place: usize,
    ) -> Result<(), BadCompact> {
        let held = self.held.get(place).ok_or(BadCompact::Shape)?;
        if held.header.space != *space || !self.taken.insert((place, record)) {
            return Err(BadCompact::Shape);
        }
        let trail = self.trails.entry((space.clone(), record)).or_default();
        for change in held.changes_of(record) {
            trail.take(&change);
            self.actors.note(change.actor);
            for put in change.puts {
                self.keys.note(put.key.clone());
                self.samples.insert(put.key, put.value);
            }
        }
        Ok(())
    }

    fn entry(
        &mut self,
        header: &Header,
        time: &mut i64,
        given: Option<(&Entry, Option<&Change>, &[usize])>,
    ) -> Result<Entry, BadCompact> {
        let mut references = given.map_or(&[][..], |(_, _, references)| references);
        let record = given.map(|(entry, ..)| entry.record);
        let number = record.and_then(|record| self.records.places.get(&record));
        let kind = match number {
            Some(place) => RECORD_REFERENCE + 1 + *place as u64,
            None if references.is_empty() => RECORD_AS_IT_IS,
            None => RECORD_REFERENCE,
        };
        let record = match self.stream.number(&mut self.models.record, kind)? {
            RECORD_AS_IT_IS => {
                let read = |bytes: [u8; RecordId::LEN]| RecordId::from_slice(&bytes).ok();
                plain(&mut self.stream, record.map(RecordId::to_bytes), read)?
            }
            RECORD_REFERENCE => {
                let place = self.reference(references.first().copied())?;
                references = references.get(1..).unwrap_or_default();
                let held = self.held.get(place).ok_or(BadCompact::Shape)?;
                let entry = record.and_then(|record| held.place_of(record)).unwrap_or(0);
                let entry = self.stream.number(&mut self.models.place, entry as u64)?;
                let entry = usize::try_from(entry).map_err(|_| BadCompact::Shape)?;
                let record = held.record_at(entry).ok_or(BadCompact::Shape)?;
                self.take_reference(&header.space, record, place)?;
                record
            }
            number => self.records.at(number - RECORD_REFERENCE)?,
        };
        self.records.note(record);
        let more = count(
            &mut self.stream,
            &mut self.models.references,
            references.len(),
            REFERENCES_MAX,
        )?;
        for place in 0..more {
            let place = self.reference(references.get(place).copied())?;
            self.take_reference(&header.space, record, place)?;
        }
        let change = given.and_then(|(_, change, _)| change);
        let as_it_is = given.is_some() && change.is_none();
        let change = match self
            .stream
            .bit(&mut self.models.change_as_it_is, as_it_is)?
        {
            true => self.as_it_is(given.map(|(entry, ..)| entry.change.as_slice()))?,
            false => self.change(header, record, time, change)?,
        };
        Ok(Entry { record, change })
    }

    /// A change; gives its bytes to a reader.
    fn change(
        &mut self,
        header: &Header,
        record: RecordId,
        time: &mut i64,
        given: Option<&Change>,
    ) -> Result<Vec<u8>, BadCompact> {
        let document = (header.space.clone(), record);
        let mut trail = self.trails.remove(&document).unwrap_or_default();
        let deps_given = given.map_or(0, |given| given.deps.len());
        let count_of_deps = count(
            &mut self.stream,
            &mut self.models.deps,
            deps_given,
            CHANGE_DEPS_MAX,
        )?;
        let mut deps = Vec::new();
        for place in 0..count_of_deps {
            let given = given.and_then(|given| given.deps.get(place));
            let back = given.map_or(0, |given| trail.back(given));
            deps.push(match self.stream.number(&mut self.models.dep, back)? {
                0 => {
                    let given = given.map(|given| given.0);
                    plain(&mut self.stream, given, |bytes| Some(ChangeHash(bytes)))?
                }
                back => trail.at_back(back)?,
            });
        }
        let actor = self.actor(header.device, given.map(|given| given.actor))?;
        let seq = given.map(|given| given.seq);
        let seq = counter(
            &mut self.stream,
            &mut self.models.change_seq,
            trail.next_seq(actor),
            seq,
        )?;
        let start = given.map(|given| given.start_op);
        let start = counter(
            &mut self.stream,
            &mut self.models.start_op,
            trail.next_op(&deps),
            start,
        )?;
        let difference = given.map_or(0, |given| given.time.wrapping_sub(*time));
        let difference = self.stream.signed(&mut self.models.time, difference)?;
        *time = time.wrapping_add(difference);
        let puts = self.puts(&trail, header.device, given)?;
        let raw = match given {
            Some(given) => {
                trail.take(given);
                Vec::new()
            }
            None => {
                let (change, raw) = Change::make(deps, actor, seq, start, *time, puts);
                trail.take(&change);
                raw
            }
        };
        self.trails.insert(document, trail);
        Ok(raw)
    }

    /// An actor: one of the message, or one of the batch's device and its random part, or as it is.
    fn actor(&mut self, device: DeviceId, given: Option<ActorId>) -> Result<ActorId, BadCompact> {
        let number = given.and_then(|given| self.actors.places.get(&given));
        let number = number.map_or(0, |place| *place as u64 + 1);
        let number = self.stream.number(&mut self.models.actor, number)?;
        if number > 0 {
            return self.actors.at(number);
        }
        let foreign = given.is_some_and(|given| !given.is_of(device));
        let actor = match self.stream.bit(&mut self.models.of_device, foreign)? {
            true => {
                let given = given.map(|given| given.0);
                plain(&mut self.stream, given, |bytes| Some(ActorId(bytes)))?
            }
            false => {
                let random = given.and_then(|given| given.0[4..].try_into().ok());
                let make = |random: [u8; 8]| Some(ActorId::new(device, random));
                plain(&mut self.stream, random, make)?
            }
        };
        self.actors.note(actor);
        Ok(actor)
    }

    fn puts(
        &mut self,
        trail: &Trail,
        device: DeviceId,
        given: Option<&Change>,
    ) -> Result<Vec<Put>, BadCompact> {
        let given = given.map(|given| given.puts.as_slice());
        let length = given.map_or(0, <[Put]>::len);
        let count_of_puts = count(
            &mut self.stream,
            &mut self.models.puts,
            length,
            CHANGE_OPS_MAX,
        )?;
        let mut puts = Vec::new();
        let mut preds_left = CHANGE_PREDS_MAX;
        // Keys and texts stand in a change at full length: refused before they are written out.
        let mut room = CHANGE_BYTES_MAX;
        let mut key_before = None;
        for place in 0..count_of_puts {
            let given = given.and_then(|given| given.get(place));
            let key = self.key(&mut key_before, given.map(|given| &given.key))?;
            let value = self.value(&key, given.map(|given| &given.value))?;
            let length = key.as_str().len() + value.as_text().map_or(0, str::len);
            room = room.checked_sub(length).ok_or(BadCompact::TooLarge)?;
            let last = trail.last.get(&key).copied();
            let given = given.map(|given| given.preds.as_slice());
            let preds = self.preds(last, device, &mut preds_left, given)?;
            self.samples.insert(key.clone(), value.clone());
            puts.push(Put { key, value, preds });
        }
        Ok(puts)
    }

    /// A key: by its number, of which the key before it in the change gives a notion.
    fn key(&mut self, before: &mut Option<usize>, given: Option<&Key>) -> Result<Key, BadCompact> {
        const FAR: usize = 255;
        let place = given.and_then(|given| self.keys.places.get(given)).copied();
        let number = place.map_or(0, |place| place + 1);
        let tree = self.models.key.entry(*before).or_default();
        let number = match self.stream.symbol(tree, number.min(FAR))? {
            FAR => {
                let far = number.saturating_sub(FAR) as u64;
                let far = self.stream.number(&mut self.models.key_far, far)?;
                far.saturating_add(FAR as u64)
            }
            number => number as u64,
        };
        let key = match number {
            0 => {
                let text = self.text(given.map_or("", Key::as_str), KEY_BYTES_MAX)?;
                let key = Key::parse(&text).map_err(|_| BadCompact::Shape)?;
                self.keys.note(key.clone());
                key
            }
            number => self.keys.at(number)?,
        };
        *before = self.keys.places.get(&key).copied();
        Ok(key)
    }

    /// A value, of which the last one under its key gives a notion.
    fn value(&mut self, key: &Key, given: Option<&Value>) -> Result<Value, BadCompact> {
        let sample = self.samples.get(key).cloned();
        let tree = match &sample {
            None => 0,
            Some(Value::Null) => 1,
            Some(Value::Bool(_)) => 2,
            Some(Value::Int(_)) => 3,
            Some(Value::Text(_)) => 4,
        };
        let as_long = sample.as_ref().and_then(Value::as_text).map(str::len);
        let kind = match given {
            Some(given) if sample.as_ref() == Some(given) => SAME,
            Some(Value::Bool(false)) => FALSE,
            Some(Value::Bool(true)) => TRUE,
            Some(Value::Int(_)) => INTEGER,
            Some(Value::Text(text)) if as_long == Some(text.len()) => TEXT_AS_LONG,
            Some(Value::Text(_)) => TEXT,
            Some(Value::Null) | None => NULL,
        };
        Ok(
            match self.stream.symbol(&mut self.models.value[tree], kind)? {
                NULL => Value::Null,
                FALSE => Value::Bool(false),
                TRUE => Value::Bool(true),
                INTEGER => {
                    let given = match given {
                        Some(Value::Int(number)) => *number,
                        _ => 0,
                    };
                    Value::Int(self.stream.signed(&mut self.models.integer, given)?)
                }
                SAME => sample.ok_or(BadCompact::Shape)?,
                TEXT_AS_LONG => {
                    let length = as_long.ok_or(BadCompact::Shape)?;
                    let text = given.and_then(Value::as_text).unwrap_or_default();
                    Value::Text(self.stream.text(&mut self.models.text, length, text)?)
                }
                TEXT => {
                    let text = given.and_then(Value::as_text).unwrap_or_default();
                    Value::Text(self.text(text, VALUE_BYTES_MAX)?)
                }
                _ => return Err(BadCompact::Shape),
            },
        )
    }

    /// A text with its length.
    fn text(&mut self, given: &str, most: usize) -> Result<String, BadCompact> {
        let length = count(&mut self.stream, &mut self.models.length, given.len(), most)?;
        self.stream.text(&mut self.models.text, length, given)
    }

    /// What a put replaces: usually what was written last under its key, as far as is known.
    fn preds(
        &mut self,
        last: Option<OpId>,
        device: DeviceId,
        left: &mut usize,
        given: Option<&[OpId]>,
    ) -> Result<Vec<OpId>, BadCompact> {
        let usual: Vec<OpId> = last.into_iter().collect();
        let kind = match given {
            Some(given) if given == usual.as_slice() => PREDS_LAST,
            Some([]) => PREDS_NONE,
            Some(given) => PREDS_NONE + given.len() as u64,
            None => PREDS_LAST,
        };
        let count = match self.stream.number(&mut self.models.preds, kind)? {
            PREDS_LAST => {
                *left = left.checked_sub(usual.len()).ok_or(BadCompact::Shape)?;
                return Ok(usual);
            }
            count => usize::try_from(count - PREDS_NONE).map_err(|_| BadCompact::Shape)?,
        };
        *left = left.checked_sub(count).ok_or(BadCompact::Shape)?;
        let mut preds = Vec::new();
        for place in 0..count {
            let given = given.and_then(|given| given.get(place));
            let number = given.map_or(0, |given| u64::from(given.counter));
            let number = self.stream.number(&mut self.models.counter, number)?;
            let counter = u32::try_from(number).map_err(|_| BadCompact::Shape)?;
            let actor = self.actor(device, given.map(|given| given.actor))?;
            preds.push(OpId { counter, actor });
        }
        Ok(preds)
    }
}

/// A counter told as a difference to what it must be; with room above it for every operation that
/// a change can have.
fn counter<S: Stream>(
    stream: &mut S,
    model: &mut Number,
    expected: i64,
    given: Option<u32>,
) -> Result<u32, BadCompact> {
    let difference = given.map_or(0, |given| i64::from(given) - expected);
    let number = expected.checked_add(stream.signed(model, difference)?);
    let number = number.and_then(|number| u32::try_from(number).ok());
    number
        .filter(|number| *number <= COUNTER_MAX)
        .ok_or(BadCompact::Shape)
}

impl Course<'_, Writer> {
    /// Writes the whole message.
    fn tell(&mut self, batches: &[Told]) -> Result<(), BadCompact> {
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
                Told::AsItIs(bytes) => (Some(bytes), None),
                Told::Apart(apart) => (None, Some(apart)),
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

impl Course<'_, StreamReader<'_>> {
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
