//! The envelope of an entry of the control feed: its kinds, its bytes, and how it is signed.

use std::collections::BTreeSet;

use minicbor::bytes::{ByteArray, ByteVec};
use minicbor::{Decode, Decoder, Encode};
use plan::Package;
use sha2::{Digest, Sha256};

use crate::cbor::{self, List};
use crate::id::{DeviceId, EntryHash, NetworkId, RecordId, Space};
use crate::seal;
use crate::shape::SpaceWire;

use super::counted_elsewhere::CountedElsewhere;
use super::exclusion::Exclusion;
use super::moved::Moved;
use super::order::{Order, OrderKind};
use super::revoke::Revocation;
use super::root::RootStatement;
use super::roster::Enrolment;
use super::same_person::SamePerson;
use super::seal_key::SealKey;

/// The only suite there is.
pub(super) const SUITE: u8 = 1;
/// Size of one control entry; the plan package is the largest.
pub const CONTROL_ENTRY_BYTES_MAX: usize = 512 * 1024;
/// Signatures on one control entry.
const SIGNATURES_MAX: usize = 16;
/// Keys of one kind in a root statement, authors in one enrolment.
pub const ROOT_LIST_MAX: usize = 256;
/// Spaces in one enrolment.
pub const GRANTS_MAX: usize = 512;

const ENTRY_LABEL: &[u8] = b"ortoo control v1\0";

/// The numbers of the kinds of entries on the wire.
pub(super) mod kind {
    pub(crate) const ROOT: u16 = 0;
    pub(crate) const ENROL: u16 = 1;
    pub(crate) const PACKAGE: u16 = 2;
    pub(crate) const ELSEWHERE: u16 = 3;
    pub(crate) const SEAL_KEY: u16 = 4;
    pub(crate) const REVOKE: u16 = 5;
    pub(crate) const ERASE: u16 = 6;
    pub(crate) const VERDICT: u16 = 7;
    pub(crate) const WIPE: u16 = 8;
    pub(crate) const LEFT_OUT: u16 = 9;
    pub(crate) const MOVED: u16 = 11;
    pub(crate) const SAME_PERSON: u16 = 12;
    /// The highest number that this version knows.
    pub(crate) const LAST: u16 = 12;
}

/// Why a control entry is not taken.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum BadEntry {
    /// The bytes don't decode, or the suite is unknown.
    #[error("the control entry has an unknown envelope")]
    Envelope,
    /// Over [`CONTROL_ENTRY_BYTES_MAX`].
    #[error("the control entry is too large")]
    TooLarge,
    /// Not signed by a key that may sign entries of this kind.
    #[error("the control entry is not signed by a key of this network")]
    Signature,
    /// The first root statement's hash is not the network id.
    #[error("the root statement belongs to another network")]
    OtherNetwork,
    /// An order above what one person may order alone, with one person's signature only.
    #[error("the order needs the signatures of two order keys")]
    SecondSignature,
}

impl BadEntry {
    /// A stable code.
    pub fn code(self) -> &'static str {
        match self {
            BadEntry::Envelope => "entry_envelope",
            BadEntry::TooLarge => "entry_too_large",
            BadEntry::Signature => "entry_signature",
            BadEntry::OtherNetwork => "entry_other_network",
            BadEntry::SecondSignature => "order_second_signature",
        }
    }
}

/// A public key with its suite in front.
pub fn suite_key(key: &[u8; 32]) -> [u8; 33] {
    let mut out = [SUITE; 33];
    out[1..].copy_from_slice(key);
    out
}

/// The key without its suite byte, if the suite is ours.
pub fn plain_key(key: &[u8; 33]) -> Option<[u8; 32]> {
    let (suite, key) = key.split_first()?;
    (*suite == SUITE).then(|| key.try_into().ok())?
}

/// What an entry says.
#[derive(Clone, Debug, PartialEq)]
pub(super) enum Content {
    Root(RootStatement),
    Enrol(Enrolment),
    Package(Box<Package>),
    Elsewhere(CountedElsewhere, u32),
    SealKey(SealKey),
    Revoke(Revocation),
    Order(OrderKind, Order),
    LeftOut(Exclusion),
    Moved(Box<Moved>),
    SamePerson(Box<SamePerson>),
    Unknown,
}

/// An entry whose signatures have been checked, with its bytes as received.
#[derive(Clone, Debug, PartialEq)]
pub struct ControlEntry {
    /// The entry's name.
    pub hash: EntryHash,
    /// The spaces whose devices need it, or `None` for everybody.
    pub scope: Option<BTreeSet<Space>>,
    pub(super) bytes: Vec<u8>,
    pub(super) content: Content,
}

#[derive(Encode, Decode)]
pub(super) struct EntryWire {
    #[n(0)]
    pub(super) body: ByteVec,
    #[n(1)]
    pub(super) signatures: List<SignatureWire, SIGNATURES_MAX>,
}

#[derive(Encode, Decode)]
pub(super) struct SignatureWire {
    #[n(0)]
    pub(super) key: ByteArray<33>,
    #[n(1)]
    pub(super) signature: ByteArray<64>,
}

#[derive(Encode, Decode)]
pub(super) struct BodyWire {
    #[n(0)]
    pub(super) suite: u8,
    #[n(1)]
    pub(super) kind: u16,
    #[n(2)]
    pub(super) scope: Option<List<SpaceWire, GRANTS_MAX>>,
    #[n(3)]
    pub(super) content: ByteVec,
}

