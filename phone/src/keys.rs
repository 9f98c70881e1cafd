//! Secrets of a device: the secret that opens the store, and the device's keys.
//!
//! Keys are made here and never leave: the public halves go into the enrolment, the private halves
//! are a sealed row of the store. A device that loses its store becomes another device.

use std::fmt;
use std::sync::Arc;

use rand_core::CryptoRng;
use sync_core::id::DeviceId;
use sync_core::row::{Row, Table};
use sync_core::seal::{
    KEY_BYTES, KEY_STORE_MAC_BYTES, KdfParams, Opener, PublicKey, SIGNATURE_BYTES, SUITE,
    SealError, SealingKey, SigningKey,
};
use zeroize::{Zeroize, Zeroizing};

use crate::store::{Store, StoreError};

/// Shorter secrets are refused everywhere, on samples too.
pub const SECRET_CHARS_MIN: usize = 4;
/// Twelve random digits are 39 bits, about 18 GPU-years behind Argon2id (docs/security.md).
pub const STRONG_SECRET_CHARS_MIN: usize = 12;
/// Longer than anybody types; Argon2 reads all of it.
pub const SECRET_BYTES_MAX: usize = 1024;

/// Why a secret can't be used. The user's to mend.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum SecretError {
    /// There is none where it was looked for.
    #[error("there is no secret")]
    Missing,
    /// Fewer than [`SECRET_CHARS_MIN`] characters.
    #[error("the secret is shorter than {SECRET_CHARS_MIN} characters")]
    TooShort,
    /// More than [`SECRET_BYTES_MAX`] bytes, or not text.
    #[error("the secret is not text of at most {SECRET_BYTES_MAX} bytes")]
    NotText,
}

/// The key store of a phone's system: Android's, or the keychain of iOS.
pub trait KeyStore: Send + Sync {
    /// HMAC-SHA-256 of `message` under a key of this app that never leaves the key store, the same
    /// at every call; `None` where it doesn't answer.
    fn mac(&self, message: &[u8]) -> Option<[u8; KEY_STORE_MAC_BYTES]>;
}

/// What opens a store: a PIN or passphrase, or the phone's key store with or without a PIN. Wiped
/// when dropped; never prints.
#[derive(Clone)]
pub struct Secret {
    typed: Zeroizing<String>,
    key_store: Option<Arc<dyn KeyStore>>,
}

impl Secret {
    /// Takes a secret of acceptable length; whether it is strong enough for real people's data is
    /// [`secret_is_strong`].
    pub fn new(text: String) -> Result<Self, SecretError> {
        let typed = Zeroizing::new(text);
        if typed.len() > SECRET_BYTES_MAX {
            return Err(SecretError::NotText);
        }
        if typed.chars().count() < SECRET_CHARS_MIN {
            return Err(SecretError::TooShort);
        }
        Ok(Self {
            typed,
            key_store: None,
        })
    }

    /// The phone's key store, and a PIN unless it is empty.
    pub fn with_key_store(pin: String, key_store: Arc<dyn KeyStore>) -> Result<Self, SecretError> {
        let typed = match pin.is_empty() {
            true => Zeroizing::new(pin),
            false => Self::new(pin)?.typed,
        };
        Ok(Self {
            typed,
            key_store: Some(key_store),
        })
    }

    /// Whether the secret may guard a store of real spaces: a long one ([`secret_is_strong`]), or
    /// any with a key store, without which no PIN can be tried.
    pub fn is_strong(&self) -> bool {
        self.key_store.is_some() || secret_is_strong(&self.typed)
    }

    /// What a try should cost: as much as a phone bears, or the least where nobody can try without
    /// the phone.
    pub fn kdf(&self) -> KdfParams {
        match self.key_store {
            None => KdfParams::default(),
            Some(_) => KdfParams::FLOOR,
        }
    }

    /// Has `use_it` open or make a slot.
    pub(crate) fn opens<T>(&self, use_it: impl FnOnce(Opener<'_>) -> T) -> T {
        let typed = self.typed.as_bytes();
        match &self.key_store {
            None => use_it(Opener::Passphrase(typed)),
            Some(key_store) => use_it(Opener::KeyStore(typed, &|message| key_store.mac(message))),
        }
    }
}

impl fmt::Debug for Secret {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Secret")
    }
}

/// Whether a secret is long enough for a store that is not `pin-only`: a generated one of at least
/// [`STRONG_SECRET_CHARS_MIN`] characters. Length is all that can be checked; that it was generated
/// is the administrator's to see to.
pub fn secret_is_strong(secret: &str) -> bool {
    secret.chars().count() >= STRONG_SECRET_CHARS_MIN
}

/// The logical key of the row that holds the device's keys.
const DEVICE_ROW: &[u8] = b"device";
/// The logical key of the row with keys that the server has not let in yet.
const NEXT_ROW: &[u8] = b"device next";
const KEYS_BYTES: usize = 1 + 2 * KEY_BYTES;

/// The device's signing and sealing key. Wiped when dropped; never prints.
pub struct DeviceKeys {
    signing: SigningKey,
    sealing: SealingKey,
}

impl DeviceKeys {
    /// Draws new keys: a new device.
    pub fn generate(rng: &mut dyn CryptoRng) -> Self {
        Self {
            signing: SigningKey::generate(rng),
            sealing: SealingKey::generate(rng),
        }
    }

