//! Erasure: what orders take from the store, who has heard, and how the office gives them (R29–R33).
//!
//! An order is a control entry; it may come from the office's command, from a phone that hands it back
//! to a restored server, or stand there already when a backup is restored. So it is done wherever the
//! orders held name a record of which the store has not been cleared yet ([`execute`]), in the
//! transaction that finds it. From then on the one door of all batches keeps the record out
//! ([`Control::receive`]).

use std::collections::BTreeSet;

use store::{Conn, StoreError, erasure, feed, record};
use sync_core::batch::{BadBatch, Batch};
use sync_core::control::Control;
use sync_core::id::{BatchHash, NetworkId, RecordId, Space};
use sync_core::record::RecordState;

use crate::changed::ChangedRecords;
use crate::quarantine::states;
use crate::transaction::WriteTx;

/// Clears the store of every record that an order names and that is still there.
pub(crate) async fn execute(tx: &mut WriteTx<'_>) -> Result<(), StoreError> {
    let now = tx.node.clock.now();
    let (conn, control) = (&mut tx.conn, &tx.control);
    let gone = erasure::erased(conn).await?;
    let records: BTreeSet<RecordId> = control
        .erased()
        .filter(|record| !gone.contains_key(record))
        .collect();
    if records.is_empty() {
        return Ok(());
    }
    let mut changed_records = ChangedRecords::default();
    for space in feed::spaces(conn).await? {
        clear(conn, control, &space, &records, &mut changed_records).await?;
    }
    for record in &records {
        erasure::add(conn, *record, now).await?;
    }
    tx.note_erased(changed_records);
    Ok(())
}

async fn clear(
    conn: &mut Conn,
    control: &Control,
    space: &Space,
    records: &BTreeSet<RecordId>,
    changed_records: &mut ChangedRecords,
) -> Result<(), StoreError> {
    let network = control.network();
    let named: Vec<RecordId> = records.iter().copied().collect();
    let shown = states(conn, control, space, &named).await?;
    let touching = record::touching(conn, space, &named).await?;
    let arrivals: BTreeSet<u64> = touching.iter().map(|(_, arrival)| *arrival).collect();
    let arrivals: Vec<u64> = arrivals.into_iter().collect();
    for (_, held) in feed::at(conn, space, &arrivals).await? {
        if let Some(bytes) = without(network, &held.bytes, records, "batch")? {
            erasure::set_bytes(conn, space, held.hash, &bytes).await?;
        }
    }
    for (hash, bytes) in waiting(conn, space).await? {
        if let Some(bytes) = without(network, &bytes, records, "stash")? {
            erasure::set_stashed(conn, space, hash, &bytes).await?;
        }
    }
    for (record, before) in shown {
        let parts = before.view().changed_parts(RecordState::empty().view());
        changed_records.note(space.unit(), record, parts);
    }
    for record in records {
        erasure::remove(conn, space, *record).await?;
    }
    Ok(())
}

async fn waiting(conn: &mut Conn, space: &Space) -> Result<Vec<(BatchHash, Vec<u8>)>, StoreError> {
    let mut waiting = Vec::new();
    for (_, node) in feed::stashed(conn, space).await? {
        if let Some(bytes) = feed::stashed_bytes(conn, space, node.hash).await? {
            waiting.push((node.hash, bytes));
        }
    }
    Ok(waiting)
}

/// A batch's bytes without its entries of these records; `None` if it has none.
fn without(
    network: NetworkId,
    bytes: &[u8],
    records: &BTreeSet<RecordId>,
    table: &'static str,
) -> Result<Option<Vec<u8>>, StoreError> {
    let unreadable = |_: BadBatch| StoreError::Unreadable {
        table,
        column: "bytes",
    };
    let batch = Batch::from_store(network, bytes).map_err(unreadable)?;
    let redacted = batch
        .redact(|record| records.contains(&record))
        .map_err(unreadable)?;
    Ok((redacted.bytes() != bytes).then(|| redacted.bytes().to_vec()))
}
