//! The roster: enrolments and their join.

use std::collections::{BTreeMap, BTreeSet};

use minicbor::bytes::ByteArray;
use minicbor::{Decode, Encode};

use super::entry::{
    BadEntry, ControlEntry, GRANTS_MAX, ROOT_LIST_MAX, Signer, kind, plain_key, seal_entry,
    suite_key,
};
use crate::cbor::{self, List};
use crate::id::{AuthorId, DeviceId, NetworkId, Space};
use crate::shape::SpaceWire;

/// A device that may take part, and where.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Enrolment {
    /// Ed25519 public key; its hash is the device id.
    pub signing_key: [u8; 32],
    /// X25519 public key, for bundles.
    pub sealing_key: [u8; 32],
    /// What it may hold and write.
    pub spaces: BTreeSet<Space>,
    /// The persons who may write on it.
    pub authors: BTreeSet<AuthorId>,
    /// The device that made these keys for itself, if one did.
    pub renews: Option<DeviceId>,
}

impl Enrolment {
    /// The device.
    pub fn device(&self) -> DeviceId {
        DeviceId::of_key(&self.signing_key)
    }
}

#[derive(Encode, Decode)]
struct EnrolWire {
    #[n(0)]
    signing_key: ByteArray<33>,
    #[n(1)]
    sealing_key: ByteArray<33>,
    #[n(2)]
    spaces: List<SpaceWire, GRANTS_MAX>,
    #[n(3)]
    authors: List<ByteArray<8>, ROOT_LIST_MAX>,
    #[n(4)]
    renews: Option<ByteArray<8>>,
}

impl Enrolment {
    pub(super) fn decode(content: &[u8]) -> Result<Self, BadEntry> {
        let wire: EnrolWire = cbor::decode(content).map_err(|_| BadEntry::Envelope)?;
        Ok(Enrolment {
            signing_key: plain_key(&wire.signing_key).ok_or(BadEntry::Envelope)?,
            sealing_key: plain_key(&wire.sealing_key).ok_or(BadEntry::Envelope)?,
            spaces: wire.spaces.0.iter().filter_map(SpaceWire::space).collect(),
            authors: wire
                .authors
                .into_iter()
                .map(|author| AuthorId(author.into()))
                .collect(),
            renews: wire.renews.map(|device| DeviceId(device.into())),
        })
    }
}

impl ControlEntry {
    /// The entry that lets a device in.
    pub fn enrol(network: NetworkId, enrolment: &Enrolment, signer: Signer<'_>) -> Vec<u8> {
        let spaces: Vec<SpaceWire> = enrolment.spaces.iter().map(SpaceWire::of).collect();
        let content = cbor::encode(&EnrolWire {
            signing_key: suite_key(&enrolment.signing_key).into(),
            sealing_key: suite_key(&enrolment.sealing_key).into(),
            spaces: spaces.clone().into(),
            authors: enrolment
                .authors
                .iter()
                .map(|author| author.0.into())
                .collect(),
            renews: enrolment.renews.map(|device| device.0.into()),
        });
        seal_entry(network, kind::ENROL, Some(spaces), content, signer)
    }
}

/// The join of the enrolments held.
#[derive(Clone, Debug, Default)]
pub(super) struct Roster(BTreeMap<DeviceId, Enrolment>);

impl Roster {
    pub(super) fn join(&mut self, enrolment: &Enrolment) {
        let device = enrolment.device();
        match self.0.get_mut(&device) {
            // A second enrolment of a device adds to the first: the join of both.
            Some(held) if held.signing_key == enrolment.signing_key => {
                held.spaces.extend(enrolment.spaces.iter().cloned());
                held.authors.extend(&enrolment.authors);
                held.renews = held.renews.max(enrolment.renews);
            }
            // Two keys with one id: the smaller key stands, in whatever order they came.
            Some(held) if held.signing_key < enrolment.signing_key => {}
            _ => {
                self.0.insert(device, enrolment.clone());
            }
        }
    }

    pub(super) fn enrolment(&self, device: DeviceId) -> Option<&Enrolment> {
        self.0.get(&device)
    }

    /// The devices that a device made keys for, and those that they made keys for.
    pub(super) fn renewals(&self, device: DeviceId) -> BTreeSet<DeviceId> {
        let mut found = BTreeSet::from([device]);
        loop {
            let is_new = |(id, enrolment): &(&DeviceId, &Enrolment)| {
                let renews = enrolment.renews;
                !found.contains(*id) && renews.is_some_and(|from| found.contains(&from))
            };
            let more: Vec<DeviceId> = self.0.iter().filter(is_new).map(|(id, _)| *id).collect();
            if more.is_empty() {
                found.remove(&device);
                return found;
            }
            found.extend(more);
        }
    }

    pub(super) fn devices(&self) -> impl Iterator<Item = (DeviceId, &Enrolment)> {
        self.0
            .iter()
            .map(|(device, enrolment)| (*device, enrolment))
    }
}
