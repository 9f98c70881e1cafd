//! Recovery: the limits of a restored server, and what it still lacks (R20, R21).
//!
//! A backup is older than the server that was lost, and so is its roster: a device that was revoked
//! since then is on it, a device that was let in since then is not. So uploads are taken from whoever
//! can show an enrolment, and nothing goes out but acknowledgements and control, until the journal was
//! replayed or an administrator confirms. Who comes back later with an enrolment that is not known
//! here is held back the same way, alone.

use std::collections::BTreeSet;

use store::clock::random;
use store::control::{self, meta};
use store::event::{self, EventKind};
use store::{Conn, Store, StoreError, journaled, recovery};
use sync_core::control::{Control, ControlEntry};
use sync_core::id::{DeviceId, Space};

use crate::commit::write_before_serving;
use crate::transaction::WriteTx;
use crate::{erase, seal_renewal};

/// Joins control entries that were lost here, and does what they ask for before anything is taken or
/// answered. What they name is erased: an answer refers to batches as they stand afterwards. Where
/// they tell a key whose private half was lost with them, the next one is told at once: somebody may
/// be about to seal to the lost one what is nowhere else.
pub(crate) async fn absorb(
    now: i64,
    tx: &mut WriteTx<'_>,
    repair: &[ControlEntry],
) -> Result<(), StoreError> {
    let before = tx.control.clone();
    join(now, tx, repair).await?;
    if tx.control.arrival == before.arrival {
        return Ok(());
    }
    erase::execute(tx).await?;
    if tx.control.seal_key() != before.seal_key() {
        seal_renewal::renew(now, tx).await?;
    }
    Ok(())
}

/// Stores control entries that somebody showed. Whoever is let in by one of them, or gets more than it
/// is known to hold, is held back, for what nobody shows may be that it was revoked. An old enrolment of
/// a device that the office has let in again since says nothing new.
async fn join(now: i64, tx: &mut WriteTx<'_>, entries: &[ControlEntry]) -> Result<(), StoreError> {
    let conn = &mut tx.conn;
    let mut joined: Control = Control::clone(&tx.control);
    let mut new = Vec::new();
    for entry in entries {
        // What another request of the same transaction brought.
        if !matches!(joined.check(entry.bytes()), Ok(Some(_))) {
            continue;
        }
        let device = entry.enrols();
        let held = device.and_then(|device| joined.grants(device));
        joined.apply(entry.clone());
        new.push(entry.clone());
        if let Some(device) = device.filter(|device| joined.grants(*device) != held) {
            recovery::add_returned(now, conn, device).await?;
            event::add(now, conn, EventKind::DeviceReturned, Some(device), None).await?;
        }
    }
    tx.add(&new).await
}

/// Begins another life with what is here (R22): no phone takes older counters for what it knew, and
/// nothing but acknowledgements is served until an administrator confirms (R20).
pub(crate) async fn begin(now: i64, conn: &mut Conn, kind: EventKind) -> Result<(), StoreError> {
    control::set_meta(conn, meta::INCARNATION, &random::<8>()?).await?;
    journaled::begin_life(conn).await?;
    recovery::clear(conn).await?;
    recovery::set(conn, true).await?;
    event::add(now, conn, kind, None, None).await
}

/// Notices that an older copy of the database was put in its place, and begins another life.
pub(crate) async fn notice_set_back(now: i64, store: &Store) -> Result<(), StoreError> {
    if !store.is_set_back() {
        return Ok(());
    }
    tracing::error!("the database was set back: it lacks what this server has committed");
    let begun = write_before_serving(store, async |tx| {
        begin(now, tx, EventKind::SetBack).await?;
        store.go_on_above(tx).await
    });
    begun.await
}

/// How far a restored server is.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct RecoveryStatus {
    /// Nothing but acknowledgements and control is served.
    pub recovery: bool,
    /// Devices that came back with an enrolment of which nothing was known here.
    pub returned: Vec<DeviceId>,
    /// Devices on the roster that have not come back yet.
    pub awaited: Vec<DeviceId>,
    /// Spaces that no phone has brought back whole: what was written there between the backup and
    /// the loss may be missing.
    pub at_risk: Vec<Space>,
}

/// Where a restored server stands.
pub(crate) async fn status(
    conn: &mut Conn,
    control_cache: &Control,
) -> Result<RecoveryStatus, StoreError> {
    let on = recovery::is_on(conn).await?;
    let returned = recovery::returned(conn).await?.into_iter().collect();
    let (awaited, at_risk) = match on {
        true => {
            let back = recovery::back(conn).await?;
            let devices = control_cache.devices().map(|(device, _)| device);
            let awaited = devices.filter(|device| !back.contains(device)).collect();
            let whole = recovery::whole(conn).await?;
            let granted: BTreeSet<&Space> = control_cache
                .devices()
                .flat_map(|(_, enrolment)| &enrolment.spaces)
                .collect();
            let left = granted.into_iter().filter(|space| !whole.contains(*space));
            (awaited, left.cloned().collect())
        }
        false => (Vec::new(), Vec::new()),
    };
    Ok(RecoveryStatus {
        recovery: on,
        returned,
        awaited,
        at_risk,
    })
}

/// Has everybody on the roster served again, who came back included. What is still at risk is noted
/// for good.
pub(crate) async fn confirm(
    now: i64,
    conn: &mut Conn,
    control_cache: &Control,
) -> Result<RecoveryStatus, StoreError> {
    let before = status(conn, control_cache).await?;
    if !before.recovery && before.returned.is_empty() {
        return Ok(before);
    }
    for space in &before.at_risk {
        event::add(now, conn, EventKind::AtRisk, None, Some(space)).await?;
    }
    event::add(now, conn, EventKind::RecoveryConfirmed, None, None).await?;
    recovery::set(conn, false).await?;
    recovery::clear(conn).await?;
    Ok(before)
}
