//! Secrets that open a store.

use std::sync::Arc;

use client::error::{Issue, PhoneError};
use client::keys::{self, SECRET_CHARS_MIN, SecretError};

use crate::error::HostError;

/// The key store of the phone's system, as the app reaches it: Android's key store, the keychain of
/// iOS. Called from whatever thread opens the store.
#[uniffi::export(foreign)]
pub trait KeyStore: Send + Sync {
    /// HMAC-SHA-256 (32 bytes) of `message` under a key that the app made in the key store and that
    /// never leaves it; the same at every call.
    fn mac(&self, message: Vec<u8>) -> Result<Vec<u8>, HostError>;
}

/// What opens a store.
#[derive(Clone, uniffi::Enum)]
pub enum Secret {
    /// A PIN or passphrase alone, of at least 4 characters; a server of real people's data takes
    /// only generated ones of at least 12.
    Typed {
        /// What is typed.
        secret: String,
    },
    /// The phone's key store, and a PIN unless it is empty. Who has the files and not the phone can't
    /// try a single PIN.
    InKeyStore {
        /// The PIN: empty, or at least 4 characters.
        pin: String,
        /// The key store.
        key_store: Arc<dyn KeyStore>,
    },
}

impl Secret {
    pub(crate) fn into_inner(self) -> Result<keys::Secret, PhoneError> {
        let secret = match self {
            Self::Typed { secret } => keys::Secret::new(secret),
            Self::InKeyStore { pin, key_store } => {
                keys::Secret::with_key_store(pin, Arc::new(Host(key_store)))
            }
        };
        secret.map_err(|error| match error {
            SecretError::TooShort => {
                PhoneError::wrong(Issue::new("secret_short").with("least", SECRET_CHARS_MIN))
            }
            SecretError::NotText | SecretError::Missing => {
                PhoneError::wrong(Issue::new("secret_not_text"))
            }
        })
    }
}

impl std::fmt::Debug for Secret {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("Secret")
    }
}

/// The app's key store as `client` asks it.
struct Host(Arc<dyn KeyStore>);

impl keys::KeyStore for Host {
    fn mac(&self, message: &[u8]) -> Option<[u8; 32]> {
        let answer = self.0.mac(message.to_vec()).ok()?;
        answer.try_into().ok()
    }
}
