//! The entries of the control feed: what each kind says, its bytes, and how it is signed.

use std::collections::BTreeSet;

use minicbor::bytes::{ByteArray, ByteVec};
use minicbor::{Decode, Encode};
use plan::Package;
use sha2::{Digest, Sha256};

use crate::cbor::{self, List};
use crate::figure::Away;
use crate::id::{AuthorId, Class, DeviceId, EntryHash, NetworkId, RecordId, Space};
use crate::seal::PublicKey;

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
/// Stretches of time in one statement of where somebody counts.
const AWAY_MAX: usize = 256;

const ENTRY_LABEL: &[u8] = b"ortoo control v1\0";
const ROOT_LABEL: &[u8] = b"ortoo root v1\0";

/// The numbers of the kinds of entries on the wire.
pub(super) mod kind {
    pub(crate) const ROOT: u16 = 0;
    pub(crate) const ENROL: u16 = 1;
    pub(crate) const PACKAGE: u16 = 2;
    pub(crate) const ELSEWHERE: u16 = 3;
    pub(crate) const SEAL_KEY: u16 = 4;
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
}

/// The installation's offline root: who may sign what, and which TLS keys are the server's.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct RootStatement {
    /// 1, 2, …; the highest held counts.
    pub version: u32,
    /// Root keys (Ed25519 public).
    pub root_keys: Vec<[u8; 32]>,
    /// How many of the root keys must sign the next statement.
    pub threshold: u32,
    /// Server nodes' signing keys; nodes sign all other entries.
    pub node_keys: Vec<[u8; 32]>,
    /// Order keys, held by persons (erasure, wipe).
    pub order_keys: Vec<[u8; 32]>,
    /// SHA-256 of the subject public key info of the TLS keys, now and next. Trust in TLS is that
    /// the key is listed here; dates and names on certificates are ignored.
    pub tls_keys: Vec<[u8; 32]>,
}

#[derive(Encode, Decode)]
struct RootWire {
    #[n(0)]
    version: u32,
    #[n(1)]
    root_keys: List<ByteArray<33>, ROOT_LIST_MAX>,
    #[n(2)]
    threshold: u32,
    #[n(3)]
    node_keys: List<ByteArray<33>, ROOT_LIST_MAX>,
    #[n(4)]
    order_keys: List<ByteArray<33>, ROOT_LIST_MAX>,
    #[n(5)]
    tls_keys: List<ByteArray<32>, ROOT_LIST_MAX>,
}

impl RootStatement {
    /// The statement's bytes; their hash, for version 1, is the network's id.
    pub fn encode(&self) -> Vec<u8> {
        let keys = |keys: &[[u8; 32]]| keys.iter().map(|key| suite_key(key).into()).collect();
        cbor::encode(&RootWire {
            version: self.version,
            root_keys: keys(&self.root_keys),
            threshold: self.threshold,
            node_keys: keys(&self.node_keys),
            order_keys: keys(&self.order_keys),
            tls_keys: self.tls_keys.iter().map(|key| (*key).into()).collect(),
        })
    }

    /// The network that this first statement founds.
    pub fn network(&self) -> NetworkId {
        network_of(&self.encode())
    }

    pub(super) fn decode(bytes: &[u8]) -> Result<Self, BadEntry> {
        let wire: RootWire = minicbor::decode(bytes).map_err(|_| BadEntry::Envelope)?;
        // Keys of suites that we don't know can't sign for us; they are left to newer versions.
        let keys = |keys: List<ByteArray<33>, ROOT_LIST_MAX>| -> Vec<[u8; 32]> {
            keys.into_iter()
                .filter_map(|key| plain_key(&<[u8; 33]>::from(key)))
                .collect()
        };
        Ok(Self {
            version: wire.version,
            root_keys: keys(wire.root_keys),
            threshold: wire.threshold.max(1),
            node_keys: keys(wire.node_keys),
            order_keys: keys(wire.order_keys),
            tls_keys: wire.tls_keys.into_iter().map(Into::into).collect(),
        })
    }
}

pub(super) fn network_of(statement: &[u8]) -> NetworkId {
    let hash = Sha256::new()
        .chain_update(ROOT_LABEL)
        .chain_update(statement)
        .finalize();
    NetworkId(hash.into())
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
}

/// A space as it stands on the wire.
#[derive(Clone, Debug, Encode, Decode)]
pub(crate) struct SpaceWire {
    #[n(0)]
    pub(crate) unit: String,
    #[n(1)]
    pub(crate) class: u8,
}

impl SpaceWire {
    pub(crate) fn of(space: &Space) -> Self {
        Self {
            unit: space.unit().to_owned(),
            class: space.class as u8,
        }
    }

