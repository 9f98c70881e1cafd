//! A batch: the signed entry of a feed, one device's changes to one space.
//!
//! What is signed is a message of label, network, header *as received* and one commitment per
//! entry; the hash of that message is the batch's name. Commitments are never sent: the receiver
//! recomputes them from the entries and the salt seed, so a batch costs its header, its signature
//! and 16 bytes above its changes. A commitment is salted, so that an entry can be blotted out
//! later (erasure) and nothing guessable stays behind.

mod commitment;
pub(crate) mod compact;
mod redaction;

pub use compact::reference::{FEED_BYTES, REFERENCES_MAX, Reference, ReferencedBatch, records_of};
pub use redaction::BLOTTED_BYTES_MAX;

use std::collections::BTreeSet;

use minicbor::bytes::{ByteArray, ByteVec};
use minicbor::{Decode, Decoder, Encode};
use sha2::{Digest, Sha256};

use crate::cbor::{self, List};
use crate::id::{AuthorId, BatchHash, Class, DeviceId, NetworkId, RecordId, Space};
use crate::seal;

use commitment::{bound, bound_to, salt};

/// The only suite there is: Ed25519, SHA-256.
pub const SUITE: u8 = 1;
/// A phone closes a batch before its stored form gets larger than this.
pub const PHONE_BATCH_BYTES: usize = 8 * 1024;
/// No batch of anybody is held above this size of its stored form.
pub const BATCH_BYTES_MAX: usize = 32 * 1024;
/// Entries in one batch.
pub const BATCH_ENTRIES_MAX: usize = 1024;
/// Parents that one batch may join.
pub const BATCH_PARENTS_MAX: usize = 64;
/// A phone closes a batch of several entries at this size: compact and sealed it then fits one
/// satellite short message with room to spare ([`crate::bundle_exchange::SHORT_BYTES`]).
pub const PHONE_BATCH_FILL: usize = 5 * 1024;
/// What one entry may take of a phone's batch, so that every saved edit fits one (R5).
pub const ENTRY_BYTES_MAX: usize = PHONE_BATCH_BYTES - HEADER_BYTES_RESERVE;
/// Room kept for header, signature and seed while a batch is filled.
const HEADER_BYTES_RESERVE: usize = 512;

const SIGN_LABEL: &[u8] = b"ortoo batch v1\0";

/// Why bytes are not a batch that may be held (R5). The sender's fault, never the reader's.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum BadBatch {
    /// The bytes don't decode as an envelope of a known suite.
    #[error("the batch has an unknown envelope")]
    Envelope,
    /// Larger than [`BATCH_BYTES_MAX`] or with too many entries or parents.
    #[error("the batch is over the size limit")]
    TooLarge,
    /// The author device is not enrolled for the batch's space.
    #[error("the batch's author may not write to its space")]
    Author,
    /// Who brings the batch does not hold its space.
    #[error("the batch is of a space that its bringer does not hold")]
    Space,
    /// The signature is not the author device's.
    #[error("the batch's signature does not verify")]
    Signature,
    /// An entry's bytes are missing without an erasure order that explains it (R29).
    #[error("the batch has a blotted entry without an order")]
    Redacted,
    /// `seq` is not one more than the highest parent's, or a parent is in another feed.
    #[error("the batch does not follow its parents")]
    Parents,
    /// Its feed has too many branches already ([`crate::feed::BRANCHES_MAX`]).
    #[error("the batch opens one branch too many")]
    Branches,
    /// Too much that its device wrote on one of its records is set aside
    /// ([`crate::admit::ASIDE_OF_DEVICE_MAX`]).
    #[error("the batch's device has written too much of a record that does not count")]
    Aside,
    /// The batch came with references that don't resolve here, or not to what its author signed:
    /// it must come again in the form that refers to nothing.
    #[error("the batch refers to what is not held here")]
    Reference,
}

impl BadBatch {
    /// A stable code for the wire and for people who search for it.
    pub fn code(self) -> &'static str {
        match self {
            BadBatch::Envelope => "batch_envelope",
            BadBatch::TooLarge => "batch_too_large",
            BadBatch::Author => "batch_author",
            BadBatch::Space => "batch_space",
            BadBatch::Signature => "batch_signature",
            BadBatch::Redacted => "batch_blotted",
            BadBatch::Parents => "batch_parents",
            BadBatch::Branches => "batch_branches",
            BadBatch::Aside => "batch_aside",
            BadBatch::Reference => "batch_reference",
        }
    }
}

/// What a batch says of itself.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Header {
    /// The feed's space.
    pub space: Space,
    /// The feed's device, which signed.
    pub device: DeviceId,
    /// The person who wrote.
    pub author: AuthorId,
    /// 1 + the highest parent's.
    pub seq: u32,
    /// All tips that the author's device held: one, normally; none for the first batch.
    pub prev: Vec<BatchHash>,
    /// Version of the plan package under which the values were captured.
    pub dictionary: u32,
    /// When it was signed by the device's clock, Unix seconds; display only (R27).
    pub time: i64,
}

