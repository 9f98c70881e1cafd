//! Recovery after a restore: devices that came back, devices held back, and what nobody has brought
//! yet.

use std::collections::BTreeSet;

use sync_core::id::{DeviceId, Space};

use super::control::{self, meta};
use super::{Conn, Read, StoreError, flags, one_row, query, statements};

statements! {
    RETURNED = "SELECT device FROM returned ORDER BY since, device";
    ADD_RETURNED = "INSERT INTO returned (device, since) VALUES ($1, $2)
        ON CONFLICT (device) DO UPDATE SET since = excluded.since";
    CLEAR_RETURNED = "DELETE FROM returned";
    ADD_SURVIVOR = "INSERT INTO survivor (unit, class, device, whole) VALUES ($1, $2, $3, 0)
        ON CONFLICT (unit, class, device) DO UPDATE SET whole = 0";
    /// Of a phone that came back; of one that came in since then there is no row.
    SET_WHOLE = "UPDATE survivor SET whole = 1
        WHERE unit = $1 AND class = $2 AND device = $3";
    WHOLE = "SELECT DISTINCT unit, class FROM survivor WHERE whole = 1 ORDER BY unit, class";
    BACK = "SELECT DISTINCT device FROM survivor";
    CLEAR_SURVIVORS = "DELETE FROM survivor";
}

/// Whether this server was restored and not confirmed yet.
pub async fn is_on(conn: &mut Conn) -> Result<bool, StoreError> {
    Ok(control::meta(conn, meta::RECOVERY)
        .await?
        .is_some_and(|value| value == [1]))
}

/// Begins or ends the recovery.
pub async fn set(conn: &mut Conn, on: bool) -> Result<(), StoreError> {
    control::set_meta(conn, meta::RECOVERY, &[u8::from(on)]).await
}

/// Whether nothing but control and acknowledgements may go to a device (R20).
pub async fn holds_back(conn: &mut Conn, device: DeviceId) -> Result<bool, StoreError> {
    if is_on(conn).await? {
        return Ok(true);
    }
    Ok(flags::of(conn, device).await?.returned)
}

/// The devices that came back with an enrolment of which nothing was known here.
pub async fn returned(conn: &mut Conn) -> Result<BTreeSet<DeviceId>, StoreError> {
    let rows = query(RETURNED).fetch_all(conn).await?;
    let device = |row| Read::of("returned", row).id("device", DeviceId::from_slice);
    rows.iter().map(device).collect()
}

/// Holds a device back until it is confirmed.
pub async fn add_returned(now: i64, conn: &mut Conn, device: DeviceId) -> Result<(), StoreError> {
    let query = query(ADD_RETURNED).bind(device.0.to_vec()).bind(now);
    one_row("returned", query.execute(conn).await?)?;
    flags::forget(conn);
    Ok(())
}

/// Lets the devices that came back be served, and forgets who brought what back.
pub async fn clear(conn: &mut Conn) -> Result<(), StoreError> {
    query(CLEAR_RETURNED).execute(&mut *conn).await?;
    flags::forget(conn);
    query(CLEAR_SURVIVORS).execute(conn).await?;
    Ok(())
}

/// A phone came back that held the space before the restore.
pub async fn add_survivor(
    conn: &mut Conn,
    space: &Space,
    device: DeviceId,
) -> Result<(), StoreError> {
    let query = query(ADD_SURVIVOR).space(space).bind(device.0.to_vec());
    one_row("survivor", query.execute(conn).await?)
}

/// Everything that the phone held of the space is here.
pub async fn set_whole(conn: &mut Conn, space: &Space, device: DeviceId) -> Result<(), StoreError> {
    let query = query(SET_WHOLE).space(space).bind(device.0.to_vec());
    query.execute(conn).await?;
    Ok(())
}

/// The devices that came back, with whatever they held.
pub async fn back(conn: &mut Conn) -> Result<BTreeSet<DeviceId>, StoreError> {
    let rows = query(BACK).fetch_all(conn).await?;
    let device = |row| Read::of("survivor", row).id("device", DeviceId::from_slice);
    rows.iter().map(device).collect()
}

/// The spaces that some phone brought back whole.
pub async fn whole(conn: &mut Conn) -> Result<BTreeSet<Space>, StoreError> {
    let rows = query(WHOLE).fetch_all(conn).await?;
    let space = |row| Read::of("survivor", row).space();
    rows.iter().map(space).collect()
}
