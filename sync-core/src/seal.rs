//! Suite 1: signatures, sealing to a public key, and the sealed store.
//!
//! Everything that a key made, and every public key, says its suite in its first byte, so that a
//! later suite can stand beside this one and an old program can name what it does not know:
//! Ed25519 signatures, HPKE (X25519, HKDF-SHA256, ChaCha20-Poly1305), SHA-256,
//! XChaCha20-Poly1305, Argon2id.
//!
//! Pure like the rest of the core: randomness is handed in. It is the host's duty that it comes
//! from the operating system; a repeated nonce gives away what it sealed.
//!
//! The keys of a store and the rows that they seal are in [`StoreKey`] and [`DataKey`].

mod packed;
mod slot;
pub(crate) mod store;

use std::fmt;

use ed25519_dalek::{Signature, Signer, VerifyingKey};
use hpke::aead::ChaCha20Poly1305;
use hpke::kdf::HkdfSha256;
use hpke::kem::{Kem, X25519HkdfSha256};
use hpke::{Deserializable, OpModeR, OpModeS, Serializable};
use rand_core::CryptoRng;
use zeroize::Zeroizing;

pub use slot::{KEY_STORE_MAC_BYTES, KdfParams, KeySlot, KeyStoreMac, Opener, SlotKind};
pub use store::{DataKey, KeyId, RowName, StoreId, StoreKey};

/// The suite byte of everything made here.
pub const SUITE: u8 = 1;
/// Length of a key without its suite byte, public or private, of any use.
pub const KEY_BYTES: usize = 32;
/// Length of a signature.
pub const SIGNATURE_BYTES: usize = 64;
/// By how much [`seal_to`] makes a message longer: suite, encapsulated key, tag.
pub const SEALED_TO_BYTES_MORE: usize = 1 + ENCAPSULATED_BYTES + TAG_BYTES;

const ENCAPSULATED_BYTES: usize = 32;
const TAG_BYTES: usize = 16;

/// Why something sealed can't be opened or a key can't be used. Never says anything about content.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum SealError {
    /// Made by a newer program; this one must be updated. Nothing is broken.
    #[error("unknown suite {0}")]
    UnknownSuite(u8),
    /// The bytes are no key of suite 1: wrong length, or not a point that may be used.
    #[error("not a key of suite {SUITE}")]
    NotAKey,
    /// Wrong key or secret, or altered bytes: which of them can't be told.
    #[error("the seal does not open")]
    DoesNotOpen,
    /// Cost parameters outside the limits of [`KdfParams`]: refused before they are used.
    #[error("the parameters of the key derivation are outside the limits")]
    Parameters,
    /// A slot made for something else than what it was tried with.
    #[error("slots of kind {0} are opened with something else")]
    SlotKind(u8),
    /// The phone's key store did not answer.
    #[error("the key store does not answer")]
    KeyStoreSilent,
    /// The bytes are no slot.
    #[error("not a key slot")]
    NotASlot,
}

/// A public key with its suite: signing or sealing, which its place says.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct PublicKey {
    /// The suite, [`SUITE`] so far.
    pub suite: u8,
    /// The key as its suite writes it.
    pub bytes: [u8; KEY_BYTES],
}

impl PublicKey {
    /// Length of the byte form: suite and key.
    pub const LEN: usize = 1 + KEY_BYTES;

    pub(crate) fn of_suite_1(bytes: [u8; KEY_BYTES]) -> Self {
        Self {
            suite: SUITE,
            bytes,
        }
    }

    /// Reads the byte form. Keys of other suites are [`SealError::UnknownSuite`].
    pub fn from_slice(bytes: &[u8]) -> Result<Self, SealError> {
        let rest = of_suite_1(bytes).map_err(|error| match error {
            SealError::DoesNotOpen => SealError::NotAKey,
            other => other,
        })?;
        Ok(Self::of_suite_1(
            rest.try_into().map_err(|_| SealError::NotAKey)?,
        ))
    }

    /// The byte form.
    pub fn to_bytes(&self) -> [u8; Self::LEN] {
        let mut out = [self.suite; Self::LEN];
        out[1..].copy_from_slice(&self.bytes);
        out
    }

