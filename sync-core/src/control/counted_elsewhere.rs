//! Statements that a person counts in another unit.

use std::collections::BTreeMap;

use minicbor::bytes::ByteArray;
use minicbor::{Decode, Encode};

use super::entry::{ControlEntry, Signer, kind, seal_entry};
use crate::cbor::{self, List};
use crate::id::{EntryHash, NetworkId, RecordId, Space};
use crate::shape::SpaceWire;

/// Stretches of time in one statement of where somebody counts.
const AWAY_MAX: usize = 256;

/// The dates as of which a group counts in another unit: stretches of `YYYY-MM-DD`, both ends in,
/// between dates that figures are as of.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Absence(Vec<(String, String)>);

impl Absence {
    /// From stretches as they were written down.
    pub fn of(spans: Vec<(String, String)>) -> Self {
        Self(spans)
    }

    /// Adds a date after all others: to the stretch that ends with `before`, or as one of its own.
    pub(crate) fn add(&mut self, date: &str, before: Option<&String>) {
        match self.0.last_mut() {
            Some((_, to)) if Some(&*to) == before => date.clone_into(to),
            _ => self.0.push((date.to_owned(), date.to_owned())),
        }
    }

    /// The stretches.
    pub fn spans(&self) -> &[(String, String)] {
        &self.0
    }

    /// Whether there is none.
    pub fn is_never(&self) -> bool {
        self.0.is_empty()
    }

    /// Whether the group counts in another unit as of this date.
    pub fn holds(&self, as_of: &str) -> bool {
        let within = |(from, to): &(String, String)| from.as_str() <= as_of && as_of <= to.as_str();
        self.0.iter().any(within)
    }
}

/// Says when a person of a unit's records counts in another unit, where she is recorded too (R43).
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct CountedElsewhere {
    /// The group of the unit's records, by its first.
    pub record: RecordId,
    /// The dates as of which she does.
    pub away: Absence,
}

#[derive(Encode, Decode)]
struct CountedElsewhereWire {
    #[n(0)]
    record: ByteArray<{ RecordId::LEN }>,
    #[n(1)]
    number: u32,
    #[n(2)]
    away: List<(String, String), AWAY_MAX>,
}

impl CountedElsewhere {
    pub(super) fn decode(content: &[u8]) -> Option<(Self, u32)> {
        let wire: CountedElsewhereWire = cbor::decode(content).ok()?;
        let record = RecordId::from_slice(wire.record.as_slice()).ok()?;
        let away = Absence::of(wire.away.0);
        Some((CountedElsewhere { record, away }, wire.number))
    }
}

impl ControlEntry {
    /// The entry that says when a person counts in another unit than `unit`. `number` is above that
    /// of every entry held about the same group: the highest counts.
    pub fn elsewhere(
        network: NetworkId,
        unit: &Space,
        statement: &CountedElsewhere,
        number: u32,
        signer: Signer<'_>,
    ) -> Vec<u8> {
        let content = cbor::encode(&CountedElsewhereWire {
            record: statement.record.to_bytes().into(),
            number,
            away: statement.away.spans().to_vec().into(),
        });
        let scope = Some(vec![SpaceWire::of(unit)]);
        seal_entry(network, kind::ELSEWHERE, scope, content, signer)
    }
}

/// The join of these statements, by unit and group; the number and name of the entry that says so
/// decide between several.
#[derive(Clone, Debug, Default)]
pub(super) struct CountedElsewheres(BTreeMap<(String, RecordId), (u32, EntryHash, Absence)>);

impl CountedElsewheres {
    pub(super) fn join(&mut self, entry: &ControlEntry, statement: &CountedElsewhere, number: u32) {
        let unit = entry.scope.iter().flatten().next().map(Space::unit);
        let key = (unit.unwrap_or_default().to_owned(), statement.record);
        let newer = self
            .0
            .get(&key)
            .is_none_or(|(held, name, _)| (*held, *name) < (number, entry.hash));
        if newer {
            self.0
                .insert(key, (number, entry.hash, statement.away.clone()));
        }
    }

    /// When the person of a group counts elsewhere, and the number of the entry that says so.
    pub(super) fn of(&self, unit: &str, group: RecordId) -> (Absence, u32) {
        let said = self.0.get(&(unit.to_owned(), group));
        said.map(|(number, _, away)| (away.clone(), *number))
            .unwrap_or_default()
    }
}
