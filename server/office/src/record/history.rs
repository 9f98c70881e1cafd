//! History of a record by key: the person, the device, the time.

use std::collections::{BTreeMap, BTreeSet};

use node::UnitRecords;
use plan::Package;
use store::device::{self, Device};
use store::{Conn, StoreError, record};
use sync_core::batch::Batch;
use sync_core::check;
use sync_core::history::{ShownEvent, Signers, merged};
use sync_core::id::{DeviceId, NetworkId, RecordId, Space};
use sync_core::link;
use sync_core::show::{ShownRecord, Source};
use sync_core::value::Key;

use super::sections::item_names;
use super::shown_key;
use crate::ids;
use crate::mask;
use crate::page_error::PageError;
use crate::value::Formatter;
use crate::when;

/// Everything that was written under one key, oldest first.
pub(super) struct KeyHistory {
    pub(super) key: String,
    pub(super) events: Vec<Event>,
}

/// One value that was written.
pub(super) struct Event {
    pub(super) when: String,
    /// Empty where the field was emptied.
    pub(super) value: String,
    pub(super) who: String,
    pub(super) device: String,
}

/// The events of a record in the classes that are loaded.
pub(super) async fn events(
    conn: &mut Conn,
    network: NetworkId,
    held: &UnitRecords<'_>,
    unit: &str,
    id: RecordId,
) -> Result<Vec<ShownEvent>, PageError> {
    let package = held.package();
    let mut classes = Vec::new();
    for (class, state) in held.states(id) {
        let Ok(space) = Space::new(unit, class) else {
            continue;
        };
        let mut signers = Signers::default();
        for (_, bytes) in record::batches(conn, &space, id).await? {
            if let Ok(batch) = Batch::from_store(network, &bytes) {
                signers.take(&batch, id);
            }
        }
        let events = state.history().map_err(|_| StoreError::Unreadable {
            table: "record",
            column: "state",
        })?;
        // As in what is shown: a key counts only in the space of its section's class.
        let belongs = |key: &Key| {
            let of = package.and_then(|package| check::class_of(package, key));
            of == Some(class)
        };
        let events = events.iter().filter(|event| belongs(&event.key));
        classes.push(events.map(|event| signers.shown(event)).collect());
    }
    Ok(merged(classes))
}

/// The devices of these events, as the administration knows them.
pub(super) async fn devices(
    conn: &mut Conn,
    events: &[ShownEvent],
) -> Result<BTreeMap<DeviceId, Device>, StoreError> {
    let named: BTreeSet<DeviceId> = events.iter().filter_map(|event| event.device).collect();
    let mut devices = BTreeMap::new();
    for id in named {
        if let Some(device) = device::device(conn, id).await? {
            devices.insert(id, device);
        }
    }
    Ok(devices)
}

/// The events by key, in the order of the form.
pub(super) fn by_key(
    formatter: Formatter<'_>,
    shown: &ShownRecord,
    events: &[ShownEvent],
    devices: &BTreeMap<DeviceId, Device>,
) -> Vec<KeyHistory> {
    let mut by_key: BTreeMap<(DictionaryOrder, &str), (Key, Vec<Event>)> = BTreeMap::new();
    for event in events {
        let Some(key) = shown_key(formatter.package, &event.key) else {
            continue;
        };
        let told = told(formatter, &key, event, devices);
        let place = (place(formatter.package, &key), event.key.as_str());
        by_key
            .entry(place)
            .or_insert((key, Vec::new()))
            .1
            .push(told);
    }
    let items = item_names(formatter, shown);
    let history = by_key.into_values().map(|(key, events)| KeyHistory {
        key: name(formatter, &key, &items),
        events,
    });
    history.collect()
}

/// The places of a section and of a field in the dictionary, with the item between them.
type DictionaryOrder = (usize, String, usize);

fn place(package: &Package, key: &Key) -> DictionaryOrder {
    let found = package.section(key.section());
    let section = found.and_then(|(subject, _)| {
        let mut keys = subject.sections.iter().map(|section| &section.key);
        keys.position(|known| known == key.section())
    });
    let field = found.and_then(|(_, section)| {
        let mut keys = section.fields.iter().map(|field| &field.key);
        keys.position(|known| known == key.field())
    });
    let item = key.item().unwrap_or_default().to_owned();
    (
        section.unwrap_or(usize::MAX),
        item,
        field.unwrap_or(usize::MAX),
    )
}

/// What a key is called: section, item, field.
fn name(formatter: Formatter<'_>, key: &Key, items: &BTreeMap<(String, String), String>) -> String {
    // The item of a statement is the other record's id, which no page shows.
    let item = key.item().filter(|_| link::other_of(key).is_none());
    let item = item.map(|item| {
        let named = items.get(&(key.section().to_owned(), item.to_owned()));
        named.cloned().unwrap_or_else(|| mask::text(item))
    });
    let parts = [Some(formatter.section(key)), item, Some(formatter.key(key))];
    parts.into_iter().flatten().collect::<Vec<_>>().join(" · ")
}

fn told(
    formatter: Formatter<'_>,
    key: &Key,
    event: &ShownEvent,
    devices: &BTreeMap<DeviceId, Device>,
) -> Event {
    let known = event.device.and_then(|id| devices.get(&id));
    // The name is that of the device's last code: whoever wrote before it was given to her is
    // somebody else.
    let name = known
        .filter(|device| Some(device.author) == event.author)
        .and_then(|device| device.name.as_deref());
    let unknown = || formatter.words.sentence("console-unknown", &[]);
    Event {
        when: when::in_china(event.time),
        value: formatter.under(key, &event.value),
        who: match (name, event.author) {
            (Some(name), _) => mask::text(name),
            (None, Some(author)) => ids::short(&author.to_string()),
            (None, None) => unknown(),
        },
        device: event
            .device
            .map_or_else(unknown, |device| ids::short(&device.to_string())),
    }
}
