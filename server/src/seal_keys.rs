//! The keys to which bundles and outbox copies are sealed: one a month, and the private half of each
//! is destroyed thirteen months later. What somebody kept of a bundle by then opens no more.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

use sync_core::control::{ControlEntry, SealKey};
use sync_core::date::date_in_china;
use sync_core::seal::SealingKey;

use crate::keys::{self, KeyError};
use crate::store::StoreError;
use crate::transaction::WriteTx;

/// A private half is kept for so many months after its own.
const MONTHS_KEPT: u32 = 13;

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

    /// Sees to it that everybody can seal to a key of this month whose private half is here, and
    /// destroys those that are too old. The private half is on disk before its entry is anywhere.
    pub(crate) async fn renew(&self, now: i64, tx: &mut WriteTx<'_>) -> Result<(), StoreError> {
        let this_month = month_of(now);
        let held = self.read()?;
        let told = tx.control.seal_key();
        let opens = |told: &SealKey| {
            let ours = held.get(&told.month);
            ours.is_some_and(|ours| ours.public() == told.key)
        };
        if told.is_none_or(|told| told.month < this_month || !opens(&told)) {
            // Above every month that was told: to a key whose private half was lost nobody seals any
            // more.
            let after = told.map_or(0, |told| told.month.saturating_add(1));
            let month = this_month.max(after);
            let key = SealKey {
                month,
                key: keys::sealing_key_or_new(&self.dir, month)?.public(),
            };
            let network = tx.control.network();
            tx.publish(|signer| ControlEntry::seal_key(network, &key, signer))
                .await?;
        }
        let oldest = this_month.saturating_sub(MONTHS_KEPT);
        for month in held.keys().filter(|month| **month < oldest) {
            keys::destroy_sealing_key(&self.dir, *month)?;
        }
        Ok(())
    }
}

/// The month of a moment in China: twelve times the year and the months before it.
fn month_of(now: i64) -> u32 {
    let date = date_in_china(now);
    let mut parts = date.split('-').map(|part| part.parse::<u32>().unwrap_or(0));
    let (year, month) = (parts.next().unwrap_or(0), parts.next().unwrap_or(1));
    year.saturating_mul(12)
        .saturating_add(month.saturating_sub(1))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn months_follow_each_other_over_the_new_year_in_china() {
        assert_eq!(month_of(1_798_732_799), 2026 * 12 + 11);
        assert_eq!(month_of(1_798_732_800), 2027 * 12);
    }
}
