//! Refusals and failures of requests, each with its stable code.

use store::StoreError;
use sync_core::bundle::BadBundle;
use sync_core::hub::RequestError;
use sync_core::wire::BadMessage;

use crate::writer::Unwritten;

/// Why a request got no answer of the protocol.
#[derive(Debug, thiserror::Error)]
pub enum ServeError {
    /// The request's fault; nothing was stored.
    #[error(transparent)]
    Refused(#[from] Rejection),
    /// The journal can't be written: nothing was stored, for nothing could be acknowledged. The
    /// request may be made again.
    #[error("the journal can't be written")]
    Unjournaled(#[source] std::io::Error),
    /// The store's; nothing was stored, or it is not known. The request may be made again.
    #[error("the store fails")]
    Failed(#[source] anyhow::Error),
    /// The device has as many requests under way as it may; nothing was stored. The request may be made
    /// again.
    #[error("other requests of the device are under way")]
    Busy,
    /// A mistake in this program stopped the request; nothing was stored.
    #[error("the request stopped the program")]
    Panicked,
}

impl From<Unwritten> for ServeError {
    fn from(error: Unwritten) -> Self {
        match error {
            Unwritten::Store(error) => error.into(),
            Unwritten::Panicked => Self::Panicked,
        }
    }
}

impl From<StoreError> for ServeError {
    fn from(error: StoreError) -> Self {
        match error {
            StoreError::Journal(error) => Self::Unjournaled(error),
            other => Self::Failed(other.into()),
        }
    }
}

/// Why a request is not served.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum Rejection {
    /// An exchange that the core refuses.
    #[error(transparent)]
    Exchange(#[from] RequestError),
    /// An enrolment's bytes.
    #[error(transparent)]
    Message(#[from] BadMessage),
    /// An enrolment's code.
    #[error(transparent)]
    Code(#[from] CodeError),
    /// A bundle.
    #[error(transparent)]
    Bundle(#[from] BadBundle),
}

impl Rejection {
    /// A stable code.
    pub fn code(self) -> &'static str {
        match self {
            Rejection::Exchange(refusal) => refusal.code(),
            Rejection::Message(message) => message.code(),
            Rejection::Code(code) => code.code(),
            Rejection::Bundle(bundle) => bundle.code(),
        }
    }
}

/// Why a code is not taken.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum CodeError {
    /// No such code was made here.
    #[error("the enrolment code is not known")]
    Unknown,
    /// Nobody used it in time.
    #[error("the enrolment code has expired")]
    Expired,
    /// The device's store opens with a secret that is too short for real people's data. The code
    /// is not used up.
    #[error("the device's secret is too short")]
    SecretWeak,
    /// Another device used it.
    #[error("the enrolment code was used by another device")]
    Used,
    /// The device was revoked: its person makes new keys.
    #[error("the device was revoked")]
    Revoked,
    /// One of the code's spaces was taken from the device: its person makes new keys. The code is not
    /// used up.
    #[error("a space of the code was taken from the device")]
    SpaceTaken,
}

impl CodeError {
    /// A stable code.
    pub fn code(self) -> &'static str {
        match self {
            CodeError::Unknown => "code_unknown",
            CodeError::Expired => "code_expired",
            CodeError::SecretWeak => "secret_weak",
            CodeError::Used => "code_used",
            CodeError::Revoked => "device_revoked",
            CodeError::SpaceTaken => "space_taken",
        }
    }
}
