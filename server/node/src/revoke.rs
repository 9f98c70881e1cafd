//! Revocation of devices, and verdicts on what they signed beside the cut.

use std::collections::{BTreeMap, BTreeSet};

use store::wipe::{self, WipeState};
use store::{Conn, StoreError, contact, device, quarantined};
use sync_core::batch::Batch;
use sync_core::control::{
    Control, ControlEntry, OrderKind, Revocation, RevokeReason, VERDICT_NODE_MAX, Verdict,
};
use sync_core::id::{BatchHash, DeviceId, Space};
use sync_core::seal::SigningKey;

use crate::app::App;
use crate::error::CommandError;
use crate::order::{OrderRequest, make};
use crate::quarantine::cut;
use crate::transaction::{ReadTx, WriteTx};

/// What is to be taken from a device.
#[derive(Clone, Debug)]
pub struct RevokeRequest {
    /// The device.
    pub device: DeviceId,
    /// These spaces alone; everything if there are none.
    pub spaces: BTreeSet<Space>,
    /// Why.
    pub reason: RevokeReason,
    /// What becomes of the devices that it made keys for.
    pub renewals: Renewals,
}

/// What a revocation does with the devices that a device made keys for.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Renewals {
    /// Nothing is revoked where there are any: whoever revokes has to say.
    #[default]
    Ask,
    /// They are revoked too.
    Too,
    /// They stay.
    Stay,
}

/// A device that was let in.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ListedDevice {
    /// The device.
    pub device: DeviceId,
    /// Whom its last code was made for.
    pub name: Option<String>,
    /// The spaces that it holds.
    pub spaces: BTreeSet<Space>,
    /// The device that made its keys, if one did.
    pub renews: Option<DeviceId>,
    /// Why it is revoked, if it is.
    pub revoked: Option<RevokeReason>,
    /// When it last reached the server, Unix seconds.
    pub seen: Option<i64>,
    /// A person has ordered that it wipe itself.
    pub wipe_ordered: bool,
    /// How far it has come with that, and when it said so; never heard of since if there is none.
    pub wipe: Option<(WipeState, i64)>,
}

/// A batch that waits for the office.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct WaitingBatch {
    /// Its name.
    pub batch: BatchHash,
    /// Its space.
    pub space: Space,
    /// Who signed it.
    pub device: DeviceId,
    /// When, by the device's clock, Unix seconds.
    pub time: i64,
    /// The records that it changes.
    pub records: BTreeSet<sync_core::id::RecordId>,
}

/// Signs and stores a revocation. Once this has committed the device is not served (R25).
pub(crate) async fn revoke(
    tx: &mut WriteTx<'_>,
    request: &RevokeRequest,
) -> Result<(), CommandError> {
    let device = request.device;
    let Some(granted) = tx.control.grants(device) else {
        return Err(CommandError::wrong("device_unknown", device));
    };
    if let Some(stranger) = request.spaces.iter().find(|space| !granted.contains(space)) {
        return Err(CommandError::wrong("space_not_held", stranger).with("device", device));
    }
    let mut devices = vec![device];
    let made = tx.control.renewals(device).into_iter();
    let made: Vec<DeviceId> = made.filter(|made| has_any(tx, request, *made)).collect();
    match request.renewals {
        Renewals::Ask if !made.is_empty() => {
            let made: Vec<String> = made.iter().map(ToString::to_string).collect();
            return Err(CommandError::wrong("device_renewed", device).with("made", made.join(", ")));
        }
        Renewals::Too => devices.extend(made),
        Renewals::Ask | Renewals::Stay => {}
    }
    devices.retain(|device| has_any(tx, request, *device));
    if devices.is_empty() {
        return Err(CommandError::wrong("device_revoked", device));
    }
    for device in devices {
        revoke_one(tx, request, device).await?;
    }
    Ok(())
}

/// What is to be taken from a device: of the spaces that the request names, those that it holds.
fn taken(tx: &WriteTx<'_>, request: &RevokeRequest, device: DeviceId) -> BTreeSet<Space> {
    let mut held = tx.control.grants(device).unwrap_or_default();
    held.retain(|space| request.spaces.is_empty() || request.spaces.contains(space));
    held
}

fn has_any(tx: &WriteTx<'_>, request: &RevokeRequest, device: DeviceId) -> bool {
    !taken(tx, request, device).is_empty()
}

async fn revoke_one(
    tx: &mut WriteTx<'_>,
    request: &RevokeRequest,
    device: DeviceId,
) -> Result<(), CommandError> {
    let mut cuts = BTreeMap::new();
    for space in taken(tx, request, device) {
        let cut = cut(&mut tx.conn, &space, device).await?;
        cuts.insert(space, cut);
    }
    let revocation = Revocation {
        device,
        whole: request.spaces.is_empty(),
        cut: cuts,
        reason: request.reason,
    };
    let network = tx.control.network();
    tx.publish(|signer| ControlEntry::revoke(network, &revocation, signer))
        .await?;
    Ok(())
}

