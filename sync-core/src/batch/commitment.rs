//! How a batch's entries are bound into what is signed: each change under a hash of its own, salted, and
//! that with its record. An entry that was blotted out still proves of which record it was.

use sha2::{Digest, Sha256};

const CHANGE_LABEL: &[u8] = b"ortoo entry v1 change\0";
const RECORD_LABEL: &[u8] = b"ortoo entry v1\0";
const SALT_LABEL: &[u8] = b"ortoo salt v1\0";

/// The salt of the entry at this place.
pub(super) fn salt(seed: &[u8; 16], index: u32) -> [u8; 16] {
    let hash: [u8; 32] = Sha256::new()
        .chain_update(SALT_LABEL)
        .chain_update(seed)
        .chain_update(index.to_be_bytes())
        .finalize()
        .into();
    let mut salt = [0; 16];
    salt.copy_from_slice(&hash[..16]);
    salt
}

/// What binds an entry's change, and what stays of it once it is blotted out: without the salt there
/// is nothing to guess from.
pub(super) fn bound(salt: &[u8; 16], change: &[u8]) -> [u8; 32] {
    let hash = Sha256::new().chain_update(CHANGE_LABEL).chain_update(salt);
    hash.chain_update(change).finalize().into()
}

/// The commitment to an entry, of its record and what binds its change: a part of what is signed.
pub(super) fn bound_to(record: &[u8], bound: [u8; 32]) -> [u8; 32] {
    Sha256::new()
        .chain_update(RECORD_LABEL)
        .chain_update(record)
        .chain_update(bound)
        .finalize()
        .into()
}
