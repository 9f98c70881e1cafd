//! History of a record: what was written under each key, where, by whom and when.

use sync_core::history::{ShownEvent, Signers, merged};
use sync_core::id::{DeviceId, RecordId, Space};
use sync_core::record::Event;
use sync_core::row::Unreadable;

use crate::error::{Issue, PhoneError};
use crate::phone::{Open, Phone};
use crate::records::find;

impl Phone {
    /// Every value ever written to a record, oldest first. What happened in one class stands in
    /// causal order, whatever the clocks said; classes are merged by time.
    pub fn history(&mut self, id: &str) -> Result<Vec<ShownEvent>, PhoneError> {
        let open = self.opened()?;
        let (record, unit) = find(open, id)?;
        let signers = signers(open, record)?;
        let mut classes = Vec::new();
        for space in open.replica.spaces().filter(|space| space.unit() == unit) {
            let Some(state) = open.replica.record(space, record) else {
                continue;
            };
            let events = state
                .history()
                .map_err(|_| PhoneError::Store(Issue::new("record_unreadable")))?;
            let shown = events
                .iter()
                .map(|event| shown(open, space, &signers, event));
            classes.push(shown.collect());
        }
        Ok(merged(classes))
    }
}

/// A change that no batch holds yet is this device's own; the author of one whose batch is gone is
/// not known, but the change tells the device.
fn shown(open: &Open, space: &Space, signers: &Signers, event: &Event) -> ShownEvent {
    let mut shown = signers.shown(event);
    if shown.device.is_some() {
        return shown;
    }
    let me = open.replica.me().device;
    let control = open.replica.control();
    let writer = |device: &DeviceId| control.writer_key(*device, space).is_some();
    let devices = control.devices().map(|(device, _)| device).filter(writer);
    shown.device = std::iter::once(me)
        .chain(devices)
        .find(|device| event.is_of(*device));
    shown.author = open.author().ok().filter(|_| shown.device == Some(me));
    shown
}

fn signers(open: &Open, record: RecordId) -> Result<Signers, PhoneError> {
    let batches = open.replica.batches_of(&open.store, record);
    let mut signers = Signers::default();
    for batch in batches.map_err(unreadable)? {
        signers.take(&batch, record);
    }
    Ok(signers)
}

fn unreadable(_: Unreadable) -> PhoneError {
    PhoneError::Store(Issue::new("store_unreadable"))
}
