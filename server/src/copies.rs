//! Phones that were copied with their keys: how the server notices, and what it does about it.
//!
//! Both copies are asked to make new keys, and what they bring is taken all the while. The new keys get
//! the grants of the old device; on a server for real people their holder is held back until an
//! administrator confirms, since one of the two may be somebody else's.

use std::collections::BTreeMap;

use sqlx::SqliteConnection;
use sync_core::control::{Control, ControlEntry};
use sync_core::hub::{self, Plan, SpaceHeld};
use sync_core::id::Space;
use sync_core::wire::Request;

use crate::app::Shared;
use crate::store::event::{self, EventKind};
use crate::store::{StoreError, control, copied, device, recovery};

/// After an exchange brought something: notes where the device and its own feed were apart, and whether
/// that tells two phones with its keys.
pub(crate) async fn look(
    now: i64,
    conn: &mut SqliteConnection,
    request: &Request,
    before: &BTreeMap<Space, u64>,
    held: &BTreeMap<Space, SpaceHeld>,
    plan: &Plan,
) -> Result<(), StoreError> {
    let device = request.device;
    for apart in hub::apart(request, before, held, plan) {
        let space = &apart.space;
        let last = copied::apart(conn, space, device).await?;
        let other = last.is_some_and(|last| apart.lacks.contains(&last));
        if other && !copied::is_copied(conn, device).await? {
            copied::add_copied(now, conn, device).await?;
            event::add(
                now,
                conn,
                EventKind::DeviceCloned,
                Some(device),
                Some(space),
            )
            .await?;
        }
        copied::set_apart(conn, space, device, apart.brought).await?;
    }
    Ok(())
}

/// Lets in the new keys that a device asks for, with the grants of the old ones. One that is held back
/// itself gets none.
pub(crate) async fn renew(
    now: i64,
    conn: &mut SqliteConnection,
    shared: &Shared,
    roster: &Control,
    request: &Request,
) -> Result<(), StoreError> {
    let Some(renewal) = &request.renewal else {
        return Ok(());
    };
    let Some(enrolment) = renewal.enrolment(roster, request.device) else {
        return Ok(());
    };
    if recovery::holds_back(conn, request.device).await? {
        return Ok(());
    }
    let sign = |message: &[u8]| shared.node.sign(message);
    let signer = (
        shared.node.public().bytes,
        &sign as &dyn Fn(&[u8]) -> [u8; 64],
    );
    let entry = ControlEntry::enrol(shared.me.network, &enrolment, signer);
    let Ok(Some(entry)) = roster.check(&entry) else {
        return Ok(());
    };
    control::add(conn, &entry).await?;
    let new = enrolment.device();
    if let Some(old) = device::device(conn, request.device).await? {
        let renewed = device::Device {
            signing_key: enrolment.signing_key,
            sealing_key: enrolment.sealing_key,
            since: now,
            redeemers: 0,
            ..old
        };
        device::set_device(conn, &renewed).await?;
    }
    if !shared.sample {
        recovery::add_returned(now, conn, new).await?;
    }
    event::add(now, conn, EventKind::KeysRenewed, Some(new), None).await
}
