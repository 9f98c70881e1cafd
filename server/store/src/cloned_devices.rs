//! Devices whose keys two phones use.

use sync_core::id::{BatchHash, DeviceId, Space};

use super::{Conn, Read, StoreError, flags, one_row, query, statements};

statements! {
    APART = "SELECT hash FROM apart WHERE unit = $1 AND class = $2 AND device = $3";
    SET_APART = "INSERT INTO apart (unit, class, device, hash) VALUES ($1, $2, $3, $4)
        ON CONFLICT (unit, class, device) DO UPDATE SET hash = excluded.hash";
    ADD_COPIED = "INSERT INTO copied (device, since) VALUES ($1, $2)";
}

/// What a device brought when it was last apart from its own feed in a space.
pub async fn last_divergence(
    conn: &mut Conn,
    space: &Space,
    device: DeviceId,
) -> Result<Option<BatchHash>, StoreError> {
    let query = query(APART).space(space).bind(device.0.to_vec());
    let row = query.fetch_optional(conn).await?;
    row.map(|row| Read::of("apart", &row).id("hash", BatchHash::from_slice))
        .transpose()
}

/// Notes what it brought.
pub async fn set_divergence(
    conn: &mut Conn,
    space: &Space,
    device: DeviceId,
    brought: BatchHash,
) -> Result<(), StoreError> {
    let query = query(SET_APART)
        .space(space)
        .bind(device.0.to_vec())
        .bind(brought.0.to_vec());
    one_row("apart", query.execute(conn).await?)
}

/// Whether two phones are known to write with a device's keys.
pub async fn is_cloned(conn: &mut Conn, device: DeviceId) -> Result<bool, StoreError> {
    Ok(flags::of(conn, device).await?.copied)
}

/// Notes that two phones do.
pub async fn add_clone(now: i64, conn: &mut Conn, device: DeviceId) -> Result<(), StoreError> {
    let query = query(ADD_COPIED).bind(device.0.to_vec()).bind(now);
    one_row("copied", query.execute(conn).await?)?;
    flags::forget(conn);
    Ok(())
}
