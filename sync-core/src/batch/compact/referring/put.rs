//! The puts of a change: keys, values, and what they replace.

use super::*;
use crate::batch::compact;

// What a put replaces; what is above counts the operations that follow.
const PREDS_LAST: u64 = 0;
const PREDS_NONE: u64 = 1;

// What a value is: of its kind, or the same as the last one under its key, or a text as long as that.
const NULL: usize = compact::NULL as usize;
const FALSE: usize = compact::FALSE as usize;
const TRUE: usize = compact::TRUE as usize;
const INTEGER: usize = compact::INTEGER as usize;
const TEXT: usize = compact::TEXT as usize;
const SAME: usize = 5;
const TEXT_AS_LONG: usize = 6;

impl<S: Stream> Transcoder<'_, S> {
    pub(super) fn puts(
        &mut self,
        trail: &Trail,
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
            self.spend_on_puts(length)?;
            let last = trail.last.get(&key).copied();
            let given = given.map(|given| given.preds.as_slice());
            let preds = self.preds(last, &mut preds_left, given)?;
            self.samples.insert(key.clone(), value.clone());
            puts.push(Put { key, value, preds });
        }
        Ok(puts)
    }

    /// A key: by its number, of which the key before it in the change gives a notion.
    pub(super) fn key(
        &mut self,
        before: &mut Option<usize>,
        given: Option<&Key>,
    ) -> Result<Key, BadCompact> {
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
        // Few keys have numbers that give a notion of the next.
        *before = self
            .keys
            .places
            .get(&key)
            .copied()
            .filter(|place| *place < FAR);
        Ok(key)
    }

    /// A value, of which the last one under its key gives a notion.
    pub(super) fn value(&mut self, key: &Key, given: Option<&Value>) -> Result<Value, BadCompact> {
        let sample = self.samples.get(key);
        let tree = match sample {
            None => 0,
            Some(Value::Null) => 1,
            Some(Value::Bool(_)) => 2,
            Some(Value::Int(_)) => 3,
            Some(Value::Text(_)) => 4,
        };
        let as_long = sample.and_then(Value::as_text).map(str::len);
        let kind = match given {
            Some(given) if sample == Some(given) => SAME,
            Some(Value::Bool(false)) => FALSE,
            Some(Value::Bool(true)) => TRUE,
            Some(Value::Int(_)) => INTEGER,
            Some(Value::Text(text)) if as_long == Some(text.len()) => TEXT_AS_LONG,
            Some(Value::Text(_)) => TEXT,
            Some(Value::Null) | None => NULL,
        };
        let kind = self.stream.symbol(&mut self.models.value[tree], kind)?;
        Ok(match kind {
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
            SAME => sample.cloned().ok_or(BadCompact::Shape)?,
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
        })
    }

    /// A text with its length.
    pub(super) fn text(&mut self, given: &str, most: usize) -> Result<String, BadCompact> {
        let length = count(&mut self.stream, &mut self.models.length, given.len(), most)?;
        self.stream.text(&mut self.models.text, length, given)
    }

    /// What a put replaces: usually what was written last under its key, as far as is known.
    pub(super) fn preds(
        &mut self,
        last: Option<OpId>,
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
            self.spend_on_puts(1)?;
            let given = given.and_then(|given| given.get(place));
            let number = given.map_or(0, |given| u64::from(given.counter));
            let number = self.stream.number(&mut self.models.counter, number)?;
            let counter = u32::try_from(number).map_err(|_| BadCompact::Shape)?;
            let actor = self.actor(given.map(|given| given.actor))?;
            preds.push(OpId { counter, actor });
        }
        Ok(preds)
    }
}
