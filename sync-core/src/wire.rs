//! The exchange on the wire, version 1: one CBOR message each way inside an algorithm byte.
//!
//! Both sides describe what they hold as a difference to the vector that the server had at a
//! counter which the phone remembers (the *base*); on a quiet day that difference is empty and a
//! request is a digest, a nonce and a signature. What a request carries counts as held by its
//! sender, and the server's vector is told as a difference to what the phone must expect after its
//! upload; so an acknowledgement of everything costs nothing.

mod answer;
mod packing;
mod request;
mod wipe;

use std::collections::BTreeMap;

use minicbor::bytes::{ByteArray, ByteVec};
use minicbor::{Decode, Decoder, Encode};

use crate::batch::BATCH_BYTES_MAX;
use crate::batch::compact::reference::{Reference, ReferencedBatch};
use crate::batch::compact::referring::{self, Frame};
use crate::batch::compact::{self, BadCompact};
use crate::cbor::{self, List};
use crate::control::ControlPosition;
use crate::feed::{Tip, Vector};
use crate::id::{DeviceId, Incarnation, NetworkId, Short, Space};
use crate::renew::{Renewal, RenewalWire};
use crate::shape::{Feeds, SpaceWire, bytes_list, feeds_from_wire, feeds_to_wire, some_if_any};

pub use crate::shape::{CHANGES_MAX, SPACES_MAX, TIPS_MAX};
pub use answer::{Answer, RejectedBatch, Safe, SpaceState};
pub use packing::{pack, unpack};
pub use request::{Request, Signed, SpaceClaim, Unopened};
pub use wipe::{WipeCommand, WipeReport};
use wipe::{WipeCommandWire, WipeReportWire};

/// The version of this protocol.
pub const VERSION: u16 = 1;
/// Size of a message after decompression.
pub const MESSAGE_BYTES_MAX: usize = 4 * 1024 * 1024;
/// Bytes of the batches of a request in their stored form: what a phone sends at most, and a batch.
pub const UPLOAD_BYTES_MAX: usize = 1024 * 1024 + BATCH_BYTES_MAX;
/// Batches of a request.
pub const UPLOAD_BATCHES_MAX: usize = 512;
/// Batches in one message.
pub const BATCHES_MAX: usize = 4096;
/// Batches and their bytes in a request.
const UPLOAD_LIMITS: (usize, usize) = (UPLOAD_BATCHES_MAX, UPLOAD_BYTES_MAX);
/// The same in an answer, or an envelope of a bundle.
pub(crate) const ANSWER_LIMITS: (usize, usize) = (BATCHES_MAX, MESSAGE_BYTES_MAX);
/// Control entries in one message.
pub const CONTROL_MAX: usize = 16_384;
/// Control entries that a request shows.
pub const SHOWN_MAX: usize = 1024;

/// Bytes that are no message of ours.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum BadMessage {
    /// An unknown compression, or compressed bytes that don't inflate.
    #[error("the message is not compressed in a known way")]
    Packing,
    /// Over [`MESSAGE_BYTES_MAX`] or one of the counts.
    #[error("the message is over the size limit")]
    TooLarge,
    /// Doesn't decode.
    #[error("the message does not decode")]
    Shape,
    /// A version that this program doesn't speak.
    #[error("the message is of another protocol version")]
    Version,
    /// The batches refer to something that is not held here: they must come in the form that
    /// refers to nothing.
    #[error("the message refers to batches that are not held here")]
    Reference,
}

impl BadMessage {
    /// A stable code.
    pub fn code(self) -> &'static str {
        match self {
            BadMessage::Packing => "message_packing",
            BadMessage::TooLarge => "message_too_large",
            BadMessage::Shape => "message_shape",
            BadMessage::Version => "message_version",
            BadMessage::Reference => "batch_reference",
        }
    }
}

/// What the batches of an answer may refer to.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Refer {
    /// Who asked.
    pub device: DeviceId,
    /// The spaces of the request, in its order.
    pub spaces: Vec<Space>,
    /// Batches that the phone holds.
    pub known: Vec<ReferencedBatch>,
}

/// Looks up a batch that a message refers to; `None` if it is not held, or not the only one there.
pub type Find<'a> = dyn FnMut(&Reference) -> Option<ReferencedBatch> + 'a;

/// The digest over a phone's bases: the server's incarnation and, for each space, the counter and
/// the vector that the phone remembers for it.
pub fn base_digest(
    incarnation: Option<Incarnation>,
    bases: &BTreeMap<Space, (u64, Vector)>,
) -> Short {
    let mut parts = vec![incarnation.map(|i| i.0.to_vec()).unwrap_or_default()];
    for (space, (counter, vector)) in bases {
        parts.push(space.to_string().into_bytes());
        parts.push(counter.to_be_bytes().to_vec());
        parts.push(vector.digest().0.to_vec());
    }
    Short::digest("ortoo base v1", parts.iter().map(Vec::as_slice))
}

pub(crate) fn decode<'b, T: Decode<'b, ()>>(bytes: &'b [u8]) -> Result<T, BadMessage> {
    cbor::decode(bytes).map_err(|error| match error.is_message() {
        true => BadMessage::TooLarge,
        false => BadMessage::Shape,
    })
}

/// The version stands first in every message, whatever follows it.
pub(crate) fn check_version(bytes: &[u8], known: u16) -> Result<(), BadMessage> {
    let mut decoder = Decoder::new(bytes);
    decoder.array().map_err(|_| BadMessage::Shape)?;
    match decoder.u16() {
        Ok(version) if version == known => Ok(()),
        Ok(_) => Err(BadMessage::Version),
        Err(_) => Err(BadMessage::Shape),
    }
}

pub(crate) fn open_batches(
    frame: &Frame<'_>,
    compact: &[u8],
    find: &mut Find<'_>,
    limits: (usize, usize),
) -> Result<Vec<Vec<u8>>, BadMessage> {
    referring::decode(frame, compact, find, limits).map_err(bad_batches)
}

pub(crate) fn bad_batches(bad: BadCompact) -> BadMessage {
    match bad {
        BadCompact::Shape => BadMessage::Shape,
        BadCompact::TooLarge => BadMessage::TooLarge,
        BadCompact::Unresolved => BadMessage::Reference,
    }
}

#[cfg(test)]
mod tests;
