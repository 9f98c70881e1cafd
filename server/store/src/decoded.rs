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
