//! Removal of a store from a device that is given back, sold, or no longer trusted.

use crate::error::{Issue, PhoneError};
use crate::phone::{Phone, is_pending};

impl Phone {
    /// Erases this phone's store for good; everything fails with `store_missing` afterwards.
    ///
    /// First the sealed keys are overwritten, then the rest goes: without its key slot a store opens with
    /// no secret, even where flash memory keeps old blocks of it.
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
            let issue = Issue::new("unsent_changes").with("count", unsent);
            return Err(PhoneError::wrong(issue));
        }
        self.close();
        Ok(self.place.erase()?)
    }
}
