//! Compression of a row's value before it is sealed. Documents and batches repeat themselves, so a
//! store takes a third of the room.

use std::borrow::Cow;

use super::SealError;

/// In front of raw DEFLATE. A row's value is CBOR or begins with a suite, and neither has this byte in
/// front, so rows that were sealed before there was packing read as they are.
const PACKED: u8 = 0xff;
/// Shorter values are left alone: SQLite has no use for what that would save.
const BYTES_MIN: usize = 256;
/// What a row may have unpacked: far above any record, below what would end a phone's process.
const BYTES_MAX: usize = 64 * 1024 * 1024;
/// The fastest there is. Higher levels save another twentieth and take three times as long.
const LEVEL: u8 = 1;

/// The value as it is sealed.
pub(super) fn pack(value: &[u8]) -> Cow<'_, [u8]> {
    if value.len() < BYTES_MIN {
        return value.into();
    }
    let deflated = miniz_oxide::deflate::compress_to_vec(value, LEVEL);
    match deflated.len() + 1 < value.len() {
        true => [&[PACKED], deflated.as_slice()].concat().into(),
        false => value.into(),
    }
}

/// The value that [`pack`] was given.
pub(super) fn unpack(sealed: Vec<u8>) -> Result<Vec<u8>, SealError> {
    match sealed.split_first() {
        Some((&PACKED, deflated)) => {
            miniz_oxide::inflate::decompress_to_vec_with_limit(deflated, BYTES_MAX)
                .map_err(|_| SealError::DoesNotOpen)
        }
        _ => Ok(sealed),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_value_comes_back_and_none_gets_longer() {
        let varied: Vec<u8> = (0..4000u32)
            .map(|n| (n.wrapping_mul(2_654_435_761) >> 13) as u8 & 0x7f)
            .collect();
        for value in [
            &b""[..],
            b"a",
            &[0x84; 255],
            &[0x84; 256],
            &[0x84; 100_000],
            &varied,
        ] {
            let packed = pack(value);
            assert!(packed.len() <= value.len());
            assert_eq!(unpack(packed.into_owned()).unwrap(), value);
        }
        assert!(pack(&[0x84; 100_000]).len() < 1000);
    }

    #[test]
    fn what_does_not_unpack_or_is_too_large_does_not_open() {
        assert_eq!(unpack(vec![PACKED, 7, 7, 7]), Err(SealError::DoesNotOpen));
        let mut packed = pack(&vec![0; BYTES_MAX + 1]).into_owned();
        assert_eq!(unpack(packed.clone()), Err(SealError::DoesNotOpen));
        packed.pop();
        assert_eq!(unpack(packed), Err(SealError::DoesNotOpen));
    }
}