    /// Reads what [`Self::to_row`] wrote.
    pub fn from_bytes(bytes: &[u8]) -> Result<Self, SealError> {
        match bytes.first() {
            Some(&suite) if suite != SUITE => return Err(SealError::UnknownSuite(suite)),
            _ => {}
        }
        let keys: &[u8; KEYS_BYTES] = bytes.try_into().map_err(|_| SealError::NotAKey)?;
        let private = |at: usize| {
            let mut key = Zeroizing::new([0; KEY_BYTES]);
            key.copy_from_slice(&keys[at..at + KEY_BYTES]);
            key
        };
        Ok(Self {
            signing: SigningKey::from_bytes(&private(1)),
            sealing: SealingKey::from_bytes(&private(1 + KEY_BYTES))?,
        })
    }

    /// The keys of this store's device, or `None` before they are made.
    pub fn load(store: &dyn Store) -> Result<Option<Self>, StoreError> {
        Self::load_row(store, DEVICE_ROW)
    }

    /// The keys with which this device will go on, if it waits to be let in with some.
    pub(crate) fn load_next(store: &dyn Store) -> Result<Option<Self>, StoreError> {
        Self::load_row(store, NEXT_ROW)
    }

    fn load_row(store: &dyn Store, row: &[u8]) -> Result<Option<Self>, StoreError> {
        let Some(mut bytes) = store.row(Table::Key, row)? else {
            return Ok(None);
        };
        let keys = Self::from_bytes(&bytes);
        bytes.zeroize();
        keys.map(Some).map_err(|_| StoreError::Damaged {
            what: "device keys",
        })
    }

    /// The row to commit, before anybody is told the public halves. It holds the private halves in
    /// clear: it goes into the store at once and nowhere else.
    pub fn to_row(&self) -> Row {
        self.row(DEVICE_ROW)
    }

    /// The row of keys that the server has not let in yet.
    pub(crate) fn to_next_row(&self) -> Row {
        self.row(NEXT_ROW)
    }

    /// The deletion of that row.
    pub(crate) fn no_next_row() -> Row {
        Row {
            table: Table::Key,
            key: NEXT_ROW.to_vec(),
            space: None,
            value: None,
        }
    }

    fn row(&self, key: &[u8]) -> Row {
        let mut value = Vec::with_capacity(KEYS_BYTES);
        value.push(SUITE);
        value.extend_from_slice(&*self.signing.to_bytes());
        value.extend_from_slice(&*self.sealing.to_bytes());
        Row {
            table: Table::Key,
            key: key.to_vec(),
            space: None,
            value: Some(value),
        }
    }

    /// The device that these keys make.
    pub fn device(&self) -> DeviceId {
        DeviceId::of_key(&self.signing.public().bytes)
    }

    /// The public half that others check this device's signatures with.
    pub fn signing_public(&self) -> PublicKey {
        self.signing.public()
    }

    /// The public half that others seal to.
    pub fn sealing_public(&self) -> PublicKey {
        self.sealing.public()
    }

    /// Signs what the core gave out to be signed.
    pub fn sign(&self, message: &[u8]) -> [u8; SIGNATURE_BYTES] {
        self.signing.sign(message)
    }

    /// The key that opens what was sealed to this device.
    pub fn sealing(&self) -> &SealingKey {
        &self.sealing
    }
}

impl fmt::Debug for DeviceKeys {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "DeviceKeys({})", self.device())
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use rand_chacha::ChaCha20Rng;
    use rand_chacha::rand_core::SeedableRng;

    #[test]
    fn keys_come_back_from_their_row_as_the_same_device() {
        let keys = DeviceKeys::generate(&mut ChaCha20Rng::seed_from_u64(1));
        let row = keys.to_row();
        assert_eq!((row.table, row.space.is_none()), (Table::Key, true));
        let again = DeviceKeys::from_bytes(&row.value.unwrap()).unwrap();
        assert_eq!(again.device(), keys.device());
        assert_eq!(again.sealing_public(), keys.sealing_public());
        assert!(
            keys.signing_public()
                .verify(b"batch", &again.sign(b"batch"))
        );
    }

    #[test]
    fn bytes_that_are_no_keys_are_refused() {
        let mut bytes = DeviceKeys::generate(&mut ChaCha20Rng::seed_from_u64(1))
            .to_row()
            .value
            .unwrap();
        for end in 0..bytes.len() {
            assert_eq!(
                DeviceKeys::from_bytes(&bytes[..end]).unwrap_err(),
                SealError::NotAKey
            );
        }
        bytes[0] = 2;
        assert_eq!(
            DeviceKeys::from_bytes(&bytes).unwrap_err(),
            SealError::UnknownSuite(2)
        );
    }

    #[test]
    fn secrets_are_accepted_from_four_characters_and_strong_from_twelve() {
        let new = |text: &str| Secret::new(text.to_owned());
        assert_eq!(new("").unwrap_err(), SecretError::TooShort);
        assert_eq!(new("123").unwrap_err(), SecretError::TooShort);
        assert!(!new("1234").unwrap().is_strong());
        assert!(!secret_is_strong("48291374650"));
        assert!(secret_is_strong("482913746502"));
        assert_eq!(
            new("草原").unwrap_err(),
            SecretError::TooShort,
            "characters, not bytes"
        );
        assert!(new(&"a".repeat(SECRET_BYTES_MAX)).is_ok());
        assert_eq!(
            new(&"a".repeat(SECRET_BYTES_MAX + 1)).unwrap_err(),
            SecretError::NotText
        );
    }

    #[test]
    fn secrets_and_keys_print_nothing() {
        assert_eq!(
            format!("{:?}", Secret::new("482913".to_owned()).unwrap()),
            "Secret"
        );
        let keys = DeviceKeys::generate(&mut ChaCha20Rng::seed_from_u64(1));
        assert_eq!(
            format!("{keys:?}"),
            format!("DeviceKeys({})", keys.device())
        );
    }
}
