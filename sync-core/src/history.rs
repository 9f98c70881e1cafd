//! History of a record: what was written under each key, by whom and when.
//!
//! A document says which change wrote what; who signed a change stands in the batch that carried it.
//! The phone and the server bring both together here, whatever they keep them in.

use std::collections::BTreeMap;

use crate::batch::Batch;
use crate::change::Change;
use crate::id::{AuthorId, ChangeHash, DeviceId, RecordId};
use crate::record::Event;
use crate::show::ShownValue;

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

/// Who signed the changes of a record.
#[derive(Clone, Debug, Default)]
pub struct Signers(BTreeMap<ChangeHash, (DeviceId, AuthorId)>);

impl Signers {
    /// Takes in a batch: whoever signed it signed the changes of `record` that it carries.
    pub fn take(&mut self, batch: &Batch, record: RecordId) {
        for entry in batch.entries.iter().filter(|entry| entry.record == record) {
            if let Ok(change) = Change::parse(&entry.change) {
                let signer = (batch.header.device, batch.header.author);
                self.0.insert(change.hash, signer);
            }
        }
    }

    /// The event as it is shown; device and author are none where no batch was taken in that
    /// carries its change.
    pub fn shown(&self, event: &Event) -> ShownEvent {
        let signed = self.0.get(&event.change);
        ShownEvent {
            key: event.key.to_string(),
            value: ShownValue::from(&event.value),
            device: signed.map(|(device, _)| *device),
            author: signed.map(|(_, author)| *author),
            time: event.time,
        }
    }
}

/// The events of a record's classes as one list: those of a class stay in their causal order,
/// whatever the clocks said, and the classes are merged by time.
pub fn merged(classes: Vec<Vec<ShownEvent>>) -> Vec<ShownEvent> {
    let mut queues: Vec<_> = classes
        .into_iter()
        .map(|events| events.into_iter().peekable())
        .collect();
    let mut all = Vec::new();
    loop {
        let times = queues
            .iter_mut()
            .enumerate()
            .filter_map(|(at, queue)| queue.peek().map(|event| (event.time, at)));
        let Some((_, at)) = times.min() else {
            return all;
        };
        all.extend(queues.get_mut(at).and_then(Iterator::next));
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn event(key: &str, time: i64) -> ShownEvent {
        ShownEvent {
            key: key.into(),
            value: ShownValue::Empty,
            device: None,
            author: None,
            time,
        }
    }

    #[test]
    fn a_class_stays_in_causal_order_when_a_clock_was_wrong() {
        let general = vec![event("a", 50), event("b", 10), event("c", 60)];
        let care = vec![event("x", 20), event("y", 55)];
        let keys = merged(vec![general, care])
            .into_iter()
            .map(|event| event.key);
        assert_eq!(keys.collect::<Vec<_>>(), ["x", "a", "b", "y", "c"]);
    }
}
