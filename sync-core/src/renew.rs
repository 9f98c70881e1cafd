//! Renewal of a device's keys: because two phones write with the old ones, or on request.
//!
//! A phone that was copied can't be told from its copy. So both are asked for new keys, and each
//! becomes a device of its own with the grants of the one that they were. What was written with the
//! old keys stays what it is, both branches of it.

use minicbor::bytes::ByteArray;
use minicbor::{Decode, Encode};

use crate::control::{Control, Enrolment, plain_key, suite_key};
use crate::id::{DeviceId, NetworkId};
use crate::seal;

const RENEW_LABEL: &[u8] = b"ortoo renew v1\0";

/// The public halves of new keys, with the proof that whoever asks holds them.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Renewal {
    /// Ed25519 public key; its hash is the new device's id.
    pub signing_key: [u8; 32],
    /// X25519 public key.
    pub sealing_key: [u8; 32],
    /// The new signing key's signature.
    pub proof: [u8; 64],
}

#[derive(Encode, Decode)]
pub(crate) struct RenewalWire {
    #[n(0)]
    signing_key: ByteArray<33>,
    #[n(1)]
    sealing_key: ByteArray<33>,
    #[n(2)]
    proof: ByteArray<64>,
}

impl Renewal {
    /// New keys for `device`; `sign` signs with the new signing key.
    pub fn of(
        network: NetworkId,
        device: DeviceId,
        (signing_key, sealing_key): ([u8; 32], [u8; 32]),
        sign: &dyn Fn(&[u8]) -> [u8; 64],
    ) -> Self {
        let proof = sign(&message(network, device, &signing_key, &sealing_key));
        Self {
            signing_key,
            sealing_key,
            proof,
        }
    }

    /// The device that the new keys make.
    pub fn device(&self) -> DeviceId {
        DeviceId::of_key(&self.signing_key)
    }

    /// The enrolment that these keys of `device` are to get: what it holds now, under the new keys;
    /// what was taken from it does not come back so (R18). `None` if the proof does not hold, the
    /// device holds nothing, or the new one is on the roster already.
    pub fn enrolment(&self, control: &Control, device: DeviceId) -> Option<Enrolment> {
        let message = message(
            control.network(),
            device,
            &self.signing_key,
            &self.sealing_key,
        );
        let proven = seal::verify(&self.signing_key, &message, &self.proof);
        let old = control.enrolment(device).filter(|_| proven)?;
        let spaces = control.grants(device).filter(|held| !held.is_empty())?;
        control
            .enrolment(self.device())
            .is_none()
            .then(|| Enrolment {
                signing_key: self.signing_key,
                sealing_key: self.sealing_key,
                spaces,
                renews: Some(device),
                ..old.clone()
            })
    }

    pub(crate) fn to_wire(&self) -> RenewalWire {
        RenewalWire {
            signing_key: suite_key(&self.signing_key).into(),
            sealing_key: suite_key(&self.sealing_key).into(),
            proof: self.proof.into(),
        }
    }

    /// `None` for keys of a suite that is unknown here.
    pub(crate) fn from_wire(wire: RenewalWire) -> Option<Self> {
        Some(Self {
            signing_key: plain_key(&wire.signing_key)?,
            sealing_key: plain_key(&wire.sealing_key)?,
            proof: wire.proof.into(),
        })
    }
}

fn message(
    network: NetworkId,
    device: DeviceId,
    signing_key: &[u8; 32],
    sealing_key: &[u8; 32],
) -> Vec<u8> {
    let keys = [suite_key(signing_key), suite_key(sealing_key)].concat();
    [RENEW_LABEL, network.as_bytes(), device.as_bytes(), &keys].concat()
}
