//! New keys for this device, by an exchange.

use phone::sync::ExchangeSession;

use crate::cancel::Cancel;
use crate::error::PhoneError;
use crate::sync::{PhoneAccess, Progress, SyncReport, talk};

/// Makes new keys and exchanges with the server until this phone is another device
/// ([`SyncReport::renewed`]).
///
/// # Errors
/// Those of [`exchange`](crate::sync::exchange), and [`PhoneError::Wrong`] with `renewal_waits` if the
/// server does not let the device in yet. The keys are there all the same: every later exchange asks
/// for them again.
pub fn renew(
    phone: &mut impl PhoneAccess,
    cancel: &Cancel,
    progress: &mut dyn FnMut(&Progress),
) -> Result<SyncReport, PhoneError> {
    talk(phone, ExchangeSession::renewing, cancel, progress)
}