/// The header on the wire: a CBOR array, new fields at the end.
#[derive(Encode, Decode)]
struct HeaderWire<'a> {
    #[n(0)]
    suite: u8,
    #[b(1)]
    unit: &'a str,
    #[n(2)]
    class: u8,
    #[n(3)]
    device: ByteArray<8>,
    #[n(4)]
    author: ByteArray<8>,
    #[n(5)]
    seq: u32,
    #[n(6)]
    prev: List<ByteArray<32>, BATCH_PARENTS_MAX>,
    #[n(7)]
    dictionary: u32,
    #[n(8)]
    time: i64,
}

impl Header {
    fn encode(&self) -> Vec<u8> {
        cbor::encode(&HeaderWire {
            suite: SUITE,
            unit: self.space.unit(),
            class: self.space.class as u8,
            device: self.device.0.into(),
            author: self.author.0.into(),
            seq: self.seq,
            prev: self.prev.iter().map(|hash| hash.0.into()).collect(),
            dictionary: self.dictionary,
            time: self.time,
        })
    }

    fn decode(bytes: &[u8]) -> Result<Self, BadBatch> {
        let wire: HeaderWire<'_> = cbor::decode(bytes).map_err(unfit)?;
        if wire.suite != SUITE || wire.seq == 0 {
            return Err(BadBatch::Envelope);
        }
        let class = Class::from_number(wire.class).ok_or(BadBatch::Envelope)?;
        Ok(Self {
            space: Space::new(wire.unit, class).map_err(|_| BadBatch::Envelope)?,
            device: DeviceId(wire.device.into()),
            author: AuthorId(wire.author.into()),
            seq: wire.seq,
            prev: wire
                .prev
                .into_iter()
                .map(|hash| BatchHash(hash.into()))
                .collect(),
            dictionary: wire.dictionary,
            time: wire.time,
        })
    }
}

/// One change of one record.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Entry {
    /// The record, over all its classes; the batch's space says which document of it.
    pub record: RecordId,
    /// A raw, uncompressed Automerge change chunk; not checked here (holding is not admitting).
    pub change: Vec<u8>,
}

/// The envelope as it is stored and sent: a CBOR array, new fields at the end.
#[derive(Encode, Decode)]
struct Envelope {
    #[n(0)]
    header: ByteVec,
    #[n(1)]
    signature: ByteArray<64>,
    /// Absent once an entry is blotted out: the seed would tell its salt.
    #[n(2)]
    seed: Option<ByteArray<16>>,
    #[n(3)]
    entries: List<EntryWire, BATCH_ENTRIES_MAX>,
}

impl Envelope {
    /// The stored form of a batch of these parts.
    fn stored(header: Vec<u8>, signature: [u8; 64], seed: [u8; 16], entries: &[Entry]) -> Vec<u8> {
        let entry = |entry: &Entry| EntryWire {
            record: Some(entry.record.to_bytes().to_vec().into()),
            change: Some(entry.change.clone().into()),
            salt: None,
            bound: None,
        };
        cbor::encode(&Self {
            header: header.into(),
            signature: signature.into(),
            seed: Some(seed.into()),
            entries: entries.iter().map(entry).collect(),
        })
    }
}

#[derive(Encode, Decode)]
struct EntryWire {
    #[n(0)]
    record: Option<ByteVec>,
    /// Absent once blotted out.
    #[n(1)]
    change: Option<ByteVec>,
    /// Of an entry that stands beside one that was blotted out: the seed is gone.
    #[n(2)]
    salt: Option<ByteArray<16>>,
    /// Of an entry that was blotted out: what binds its change.
    #[n(3)]
    bound: Option<ByteArray<32>>,
}

/// A batch whose signature has been checked, or which this device has just signed.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Batch {
    /// The batch's name: the hash of the signed message.
    pub hash: BatchHash,
    /// What it says of itself.
    pub header: Header,
    /// Its changes, without those that were blotted out.
    pub entries: Vec<Entry>,
    /// The records of which an entry was blotted out.
    pub redacted: BTreeSet<RecordId>,
    bytes: Vec<u8>,
}

impl Batch {
    /// Makes and signs a batch. `seed` is 16 fresh random bytes; `sign` gives the device's
    /// Ed25519 signature of a message.
    pub fn sign(
        network: NetworkId,
        header: Header,
        entries: Vec<Entry>,
        seed: [u8; 16],
        sign: &dyn Fn(&[u8]) -> [u8; 64],
    ) -> Self {
        let header_bytes = header.encode();
        let commitments = commitments(&seed, &entries);
        let message = signed_message(network, &header_bytes, &commitments);
        let bytes = Envelope::stored(header_bytes, sign(&message), seed, &entries);
        let hash = BatchHash(Sha256::digest(&message).into());
        Self {
            hash,
            header,
            entries,
            redacted: BTreeSet::new(),
            bytes,
        }
    }

