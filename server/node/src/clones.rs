//! Detection of cloned phones, and the response to it.
//!
//! Both copies are asked to make new keys, and what they bring is taken all the while. The new keys get
//! the grants of the old device; on a server for real people their holder is held back until an
//! administrator confirms, since one of the two may be somebody else's.

use std::collections::{BTreeMap, BTreeSet};

use store::event::{self, EventKind};
use store::{Conn, StoreError, cloned_devices, device, recovery};
use sync_core::batch::{BadBatch, Batch};
use sync_core::control::{ControlEntry, Signer};
use sync_core::feed::Tip;
use sync_core::hub::{Brought, SpaceHeld};
use sync_core::id::{BatchHash, DeviceId, Space};
use sync_core::wire::{Request, SpaceClaim};

use crate::transaction::WriteTx;

/// After an exchange brought something: notes where the device and its own feed were apart, and whether
/// that tells two phones with its keys.
pub(crate) async fn look(
    now: i64,
    conn: &mut Conn,
    incoming: &Brought,
    before: &BTreeMap<Space, u64>,
    held: &BTreeMap<Space, SpaceHeld>,
) -> Result<(), StoreError> {
    let device = incoming.request.device;
    for claim in &incoming.request.spaces {
        let space = &claim.space;
        let counter = before.get(space).copied().unwrap_or(0);
        let space_held = held.get(space);
        let apart = space_held.and_then(|held| divergence(incoming, claim, counter, held));
        let Some(apart) = apart else { continue };
        let last = cloned_devices::last_divergence(conn, space, device).await?;
        let other = last.is_some_and(|last| apart.lacks.contains(&last));
        if other && !cloned_devices::is_cloned(conn, device).await? {
            cloned_devices::add_clone(now, conn, device).await?;
            event::add(
                now,
                conn,
                EventKind::DeviceCloned,
                Some(device),
                Some(space),
            )
            .await?;
        }
        cloned_devices::set_divergence(conn, space, device, apart.brought).await?;
    }
    Ok(())
}

/// A device that brought something of its own while it lacked something of its own.
struct Divergence {
    /// The newest that it brought.
    brought: BatchHash,
    /// What it lacks of its own feed.
    lacks: BTreeSet<BatchHash>,
}

/// Whether the asking device and its own feed are apart in a space that held `counter` batches before:
/// the phone was set back to an older copy, or it is one of two with the same keys. Which of the two it is
/// shows at the next such meeting: one who was set back holds what he brought at the last one, the
/// other copy does not. What it holds follows from what it brings, whether or not its base is known.
fn divergence(
    incoming: &Brought,
    claim: &SpaceClaim,
    counter: u64,
    held: &SpaceHeld,
) -> Option<Divergence> {
    let device = incoming.request.device;
    let feed = held.feeds.get(&device)?;
    let arrival = |hash: &BatchHash| held.arrivals.get(hash).copied().unwrap_or(0);
    let own = |batch: &&Batch| {
        let header = &batch.header;
        header.device == device && header.space == claim.space && feed.holds(batch.hash)
    };
    let batches = incoming
        .batches
        .iter()
        .filter_map(|batch: &Result<Batch, BadBatch>| batch.as_ref().ok());
    let nodes: Vec<_> = batches.filter(own).map(Batch::node).collect();
    let new = nodes.iter().filter(|node| arrival(&node.hash) > counter);
    let brought = new.max_by_key(|node| node.seq)?.hash;
    let told = claim.changes.iter().filter(|(of, _)| *of == device);
    let mut have: Vec<Tip> = told.flat_map(|(_, tips)| tips).copied().collect();
    have.extend(nodes.iter().map(Tip::of));
    // What came in before the phone's last exchange it was told of then.
    let unheard =
        |hash: &BatchHash| (claim.counter.saturating_add(1)..=counter).contains(&arrival(hash));
    let lacks = feed.missing(&have).into_iter().map(|node| node.hash);
    let lacks: BTreeSet<BatchHash> = lacks.filter(unheard).collect();
    (!lacks.is_empty()).then_some(Divergence { brought, lacks })
}

/// New keys that are let in a day for a device and all that its line of keys began with. Whoever asks for
/// more gets them on another day.
const RENEWALS_A_DAY: usize = 4;
const DAY_SECONDS: i64 = 86_400;

/// Whether as many new keys were let in for a line of keys since yesterday as may be.
async fn is_over_the_day(
    now: i64,
    tx: &mut WriteTx<'_>,
    device: DeviceId,
) -> Result<bool, StoreError> {
    let line = tx.control.renewals(tx.control.first_of_line(device));
    let mut of_today = 0;
    for made in line {
        let row = device::device(&mut tx.conn, made).await?;
        // A clock that was set back makes nobody younger than a day for ever.
        let age = row.map(|row| (now - row.since).abs());
        of_today += usize::from(age.is_some_and(|age| age < DAY_SECONDS));
    }
    Ok(of_today >= RENEWALS_A_DAY)
}

/// Lets in the new keys that a device asks for, with the grants of the old ones. One that is held back
/// itself gets none.
pub(crate) async fn renew(
    now: i64,
    tx: &mut WriteTx<'_>,
    request: &Request,
) -> Result<(), StoreError> {
    let Some(renewal) = &request.renewal else {
        return Ok(());
    };
    let Some(enrolment) = renewal.enrolment(&tx.control, request.device) else {
        return Ok(());
    };
    if recovery::holds_back(&mut tx.conn, request.device).await?
        || is_over_the_day(now, tx, request.device).await?
    {
        return Ok(());
    }
    let network = tx.control.network();
    let enrol = |signer: Signer<'_>| ControlEntry::enrol(network, &enrolment, signer);
    match tx.publish(enrol).await {
        Ok(true) => {}
        // It asks for what no entry can say, or is done.
        Ok(false) | Err(StoreError::Entry(_)) => return Ok(()),
        Err(error) => return Err(error),
    }
    let conn = &mut tx.conn;
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
    if !tx.node.sample {
        recovery::add_returned(now, conn, new).await?;
    }
    event::add(now, conn, EventKind::KeysRenewed, Some(new), None).await
}
