//! Errors of a store, grouped by what the caller does about them.

/// What went wrong, and whether anything may have changed. Messages hold no content.
///
/// After every error but [`StoreError::Io`] and [`StoreError::Unknown`] nothing was written and
/// the same [`Store`](super::Store) can be used on.
#[derive(Debug, thiserror::Error)]
pub enum StoreError {
    /// There is no store in the directory: enrol first.
    #[error("there is no store here")]
    NotThere,
    /// There is one already: open it, or choose another directory.
    #[error("there is a store here already")]
    Exists,
    /// No slot opens with the secret: ask again.
    #[error("the secret does not open the store")]
    WrongSecret,
    /// The store is opened with something else: a typed secret where a key store was tried, or the
    /// other way round.
    #[error("the store is opened with another kind of secret")]
    OtherSecret,
    /// The phone's key store did not answer: try again when the phone is unlocked.
    #[error("the key store does not answer")]
    KeyStoreSilent,
    /// The file is not a store, or part of it can't be read: take it from a copy, or enrol anew.
    #[error("the store is damaged: {what}")]
    Damaged {
        /// The part of the store, never its content.
        what: &'static str,
    },
    /// Written by a newer program: update this one. Nothing is broken.
    #[error("the store has {what} {version}, which this program is too old for")]
    TooNew {
        /// The part that is newer.
        what: &'static str,
        /// Its number.
        version: u32,
    },
    /// Another process has opened the store since: this one must stop or open it again.
    #[error("the store was opened by another process")]
    Fenced,
    /// The disk is full: make room and try again.
    #[error("the disk is full")]
    Full,
    /// Another process is writing: try again.
    #[error("the store is in use by another process")]
    Busy,
    /// The disk failed. What was being written may or may not be durable: drop this value, open
    /// the store again and go on from what is there (R8).
    #[error("the disk failed")]
    Io(#[source] Box<dyn std::error::Error + Send + Sync>),
    /// An earlier write ended in [`StoreError::Io`] and the store was not opened again.
    #[error("an earlier write has an unknown outcome")]
    Unknown,
}

/// A part of the store that can't be read.
pub fn damaged(what: &'static str) -> StoreError {
    StoreError::Damaged { what }
}

/// A part of the store that is newer than this program.
pub fn newer(what: &'static str, version: u32) -> StoreError {
    StoreError::TooNew { what, version }
}

impl PartialEq for StoreError {
    /// Equal in kind and details; what the system said is not compared.
    fn eq(&self, other: &Self) -> bool {
        match (self, other) {
            (Self::Damaged { what: a }, Self::Damaged { what: b }) => a == b,
            (
                Self::TooNew {
                    what: a,
                    version: m,
                },
                Self::TooNew {
                    what: b,
                    version: n,
                },
            ) => a == b && m == n,
            _ => std::mem::discriminant(self) == std::mem::discriminant(other),
        }
    }
}
