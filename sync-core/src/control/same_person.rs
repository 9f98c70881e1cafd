//! Statements of the office that two records in two units are one person, or two (R43).

use std::collections::BTreeMap;

use minicbor::bytes::ByteArray;
use minicbor::{Decode, Encode};

use super::entry::{ControlEntry, Signer, kind, seal_entry};
use crate::cbor;
use crate::id::{Class, EntryHash, NetworkId, RecordId, Space, Subject};
use crate::shape::SpaceWire;

/// A record of a unit: the unit's code, and the record.
pub type UnitRecord = (String, RecordId);

/// Says of two records of persons in two units whether they are one person.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct SamePerson {
    /// The records, the lesser first.
    pub records: [UnitRecord; 2],
    /// They are one person; two if not.
    pub same: bool,
    /// Above that of every entry held about the same records: the highest counts.
    pub number: u32,
}

#[derive(Encode, Decode)]
struct SamePersonWire {
    #[n(0)]
    unit: String,
    #[n(1)]
    record: ByteArray<{ RecordId::LEN }>,
    #[n(2)]
    other_unit: String,
    #[n(3)]
    other_record: ByteArray<{ RecordId::LEN }>,
    #[n(4)]
    same: bool,
    #[n(5)]
    number: u32,
}

impl SamePerson {
    /// Of two records; none unless both are persons, in two units.
    pub fn of(one: UnitRecord, other: UnitRecord, same: bool, number: u32) -> Option<Self> {
        let mut records = [one, other];
        records.sort_unstable();
        let [(unit, record), (other_unit, other_record)] = &records;
        let is_person = |record: &RecordId| record.subject == Subject::Person;
        let is_unit = |unit: &String| Space::new(unit, Class::General).is_ok();
        let fits = unit != other_unit
            && [record, other_record].into_iter().all(is_person)
            && [unit, other_unit].into_iter().all(is_unit);
        fits.then_some(Self {
            records,
            same,
            number,
        })
    }

    pub(super) fn decode(content: &[u8]) -> Option<Self> {
        let wire: SamePersonWire = cbor::decode(content).ok()?;
        let read = |record: &ByteArray<{ RecordId::LEN }>| RecordId::from_slice(&record[..]).ok();
        let one = (wire.unit, read(&wire.record)?);
        let other = (wire.other_unit, read(&wire.other_record)?);
        let in_order = one < other;
        Self::of(one, other, wire.same, wire.number).filter(|_| in_order)
    }
}

impl ControlEntry {
    /// The entry that says whether two records in two units are one person: for the devices of both.
    pub fn same_person(network: NetworkId, said: &SamePerson, signer: Signer<'_>) -> Vec<u8> {
        let [(unit, record), (other_unit, other_record)] = &said.records;
        let content = cbor::encode(&SamePersonWire {
            unit: unit.clone(),
            record: record.to_bytes().into(),
            other_unit: other_unit.clone(),
            other_record: other_record.to_bytes().into(),
            same: said.same,
            number: said.number,
        });
        let general = |unit: &String| SpaceWire {
            unit: unit.clone(),
            class: Class::General as u8,
        };
        let scope = vec![general(unit), general(other_unit)];
        seal_entry(network, kind::SAME_PERSON, Some(scope), content, signer)
    }
}

/// The join of these statements: of each record and which others, both ways. The number and name of the
/// entry that says so decide between several.
#[derive(Clone, Debug, Default)]
pub(super) struct SamePersons(BTreeMap<UnitRecord, BTreeMap<UnitRecord, (u32, EntryHash, bool)>>);

impl SamePersons {
    pub(super) fn join(&mut self, name: EntryHash, said: &SamePerson) {
        let [one, other] = &said.records;
        for (of, with) in [(one, other), (other, one)] {
            let others = self.0.entry(of.clone()).or_default();
            let held = others.get(with);
            if held.is_none_or(|(number, of, _)| (*number, *of) < (said.number, name)) {
                others.insert(with.clone(), (said.number, name, said.same));
            }
        }
    }

    /// Whether two records are one person, and the number of the entry that says so; none if none does.
    pub(super) fn said(&self, one: &UnitRecord, other: &UnitRecord) -> Option<(bool, u32)> {
        let (number, _, same) = self.0.get(one)?.get(other)?;
        Some((*same, *number))
    }

    /// The records of other units that are said to be one person with a record, or that are said not to be.
    pub(super) fn others(
        &self,
        unit: &str,
        record: RecordId,
        same: bool,
    ) -> impl Iterator<Item = &UnitRecord> {
        let others = self.0.get(&(unit.to_owned(), record));
        let said = others.into_iter().flatten();
        let said = said.filter(move |(_, (_, _, is))| *is == same);
        said.map(|(other, _)| other)
    }
}
