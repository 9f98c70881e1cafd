//! Bundles taken step by step, and the outbox of a store for whoever has no secret.

use std::path::Path;

pub use phone::bundle::Import;
use phone::bundle::of_outbox;

use crate::error::PhoneError;
use crate::store::SqliteStore;

/// What the store in `dir` holds that the server does not have, as a bundle for the server alone:
/// without the secret, for a phone whose secret is lost or whose user is gone. Gives the number of
/// its parts too; nothing to save is `None`.
pub fn outbox(dir: &Path) -> Result<Option<(Vec<u8>, usize)>, PhoneError> {
    of_outbox(&SqliteStore::outbox(dir)?)
}
