//! A phone whose store is in a directory.

use std::path::Path;
use std::sync::Arc;

pub use phone::phone::{CLOCK_OFF_SECONDS_MAX, Phone, Status};

use crate::error::PhoneError;
use crate::keys::Secret;
use crate::store::Directory;
use crate::system::Native;

/// Opens the phone whose store is in `dir`.
///
/// A device whose enrolment is pending opens too, and says so at the first use;
/// [`crate::sync::sync`] then asks again.
pub fn open(dir: &Path, secret: Secret) -> Result<Phone, PhoneError> {
    Phone::open(Box::new(Directory::new(dir, secret)), Arc::new(Native))
}

/// The phone whose store is in `dir`, which the first call that needs it opens.
pub fn unopened(dir: &Path, secret: Secret) -> Phone {
    Phone::unopened(Box::new(Directory::new(dir, secret)), Arc::new(Native))
}