/// The devices that were let in.
pub(crate) async fn devices(
    conn: &mut Conn,
    control: &Control,
) -> Result<Vec<ListedDevice>, StoreError> {
    let mut listed = Vec::new();
    let ids: Vec<DeviceId> = control.devices().map(|(device, _)| device).collect();
    for id in ids {
        let name = device::device(conn, id).await?.and_then(|row| row.name);
        listed.push(ListedDevice {
            device: id,
            name,
            spaces: control.grants(id).unwrap_or_default(),
            renews: control.enrolment(id).and_then(|held| held.renews),
            revoked: control.revoked(id),
            seen: contact::last(conn, id).await?,
            wipe_ordered: control.wipe_order(id).is_some(),
            wipe: wipe::state(conn, id).await?,
        });
    }
    Ok(listed)
}

/// The batches that wait for the office.
pub(crate) async fn waiting(
    conn: &mut Conn,
    control: &Control,
) -> Result<Vec<WaitingBatch>, StoreError> {
    let rows = quarantined::waiting(conn).await?;
    let unreadable = || StoreError::Unreadable {
        table: "batch",
        column: "bytes",
    };
    let of = |row: quarantined::Waiting| {
        let batch = Batch::from_store(control.network(), &row.bytes).map_err(|_| unreadable())?;
        Ok(WaitingBatch {
            batch: row.batch,
            space: row.space,
            device: row.device,
            time: batch.header.time,
            records: batch.entries.iter().map(|entry| entry.record).collect(),
        })
    };
    rows.into_iter().map(of).collect()
}

/// What the office decides on batches, ready to be signed.
async fn wish(
    conn: &mut Conn,
    control: &Control,
    batches: &BTreeSet<BatchHash>,
    accepted: bool,
) -> Result<OrderRequest, CommandError> {
    let waiting = quarantined::waiting(conn).await?;
    let mut scope = BTreeSet::new();
    for batch in batches {
        let found = waiting.iter().find(|waiting| waiting.batch == *batch);
        let found = found.ok_or_else(|| CommandError::wrong("batch_not_waiting", batch))?;
        scope.insert(found.space.clone());
    }
    let said = batches.iter().filter_map(|batch| control.verdict(*batch));
    let number = said.map(|verdict| verdict.number).max().unwrap_or(0);
    let verdict = Verdict {
        number: number.saturating_add(1),
        accepted,
    };
    Ok(OrderRequest {
        kind: OrderKind::Verdict,
        scope,
        names: batches.iter().map(|batch| batch.0.to_vec()).collect(),
        content: verdict.encode(),
    })
}

/// Decides on batches with the node's key; more than [`VERDICT_NODE_MAX`] need a person's.
pub(crate) async fn decide(
    tx: &mut WriteTx<'_>,
    batches: &BTreeSet<BatchHash>,
    accepted: bool,
    key: Option<&SigningKey>,
) -> Result<(), CommandError> {
    if key.is_none() && batches.len() > VERDICT_NODE_MAX {
        let error = CommandError::wrong("verdict_needs_key", batches.len());
        return Err(error.with("max", VERDICT_NODE_MAX));
    }
    let request = wish(&mut tx.conn, &tx.control, batches, accepted).await?;
    let order = make(&tx.control, key.unwrap_or(&tx.node.node), &request);
    let checked = tx.control.check(&order).map_err(anyhow::Error::from)?;
    tx.add(checked.as_slice()).await?;
    Ok(())
}

impl App {
    /// Takes spaces from a device, or all it has.
    pub async fn revoke(&self, request: &RevokeRequest) -> Result<(), CommandError> {
        let request = request.clone();
        self.write(async move |tx: &mut WriteTx<'_>| revoke(tx, &request).await)
            .await
    }

    /// What a person signs to have a device's store wiped.
    pub async fn wish_wipe(&self, device: DeviceId) -> Result<OrderRequest, CommandError> {
        let ReadTx { control, .. } = self.context().read().await?;
        crate::wipe::order_request(&control, device)
    }

    /// The devices that were let in, revoked ones too.
    pub async fn devices(&self) -> Result<Vec<ListedDevice>, CommandError> {
        let ReadTx { mut conn, control } = self.context().read().await?;
        Ok(devices(&mut conn, &control).await?)
    }

    /// The batches of revoked devices that wait for the office.
    pub async fn waiting_batches(&self) -> Result<Vec<WaitingBatch>, CommandError> {
        let ReadTx { mut conn, control } = self.context().read().await?;
        Ok(waiting(&mut conn, &control).await?)
    }

    /// Accepts or refuses batches that wait; with a person's key where they are many.
    pub async fn decide(
        &self,
        batches: &BTreeSet<BatchHash>,
        accepted: bool,
        key: Option<&SigningKey>,
    ) -> Result<(), CommandError> {
        let (batches, key) = (batches.clone(), key.cloned());
        let decide =
            async move |tx: &mut WriteTx<'_>| decide(tx, &batches, accepted, key.as_ref()).await;
        self.write(decide).await
    }
}
