//! The quarantine of revoked devices' batches, kept current in the transaction that changes it: by
//! arrivals, by a revocation, by a verdict. What counts is said by [`sync_core::quarantine`].

use std::collections::{BTreeMap, BTreeSet};

use store::record::Unreadable;
use store::{Conn, StoreError, feed, quarantined, record};
use sync_core::batch::Batch;
use sync_core::control::{Control, ControlEntry, OrderKind};
use sync_core::feed::{Feed, Tip};
use sync_core::id::{BatchHash, DeviceId, RecordId, Space};
use sync_core::quarantine::{HeldChange, Quarantine, effective_changes};
use sync_core::record::RecordState;

use crate::changed::ChangedRecords;

/// Recomputes which batches of a feed are quarantined. Returns the records of every batch whose
/// status changed.
pub(crate) async fn refresh(
    conn: &mut Conn,
    control: &Control,
    space: &Space,
    device: DeviceId,
) -> Result<BTreeSet<RecordId>, StoreError> {
    let held = feed::from_number(conn, space, device, 0, usize::MAX).await?;
    let held = Feed::from_parts(held.into_iter().map(|placed| placed.node), &[]);
    let now = control.quarantined(space, device, &held);
    let before = quarantined::of_feed(conn, space, device).await?;
    let mut moved: Vec<BatchHash> = Vec::new();
    for (batch, quarantine) in &now {
        if before.get(batch) != Some(quarantine) {
            quarantined::set(conn, space, device, *batch, *quarantine).await?;
        }
        if !before.contains_key(batch) {
            moved.push(*batch);
        }
    }
    for batch in before.keys().filter(|batch| !now.contains_key(batch)) {
        quarantined::remove(conn, space, *batch).await?;
        moved.push(*batch);
    }
    let mut records = BTreeSet::new();
    for batch in moved {
        records.extend(quarantined::records(conn, space, batch).await?);
    }
    Ok(records)
}

/// What follows from the control entries that `now` holds and `before` did not, by whatever way they
/// came. A revocation concerns the feeds whose cut it changes, a verdict those of everybody who has lost
/// anything, and what is left out its record.
pub(crate) async fn apply(
    conn: &mut Conn,
    before: &Control,
    now: &Control,
) -> Result<ChangedRecords, StoreError> {
    let mut changed_records = ChangedRecords::default();
    let mut new = now.entries().skip(before.entries().count());
    if !new.any(ControlEntry::changes_quarantine) {
        return Ok(changed_records);
    }
    let verdicts = |control: &Control| {
        let orders = control.orders();
        orders
            .filter(|(_, kind, _)| *kind == OrderKind::Verdict)
            .count()
    };
    let decided = verdicts(now) > verdicts(before);
    let cut: Vec<DeviceId> = now.cut_devices().collect();
    for (device, space) in feed::feeds_of(conn, &cut).await? {
        if decided || now.cut(device, &space) != before.cut(device, &space) {
            let records = refresh(conn, now, &space, device).await?;
            rebuild_records(conn, now, &space, records, &mut changed_records).await?;
        }
    }
    for (space, record) in now.exclusions_since(before) {
        if !record::states(conn, space, &[record]).await?.is_empty() {
            rebuild_records(conn, now, space, [record], &mut changed_records).await?;
        }
    }
    Ok(changed_records)
}

/// The states of these records that what is written next follows from, as far as anything of them is held.
/// One that does not read is made again of its batches: a damaged cache must not keep a phone's batch
/// out, and `verify` names it.
pub(crate) async fn states(
    conn: &mut Conn,
    control: &Control,
    space: &Space,
    records: &[RecordId],
) -> Result<BTreeMap<RecordId, RecordState>, StoreError> {
    let mut states = BTreeMap::new();
    for (id, stored) in record::states(conn, space, records).await? {
        states.insert(id, readable(conn, control, space, id, stored).await?);
    }
    Ok(states)
}

/// A state as it is stored, or made again if that does not read.
pub(crate) async fn readable(
    conn: &mut Conn,
    control: &Control,
    space: &Space,
    record: RecordId,
    stored: Result<RecordState, Unreadable>,
) -> Result<RecordState, StoreError> {
    match stored {
        Ok(state) => Ok(state),
        Err(Unreadable) => {
            tracing::error!(
                table = "record",
                column = "state",
                "a row does not read and is made again"
            );
            let changes = load_effective_changes(conn, control, space, record).await?;
            Ok(rebuild(&changes))
        }
    }
}

/// The same of one record; an empty one if nothing of it is held.
pub(crate) async fn state(
    conn: &mut Conn,
    control: &Control,
    space: &Space,
    record: RecordId,
) -> Result<RecordState, StoreError> {
    let mut states = states(conn, control, space, &[record]).await?;
    Ok(states.remove(&record).unwrap_or_default())
}

/// Rebuilds records of a space; notes those that show something else, for the figures.
pub(crate) async fn rebuild_records(
    conn: &mut Conn,
    control: &Control,
    space: &Space,
    records: impl IntoIterator<Item = RecordId>,
    changed_records: &mut ChangedRecords,
) -> Result<(), StoreError> {
    for id in records {
        let next = rebuild(&load_effective_changes(conn, control, space, id).await?);
        let before = record::states(conn, space, &[id]).await?.pop();
        // Of one that does not read everything may be new.
        let before = before.and_then(|(_, state)| state.ok()).unwrap_or_default();
        let parts = before.view().changed_parts(next.view());
        record::set_states(conn, space, vec![(id, next)]).await?;
        if !parts.is_empty() {
            changed_records.note(space.unit(), id, parts);
        }
    }
    Ok(())
}

/// The tips that are held of a device's feed in a space: the cut of a revocation.
pub(crate) async fn cut(
    conn: &mut Conn,
    space: &Space,
    device: DeviceId,
) -> Result<BTreeSet<Tip>, StoreError> {
    let tips = feed::tips(conn, space).await?;
    let of_device = tips.iter().filter(|placed| placed.device == device);
    Ok(of_device.map(|placed| Tip::of(&placed.node)).collect())
}

/// The changes of a record that admission is asked about, each with the device that signed it.
pub(crate) async fn load_effective_changes(
    conn: &mut Conn,
    control: &Control,
    space: &Space,
    record: RecordId,
) -> Result<Vec<(DeviceId, Vec<u8>)>, StoreError> {
    let excluded = control.excluded_changes(space, record);
    let mut changes = Vec::new();
    // Most spaces have none, and then nothing is looked up batch by batch.
    let quarantined: BTreeMap<BatchHash, Quarantine> = quarantined::of_space(conn, space).await?;
    for (device, bytes) in record::batches(conn, space, record).await? {
        let unreadable = StoreError::Unreadable {
            table: "batch",
            column: "bytes",
        };
        let batch = Batch::from_store(control.network(), &bytes).map_err(|_| unreadable)?;
        let counts = !quarantined.contains_key(&batch.hash);
        let of_record = (batch.entries.into_iter()).filter(|entry| entry.record == record);
        changes.extend(of_record.map(|entry| HeldChange {
            device,
            in_effect: counts,
            change: entry.change,
        }));
    }
    Ok(effective_changes(changes, excluded))
}

/// The state that these changes make.
pub(crate) fn rebuild(held: &[(DeviceId, Vec<u8>)]) -> RecordState {
    let held: Vec<_> = held
        .iter()
        .map(|(device, change)| (*device, change.as_slice()))
        .collect();
    RecordState::rebuild(&held)
}