    /// Whether `signature` is this key's over `message`; a key of another suite verifies nothing.
    pub fn verify(&self, message: &[u8], signature: &[u8; SIGNATURE_BYTES]) -> bool {
        self.suite == SUITE && verify(&self.bytes, message, signature)
    }
}

impl fmt::Debug for PublicKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(
            f,
            "PublicKey({}, {})",
            self.suite,
            data_encoding::HEXLOWER.encode(&self.bytes)
        )
    }
}

/// Whether `signature` is `key`'s (Ed25519, strict) over `message`.
///
/// Strict, because otherwise a key of small order signs everything and two programs could
/// disagree about one signature.
pub fn verify(key: &[u8; KEY_BYTES], message: &[u8], signature: &[u8; SIGNATURE_BYTES]) -> bool {
    VerifyingKey::from_bytes(key).is_ok_and(|key| {
        key.verify_strict(message, &Signature::from_bytes(signature))
            .is_ok()
    })
}

/// The private half of a signing key. Wiped when dropped; never prints.
#[derive(Clone)]
pub struct SigningKey(ed25519_dalek::SigningKey);

impl SigningKey {
    /// Draws a new key.
    pub fn generate(rng: &mut dyn CryptoRng) -> Self {
        Self::from_bytes(&random(rng))
    }

    /// The key with these private bytes.
    pub fn from_bytes(bytes: &[u8; KEY_BYTES]) -> Self {
        Self(ed25519_dalek::SigningKey::from_bytes(bytes))
    }

    /// The private bytes, to be sealed at once.
    pub fn to_bytes(&self) -> Zeroizing<[u8; KEY_BYTES]> {
        Zeroizing::new(self.0.to_bytes())
    }

    /// The public half.
    pub fn public(&self) -> PublicKey {
        PublicKey::of_suite_1(self.0.verifying_key().to_bytes())
    }

    /// Signs `message`. The same message always gets the same signature.
    pub fn sign(&self, message: &[u8]) -> [u8; SIGNATURE_BYTES] {
        self.0.sign(message).to_bytes()
    }
}

impl fmt::Debug for SigningKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("SigningKey")
    }
}

/// The private half of a sealing key: opens what [`seal_to`] sealed. Wiped when dropped; never
/// prints.
pub struct SealingKey(Zeroizing<[u8; KEY_BYTES]>, PublicKey);

impl SealingKey {
    /// Draws a new key.
    pub fn generate(rng: &mut dyn CryptoRng) -> Self {
        let (private, public) = X25519HkdfSha256::derive_keypair(&*random::<KEY_BYTES>(rng));
        Self(
            Zeroizing::new(private.to_bytes().into()),
            PublicKey::of_suite_1(public.to_bytes().into()),
        )
    }

    /// The key with these private bytes.
    pub fn from_bytes(bytes: &[u8; KEY_BYTES]) -> Result<Self, SealError> {
        let private = hpke_private(bytes)?;
        let public = X25519HkdfSha256::sk_to_pk(&private);
        Ok(Self(
            Zeroizing::new(*bytes),
            PublicKey::of_suite_1(public.to_bytes().into()),
        ))
    }

    /// The private bytes, to be sealed at once.
    pub fn to_bytes(&self) -> Zeroizing<[u8; KEY_BYTES]> {
        self.0.clone()
    }

    /// The public half, to which others seal.
    pub fn public(&self) -> PublicKey {
        self.1
    }
}

impl fmt::Debug for SealingKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("SealingKey")
    }
}

fn hpke_private(bytes: &[u8]) -> Result<<X25519HkdfSha256 as Kem>::PrivateKey, SealError> {
    <X25519HkdfSha256 as Kem>::PrivateKey::from_bytes(bytes).map_err(|_| SealError::NotAKey)
}

