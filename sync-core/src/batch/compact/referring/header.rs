//! The header of a batch: what its parents predict, and what differs.

use super::*;

// What a parent is told as; what is above names one in the message, so many batches back.
const PARENT_AS_IT_IS: u64 = 0;
const PARENT_OF_FEED: u64 = 1;
const PARENT_REFERENCE: u64 = 2;

// Who the author is; what is above names one of the message.
const AUTHOR_AS_BEFORE: u64 = 0;
const AUTHOR_AS_IT_IS: u64 = 1;

impl<S: Stream> Transcoder<'_, S> {
    pub(super) fn header(&mut self, given: Option<&OutgoingParts>) -> Result<Header, BadCompact> {
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

    pub(super) fn space(&mut self, given: Option<&Space>) -> Result<Space, BadCompact> {
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
    pub(super) fn parent(
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

    pub(super) fn author(
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
}
