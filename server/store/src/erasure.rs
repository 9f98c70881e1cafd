//! Erasure: records that are gone, and what takes them out of the other tables.

use std::collections::BTreeMap;

use sync_core::id::{BatchHash, RecordId, Space};

use super::{Conn, Read, StoreError, one_row, query, statements};

statements! {
    ERASED = "SELECT record, at FROM erased";
    ADD = "INSERT INTO erased (record, at) VALUES ($1, $2)";
    SET_BYTES = "UPDATE batch SET bytes = $4 WHERE unit = $1 AND class = $2 AND hash = $3";
    SET_STASHED = "UPDATE stash SET bytes = $4 WHERE unit = $1 AND class = $2 AND hash = $3";
    UNTOUCH = "DELETE FROM touched WHERE unit = $1 AND class = $2 AND record = $3";
    REMOVE = "DELETE FROM record WHERE unit = $1 AND class = $2 AND record = $3";
}

/// The records that the store has been cleared of, and when.
pub async fn erased(conn: &mut Conn) -> Result<BTreeMap<RecordId, i64>, StoreError> {
    let rows = query(ERASED).fetch_all(conn).await?;
    let erased = |row| {
        let read = Read::of("erased", row);
        Ok((read.id("record", RecordId::from_slice)?, read.time("at")?))
    };
    rows.iter().map(erased).collect()
}

/// Notes that the store has been cleared of a record.
pub async fn add(conn: &mut Conn, record: RecordId, at: i64) -> Result<(), StoreError> {
    let query = query(ADD).bind(record.to_bytes().to_vec()).bind(at);
    one_row("erased", query.execute(conn).await?)
}

/// Replaces a batch's bytes by those without what is erased.
pub async fn set_bytes(
    conn: &mut Conn,
    space: &Space,
    hash: BatchHash,
    bytes: &[u8],
) -> Result<(), StoreError> {
    let query = query(SET_BYTES).space(space).bind(hash.0.to_vec());
    one_row("batch", query.bind(bytes).execute(conn).await?)
}

/// The same of a batch that waits for a parent.
pub async fn set_stashed(
    conn: &mut Conn,
    space: &Space,
    hash: BatchHash,
    bytes: &[u8],
) -> Result<(), StoreError> {
    let query = query(SET_STASHED).space(space).bind(hash.0.to_vec());
    one_row("stash", query.bind(bytes).execute(conn).await?)
}

/// Removes a record's state and which batches change it, where there is something.
pub async fn remove(conn: &mut Conn, space: &Space, record: RecordId) -> Result<(), StoreError> {
    for statement in [UNTOUCH, REMOVE] {
        let query = query(statement).space(space);
        query
            .bind(record.to_bytes().to_vec())
            .execute(&mut *conn)
            .await?;
    }
    conn.decoded().forget();
    Ok(())
}
