//! The secret of a store, from where a command line finds it.

pub use phone::keys::{
    DeviceKeys, KeyStore, SECRET_BYTES_MAX, SECRET_CHARS_MIN, STRONG_SECRET_CHARS_MIN, Secret,
    SecretError, secret_is_strong,
};

/// The environment variable that holds the secret, so that it stands in no list of processes.
pub const SECRET_VARIABLE: &str = "ORTOO_PIN";

/// The secret in [`SECRET_VARIABLE`].
pub fn secret_from_env() -> Result<Secret, SecretError> {
    let text = std::env::var_os(SECRET_VARIABLE).ok_or(SecretError::Missing)?;
    Secret::new(text.into_string().map_err(|_| SecretError::NotText)?)
}
