//! The records of a unit as the console may show them.

use plan::Package;
use sqlx::SqliteConnection;
use sync_core::id::{Class, Space};

use crate::show::Unit;
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
    for class in SHOWN {
        if let Ok(space) = Space::new(unit, class) {
            loaded.take(class, record::of_space(conn, &space).await?)?;
        }
    }
    Ok(loaded)
}
