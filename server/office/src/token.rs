//! Record tokens: names of records in addresses that only this process can read.
//!
//! Addresses end up in histories, bookmarks and logs, so none of them may name a record. A token is
//! the record and its unit, sealed under a key that is drawn when the process starts: the same
//! record has the same token as long as the process lives, and afterwards the token is stale. Its
//! nonce is made of what it seals (a synthetic one), so that it needs no randomness and two
//! different records can't share a nonce.

use chacha20poly1305::aead::{Aead, KeyInit, Payload};
use chacha20poly1305::{XChaCha20Poly1305, XNonce};
use data_encoding::BASE64URL_NOPAD;
use hmac::{Hmac, Mac};
use sha2::Sha256;
use store::clock::{NoRandomness, random};
use sync_core::id::RecordId;
use zeroize::Zeroizing;

const NONCE_BYTES: usize = 24;
/// Longer ones are none of ours.
const TOKEN_CHARS_MAX: usize = 128;
const LABEL: &[u8] = b"ortoo console record v1";

/// The key of this process's tokens. Wiped when dropped; never prints.
pub(super) struct RecordSeal {
    nonces: Zeroizing<[u8; 32]>,
    key: Zeroizing<[u8; 32]>,
}

impl RecordSeal {
    /// Draws a key.
    pub(super) fn draw() -> Result<Self, NoRandomness> {
        Ok(Self {
            nonces: Zeroizing::new(random()?),
            key: Zeroizing::new(random()?),
        })
    }

    /// The token of a record of an org unit; none if the cipher refuses, which it does for nothing
    /// that is this short.
    pub(super) fn token(&self, unit: &str, record: RecordId) -> Option<String> {
        let plain = [&record.to_bytes(), unit.as_bytes()].concat();
        let nonce = self.nonce(&plain)?;
        let payload = Payload {
            msg: &plain,
            aad: LABEL,
        };
        let sealed = self.cipher()?.encrypt(&nonce, payload).ok()?;
        Some(BASE64URL_NOPAD.encode(&[nonce.as_slice(), &sealed].concat()))
    }

    /// The record that a token of this process names, and its org unit.
    pub(super) fn open(&self, token: &str) -> Option<(String, RecordId)> {
        if token.len() > TOKEN_CHARS_MAX {
            return None;
        }
        let bytes = BASE64URL_NOPAD.decode(token.as_bytes()).ok()?;
        let (nonce, sealed) = bytes.split_at_checked(NONCE_BYTES)?;
        let nonce = XNonce::try_from(nonce).ok()?;
        let payload = Payload {
            msg: sealed,
            aad: LABEL,
        };
        let plain = self.cipher()?.decrypt(&nonce, payload).ok()?;
        let (record, unit) = plain.split_at_checked(RecordId::LEN)?;
        let unit = std::str::from_utf8(unit).ok()?;
        Some((unit.to_owned(), RecordId::from_slice(record).ok()?))
    }

    fn cipher(&self) -> Option<XChaCha20Poly1305> {
        XChaCha20Poly1305::new_from_slice(&*self.key).ok()
    }

    fn nonce(&self, plain: &[u8]) -> Option<XNonce> {
        let mac = <Hmac<Sha256> as hmac::KeyInit>::new_from_slice(&*self.nonces).ok()?;
        let mac = mac.chain_update(plain).finalize().into_bytes();
        XNonce::try_from(mac.get(..NONCE_BYTES)?).ok()
    }
}

impl std::fmt::Debug for RecordSeal {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("RecordSeal")
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use sync_core::id::Subject;

    const UNIT: &str = "152522100200";

    fn person(n: u8) -> RecordId {
        RecordId::draw(Subject::Person, 1, [n; 10])
    }

    #[test]
    fn a_record_has_one_token_as_long_as_the_process_lives() {
        let seal = RecordSeal::draw().unwrap();
        let token = seal.token(UNIT, person(1)).unwrap();
        assert_eq!(seal.token(UNIT, person(1)).unwrap(), token);
        assert_ne!(seal.token(UNIT, person(2)).unwrap(), token);
        assert_eq!(seal.open(&token), Some((UNIT.to_owned(), person(1))));
        assert!(!token.contains(&person(1).to_string()) && !token.contains(UNIT));
        assert!(token.len() <= TOKEN_CHARS_MAX);
    }

    #[test]
    fn another_process_and_an_altered_token_open_nothing() {
        let (seal, later) = (RecordSeal::draw().unwrap(), RecordSeal::draw().unwrap());
        let token = seal.token(UNIT, person(1)).unwrap();
        assert_eq!(later.open(&token), None);
        let mut altered = token.clone().into_bytes();
        altered[40] ^= 1;
        assert_eq!(seal.open(std::str::from_utf8(&altered).unwrap()), None);
        for text in ["", "x", "../../etc", &"A".repeat(100_000), &token[..30]] {
            assert_eq!(seal.open(text), None);
        }
    }
}
