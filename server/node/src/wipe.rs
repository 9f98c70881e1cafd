//! Remote wipe: the order that a person signs, and the phone's report.

use std::collections::BTreeSet;

use store::wipe::{self, WipeState};
use store::{StoreError, contact};
use sync_core::bundle::BadBundle;
use sync_core::control::{Control, OrderKind};
use sync_core::hub::RequestError;
use sync_core::id::DeviceId;
use sync_core::remote_wipe::{self, WipeReport};
use sync_core::wire::Answer;

use crate::bundle::{self, Unpacked};
use crate::error::CommandError;
use crate::order::OrderRequest;
use crate::reply::Rejection;
use crate::seal_keys::SealKeys;
use crate::transaction::WriteTx;

/// What a phone says that is to wipe itself.
pub(crate) struct WipeProgress {
    pub(crate) device: DeviceId,
    /// What it hands over.
    pub(crate) unpacked: Option<Unpacked>,
    pub(crate) state: WipeState,
}

impl WipeProgress {
    /// What a device says, checked under a roster. A bundle that was sealed to a key which is lost here is
    /// not taken; the answer tells the one to seal to.
    pub(crate) fn read(
        keys: &SealKeys,
        control: &Control,
        device: DeviceId,
        wipe_report: Option<WipeReport>,
    ) -> Result<Result<Self, Rejection>, StoreError> {
        let (state, bundle) = match wipe_report {
            None => (WipeState::Told, Vec::new()),
            Some(WipeReport { wiped: true, .. }) => (WipeState::Wiped, Vec::new()),
            Some(WipeReport { bundle, .. }) => (WipeState::HandedOver, bundle),
        };
        let wipe_progress = |state, unpacked| Self {
            device,
            unpacked,
            state,
        };
        if bundle.is_empty() {
            return Ok(Ok(wipe_progress(state, None)));
        }
        Ok(
            match Unpacked::open(control, keys.read()?.values(), &bundle) {
                Ok(unpacked) => Ok(wipe_progress(state, Some(unpacked))),
                Err(BadBundle::NotForUs) => Ok(wipe_progress(WipeState::Told, None)),
                Err(bad) => Err(bad.into()),
            },
        )
    }
}

/// Takes what a phone hands over, in the transaction of `conn`, and answers it.
pub(crate) async fn take_report(
    now: i64,
    tx: &mut WriteTx<'_>,
    wipe_progress: &WipeProgress,
    is_current: bool,
) -> Result<Result<Box<Answer>, Rejection>, StoreError> {
    let mut taken = wipe_progress.state > WipeState::Told;
    if let Some(unpacked) = &wipe_progress.unpacked {
        let (report, _) = bundle::take(now, tx, unpacked, is_current).await?;
        // A restored server may lack who wrote it, and the phone holds what may be the last copy.
        taken &= report.not_held.is_empty();
    }
    let state = if taken {
        wipe_progress.state
    } else {
        WipeState::Told
    };
    let conn = &mut tx.conn;
    contact::note(conn, wipe_progress.device, now, None).await?;
    wipe::note(conn, wipe_progress.device, state, now).await?;
    let answer = remote_wipe::answer(&tx.node.me, &tx.control, wipe_progress.device, taken, now);
    Ok(answer
        .map(Box::new)
        .ok_or(RequestError::UnknownDevice.into()))
}

/// What a person signs to have a phone wiped.
pub(crate) fn order_request(
    control: &Control,
    device: DeviceId,
) -> Result<OrderRequest, CommandError> {
    let enrolment = control.enrolment(device);
    let enrolment = enrolment.ok_or_else(|| CommandError::wrong("device_unknown", device))?;
    Ok(OrderRequest {
        kind: OrderKind::Wipe,
        scope: enrolment.spaces.clone(),
        names: BTreeSet::from([device.0.to_vec()]),
        content: Vec::new(),
    })
}
