//! Taking a store off a device: one that is given back, sold, or no longer to be trusted.

use std::path::Path;

use crate::error::{Complaint, PhoneError};
use crate::phone::{Phone, is_pending};
use crate::store::Store;

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
    Store::erase(dir).map_err(PhoneError::from)
}

impl Phone {
    /// Erases this phone's store for good ([`wipe`]); everything fails with `store_missing`
    /// afterwards.
    ///
    /// # Errors
    /// `unsent_changes` with their number, while the server is not known to hold everything that
    /// was saved here; nothing is erased then unless `lose_unsent` says so.
    pub fn wipe(&mut self, lose_unsent: bool) -> Result<(), PhoneError> {
        let unsent = match self.opened() {
            Ok(open) => open.replica.unsent(),
            Err(error) if is_pending(&error) => 0,
            Err(error) => return Err(error),
        };
        if unsent > 0 && !lose_unsent {
            let complaint = Complaint::new("unsent_changes").with("count", unsent);
            return Err(PhoneError::wrong(complaint));
        }
        self.close();
        wipe(self.dir())
    }
}
