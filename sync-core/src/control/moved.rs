//! Moves: records that go on as another record in another unit (R37).

use std::collections::{BTreeMap, BTreeSet};

use minicbor::bytes::ByteArray;
use minicbor::{Decode, Encode};

use super::entry::{ControlEntry, Signer, kind, seal_entry};
use super::same_person::UnitRecord;
use crate::cbor;
use crate::id::{Class, EntryHash, NetworkId, RecordId, Space};
use crate::shape::SpaceWire;

/// Says that a person's record goes on as another record in another unit.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct Moved {
    /// The record.
    pub record: RecordId,
    /// The code of the unit that it is in.
    pub from: String,
    /// The code of the unit where it goes on.
    pub to: String,
    /// The record that it goes on as.
    pub new: RecordId,
    /// The day from which on she lives there, `YYYY-MM-DD`.
    pub on: String,
    /// Above that of every entry held about the same record: the highest counts.
    pub number: u32,
}

/// Characters of a new record's id that name what the move itself writes.
const MOVE_ITEM_CHARS: usize = 8;

#[derive(Encode, Decode)]
struct MovedWire {
    #[n(0)]
    record: ByteArray<{ RecordId::LEN }>,
    #[n(1)]
    from: String,
    #[n(2)]
    to: String,
    #[n(3)]
    new: ByteArray<{ RecordId::LEN }>,
    #[n(4)]
    on: String,
    #[n(5)]
    number: u32,
}

impl Moved {
    /// The item, in both records, that says where she lives from that day on.
    pub fn item(&self) -> String {
        let id = self.new.to_string();
        let begin = id.len().saturating_sub(MOVE_ITEM_CHARS);
        id.split_at(begin).1.to_owned()
    }

    pub(super) fn decode(content: &[u8]) -> Option<Self> {
        let wire: MovedWire = cbor::decode(content).ok()?;
        let moved = Self {
            record: RecordId::from_slice(wire.record.as_slice()).ok()?,
            from: wire.from,
            to: wire.to,
            new: RecordId::from_slice(wire.new.as_slice()).ok()?,
            on: wire.on,
            number: wire.number,
        };
        // Nobody moves within a unit, or becomes herself.
        let moves = moved.from != moved.to && moved.record != moved.new;
        let units = [&moved.from, &moved.to].map(|unit| Space::new(unit, Class::General));
        (moves && units.iter().all(Result::is_ok)).then_some(moved)
    }
}

impl ControlEntry {
    /// The entry that says that a record goes on in another unit: for the devices of both.
    pub fn moved(network: NetworkId, moved: &Moved, signer: Signer<'_>) -> Vec<u8> {
        let content = cbor::encode(&MovedWire {
            record: moved.record.to_bytes().into(),
            from: moved.from.clone(),
            to: moved.to.clone(),
            new: moved.new.to_bytes().into(),
            on: moved.on.clone(),
            number: moved.number,
        });
        let general = |unit: &String| SpaceWire {
            unit: unit.clone(),
            class: Class::General as u8,
        };
        let scope = vec![general(&moved.from), general(&moved.to)];
        seal_entry(network, kind::MOVED, Some(scope), content, signer)
    }
}

/// The join of these statements.
#[derive(Clone, Debug, Default)]
pub(super) struct Moves {
    /// By the old record; the number and name of the entry that says so decide between several.
    latest: BTreeMap<UnitRecord, (u32, EntryHash, Moved)>,
    /// Records that are one person because one went on as the other, both ways.
    ties: BTreeMap<UnitRecord, BTreeSet<UnitRecord>>,
}

impl Moves {
    pub(super) fn join(&mut self, name: EntryHash, moved: &Moved) {
        let old = (moved.from.clone(), moved.record);
        let new = (moved.to.clone(), moved.new);
        let newer = self
            .latest
            .get(&old)
            .is_none_or(|(held, of, _)| (*held, *of) < (moved.number, name));
        if newer {
            let said = (moved.number, name, moved.clone());
            self.latest.insert(old.clone(), said);
        }
        // Also where she was sent first by mistake: it is the same person all the same.
        let ties = self.ties.entry(old.clone()).or_default();
        ties.insert(new.clone());
        self.ties.entry(new).or_default().insert(old);
    }

    pub(super) fn is_empty(&self) -> bool {
        self.latest.is_empty()
    }

    pub(super) fn all(&self) -> impl Iterator<Item = &Moved> {
        self.latest.values().map(|(_, _, moved)| moved)
    }

    pub(super) fn of(&self, unit: &str, record: RecordId) -> Option<&Moved> {
        let said = self.latest.get(&(unit.to_owned(), record));
        said.map(|(_, _, moved)| moved)
    }

    pub(super) fn ties(&self, unit: &str, record: RecordId) -> impl Iterator<Item = &UnitRecord> {
        let ties = self.ties.get(&(unit.to_owned(), record));
        ties.into_iter().flatten()
    }
}
