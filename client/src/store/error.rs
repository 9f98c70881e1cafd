//! SQLite's errors as a store's.

use phone::store::{StoreError, damaged};
use rusqlite::ffi::ErrorCode;

/// A store's error on its way out of a function that speaks SQL.
#[derive(Debug)]
pub(super) struct Failed(pub(super) StoreError);

/// The error of a commit itself: what can't be told apart is unknown.
pub(super) fn io(error: rusqlite::Error) -> Failed {
    match Failed::from(error).0 {
        told @ (StoreError::Full | StoreError::Busy | StoreError::Io(_)) => Failed(told),
        other => Failed(StoreError::Io(Box::new(other))),
    }
}

impl From<StoreError> for Failed {
    fn from(error: StoreError) -> Self {
        Self(error)
    }
}

impl From<Failed> for StoreError {
    fn from(Failed(error): Failed) -> Self {
        error
    }
}

impl From<rusqlite::Error> for Failed {
    /// The error of anything before a commit.
    fn from(error: rusqlite::Error) -> Self {
        Self(match error.sqlite_error_code() {
            Some(ErrorCode::DiskFull) => StoreError::Full,
            Some(ErrorCode::DatabaseBusy | ErrorCode::DatabaseLocked) => StoreError::Busy,
            Some(ErrorCode::NotADatabase) => damaged("not a store"),
            Some(ErrorCode::DatabaseCorrupt) => damaged("database"),
            // A statement that does not fit the tables, or a column of another type.
            Some(ErrorCode::Unknown | ErrorCode::ConstraintViolation) | None => damaged("tables"),
            Some(_) => StoreError::Io(Box::new(error)),
        })
    }
}
