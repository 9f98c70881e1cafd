//! References of a message: batches that its receiver holds, named by their place in a feed.

use std::collections::BTreeMap;

use super::*;

/// Batches that one message refers to at most: what a stranger can make a receiver look up.
pub const REFERENCES_MAX: usize = 256;

/// A batch that the receiver of a message holds, as the message names it.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct Reference {
    /// The feed's space.
    pub space: Space,
    /// The first bytes of the feed's device; they say which one if no other feed of the space has
    /// the same.
    pub feed: [u8; FEED_BYTES],
    /// The batch's number in the feed; it says which one if it was used once.
    pub seq: u32,
}

/// Bytes of a device id in a reference.
pub const FEED_BYTES: usize = 2;

impl Reference {
    /// How a message names the batch with this number in a device's feed.
    pub fn to(space: &Space, device: DeviceId, seq: u32) -> Self {
        Self {
            space: space.clone(),
            feed: Self::feed_of(device),
            seq,
        }
    }

    /// How references name a device's feed.
    pub fn feed_of(device: DeviceId) -> [u8; FEED_BYTES] {
        [device.0[0], device.0[1]]
    }

    /// The devices that references can name: those whose first bytes no other of them has.
    pub fn nameable(devices: impl IntoIterator<Item = DeviceId>) -> BTreeMap<[u8; 2], DeviceId> {
        let mut named: BTreeMap<[u8; FEED_BYTES], Option<DeviceId>> = BTreeMap::new();
        for device in devices {
            named
                .entry(Self::feed_of(device))
                .and_modify(|other| *other = other.filter(|other| *other == device))
                .or_insert(Some(device));
        }
        named
            .into_iter()
            .filter_map(|(feed, device)| Some((feed, device?)))
            .collect()
    }
}

/// A batch that both ends of a message hold.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ReferencedBatch {
    /// Its place.
    pub reference: Reference,
    /// Its name.
    pub hash: BatchHash,
    /// Its stored form.
    pub bytes: Vec<u8>,
}

/// The records that a batch in its stored form changes; none if it doesn't read. Costs no hashing.
pub fn records_of(bytes: &[u8]) -> BTreeSet<RecordId> {
    let envelope: Option<Envelope> = cbor::decode(bytes).ok();
    let entries = envelope.into_iter().flat_map(|envelope| envelope.entries);
    let record = |entry: EntryWire| RecordId::from_slice(&entry.record?).ok();
    entries.filter_map(record).collect()
}

/// A [`ReferencedBatch`] batch taken apart.
pub(super) struct DecodedBatch {
    pub(super) reference: Reference,
    pub(super) hash: BatchHash,
    pub(super) header: Header,
    /// The changes, where they are not blotted out.
    entries: Vec<(RecordId, Option<Vec<u8>>)>,
    places: BTreeMap<RecordId, Vec<usize>>,
}

impl DecodedBatch {
    /// `None` if it does not read.
    pub(super) fn of(known: &ReferencedBatch) -> Option<Self> {
        let envelope: Envelope = cbor::decode(&known.bytes).ok()?;
        let mut entries = Vec::new();
        let mut places: BTreeMap<RecordId, Vec<usize>> = BTreeMap::new();
        for entry in envelope.entries {
            let record = RecordId::from_slice(&entry.record?).ok()?;
            places.entry(record).or_default().push(entries.len());
            entries.push((record, entry.change.map(Into::into)));
        }
        Some(Self {
            reference: known.reference.clone(),
            hash: known.hash,
            header: Header::decode(&envelope.header).ok()?,
            entries,
            places,
        })
    }

    /// The record of the entry at this place.
    pub(super) fn record_at(&self, place: usize) -> Option<RecordId> {
        self.entries.get(place).map(|(record, _)| *record)
    }

    /// The place of the first entry of a record.
    pub(super) fn place_of(&self, record: RecordId) -> Option<usize> {
        self.places.get(&record)?.first().copied()
    }

    /// The records that it changes.
    pub(super) fn records(&self) -> impl Iterator<Item = RecordId> {
        self.places.keys().copied()
    }

    /// Its changes of a record, as far as they read.
    pub(super) fn changes_of(&self, record: RecordId) -> impl Iterator<Item = Change> {
        let places = self.places.get(&record).into_iter().flatten();
        let entries = places.filter_map(|place| self.entries.get(*place));
        let changes = entries.filter_map(|(_, change)| change.as_ref());
        changes.filter_map(|change| Change::parse(change).ok())
    }
}
