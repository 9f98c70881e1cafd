//! Errors of the command line.

use std::fmt::Display;
use std::path::Path;

use store::StoreError;
use store::clock::NoRandomness;

use crate::reply::ServeError;
use crate::writer::Unwritten;

/// Every code that a wrong request can have.
pub const CODES: [&str; 53] = [
    "address_unknown",
    "backup_broken",
    "backup_in_clear",
    "bad_address",
    "bad_date",
    "bad_id",
    "bad_public_key",
    "batch_not_waiting",
    "bundle_refused",
    "cannot_listen",
    "cells_differ",
    "console_not_loopback",
    "device_renewed",
    "device_revoked",
    "device_unknown",
    "erase_in_several_units",
    "file_exists",
    "file_failed",
    "http_not_loopback",
    "journal_failed",
    "journal_of_another",
    "journal_unusable",
    "key_exists",
    "key_unusable",
    "move_not_person",
    "move_stays",
    "not_a_backup",
    "not_a_sample",
    "not_an_order",
    "not_an_order_key",
    "not_parked",
    "order_needs_second",
    "order_refused",
    "package_unknown",
    "record_in_several_units",
    "recovery_first",
    "restore_not_empty",
    "root_key_wrong",
    "root_threshold",
    "same_person_two_units",
    "sample_not_empty",
    "snapshot_too_large",
    "space_count",
    "space_not_held",
    "store_differs",
    "too_long",
    "unit_without_cadres",
    "unknown_class",
    "unknown_org",
    "unknown_record",
    "unknown_unit",
    "unknown_year",
    "verdict_needs_key",
];

/// Why a command did nothing.
#[derive(Debug, thiserror::Error)]
pub enum CommandError {
    /// The request is wrong; who asked can mend it. The sentence for the code is in the crate
    /// `words`, as `server-CODE`.
    #[error("the request is wrong: {code} {key}")]
    Wrong {
        /// A stable code.
        code: &'static str,
        /// What it is about.
        key: String,
        /// What else the sentence names.
        args: Vec<(&'static str, String)>,
    },
    /// The data directory can't be opened, read or written.
    #[error(transparent)]
    Data(#[from] anyhow::Error),
}

impl CommandError {
    /// A request that is wrong in `key`.
    pub fn wrong(code: &'static str, key: impl Display) -> Self {
        debug_assert!(CODES.contains(&code), "{code}");
        Self::Wrong {
            code,
            key: key.to_string(),
            args: Vec::new(),
        }
    }

    /// A file that can't be read or written.
    pub fn file_failed(path: &Path, error: impl Display) -> Self {
        Self::wrong("file_failed", path.display()).with("detail", error)
    }

    /// The same with something more for its sentence.
    pub fn with(mut self, name: &'static str, value: impl Display) -> Self {
        if let Self::Wrong { args, .. } = &mut self {
            args.push((name, value.to_string()));
        }
        self
    }
}

impl From<Unwritten> for CommandError {
    fn from(error: Unwritten) -> Self {
        match error {
            Unwritten::Store(error) => error.into(),
            Unwritten::Panicked => Self::Data(ServeError::Panicked.into()),
        }
    }
}

impl From<StoreError> for CommandError {
    fn from(error: StoreError) -> Self {
        Self::Data(error.into())
    }
}

impl From<NoRandomness> for CommandError {
    fn from(error: NoRandomness) -> Self {
        Self::Data(error.into())
    }
}