    /// The space, or `None` for a class that a newer version added.
    pub(crate) fn space(&self) -> Option<Space> {
        Space::new(&self.unit, Class::from_number(self.class)?).ok()
    }
}

/// What an entry says.
#[derive(Clone, Debug, PartialEq)]
pub(super) enum Content {
    Root(RootStatement),
    Enrol(Enrolment),
    Package(Box<Package>),
    Elsewhere(Elsewhere, u32),
    SealKey(SealKey),
    Unknown,
}

/// Says when a person of a unit's records counts in another unit, where she is recorded too (R43).
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Elsewhere {
    /// The group of the unit's records, by its first.
    pub record: RecordId,
    /// The dates as of which she does.
    pub away: Away,
}

#[derive(Encode, Decode)]
struct ElsewhereWire {
    #[n(0)]
    record: ByteArray<{ RecordId::LEN }>,
    #[n(1)]
    number: u32,
    #[n(2)]
    away: List<(String, String), AWAY_MAX>,
}

/// The public key of a month to which bundles and outbox copies for the server are sealed. The server
/// destroys the private half thirteen months later, and with it what anybody may have kept of them.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct SealKey {
    /// The month: twelve times its year and the months of that year before it.
    pub month: u32,
    /// The key.
    pub key: PublicKey,
}

#[derive(Encode, Decode)]
struct SealKeyWire {
    #[n(0)]
    month: u32,
    #[n(1)]
    key: ByteArray<33>,
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
    /// The entry that founds or renews a network. `signers` are root keys with their signatures'
    /// makers.
    pub fn root(network: NetworkId, statement: &RootStatement, signer: Signer<'_>) -> Vec<u8> {
        seal_entry(network, kind::ROOT, None, statement.encode(), signer)
    }

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
        });
        seal_entry(network, kind::ENROL, Some(spaces), content, signer)
    }

    /// The entry that carries a version of the plan.
    pub fn package(network: NetworkId, package: &Package, signer: Signer<'_>) -> Vec<u8> {
        seal_entry(network, kind::PACKAGE, None, package.to_cbor(), signer)
    }

    /// The entry that says when a person counts in another unit than `unit`. `number` is above that
    /// of every entry held about the same group: the highest counts.
    pub fn elsewhere(
        network: NetworkId,
        unit: &Space,
        statement: &Elsewhere,
        number: u32,
        signer: Signer<'_>,
    ) -> Vec<u8> {
        let content = cbor::encode(&ElsewhereWire {
            record: statement.record.to_bytes().into(),
            number,
            away: statement.away.spans().to_vec().into(),
        });
        let scope = Some(vec![SpaceWire::of(unit)]);
        seal_entry(network, kind::ELSEWHERE, scope, content, signer)
    }

    /// The entry that tells the key of a month to which the server is sealed to.
    pub fn seal_key(network: NetworkId, key: &SealKey, signer: Signer<'_>) -> Vec<u8> {
        let content = cbor::encode(&SealKeyWire {
            month: key.month,
            key: key.key.to_bytes().into(),
        });
        seal_entry(network, kind::SEAL_KEY, None, content, signer)
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

    /// The device that it lets in, or gives more, if it is an enrolment.
    pub fn enrols(&self) -> Option<DeviceId> {
        match &self.content {
            Content::Enrol(enrolment) => Some(enrolment.device()),
            _ => None,
        }
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

pub(super) fn signed_message(network: NetworkId, body: &[u8]) -> Vec<u8> {
    [ENTRY_LABEL, network.as_bytes(), body].concat()
}

pub(super) fn decode_elsewhere(content: &[u8]) -> Option<(Elsewhere, u32)> {
    let wire: ElsewhereWire = minicbor::decode(content).ok()?;
    let record = RecordId::from_slice(wire.record.as_slice()).ok()?;
    let away = Away::of(wire.away.0);
    Some((Elsewhere { record, away }, wire.number))
}

pub(super) fn decode_seal_key(content: &[u8]) -> Option<SealKey> {
    let wire: SealKeyWire = minicbor::decode(content).ok()?;
    let key = PublicKey::from_slice(wire.key.as_slice()).ok()?;
    let month = wire.month;
    Some(SealKey { month, key })
}

pub(super) fn decode_enrolment(content: &[u8]) -> Result<Enrolment, BadEntry> {
    let wire: EnrolWire = minicbor::decode(content).map_err(|_| BadEntry::Envelope)?;
    Ok(Enrolment {
        signing_key: plain_key(&wire.signing_key).ok_or(BadEntry::Envelope)?,
        sealing_key: plain_key(&wire.sealing_key).ok_or(BadEntry::Envelope)?,
        spaces: wire.spaces.0.iter().filter_map(SpaceWire::space).collect(),
        authors: wire
            .authors
            .into_iter()
            .map(|author| AuthorId(author.into()))
            .collect(),
    })
}
