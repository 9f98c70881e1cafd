//! Loading of the records that a count needs.

use std::collections::BTreeSet;

use store::figure::Generation;
use store::{Conn, StoreError, link, record};
use sync_core::control::Control;
use sync_core::id::{Class, RecordId, Space, Subject};

use crate::quarantine::readable;
use crate::unit_records::UnitRecords;

/// The classes that are read: what the indicators need, and what the office sees.
pub(super) fn classes(control: &Control, generations: &[Generation]) -> BTreeSet<Class> {
    let packages = generations
        .iter()
        .filter_map(|generation| control.package_of(generation.package));
    let needed = packages
        .flat_map(|package| &package.indicators)
        .flat_map(|indicator| &indicator.count.classes)
        .filter_map(|class| Class::from_key(class));
    needed.chain(Class::CADRE).collect()
}

/// The records of a unit that are concerned, with the households that their persons name.
pub(super) async fn load<'a>(
    conn: &mut Conn,
    control: &'a Control,
    unit: &str,
    classes: &BTreeSet<Class>,
    records: &BTreeSet<RecordId>,
) -> Result<UnitRecords<'a>, StoreError> {
    let homes = link::homes_of(conn, unit, &persons(records)).await?;
    let mut wanted = records.clone();
    wanted.extend(homes.into_iter().map(|(household, _)| household));
    load_records(conn, control, unit, classes, &wanted).await
}

pub(super) async fn load_records<'a>(
    conn: &mut Conn,
    control: &'a Control,
    unit: &str,
    classes: &BTreeSet<Class>,
    records: &BTreeSet<RecordId>,
) -> Result<UnitRecords<'a>, StoreError> {
    let records: Vec<RecordId> = records.iter().copied().collect();
    let mut source = UnitRecords::empty(control.package());
    for (class, (record, stored)) in record::states_in(conn, unit, classes, &records).await? {
        let Ok(space) = Space::new(unit, class) else {
            continue;
        };
        let state = readable(conn, control, &space, record, stored).await?;
        source.put(class, record, state);
    }
    Ok(source)
}

/// Those of the records that are persons'.
pub(super) fn persons(records: &BTreeSet<RecordId>) -> Vec<RecordId> {
    let persons = records.iter().filter(|r| r.subject == Subject::Person);
    persons.copied().collect()
}
