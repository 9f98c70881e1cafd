//! The keys to which bundles and outbox copies are sealed: one a month, and the private half of each
//! is destroyed thirteen months later. What somebody kept of a bundle by then opens no more.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

use store::KeyError;
use sync_core::seal::SealingKey;

use crate::keys;

/// Where the private halves are that are not destroyed yet, each in a file of its own. They are read
/// when they are needed: another process on the same directory may have made one.
#[derive(Debug)]
pub(crate) struct SealKeys {
    dir: PathBuf,
}

impl SealKeys {
    /// The keys in a data directory.
    pub(crate) fn new(dir: &Path) -> Self {
        let dir = dir.to_owned();
        Self { dir }
    }

    /// The keys held now, by month.
    pub(crate) fn read(&self) -> Result<BTreeMap<u32, SealingKey>, KeyError> {
        let mut held = BTreeMap::new();
        for month in keys::seal_months(&self.dir)? {
            held.extend(keys::sealing_key(&self.dir, month)?.map(|key| (month, key)));
        }
        Ok(held)
    }
}
