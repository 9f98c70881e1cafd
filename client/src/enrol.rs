//! Enrolment over TLS.

use std::path::Path;

pub use phone::enrol::Enrolled;
use phone::enrol::Enrolment;

use crate::cancel::Cancel;
use crate::error::PhoneError;
use crate::keys::Secret;
use crate::phone::unopened;
use crate::sync::lead;

/// Redeems an enrolment link: makes the store in `dir`, or goes on with one whose enrolment was
/// broken off. The same link again after it was redeemed is no error.
pub fn enrol(
    dir: &Path,
    secret: &Secret,
    link: &str,
    cancel: &Cancel,
) -> Result<Enrolled, PhoneError> {
    let mut phone = unopened(dir, secret.clone());
    let mut enrolment = Enrolment::begin(&mut phone, link)?;
    lead(&mut phone, &mut enrolment, cancel, &mut |_| {})
}
