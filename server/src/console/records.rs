//! The records of a unit as the console may show them.

use std::collections::BTreeSet;

use plan::Package;
use sqlx::SqliteConnection;
use sync_core::id::{Class, RecordId, Space};

use crate::show::Unit;
use crate::store::link::{self, Blind};
use crate::store::{StoreError, record};

/// What the console shows: what the cadres hold. Results of examinations and protected data are for
/// named persons, and until there are accounts nobody is named.
pub(super) const SHOWN: [Class; 3] = Class::CADRE;

/// Loads a unit's records in these classes, and nothing of the others.
pub(super) async fn load<'a>(
    conn: &mut SqliteConnection,
    package: Option<&'a Package>,
    unit: &str,
) -> Result<Unit<'a>, StoreError> {
    let mut loaded = Unit::empty(package);
    for space in spaces(unit) {
        loaded.take(space.class, record::of_space(conn, &space).await?)?;
    }
    Ok(loaded)
}

/// The same of some records alone, with all that are linked to them: a list over many units must
/// not load all of each.
pub(super) async fn load_linked<'a>(
    conn: &mut SqliteConnection,
    package: Option<&'a Package>,
    unit: &str,
    records: impl IntoIterator<Item = RecordId>,
) -> Result<Unit<'a>, StoreError> {
    let mut linked: BTreeSet<RecordId> = records.into_iter().collect();
    // Whoever shows a number of somebody's may show another one, that of a third.
    loop {
        let known: Vec<RecordId> = linked.iter().copied().collect();
        let numbers = link::numbers_of(conn, unit, &known).await?;
        let numbers: BTreeSet<Blind> = numbers.into_iter().map(|(number, ..)| number).collect();
        let numbers: Vec<Blind> = numbers.into_iter().collect();
        let holders = link::holders(conn, &numbers).await?;
        let here = holders.into_iter().filter(|(_, of, _)| of == unit);
        linked.extend(here.map(|(_, _, record)| record));
        if linked.len() == known.len() {
            break;
        }
    }
    let linked: Vec<RecordId> = linked.into_iter().collect();
    let mut loaded = Unit::empty(package);
    for space in spaces(unit) {
        let states = record::states(conn, &space.to_string(), &linked).await?;
        loaded.take(space.class, states)?;
    }
    Ok(loaded)
}

fn spaces(unit: &str) -> impl Iterator<Item = Space> {
    SHOWN
        .into_iter()
        .filter_map(move |class| Space::new(unit, class).ok())
}
