//! Failures of the installation's private keys, which are kept beside the database.

use std::io;
use std::path::PathBuf;

use crate::clock::NoRandomness;

/// Why a key can't be used.
#[derive(Debug, thiserror::Error)]
pub enum KeyError {
    /// The file is not there, though the database refers to it.
    #[error("{} is missing", .0.display())]
    Missing(PathBuf),
    /// The file holds something else.
    #[error("{} holds no key", .0.display())]
    NotAKey(PathBuf),
    /// The file can't be read or written.
    #[error("{} can't be read or written", .0.display())]
    File(PathBuf, #[source] io::Error),
    /// A new key would take the place of what is there.
    #[error("{} is there already", .0.display())]
    Exists(PathBuf),
    /// There is no randomness to make one.
    #[error(transparent)]
    Randomness(#[from] NoRandomness),
}
