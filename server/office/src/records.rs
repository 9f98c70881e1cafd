//! The records of a unit as the console may show them.

use std::collections::BTreeSet;

use node::UnitRecords;
use plan::Package;
use store::link::{self, Blind};
use store::{Conn, StoreError, record};
use sync_core::figure::{Said, UnitFacts};
use sync_core::id::{Class, RecordId, Space};
use sync_core::show::Source;

/// What the console shows: what the cadres hold. Results of examinations and protected data are for
/// named persons, and until there are accounts nobody is named.
pub(super) const SHOWN: [Class; 3] = Class::CADRE;

/// Records that are read at a time. The states of a community are many times as large as what they
/// say, so that no more of them are held at once.
const PIECE: usize = 256;

/// What all records of a unit say in these classes, and nothing of the others.
pub(super) async fn facts(
    conn: &mut Conn,
    package: &Package,
    unit: &str,
) -> Result<UnitFacts, StoreError> {
    let mut ids = BTreeSet::new();
    for space in spaces(unit) {
        ids.extend(record::ids(conn, &space).await?);
    }
    let ids: Vec<RecordId> = ids.into_iter().collect();
    let mut said = Vec::with_capacity(ids.len());
    for piece in ids.chunks(PIECE) {
        let held = load(conn, package, unit, piece).await?;
        said.extend(piece.iter().map(|record| {
            let shown = held.view(unit, *record);
            (*record, Said::of(package, *record, &shown))
        }));
    }
    Ok(UnitFacts::of(said))
}

/// Loads some records alone, with all that are linked to them: one record of a community must not
/// cost ten thousand.
pub(super) async fn load_some<'a>(
    conn: &mut Conn,
    package: &'a Package,
    unit: &str,
    records: impl IntoIterator<Item = RecordId>,
) -> Result<UnitRecords<'a>, StoreError> {
    let linked = linked(conn, unit, records).await?;
    let linked: Vec<RecordId> = linked.into_iter().collect();
    load(conn, package, unit, &linked).await
}

/// Loads a record with its people: the household of a person, the persons of a household.
pub(super) async fn load_family<'a>(
    conn: &mut Conn,
    package: &'a Package,
    unit: &str,
    record: RecordId,
) -> Result<UnitRecords<'a>, StoreError> {
    let mut family = linked(conn, unit, [record]).await?;
    let known: Vec<RecordId> = family.iter().copied().collect();
    let homes = link::homes_of(conn, unit, &known).await?;
    family.extend(homes.into_iter().map(|(household, _)| household));
    let dwellers = link::dwellers(conn, unit, &known).await?;
    family.extend(dwellers.into_iter().map(|(_, person)| person));
    load_some(conn, package, unit, family).await
}

/// Loads these records and no others.
async fn load<'a>(
    conn: &mut Conn,
    package: &'a Package,
    unit: &str,
    records: &[RecordId],
) -> Result<UnitRecords<'a>, StoreError> {
    let mut loaded = UnitRecords::empty(Some(package));
    for space in spaces(unit) {
        let states = record::states(conn, &space, records).await?;
        loaded.take(space.class, states)?;
    }
    Ok(loaded)
}

/// These records, all that show a number of theirs, and all of which something was said together with
/// them. Each of those may be tied to a third in its turn.
async fn linked(
    conn: &mut Conn,
    unit: &str,
    records: impl IntoIterator<Item = RecordId>,
) -> Result<BTreeSet<RecordId>, StoreError> {
    let mut linked: BTreeSet<RecordId> = records.into_iter().collect();
    loop {
        let known: Vec<RecordId> = linked.iter().copied().collect();
        let numbers = link::numbers_of(conn, unit, &known).await?;
        let numbers: BTreeSet<Blind> = numbers.into_iter().map(|(number, ..)| number).collect();
        let numbers: Vec<Blind> = numbers.into_iter().collect();
        let holders = link::holders(conn, &numbers).await?;
        let here = holders.into_iter().filter(|(_, of, _)| of == unit);
        linked.extend(here.map(|(_, _, record)| record));
        linked.extend(link::linked_with(conn, unit, &known).await?);
        if linked.len() == known.len() {
            return Ok(linked);
        }
    }
}

fn spaces(unit: &str) -> impl Iterator<Item = Space> {
    SHOWN
        .into_iter()
        .filter_map(move |class| Space::new(unit, class).ok())
}