/// Seals `message` so that only the holder of `recipient`'s private half reads it.
///
/// `context` (what it is and for what) is not sent: the opener must give the same. Says nothing
/// about who sealed; a signature has to.
pub fn seal_to(
    rng: &mut dyn CryptoRng,
    recipient: &PublicKey,
    context: &[u8],
    message: &[u8],
) -> Result<Vec<u8>, SealError> {
    if recipient.suite != SUITE {
        return Err(SealError::UnknownSuite(recipient.suite));
    }
    let key = <X25519HkdfSha256 as Kem>::PublicKey::from_bytes(&recipient.bytes)
        .map_err(|_| SealError::NotAKey)?;
    let (encapsulated, sealed) = hpke::single_shot_seal_with_rng::<
        ChaCha20Poly1305,
        HkdfSha256,
        X25519HkdfSha256,
    >(&OpModeS::Base, &key, context, message, &[], &mut &mut *rng)
    // What is left to fail is a public key of small order.
    .map_err(|_| SealError::NotAKey)?;
    let mut out = Vec::with_capacity(message.len() + SEALED_TO_BYTES_MORE);
    out.push(SUITE);
    out.extend_from_slice(&encapsulated.to_bytes());
    out.extend_from_slice(&sealed);
    Ok(out)
}

/// Opens what [`seal_to`] sealed to `key` under the same `context`.
pub fn open_with(key: &SealingKey, context: &[u8], sealed: &[u8]) -> Result<Vec<u8>, SealError> {
    let rest = of_suite_1(sealed)?;
    let (encapsulated, rest) = rest
        .split_at_checked(ENCAPSULATED_BYTES)
        .ok_or(SealError::DoesNotOpen)?;
    let encapsulated = <X25519HkdfSha256 as Kem>::EncappedKey::from_bytes(encapsulated)
        .map_err(|_| SealError::DoesNotOpen)?;
    hpke::single_shot_open::<ChaCha20Poly1305, HkdfSha256, X25519HkdfSha256>(
        &OpModeR::Base,
        &hpke_private(&*key.0)?,
        &encapsulated,
        context,
        rest,
        &[],
    )
    .map_err(|_| SealError::DoesNotOpen)
}

/// What follows the suite byte, if it is this suite's.
fn of_suite_1(bytes: &[u8]) -> Result<&[u8], SealError> {
    match bytes.split_first() {
        Some((&SUITE, rest)) => Ok(rest),
        Some((&suite, _)) => Err(SealError::UnknownSuite(suite)),
        None => Err(SealError::DoesNotOpen),
    }
}

pub(crate) fn random<const N: usize>(rng: &mut dyn CryptoRng) -> Zeroizing<[u8; N]> {
    let mut bytes = Zeroizing::new([0; N]);
    rng.fill_bytes(&mut *bytes);
    bytes
}

#[cfg(test)]
mod tests {
    use super::*;
    use rand_chacha::ChaCha20Rng;
    use rand_chacha::rand_core::SeedableRng;

    fn rng() -> ChaCha20Rng {
        ChaCha20Rng::seed_from_u64(7)
    }

    #[test]
    fn a_signature_verifies_under_its_key_and_message_only() {
        let key = SigningKey::generate(&mut rng());
        let signature = key.sign(b"batch");
        assert!(key.public().verify(b"batch", &signature));
        assert!(!key.public().verify(b"botch", &signature));
        let mut altered = signature;
        altered[40] ^= 1;
        assert!(!key.public().verify(b"batch", &altered));
        let other = SigningKey::from_bytes(&[9; 32]);
        assert!(!other.public().verify(b"batch", &signature));
        assert_eq!(
            SigningKey::from_bytes(&key.to_bytes()).public(),
            key.public()
        );
    }

    #[test]
    fn a_key_of_small_order_signs_nothing() {
        // The neutral point as key and as half of the signature verifies every message when
        // checked loosely.
        let mut neutral = [0; 32];
        neutral[0] = 1;
        let mut signature = [0; 64];
        signature[0] = 1;
        assert!(!verify(&neutral, b"anything", &signature));
    }

