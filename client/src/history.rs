//! What was written under a record's keys, where, by whom and when.

use std::collections::BTreeMap;

use sync_core::batch::Batch;
use sync_core::change::Change;
use sync_core::id::{AuthorId, ChangeHash, DeviceId, RecordId, Space};
use sync_core::record::Event;
use sync_core::row::Table;
use sync_core::show::ShownValue;

use crate::error::{Complaint, PhoneError};
use crate::phone::{Open, Phone};
use crate::records::find;

/// One value written at some time.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ShownEvent {
    /// Where.
    pub key: String,
    /// What; one Boolean per code for a multi-choice.
    pub value: ShownValue,
    /// The device that wrote it, if it is known.
    pub device: Option<DeviceId>,
    /// The person who wrote it, if it is known.
    pub author: Option<AuthorId>,
    /// When, by that device's clock, Unix seconds; for display.
    pub time: i64,
}

impl Phone {
    /// Every value ever written to a record, oldest first. What happened in one class stands in
    /// causal order, whatever the clocks said; classes are merged by time.
    pub fn history(&mut self, id: &str) -> Result<Vec<ShownEvent>, PhoneError> {
        let open = self.opened()?;
        let (record, unit) = find(open, id)?;
        let authors = authors(open, record)?;
        let mut queues = Vec::new();
        for space in open.replica.spaces().filter(|space| space.unit() == unit) {
            let Some(state) = open.replica.record(space, record) else {
                continue;
            };
            let events = state
                .history()
                .map_err(|_| PhoneError::Store(Complaint::new("record_unreadable")))?;
            let shown: Vec<ShownEvent> = events
                .iter()
                .map(|event| shown(open, space, &authors, event))
                .collect();
            queues.push(shown.into_iter().peekable());
        }
        let mut all = Vec::new();
        loop {
            let times = queues
                .iter_mut()
                .enumerate()
                .filter_map(|(at, queue)| queue.peek().map(|event| (event.time, at)));
            let Some((_, at)) = times.min() else {
                return Ok(all);
            };
            all.extend(queues.get_mut(at).and_then(Iterator::next));
        }
    }
}

fn shown(
    open: &Open,
    space: &Space,
    authors: &BTreeMap<ChangeHash, (DeviceId, AuthorId)>,
    event: &Event,
) -> ShownEvent {
    let signed = authors.get(&event.change);
    // A change that no batch holds yet is this device's own.
    let me = open.replica.me().device;
    let tagged = || {
        let control = open.replica.control();
        let writer = |device: &DeviceId| control.writer_key(*device, space).is_some();
        let devices = control.devices().map(|(device, _)| device).filter(writer);
        std::iter::once(me)
            .chain(devices)
            .find(|device| event.actor.is_of(*device))
    };
    let device = signed.map(|(device, _)| *device).or_else(tagged);
    let unsent = || open.author().ok().filter(|_| device == Some(me));
    ShownEvent {
        key: event.key.to_string(),
        value: ShownValue::from(&event.value),
        device,
        author: signed.map(|(_, author)| *author).or_else(unsent),
        time: event.time,
    }
}

/// Who signed each change of a record: that stands in the batches, not in the documents.
fn authors(
    open: &Open,
    record: RecordId,
) -> Result<BTreeMap<ChangeHash, (DeviceId, AuthorId)>, PhoneError> {
    let network = open.replica.me().network;
    let mut authors = BTreeMap::new();
    open.store.rows(Table::Batch, |bytes| {
        let Ok(batch) = Batch::from_store(network, &bytes) else {
            return;
        };
        for entry in batch.entries.iter().filter(|entry| entry.record == record) {
            if let Ok(change) = Change::parse(&entry.change) {
                authors.insert(change.hash, (batch.header.device, batch.header.author));
            }
        }
    })?;
    Ok(authors)
}
