//! Appending of changes that plainly continue a record, for a host that takes in more than it reads.
//!
//! Automerge reads a saved document with changes behind it. So a change on exactly the heads is written
//! there as it came, once the rules of admission and the view have taken it: no document is loaded.
//! Every [`APPENDED_MAX`] changes, and whatever isn't plain, [`RecordState::add`] has Automerge join
//! them, and save and check the whole (R14).

use super::*;

/// Changes behind a saved document, at most. What Automerge makes of a record is checked as often.
pub(super) const APPENDED_MAX: u8 = 8;

/// What the next plain change continues, so that nobody asks the document for it.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(super) struct Frontier {
    /// The highest operation counter.
    pub(super) end: u32,
    /// Changes behind the saved document.
    pub(super) appended: u8,
}

impl RecordState {
    /// The same state as [`Self::add`] makes, found without Automerge where that is plain. A change on which
    /// Automerge fails is found up to eight changes later, and parks the record then.
    ///
    /// # Errors
    /// Only those of `held`.
    pub fn append<E>(
        &self,
        arrived: &[(DeviceId, &[u8])],
        held: impl FnOnce() -> Result<Vec<(DeviceId, Vec<u8>)>, E>,
    ) -> Result<RecordState, E> {
        match self.appended(arrived) {
            Some(state) => Ok(state),
            None => self.join(arrived, held),
        }
    }

    /// Whether changes stand behind the saved document that Automerge has not joined.
    pub(super) fn has_appended(&self) -> bool {
        self.frontier.as_ref().is_some_and(|of| of.appended > 0)
    }

    /// The state with changes appended; `None` where Automerge has to join them.
    fn appended(&self, arrived: &[(DeviceId, &[u8])]) -> Option<Self> {
        // What is set aside may have to do with what arrives.
        if self.parked.is_some() || !self.aside.is_empty() {
            return None;
        }
        let mut changes = BTreeMap::new();
        for &(device, raw) in arrived {
            let change = read(device, raw).ok()?;
            changes.insert((change.start_op, change.hash), (change, raw));
        }
        let mut state = self.clone();
        let mut frontier = match state.frontier.take() {
            None if state.saved.is_empty() => Frontier::default(),
            known => known?,
        };
        for (change, raw) in changes.into_values() {
            let is_plain = frontier.appended < APPENDED_MAX && !is_long(&change);
            if !is_plain || !state.is_continued(&frontier, &change) {
                return None;
            }
            frontier.take(&change);
            state.view.take(&change);
            state.heads = vec![change.hash];
            state.saved.extend_from_slice(raw);
        }
        state.frontier = Some(frontier);
        Some(state)
    }

    /// Whether a change has the whole record for its past, and keeps every rule of [`crate::admit`].
    fn is_continued(&self, frontier: &Frontier, change: &Change) -> bool {
        let visible = |key: &Key| {
            let slot = self.view.get(key);
            slot.map_or_else(Vec::new, MultiValue::ops)
        };
        change.deps == self.heads
            && Some(change.start_op) == frontier.end.checked_add(1)
            && change.puts.iter().all(|put| visible(&put.key) == put.preds)
    }
}

/// Whether its device may have written too much with this change. A device has at most [`BESIDE_MAX`] changes
/// side by side, so its changes are as many chains, and each operation of a chain has a counter of its own.
fn is_long(change: &Change) -> bool {
    change.ops_end() as usize * BESIDE_MAX > OPS_OF_DEVICE_MAX
}

impl Frontier {
    /// That of a document that is saved whole.
    pub(super) fn of(graph: &Graph) -> Self {
        Self {
            end: graph.end(),
            appended: 0,
        }
    }

    fn take(&mut self, change: &Change) {
        self.end = change.ops_end();
        self.appended = self.appended.saturating_add(1);
    }
}
