//! Record states that a connection wrote, as values: whoever reads such a row again on it, for the
//! figures that follow or for the next edit, decodes nothing.
//!
//! A row counts as known only while it holds the very bytes, so nothing has to be forgotten for the
//! sake of what is right, whatever else writes or is rolled back.

use std::collections::BTreeMap;

use sync_core::id::{Class, RecordId};
use sync_core::record::RecordState;

/// States that are remembered, of some 5 KB each.
const STATES_MAX: usize = 512;
/// Bytes of a state that is remembered, at most: a hundred fields with a page of text.
const BYTES_MAX: usize = 8 * 1024;

/// The states, with the bytes that they were written as. A record has the same id in two units only
/// by somebody's doing, and then the two push each other out.
#[derive(Debug, Default)]
pub(super) struct Decoded(BTreeMap<(Class, RecordId), (Vec<u8>, RecordState)>);

impl Decoded {
    /// The state that these bytes of a record are, if they are known.
    pub(super) fn get(&self, class: Class, record: RecordId, bytes: &[u8]) -> Option<RecordState> {
        let (known, state) = self.0.get(&(class, record))?;
        (known == bytes).then(|| state.clone())
    }

    /// Remembers a state that is written as these bytes.
    pub(super) fn remember(
        &mut self,
        class: Class,
        record: RecordId,
        bytes: Vec<u8>,
        state: RecordState,
    ) {
        if bytes.len() > BYTES_MAX {
            return;
        }
        if self.0.len() >= STATES_MAX {
            self.0.clear();
        }
        self.0.insert((class, record), (bytes, state));
    }

    /// Forgets everything, since something is erased.
    pub(super) fn forget(&mut self) {
        self.0.clear();
    }
}

#[cfg(test)]
mod tests {
    use sync_core::id::Subject;

    use super::*;

    #[test]
    fn a_state_is_known_only_as_the_bytes_that_were_written() {
        let record = RecordId::draw(Subject::Household, 1, [1; 10]);
        let state = RecordState::empty();
        let bytes = state.to_cbor();
        let mut decoded = Decoded::default();
        decoded.remember(Class::General, record, bytes.clone(), state.clone());
        assert_eq!(decoded.get(Class::General, record, &bytes), Some(state));
        assert_eq!(decoded.get(Class::Health, record, &bytes), None);
        assert_eq!(decoded.get(Class::General, record, &bytes[1..]), None);
        decoded.forget();
        assert_eq!(decoded.get(Class::General, record, &bytes), None);
    }

    #[test]
    fn what_is_remembered_is_bounded_in_number_and_length() {
        let mut decoded = Decoded::default();
        let of = |n: u16| {
            let [high, low] = n.to_be_bytes();
            RecordId::draw(Subject::Household, 1, [high, low, 0, 0, 0, 0, 0, 0, 0, 0])
        };
        let long = vec![0; BYTES_MAX + 1];
        decoded.remember(Class::General, of(0), long, RecordState::empty());
        assert!(decoded.0.is_empty());
        for n in 0..2000 {
            decoded.remember(Class::General, of(n), vec![0], RecordState::empty());
            assert!((1..=STATES_MAX).contains(&decoded.0.len()));
        }
    }
}
