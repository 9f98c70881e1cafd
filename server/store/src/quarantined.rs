//! Quarantined batches: those of revoked devices that have no effect by themselves.

use std::collections::BTreeMap;

use sync_core::id::{BatchHash, DeviceId, RecordId, Space};
use sync_core::quarantine::Quarantine;

use super::{Conn, Read, Row, StoreError, one_row, query, statements};

statements! {
    OF_FEED = "SELECT hash, standing FROM uncounted
        WHERE unit = $1 AND class = $2 AND device = $3";
    OF_SPACE = "SELECT hash, standing FROM uncounted WHERE unit = $1 AND class = $2";
    ADD = "INSERT INTO uncounted (unit, class, hash, device, standing)
        VALUES ($1, $2, $3, $4, $5) ON CONFLICT (unit, class, hash) DO UPDATE SET standing = excluded.standing";
    REMOVE = "DELETE FROM uncounted WHERE unit = $1 AND class = $2 AND hash = $3";
    RECORDS = "SELECT touched.record FROM touched
        JOIN batch ON batch.unit = touched.unit AND batch.class = touched.class
            AND batch.arrival = touched.arrival
        WHERE batch.unit = $1 AND batch.class = $2 AND batch.hash = $3";
    WAITING = "SELECT uncounted.unit, uncounted.class, uncounted.hash, uncounted.device, batch.bytes
        FROM uncounted JOIN batch ON batch.unit = uncounted.unit
            AND batch.class = uncounted.class AND batch.hash = uncounted.hash
        WHERE uncounted.standing = 'pending'
        ORDER BY uncounted.unit, uncounted.class, uncounted.device, batch.arrival";
}

fn standing(read: &Read<'_>) -> Result<Quarantine, StoreError> {
    match read.text("standing")? {
        "pending" => Ok(Quarantine::Pending),
        "refused" => Ok(Quarantine::Refused),
        _ => Err(read.unreadable("standing")),
    }
}

fn rows_of(rows: &[Row]) -> Result<BTreeMap<BatchHash, Quarantine>, StoreError> {
    let of = |row| {
        let read = Read::of("uncounted", row);
        Ok((read.id("hash", BatchHash::from_slice)?, standing(&read)?))
    };
    rows.iter().map(of).collect()
}

/// Those of one feed.
pub async fn of_feed(
    conn: &mut Conn,
    space: &Space,
    device: DeviceId,
) -> Result<BTreeMap<BatchHash, Quarantine>, StoreError> {
    let query = query(OF_FEED).space(space).bind(device.0.to_vec());
    rows_of(&query.fetch_all(conn).await?)
}

/// Those of a space.
pub async fn of_space(
    conn: &mut Conn,
    space: &Space,
) -> Result<BTreeMap<BatchHash, Quarantine>, StoreError> {
    rows_of(&query(OF_SPACE).space(space).fetch_all(conn).await?)
}

/// Notes how a batch stands.
pub async fn set(
    conn: &mut Conn,
    space: &Space,
    device: DeviceId,
    batch: BatchHash,
    quarantine: Quarantine,
) -> Result<(), StoreError> {
    let query = query(ADD)
        .space(space)
        .bind(batch.0.to_vec())
        .bind(device.0.to_vec())
        .bind(match quarantine {
            Quarantine::Pending => "pending",
            Quarantine::Refused => "refused",
        });
    one_row("uncounted", query.execute(conn).await?)
}

/// Notes that a batch counts.
pub async fn remove(conn: &mut Conn, space: &Space, batch: BatchHash) -> Result<(), StoreError> {
    let query = query(REMOVE).space(space).bind(batch.0.to_vec());
    one_row("uncounted", query.execute(conn).await?)
}

/// The records that a batch changes.
pub async fn records(
    conn: &mut Conn,
    space: &Space,
    batch: BatchHash,
) -> Result<Vec<RecordId>, StoreError> {
    let query = query(RECORDS).space(space).bind(batch.0.to_vec());
    let rows = query.fetch_all(conn).await?;
    let record = |row| Read::of("touched", row).id("record", RecordId::from_slice);
    rows.iter().map(record).collect()
}

/// A batch that waits for the office.
pub struct Waiting {
    /// The space that it is of.
    pub space: Space,
    /// Its hash.
    pub batch: BatchHash,
    /// The device that signed it.
    pub device: DeviceId,
    /// Its bytes.
    pub bytes: Vec<u8>,
}

/// All that wait, by space and device, in their order of arrival.
pub async fn waiting(conn: &mut Conn) -> Result<Vec<Waiting>, StoreError> {
    let rows = query(WAITING).fetch_all(conn).await?;
    let of = |row| {
        let read = Read::of("uncounted", row);
        Ok(Waiting {
            space: read.space()?,
            batch: read.id("hash", BatchHash::from_slice)?,
            device: read.id("device", DeviceId::from_slice)?,
            bytes: read.blob("bytes")?.to_vec(),
        })
    };
    rows.iter().map(of).collect()
}
