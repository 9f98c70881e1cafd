//! Remote wipe: the order that a person signs, and the phone's report.

use std::collections::BTreeSet;

use sync_core::bundle::{BadBundle, unseal};
use sync_core::control::{Control, OrderKind};
use sync_core::hub::Refusal;
use sync_core::id::DeviceId;
use sync_core::parting::{self, Parting};
use sync_core::wire::Answer;

use crate::bundle::{self, Unpacked};
use crate::error::CommandError;
use crate::order::OrderWish;
use crate::reply::Refused;
use crate::seal_keys::SealKeys;
use crate::store::wipe::{self, WipeState};
use crate::store::{StoreError, contact};
use crate::transaction::WriteTx;

/// What a phone says that is to wipe itself.
pub(crate) struct Farewell {
    pub(crate) device: DeviceId,
    /// What it hands over.
    pub(crate) unpacked: Option<Unpacked>,
    pub(crate) state: WipeState,
}

impl Farewell {
    /// What a device says, checked under a roster. A bundle that was sealed to a key which is lost here is
    /// not taken; the answer tells the one to seal to.
    pub(crate) fn read(
        keys: &SealKeys,
        control: &Control,
        device: DeviceId,
        parting: Option<Parting>,
    ) -> Result<Result<Self, Refused>, StoreError> {
        let (state, bundle) = match parting {
            None => (WipeState::Told, Vec::new()),
            Some(Parting { wiped: true, .. }) => (WipeState::Wiped, Vec::new()),
            Some(Parting { bundle, .. }) => (WipeState::HandedOver, bundle),
        };
        let farewell = |state, unpacked| Self {
            device,
            unpacked,
            state,
        };
        if bundle.is_empty() {
            return Ok(Ok(farewell(state, None)));
        }
        Ok(
            match unseal(control.network(), keys.read()?.values(), &bundle) {
                Ok(unsealed) => Ok(farewell(state, Some(Unpacked::check(control, unsealed)))),
                Err(BadBundle::NotForUs) => Ok(farewell(WipeState::Told, None)),
                Err(bad) => Err(bad.into()),
            },
        )
    }
}

/// Takes what a phone hands over, in the transaction of `conn`, and answers it.
pub(crate) async fn take(
    now: i64,
    tx: &mut WriteTx<'_>,
    farewell: &Farewell,
    is_current: bool,
) -> Result<Result<Box<Answer>, Refused>, StoreError> {
    let mut taken = farewell.state > WipeState::Told;
    if let Some(unpacked) = &farewell.unpacked {
        let (report, _) = bundle::take(now, tx, unpacked, is_current).await?;
        // A restored server may lack who wrote it, and the phone holds what may be the last copy.
        taken &= report.not_held.is_empty();
    }
    let state = if taken {
        farewell.state
    } else {
        WipeState::Told
    };
    let conn = &mut tx.conn;
    contact::note(conn, farewell.device, now, None).await?;
    wipe::note(conn, farewell.device, state, now).await?;
    let answer = parting::answer(&tx.node.me, &tx.control, farewell.device, taken, now);
    Ok(answer.map(Box::new).ok_or(Refusal::UnknownDevice.into()))
}

/// What a person signs to have a phone wiped.
pub(crate) fn wish(control: &Control, device: DeviceId) -> Result<OrderWish, CommandError> {
    let enrolment = control.enrolment(device);
    let enrolment = enrolment.ok_or_else(|| CommandError::wrong("device_unknown", device))?;
    Ok(OrderWish {
        kind: OrderKind::Wipe,
        scope: enrolment.spaces.clone(),
        names: BTreeSet::from([device.0.to_vec()]),
        content: Vec::new(),
    })
}