    /// Reads received bytes and checks size, shape and signature, in this order: nothing of the content
    /// is looked at before the signature holds. The envelope has one encoding, and nothing in it that is
    /// not signed, so that no bringer makes a batch longer than its author did.
    pub fn verify(
        network: NetworkId,
        bytes: &[u8],
        key_of: impl FnOnce(DeviceId, &Space) -> Option<[u8; 32]>,
    ) -> Result<Self, BadBatch> {
        let (batch, signature, message) = Self::open(network, bytes)?;
        let envelope: Envelope = cbor::decode(bytes).map_err(unfit)?;
        if cbor::encode(&envelope) != bytes {
            return Err(BadBatch::Envelope);
        }
        let key = key_of(batch.header.device, &batch.header.space).ok_or(BadBatch::Author)?;
        if !seal::verify(&key, &message, &signature) {
            return Err(BadBatch::Signature);
        }
        Ok(batch)
    }

    /// Reads bytes of our own store, whose signature was checked when they came in.
    pub fn from_store(network: NetworkId, bytes: &[u8]) -> Result<Self, BadBatch> {
        Self::open(network, bytes).map(|(batch, _, _)| batch)
    }

    fn open(network: NetworkId, bytes: &[u8]) -> Result<(Self, [u8; 64], Vec<u8>), BadBatch> {
        if bytes.len() > BLOTTED_BYTES_MAX {
            return Err(BadBatch::TooLarge);
        }
        // Only what was blotted may be above it, and says so by its missing seed.
        let is_large = bytes.len() > BATCH_BYTES_MAX;
        let mut decoder = Decoder::new(bytes);
        let decoded: Result<Envelope, BadBatch> = decoder.decode().map_err(unfit);
        let envelope = match decoded {
            Ok(envelope) if decoder.position() == bytes.len() => envelope,
            _ if is_large => return Err(BadBatch::TooLarge),
            Ok(_) => return Err(BadBatch::Envelope),
            Err(unfit) => return Err(unfit),
        };
        let header = Header::decode(&envelope.header)?;
        let read = match envelope.seed {
            Some(_) if is_large => return Err(BadBatch::TooLarge),
            Some(seed) => redaction::whole(&seed, envelope.entries.0)?,
            None => redaction::parts(envelope.entries.0)?,
        };
        let message = signed_message(network, &envelope.header, &read.commitments);
        let hash = BatchHash(Sha256::digest(&message).into());
        let batch = Self {
            hash,
            header,
            entries: read.entries,
            redacted: read.redacted,
            bytes: bytes.to_vec(),
        };
        Ok((batch, envelope.signature.into(), message))
    }

    /// The form that is stored and sent.
    pub fn bytes(&self) -> &[u8] {
        &self.bytes
    }

    /// The batch's place in its feed.
    pub fn node(&self) -> crate::feed::Node {
        crate::feed::Node {
            hash: self.hash,
            seq: self.header.seq,
            prev: self.header.prev.clone(),
        }
    }
}

/// What `entry` adds to the stored form of a batch, in bytes.
pub fn entry_bytes(entry: &Entry) -> usize {
    // Array head, record id with its head, change with a head of at most 5 bytes.
    1 + 1 + RecordId::LEN + 5 + entry.change.len()
}

/// Splits `entries` into runs that each fit a phone's batch; never splits an entry.
pub fn split_for_batches(entries: Vec<Entry>) -> Vec<Vec<Entry>> {
    let mut runs: Vec<Vec<Entry>> = Vec::new();
    let mut room = 0;
    for entry in entries {
        let size = entry_bytes(&entry);
        match runs.last_mut() {
            Some(run) if size <= room && run.len() < BATCH_ENTRIES_MAX => {
                room -= size;
                run.push(entry);
            }
            _ => {
                room = PHONE_BATCH_FILL.saturating_sub(size);
                runs.push(vec![entry]);
            }
        }
    }
    runs
}

/// A list over its limit is told from bytes that are no envelope.
fn unfit(error: minicbor::decode::Error) -> BadBatch {
    if error.is_message() {
        BadBatch::TooLarge
    } else {
        BadBatch::Envelope
    }
}

fn commitments(seed: &[u8; 16], entries: &[Entry]) -> Vec<[u8; 32]> {
    let entries = entries.iter().zip(0u32..);
    entries
        .map(|(entry, index)| {
            let record = entry.record.to_bytes();
            let bound = bound(&salt(seed, index), &entry.change);
            bound_to(&record, bound)
        })
        .collect()
}

fn signed_message(network: NetworkId, header: &[u8], commitments: &[[u8; 32]]) -> Vec<u8> {
    let mut message = Vec::with_capacity(64 + header.len() + 32 * commitments.len());
    message.extend_from_slice(SIGN_LABEL);
    message.extend_from_slice(network.as_bytes());
    message.extend_from_slice(&(header.len() as u32).to_be_bytes());
    message.extend_from_slice(header);
    for commitment in commitments {
        message.extend_from_slice(commitment);
    }
    message
}

#[cfg(test)]
mod tests;
