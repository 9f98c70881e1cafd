//! Bundles: what goes to the server, or comes from it, in somebody's bag. Bytes out and bytes in;
//! the app knows how they travel: a file in a chat, a chain of codes, a short message.

use client::bundle::Import;
use client::error::PhoneError as Inner;
use sync_core::bundle_exchange;

use crate::error::PhoneError;
use crate::language::Language;
use crate::phone::{Phone, catching};

/// What a bundle is made for.
#[derive(Clone, Debug, Default, PartialEq, Eq, uniffi::Record)]
pub struct BundleWish {
    /// How large it may get, in bytes; as large as it must be if `None`.
    pub bytes_max: Option<i64>,
    /// For a channel that counts every byte, such as a satellite's short message of 1,750 bytes,
    /// which it fits if `bytes_max` says no other size: to the server alone, and not padded.
    pub short: bool,
    /// All that is held and not only what the server lacks: for a phone that has seen neither.
    pub everything: bool,
}

impl From<BundleWish> for bundle_exchange::BundleOptions {
    fn from(wish: BundleWish) -> Self {
        let said = wish.bytes_max.map(|bytes| bytes.max(0) as usize);
        Self {
            bytes_max: said.or(wish.short.then_some(bundle_exchange::SHORT_BYTES)),
            short: wish.short,
            everything: wish.everything,
        }
    }
}

/// A bundle to give to whoever travels. Only the server and the devices of the same spaces read it.
/// (Android and Foundation have a `Bundle` of their own.)
#[derive(Clone, Debug, PartialEq, Eq, uniffi::Record)]
pub struct RelayBundle {
    /// The file.
    pub bytes: Vec<u8>,
    /// Batches in it.
    pub batches: i64,
    /// Batches that did not fit: make another bundle for them once this one has arrived.
    pub left: i64,
}

impl From<bundle_exchange::Bundle> for RelayBundle {
    fn from(bundle: bundle_exchange::Bundle) -> Self {
        Self {
            bytes: bundle.bytes,
            batches: bundle.batches as i64,
            left: bundle.left as i64,
        }
    }
}

/// What a bundle brought.
#[derive(Clone, Debug, Default, PartialEq, Eq, uniffi::Record)]
pub struct BundleReport {
    /// Batches that were new here.
    pub batches: i64,
    /// Spaces of which the server has acknowledged more than was known here.
    pub acknowledged: i64,
    /// Batches that wait here for others that have not come yet.
    pub waiting: i64,
    /// Parts that are for others: the file is still worth carrying on.
    pub for_others: i64,
    /// Codes of what is not held here, and why; the administrator must know.
    pub refused: Vec<String>,
    /// More waits than fits; this bundle has to come again.
    pub stash_full: bool,
}

impl From<bundle_exchange::Imported> for BundleReport {
    fn from(imported: bundle_exchange::Imported) -> Self {
        Self {
            batches: imported.batches as i64,
            acknowledged: imported.acknowledged as i64,
            waiting: imported.waiting as i64,
            for_others: imported.others as i64,
            refused: imported.not_held.into_iter().map(str::to_owned).collect(),
            stash_full: imported.stash_full,
        }
    }
}

/// What a store holds that the server does not have.
#[derive(Clone, Debug, PartialEq, Eq, uniffi::Record)]
pub struct Outbox {
    /// A bundle for the server alone.
    pub bytes: Vec<u8>,
    /// The saves and batches in it.
    pub parts: i64,
}

#[uniffi::export]
impl Phone {
    /// Makes a bundle of what the server lacks. What is in it is on the disk, and counts as unsent
    /// until the server's acknowledgement comes, by whatever way.
    ///
    /// # Errors
    /// [`PhoneError::Wrong`]: `bundle_too_small` if not even one batch fits, `bundle_no_key` before the
    /// first exchange with a server that seals.
    pub fn export_bundle(&self, wish: BundleWish) -> Result<RelayBundle, PhoneError> {
        self.with(|phone| phone.export_bundle(wish.into()))
            .map(RelayBundle::from)
    }

    /// Takes a bundle, whoever made and carried it; the same one may come any number of times.
    ///
    /// # Errors
    /// [`PhoneError::Wrong`], and nothing has changed: `bundle_not_for_us` where all of it is for
    /// others, `bundle_shape`, `bundle_version`, `bundle_too_large`, `bundle_altered`.
    pub fn import_bundle(&self, bytes: Vec<u8>) -> Result<BundleReport, PhoneError> {
        let mut import = Import::of(&bytes);
        loop {
            // Other calls have the phone between two steps.
            if let Some(imported) = self.with(|phone| import.step(phone))? {
                return Ok(imported.into());
            }
        }
    }
}

/// What the store in `dir` holds that the server does not have, as a bundle for the server alone:
/// without the secret, for a phone whose secret is lost or whose user is gone. `None` if there is
/// nothing.
#[uniffi::export]
pub fn outbox(dir: String, language: Language) -> Result<Option<Outbox>, PhoneError> {
    let made: Result<_, Inner> = catching(|| client::bundle::outbox(dir.as_ref()));
    let made = made.map_err(|error| PhoneError::of(&error, &language.words()))?;
    Ok(made.map(|(bytes, parts)| Outbox {
        bytes,
        parts: parts as i64,
    }))
}
