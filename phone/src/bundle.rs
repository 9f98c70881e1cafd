//! Bundles: what goes to the server, or comes from it, in somebody's bag.

use sync_core::bundle::BUNDLE_BYTES_MAX;
use sync_core::bundle_exchange::{Bundle, BundleError, BundleOptions, ImportError, Imported};

use crate::error::{Issue, PhoneError};
use crate::merging::Proof;
use crate::phone::Phone;

impl Phone {
    /// Makes a bundle of what the server lacks. Everything in it is durable here, and stays unsent
    /// until the server's acknowledgement comes, by whatever way.
    pub fn export_bundle(&mut self, options: BundleOptions) -> Result<Bundle, PhoneError> {
        self.step(&|open, context| {
            let sign = |message: &[u8]| open.keys.sign(message);
            let store = &open.store;
            Ok(open
                .replica
                .prepare_bundle(context, store, &sign, options)?)
        })
    }

    /// Takes a bundle, whoever made it and carried it; the same one may come any number of times. For
    /// hosts whose commits are durable at once; others take the steps of an [`Import`].
    pub fn import_bundle(&mut self, file: &[u8]) -> Result<Imported, PhoneError> {
        let mut import = Import::of(file);
        loop {
            if let Some(imported) = import.step(self)? {
                return Ok(imported);
            }
        }
    }
}

/// A bundle being taken, step by step.
pub struct Import<'a> {
    file: &'a [u8],
    stage: Stage,
}

/// Where an import stands.
enum Stage {
    /// About to mark what it merges.
    Mark,
    /// About to merge.
    Merge,
    /// Merging what ended the program once, one by one.
    Prove(Imported, Proof),
}

impl<'a> Import<'a> {
    /// The import of a file.
    pub fn of(file: &'a [u8]) -> Self {
        let stage = Stage::Mark;
        Self { file, stage }
    }

    /// The record that the next step merges alone, since it may have ended the program.
    #[cfg(test)]
    pub(crate) fn marked(&self) -> Option<&sync_core::merging::Place> {
        match &self.stage {
            Stage::Prove(_, proof) => proof.marked(),
            _ => None,
        }
    }

    /// One step; `None` if there is another, before which what was committed must be durable.
    pub fn step(&mut self, phone: &mut Phone) -> Result<Option<Imported>, PhoneError> {
        let file = self.file;
        match &mut self.stage {
            Stage::Mark => {
                if !phone.system.catches_panics() {
                    let open = phone.opened()?;
                    let merges = open.replica.merges_of_bundle(open.keys.sealing(), file)?;
                    phone.mark(&merges)?;
                }
                self.stage = Stage::Merge;
                Ok(None)
            }
            Stage::Merge => {
                let imported = phone.merge_anew(&|open, context| {
                    let key = open.keys.sealing();
                    Ok(open
                        .replica
                        .prepare_import(context, &open.store, key, file)?)
                })?;
                // Orders of erasure are taken first, by themselves.
                self.stage = match imported.again {
                    true => Stage::Mark,
                    false => Stage::Prove(imported, Proof::default()),
                };
                Ok(None)
            }
            Stage::Prove(imported, proof) => Ok(match proof.step(phone)? {
                true => None,
                false => Some(imported.clone()),
            }),
        }
    }
}

/// An outbox as a bundle for the server alone: without the secret, for a phone whose secret is lost or
/// whose user is gone. Gives the number of its parts too; nothing to save is `None`.
pub fn of_outbox(copies: &[Vec<u8>]) -> Result<Option<(Vec<u8>, usize)>, PhoneError> {
    let size: usize = copies.iter().map(Vec::len).sum();
    if size > BUNDLE_BYTES_MAX {
        return Err(PhoneError::wrong(Issue::new("bundle_too_large")));
    }
    let parts = copies.len();
    Ok((parts > 0).then(|| (copies.concat(), parts)))
}

impl From<BundleError> for PhoneError {
    fn from(error: BundleError) -> Self {
        match error {
            BundleError::NoKey => Self::wrong(Issue::new("bundle_no_key")),
            BundleError::TooSmall { least } => {
                Self::wrong(Issue::new("bundle_too_small").with("least", least))
            }
            BundleError::Unreadable(_) => Self::Store(Issue::new("store_unreadable")),
        }
    }
}

impl From<ImportError> for PhoneError {
    fn from(error: ImportError) -> Self {
        match error {
            ImportError::Bundle(bad) => Self::wrong(Issue::new(bad.code())),
            ImportError::Unreadable(_) => Self::Store(Issue::new("store_unreadable")),
        }
    }
}
