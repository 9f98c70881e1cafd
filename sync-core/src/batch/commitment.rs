//! How a batch's entries are bound into what is signed.

use sha2::{Digest, Sha256};

const ENTRY_LABEL: &[u8] = b"ortoo entry v1\0";
const CHANGE_LABEL: &[u8] = b"ortoo entry v2 change\0";
const RECORD_LABEL: &[u8] = b"ortoo entry v2\0";
const SALT_LABEL: &[u8] = b"ortoo salt v1\0";

/// How the entries of a batch are bound. The number is on the wire.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Binding {
    /// Record and change under one hash: whoever blots the change out can't prove any more of which
    /// record it was. Read for good, written no more.
    Whole = 1,
    /// The change under a hash of its own, salted, and that with the record: an entry that was
    /// blotted out still proves of which record it was.
    Apart = 2,
}

impl Binding {
    /// The number in a header, where the first is left out.
    pub(super) fn number(self) -> Option<u8> {
        match self {
            Binding::Whole => None,
            Binding::Apart => Some(Binding::Apart as u8),
        }
    }

    pub(super) fn from_number(number: Option<u8>) -> Option<Self> {
        match number {
            None => Some(Binding::Whole),
            Some(2) => Some(Binding::Apart),
            Some(_) => None,
        }
    }
}

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
pub(super) fn bound(binding: Binding, salt: &[u8; 16], record: &[u8], change: &[u8]) -> [u8; 32] {
    let hash = match binding {
        Binding::Whole => Sha256::new()
            .chain_update(ENTRY_LABEL)
            .chain_update(salt)
            .chain_update(record),
        Binding::Apart => Sha256::new().chain_update(CHANGE_LABEL).chain_update(salt),
    };
    hash.chain_update(change).finalize().into()
}

/// The commitment to an entry, of its record and what binds its change: a part of what is signed.
pub(super) fn bound_to(binding: Binding, record: &[u8], bound: [u8; 32]) -> [u8; 32] {
    match binding {
        Binding::Whole => bound,
        Binding::Apart => Sha256::new()
            .chain_update(RECORD_LABEL)
            .chain_update(record)
            .chain_update(bound)
            .finalize()
            .into(),
    }
}
