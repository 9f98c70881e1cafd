//! Bundles: what goes to the server, or comes from it, in somebody's bag.

use std::collections::BTreeSet;

use sync_core::bundle::{BUNDLE_BYTES_MAX, BadBundle, Unsealing};
use sync_core::bundle_exchange::{
    Bundle, BundleError, BundleOptions, Delivery, DeliverySlice, ImportError, Imported,
};
use sync_core::exchange::Work;
use sync_core::id::Place;

use crate::error::{Issue, PhoneError};
use crate::merging::Proof;
use crate::phone::{COMMIT_TRIES_MAX, Phone};

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
    /// hosts whose commits are durable at once and whose phone nobody else uses; others take the steps of an
    /// [`Import`].
    pub fn import_bundle(&mut self, file: &[u8]) -> Result<Imported, PhoneError> {
        let mut import = Import::of(file);
        loop {
            if let Some(imported) = import.step(self)? {
                return Ok(imported);
            }
        }
    }
}

/// A bundle being taken, in steps of bounded work: between two of them whoever else uses the phone has it.
pub struct Import<'a> {
    file: &'a [u8],
    stage: Stage<'a>,
    /// The whole of it, once it is open.
    whole: Option<Delivery>,
    /// How often the store was lost to somebody else.
    lost: usize,
}

/// Where an import stands.
enum Stage<'a> {
    /// About to begin.
    Begin,
    /// Opening its envelopes, one by one.
    Open(Unsealing<'a>),
    /// About to merge a slice, or to mark what that merges.
    Merge(Box<Delivery>),
    /// What the next slice merges is marked.
    Marked(Box<Delivery>, BTreeSet<Place>),
    /// Merging what ended the program once, one by one.
    Prove(Imported, Proof),
}

impl<'a> Import<'a> {
    /// The import of a file.
    pub fn of(file: &'a [u8]) -> Self {
        Self {
            file,
            stage: Stage::Begin,
            whole: None,
            lost: 0,
        }
    }

    /// The records that are marked for the next step.
    #[cfg(test)]
    pub(crate) fn marked(&self) -> BTreeSet<Place> {
        match &self.stage {
            Stage::Marked(_, places) => places.clone(),
            Stage::Prove(_, proof) => proof.marked().into_iter().cloned().collect(),
            _ => BTreeSet::new(),
        }
    }

    /// What the next step merges a slice of, or marks.
    #[cfg(test)]
    pub(crate) fn delivery(&self) -> Option<&Delivery> {
        match &self.stage {
            Stage::Merge(delivery) | Stage::Marked(delivery, _) => Some(delivery),
            _ => None,
        }
    }

    /// Whether the next step merges a record alone.
    #[cfg(test)]
    pub(crate) fn is_proving(&self) -> bool {
        matches!(self.stage, Stage::Prove(..))
    }

    /// One step; `None` if there is another, before which what was committed must be durable. After an error
    /// it is over.
    pub fn step(&mut self, phone: &mut Phone) -> Result<Option<Imported>, PhoneError> {
        match std::mem::replace(&mut self.stage, Stage::Begin) {
            Stage::Begin => match &self.whole {
                Some(whole) => self.stage = Stage::Merge(Box::new(whole.clone())),
                None => self.stage = Stage::Open(Unsealing::of(self.file).map_err(bad)?),
            },
            Stage::Open(mut unsealing) => {
                let open = phone.opened()?;
                let network = open.replica.me().network;
                let there_was_one = unsealing.open_next(network, [open.keys.sealing()]);
                if there_was_one.map_err(bad)? {
                    self.stage = Stage::Open(unsealing);
                } else {
                    self.whole = Some(Delivery::of(unsealing.end().map_err(bad)?));
                }
            }
            Stage::Merge(delivery) if phone.system.catches_panics() => {
                self.merge(phone, &delivery, Work::SLICE)?;
            }
            Stage::Merge(delivery) => {
                let places = delivery.merges();
                match phone.mark(&places)? {
                    true => self.stage = Stage::Marked(delivery, places),
                    false => self.merge(phone, &delivery, Work::slice_of(places))?,
                }
            }
            Stage::Marked(delivery, places) => {
                self.merge(phone, &delivery, Work::slice_of(places))?;
            }
            Stage::Prove(imported, mut proof) => match proof.step(phone)? {
                true => self.stage = Stage::Prove(imported, proof),
                false => return Ok(Some(imported)),
            },
        }
        Ok(None)
    }

    /// Merges a slice.
    fn merge(
        &mut self,
        phone: &mut Phone,
        delivery: &Delivery,
        work: Work,
    ) -> Result<(), PhoneError> {
        let taken = phone.merge(&|open, context| {
            let (store, work) = (&open.store, work.clone());
            let slice = open
                .replica
                .prepare_delivery(context, store, delivery, work);
            Ok(slice.map_err(ImportError::Unreadable)?)
        })?;
        self.stage = match taken {
            Ok(DeliverySlice::More(rest)) => Stage::Merge(rest),
            // Orders of erasure are taken first, by themselves.
            Ok(DeliverySlice::Whole(imported)) if imported.again => Stage::Begin,
            Ok(DeliverySlice::Whole(imported)) => Stage::Prove(imported, Proof::default()),
            Err(error) => {
                // The replica of which this is the rest may be gone; what it took is held.
                self.lost += 1;
                if self.lost == COMMIT_TRIES_MAX {
                    return Err(error.into());
                }
                Stage::Begin
            }
        };
        Ok(())
    }
}

fn bad(bundle: BadBundle) -> PhoneError {
    ImportError::Bundle(bundle).into()
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
