//! Packing of messages: an algorithm byte in front, and a limit on the unpacked size.

use super::{BadMessage, MESSAGE_BYTES_MAX};

/// The algorithms. The numbers are on the wire.
mod algorithm {
    pub(super) const STORED: u8 = 0;
    pub(super) const DEFLATE: u8 = 1;
}

/// Packs a message for the wire: an algorithm byte, then the shorter of the bytes and their raw
/// DEFLATE.
pub fn pack(message: &[u8]) -> Vec<u8> {
    let deflated = miniz_oxide::deflate::compress_to_vec(message, 9);
    let (algorithm, body) = if deflated.len() < message.len() {
        (algorithm::DEFLATE, deflated.as_slice())
    } else {
        (algorithm::STORED, message)
    };
    [&[algorithm], body].concat()
}

/// Unpacks what [`pack`] made, never allocating more than [`MESSAGE_BYTES_MAX`].
pub fn unpack(packed: &[u8]) -> Result<Vec<u8>, BadMessage> {
    match packed.split_first() {
        Some((&algorithm::STORED, body)) if body.len() > MESSAGE_BYTES_MAX => {
            Err(BadMessage::TooLarge)
        }
        Some((&algorithm::STORED, body)) => Ok(body.to_vec()),
        Some((&algorithm::DEFLATE, body)) => {
            miniz_oxide::inflate::decompress_to_vec_with_limit(body, MESSAGE_BYTES_MAX).map_err(
                |error| match error.status {
                    miniz_oxide::inflate::TINFLStatus::HasMoreOutput => BadMessage::TooLarge,
                    _ => BadMessage::Packing,
                },
            )
        }
        _ => Err(BadMessage::Packing),
    }
}
