//! Removal of a store from a device that is given back, sold, or no longer trusted.

use std::path::Path;

use crate::error::PhoneError;
use crate::store::SqliteStore;

/// Erases the store in `dir` for good, also one that nobody can open any more. Nobody is asked
/// whether something in it was never sent.
///
/// First the sealed keys are overwritten and the write-ahead log is cut, then the files are
/// deleted: without its key slot a store opens with no secret, even where flash memory keeps old
/// blocks of it. No error where there is no store.
///
/// # Errors
/// [`PhoneError::Store`] with `disk_failed`: something may be left; call again.
pub fn wipe(dir: &Path) -> Result<(), PhoneError> {
    SqliteStore::erase(dir).map_err(PhoneError::from)
}
