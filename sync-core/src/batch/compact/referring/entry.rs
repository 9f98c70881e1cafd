//! An entry of a batch: its record, the batches that explain it, its change.

use super::*;

// What a record is told as; what is above names one of the message.
const RECORD_AS_IT_IS: u64 = 0;
const RECORD_REFERENCE: u64 = 1;

impl<S: Stream> Transcoder<'_, S> {
    pub(super) fn entry(
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

    /// The place of a batch referred to: 0 for the next that was not used yet, else how many places
    /// back it stands.
    pub(super) fn reference(&mut self, given: Option<usize>) -> Result<usize, BadCompact> {
        let back = given.map_or(0, |given| self.used.saturating_sub(given) as u64);
        let place = match self.stream.number(&mut self.models.reference, back)? {
            0 => {
                self.used += 1;
                Some(self.used - 1)
            }
            back => {
                let back = usize::try_from(back).ok();
                back.and_then(|back| self.used.checked_sub(back))
            }
        };
        // What is written is what was meant: batches are used in the order of the list.
        let meant = |place: &usize| given.is_none_or(|given| given == *place);
        place
            .filter(|place| *place < self.held.len() && meant(place))
            .ok_or(BadCompact::Shape)
    }

    /// Takes what a batch says of a record into the document's trail.
    pub(super) fn take_reference(
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

    /// A change; gives its bytes to a reader.
    pub(super) fn change(
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
        let puts = self.puts(&trail, given)?;
        let raw = match given {
            Some(given) => {
                trail.take(given);
                self.actors.note(given.actor);
                Vec::new()
            }
            None => {
                let (change, raw) = Change::make(deps, header.device, start, *time, puts);
                trail.take(&change);
                self.actors.note(change.actor);
                raw
            }
        };
        self.trails.insert(document, trail);
        Ok(raw)
    }

    /// The actor of a predecessor: one of the message, or as it is.
    pub(super) fn actor(&mut self, given: Option<ActorId>) -> Result<ActorId, BadCompact> {
        let number = given.and_then(|given| self.actors.places.get(&given));
        let number = number.map_or(0, |place| *place as u64 + 1);
        let number = self.stream.number(&mut self.models.actor, number)?;
        if number > 0 {
            return self.actors.at(number);
        }
        let given = given.map(|given| given.0);
        let actor = plain(&mut self.stream, given, |bytes| Some(ActorId(bytes)))?;
        self.actors.note(actor);
        Ok(actor)
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