    #[test]
    fn rfc_8032_test_2_gives_the_published_signature() {
        let hex = |text: &str| data_encoding::HEXLOWER.decode(text.as_bytes()).unwrap();
        let private = hex("4ccd089b28ff96da9db6c346ec114e0f5b8a319f35aba624da8cf6ed4fb8a6fb");
        let key = SigningKey::from_bytes(&private.try_into().unwrap());
        assert_eq!(
            key.public().bytes.to_vec(),
            hex("3d4017c3e843895a92b70aa74d1b7ebc9c982ccf2ec4968cc0cd55f12af4660c")
        );
        assert_eq!(
            key.sign(&[0x72]).to_vec(),
            hex(concat!(
                "92a009a9f0d4cab8720e820b5f642540a2b27b5416503f8fb3762223ebdb69da",
                "085ac1e43e15996e458f3613d0f11d8c387b2eaeb4302aeeb00d291612bb0c00"
            ))
        );
    }

    #[test]
    fn what_is_sealed_to_a_key_opens_with_it_and_its_context_only() {
        let mut rng = rng();
        let key = SealingKey::generate(&mut rng);
        let sealed = seal_to(&mut rng, &key.public(), b"bundle", "巴雅尔".as_bytes()).unwrap();
        assert_eq!(sealed.len(), "巴雅尔".len() + SEALED_TO_BYTES_MORE);
        assert_eq!(
            open_with(&key, b"bundle", &sealed).unwrap(),
            "巴雅尔".as_bytes()
        );
        assert_eq!(
            open_with(&key, b"outbox", &sealed),
            Err(SealError::DoesNotOpen)
        );
        let other = SealingKey::generate(&mut rng);
        assert_eq!(
            open_with(&other, b"bundle", &sealed),
            Err(SealError::DoesNotOpen)
        );
        let again = SealingKey::from_bytes(&key.to_bytes()).unwrap();
        assert_eq!(again.public(), key.public());
        assert!(open_with(&again, b"bundle", &sealed).is_ok());
    }

    #[test]
    fn altered_or_cut_sealed_bytes_open_nowhere() {
        let mut rng = rng();
        let key = SealingKey::generate(&mut rng);
        let sealed = seal_to(&mut rng, &key.public(), b"", b"message").unwrap();
        for end in 0..sealed.len() {
            assert_eq!(
                open_with(&key, b"", &sealed[..end]),
                Err(SealError::DoesNotOpen),
                "{end}"
            );
        }
        for at in 1..sealed.len() {
            let mut altered = sealed.clone();
            altered[at] ^= 1;
            assert_eq!(
                open_with(&key, b"", &altered),
                Err(SealError::DoesNotOpen),
                "{at}"
            );
        }
    }

    #[test]
    fn a_key_of_small_order_can_not_be_sealed_to() {
        let weak = PublicKey {
            suite: SUITE,
            bytes: [0; 32],
        };
        assert_eq!(
            seal_to(&mut rng(), &weak, b"", b"x"),
            Err(SealError::NotAKey)
        );
    }

    #[test]
    fn an_unknown_suite_is_named() {
        let mut bytes = SigningKey::from_bytes(&[1; 32]).public().to_bytes();
        assert_eq!(PublicKey::from_slice(&bytes).unwrap().to_bytes(), bytes);
        bytes[0] = 3;
        assert_eq!(
            PublicKey::from_slice(&bytes),
            Err(SealError::UnknownSuite(3))
        );
        assert_eq!(SealError::UnknownSuite(3).to_string(), "unknown suite 3");
        assert_eq!(PublicKey::from_slice(&bytes[..0]), Err(SealError::NotAKey));
        bytes[0] = SUITE;
        assert_eq!(PublicKey::from_slice(&bytes[..32]), Err(SealError::NotAKey));
        let key = SealingKey::generate(&mut rng());
        assert_eq!(
            open_with(&key, b"", &[2; 80]),
            Err(SealError::UnknownSuite(2))
        );
        let newer = PublicKey {
            suite: 2,
            ..key.public()
        };
        assert_eq!(
            seal_to(&mut rng(), &newer, b"", b"x"),
            Err(SealError::UnknownSuite(2))
        );
    }

    #[test]
    fn private_keys_print_nothing() {
        assert_eq!(
            format!("{:?}", SigningKey::from_bytes(&[1; 32])),
            "SigningKey"
        );
        assert_eq!(
            format!("{:?}", SealingKey::generate(&mut rng())),
            "SealingKey"
        );
    }
}