impl ControlEntry {
    /// The entry that carries a version of the plan.
    pub fn package(network: NetworkId, package: &Package, signer: Signer<'_>) -> Vec<u8> {
        seal_entry(network, kind::PACKAGE, None, package.to_cbor(), signer)
    }

    /// The bytes that are stored and sent.
    pub fn bytes(&self) -> &[u8] {
        &self.bytes
    }

    /// Whether a device with these spaces needs the entry.
    pub fn concerns(&self, spaces: &BTreeSet<Space>) -> bool {
        self.scope
            .as_ref()
            .is_none_or(|scope| !scope.is_disjoint(spaces))
    }

    /// Whether it is a root statement.
    pub fn is_root(&self) -> bool {
        matches!(self.content, Content::Root(_))
    }

    /// Whether it says what counts of what devices wrote: a revocation, or a verdict.
    pub fn changes_quarantine(&self) -> bool {
        match &self.content {
            Content::Revoke(_) | Content::LeftOut(_) => true,
            Content::Order(kind, _) => *kind == OrderKind::Verdict,
            _ => false,
        }
    }

    /// The device that it lets in, or gives more, if it is an enrolment.
    pub fn enrols(&self) -> Option<DeviceId> {
        match &self.content {
            Content::Enrol(enrolment) => Some(enrolment.device()),
            _ => None,
        }
    }

    /// The move that it tells of, if it is one.
    pub fn moves(&self) -> Option<&Moved> {
        match &self.content {
            Content::Moved(moved) => Some(moved),
            _ => None,
        }
    }

    /// What it says of records in two units, if it does.
    pub fn as_same_person(&self) -> Option<&SamePerson> {
        match &self.content {
            Content::SamePerson(said) => Some(said),
            _ => None,
        }
    }

    /// The key to which the server is sealed to, if the entry tells one.
    pub fn as_seal_key(&self) -> Option<SealKey> {
        match &self.content {
            Content::SealKey(key) => Some(*key),
            _ => None,
        }
    }

    /// Whether the entry is about a device itself: it needs such entries whatever it holds.
    pub fn is_about(&self, device: DeviceId) -> bool {
        match &self.content {
            Content::Enrol(enrolment) => enrolment.device() == device,
            Content::Revoke(revocation) => revocation.device == device,
            _ => false,
        }
    }

    /// The order, if the entry is one.
    pub fn as_order(&self) -> Option<(OrderKind, &Order)> {
        match &self.content {
            Content::Order(kind, order) => Some((*kind, order)),
            _ => None,
        }
    }

    /// The records that it orders to be erased; none if it is no such order.
    pub fn erases(&self) -> impl Iterator<Item = RecordId> + '_ {
        let order = self
            .as_order()
            .filter(|(kind, _)| *kind == OrderKind::Erase);
        let names = order.into_iter().flat_map(|(_, order)| &order.names);
        names.filter_map(|name| RecordId::from_slice(name).ok())
    }

    /// The package, if the entry carries one.
    pub fn as_package(&self) -> Option<&Package> {
        match &self.content {
            Content::Package(package) => Some(package),
            _ => None,
        }
    }
}

/// A public key and the maker of its signatures.
pub type Signer<'a> = ([u8; 32], &'a dyn Fn(&[u8]) -> [u8; 64]);

pub(super) fn seal_entry(
    network: NetworkId,
    kind: u16,
    scope: Option<Vec<SpaceWire>>,
    content: Vec<u8>,
    (key, sign): Signer<'_>,
) -> Vec<u8> {
    let body = cbor::encode(&BodyWire {
        suite: SUITE,
        kind,
        scope: scope.map(List),
        content: content.into(),
    });
    let signature = sign(&signed_message(network, &body));
    cbor::encode(&EntryWire {
        body: body.into(),
        signatures: vec![SignatureWire {
            key: suite_key(&key).into(),
            signature: signature.into(),
        }]
        .into(),
    })
}

/// The name of the entry whose signatures are over `message`.
pub(super) fn name_of(message: &[u8]) -> EntryHash {
    EntryHash(Sha256::digest(message).into())
}

pub(super) fn signed_message(network: NetworkId, body: &[u8]) -> Vec<u8> {
    [ENTRY_LABEL, network.as_bytes(), body].concat()
}

impl EntryWire {
    /// Reads an envelope; its signatures are not checked.
    pub(super) fn read(bytes: &[u8]) -> Result<Self, BadEntry> {
        if bytes.len() > CONTROL_ENTRY_BYTES_MAX {
            return Err(BadEntry::TooLarge);
        }
        let mut decoder = Decoder::new(bytes);
        let wire = decoder.decode().map_err(|_| BadEntry::Envelope)?;
        match decoder.position() == bytes.len() {
            true => Ok(wire),
            false => Err(BadEntry::Envelope),
        }
    }

    /// Of these keys those whose signatures of the message verify. Others are not looked at, and of each the
    /// first signature alone: whoever shows an entry costs no more than the keys that may sign one.
    pub(super) fn signers(&self, message: &[u8], may: &BTreeSet<[u8; 32]>) -> BTreeSet<[u8; 32]> {
        let mut left = may.clone();
        let verified = |signature: &SignatureWire| {
            let key = plain_key(&signature.key).filter(|key| left.remove(key))?;
            seal::verify(&key, message, &signature.signature).then_some(key)
        };
        let signatures = self.signatures.0.iter();
        signatures.filter_map(verified).collect()
    }

    /// The keys that the signatures name.
    pub(super) fn named(&self) -> BTreeSet<[u8; 32]> {
        let signatures = self.signatures.0.iter();
        signatures
            .filter_map(|signature| plain_key(&signature.key))
            .collect()
    }
}
