//! Records of one unit, over all its classes, as one source of what is shown.

use std::collections::{BTreeMap, BTreeSet};

use plan::Package;
use store::record::{self, StoredState};
use store::{Conn, StoreError};
use sync_core::id::{Class, RecordId};
use sync_core::record::RecordState;
use sync_core::replica::{RecordValues, values_of_class};
use sync_core::show::Source;

/// The records of one unit over all its classes, as they are stored.
pub struct UnitRecords<'a> {
    package: Option<&'a Package>,
    states: BTreeMap<RecordId, Vec<(Class, RecordState)>>,
}

impl<'a> UnitRecords<'a> {
    /// A unit without records.
    pub fn empty(package: Option<&'a Package>) -> Self {
        Self {
            package,
            states: BTreeMap::new(),
        }
    }

    /// Takes records of one class as they are stored.
    pub fn take(&mut self, class: Class, states: Vec<StoredState>) -> Result<(), StoreError> {
        for (record, state) in states {
            self.put(class, record, state?);
        }
        Ok(())
    }

    /// Takes a record's state in a class.
    pub(crate) fn put(&mut self, class: Class, record: RecordId, state: RecordState) {
        self.states.entry(record).or_default().push((class, state));
    }

    /// A record's states by class.
    pub fn states(&self, record: RecordId) -> impl Iterator<Item = (Class, &RecordState)> {
        let states = self.states.get(&record).into_iter().flatten();
        states.map(|(class, state)| (*class, state))
    }
}

impl Source for UnitRecords<'_> {
    fn package(&self) -> Option<&Package> {
        self.package
    }

    fn records_of(&self, _unit: &str) -> BTreeSet<RecordId> {
        self.states.keys().copied().collect()
    }

    fn view(&self, _unit: &str, record: RecordId) -> RecordValues<'_> {
        let states = self.states.get(&record).into_iter().flatten();
        states
            .flat_map(|(class, state)| values_of_class(self.package, *class, state))
            .collect()
    }
}

/// Everything of a unit.
pub(crate) async fn load<'a>(
    conn: &mut Conn,
    package: Option<&'a Package>,
    unit: &str,
) -> Result<UnitRecords<'a>, StoreError> {
    let mut loaded = UnitRecords::empty(package);
    for space in record::spaces(conn)
        .await?
        .iter()
        .filter(|space| space.unit() == unit)
    {
        loaded.take(space.class, record::of_space(conn, space).await?)?;
    }
    Ok(loaded)
}
