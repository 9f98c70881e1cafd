//! Renewal of the keys to which bundles are sealed, as each month begins.

use store::StoreError;
use sync_core::control::{ControlEntry, SealKey};
use sync_core::date::date_in_china;

use crate::keys;
use crate::transaction::WriteTx;

/// A private half is kept for so many months after its own.
const MONTHS_KEPT: u32 = 13;

/// Sees to it that everybody can seal to a key of this month whose private half is here, and
/// destroys those that are too old. The private half is on disk before its entry is anywhere.
pub(crate) async fn renew(now: i64, tx: &mut WriteTx<'_>) -> Result<(), StoreError> {
    let this_month = month_of(now);
    let keys = &tx.node.seal_keys;
    let held = keys.read()?;
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
            key: keys::sealing_key_or_new(&tx.node.dir, month)?.public(),
        };
        let network = tx.control.network();
        tx.publish(|signer| ControlEntry::seal_key(network, &key, signer))
            .await?;
    }
    let oldest = this_month.saturating_sub(MONTHS_KEPT);
    for month in held.keys().filter(|month| **month < oldest) {
        keys::destroy_sealing_key(&tx.node.dir, *month)?;
    }
    Ok(())
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
