//! What a command line says when it does not do what was asked.

use std::fmt::Display;

use crate::clock::NoRandomness;
use crate::store::StoreError;

/// Why a command did nothing.
#[derive(Debug, thiserror::Error)]
pub enum CommandError {
    /// The request is wrong; who asked can mend it.
    #[error("{message}")]
    Wrong {
        /// A stable code.
        code: &'static str,
        /// What it is about.
        key: String,
        /// A sentence.
        message: String,
    },
    /// The data directory can't be opened, read or written.
    #[error(transparent)]
    Data(#[from] anyhow::Error),
}

impl CommandError {
    pub(crate) fn wrong(code: &'static str, key: impl Display, message: impl Into<String>) -> Self {
        Self::Wrong {
            code,
            key: key.to_string(),
            message: message.into(),
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
