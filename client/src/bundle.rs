//! Bundles: what goes to the server, or comes from it, in somebody's bag.

use std::path::Path;

use sync_core::bundle::BUNDLE_BYTES_MAX;
use sync_core::relay::{Bundle, BundleError, BundleWish, ImportError, Imported};

use crate::error::{Complaint, PhoneError};
use crate::phone::Phone;
use crate::store::Store;

impl Phone {
    /// Makes a bundle of what the server lacks. Everything in it is durable here, and stays unsent
    /// until the server's acknowledgement comes, by whatever way.
    pub fn export_bundle(&mut self, wish: BundleWish) -> Result<Bundle, PhoneError> {
        self.step(&|open, context| {
            let sign = |message: &[u8]| open.keys.sign(message);
            let store = &open.store;
            Ok(open.replica.prepare_bundle(context, store, &sign, wish)?)
        })
    }

    /// Takes a bundle, whoever made it and carried it; the same one may come any number of times.
    pub fn import_bundle(&mut self, file: &[u8]) -> Result<Imported, PhoneError> {
        loop {
            let imported = self.step(&|open, context| {
                let key = open.keys.sealing();
                Ok(open
                    .replica
                    .prepare_import(context, &open.store, key, file)?)
            })?;
            // Orders of erasure are taken first, by themselves.
            if !imported.again {
                return Ok(imported);
            }
        }
    }
}

/// What the store in `dir` holds that the server does not have, as a bundle for the server alone:
/// without the secret, for a phone whose secret is lost or whose user is gone. Gives the number of
/// its parts too; nothing to save is `None`.
pub fn outbox(dir: &Path) -> Result<Option<(Vec<u8>, usize)>, PhoneError> {
    let copies = Store::outbox(dir)?;
    let size: usize = copies.iter().map(Vec::len).sum();
    if size > BUNDLE_BYTES_MAX {
        return Err(PhoneError::wrong(Complaint::new("bundle_too_large")));
    }
    let parts = copies.len();
    Ok((parts > 0).then(|| (copies.concat(), parts)))
}

impl From<BundleError> for PhoneError {
    fn from(error: BundleError) -> Self {
        match error {
            BundleError::NoKey => Self::wrong(Complaint::new("bundle_no_key")),
            BundleError::TooSmall { least } => {
                Self::wrong(Complaint::new("bundle_too_small").with("least", least))
            }
            BundleError::Unreadable(_) => Self::Store(Complaint::new("store_unreadable")),
        }
    }
}

impl From<ImportError> for PhoneError {
    fn from(error: ImportError) -> Self {
        match error {
            ImportError::Bundle(bad) => Self::wrong(Complaint::new(bad.code())),
            ImportError::Unreadable(_) => Self::Store(Complaint::new("store_unreadable")),
        }
    }
}
