//! Records that show something else than before, on their way to what follows from it.

use std::collections::{BTreeMap, BTreeSet};

use sync_core::id::RecordId;

/// The records whose shown values changed, by unit, with the parts that did: `section.field`, or
/// `section` of a repeating one.
#[derive(Debug, Default)]
pub(crate) struct ChangedRecords(pub(crate) BTreeMap<String, ChangedParts>);

pub(crate) type ChangedParts = BTreeMap<RecordId, BTreeSet<String>>;

impl ChangedRecords {
    /// Whether there are none.
    pub(crate) fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    /// Notes that a record shows something else in these parts.
    pub(crate) fn note(&mut self, unit: &str, record: RecordId, parts: BTreeSet<String>) {
        let records = self.0.entry(unit.to_owned()).or_default();
        records.entry(record).or_default().extend(parts);
    }

    /// The records, by unit.
    pub(crate) fn records(&self) -> impl Iterator<Item = (String, RecordId)> {
        let units = self.0.iter();
        units.flat_map(|(unit, records)| records.keys().map(|record| (unit.clone(), *record)))
    }

    /// Takes in what another part of the transaction touched.
    pub(crate) fn join(&mut self, other: Self) {
        for (unit, records) in other.0 {
            for (record, parts) in records {
                self.note(&unit, record, parts);
            }
        }
    }
}
