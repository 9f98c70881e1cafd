//! The keys that bundles are sealed to: one a month, known to every phone, gone after thirteen months.

use std::sync::atomic::Ordering;

use sync_core::bundle::Content;
use sync_core::control::SealKey;
use sync_core::seal::PublicKey;

use super::{NOON, TestServer};
use crate::reply::ServeError;

const MONTH_SECONDS: i64 = 31 * 86_400;

/// Whether the server opens a bundle sealed to this key.
async fn opens(station: &TestServer, key: PublicKey) -> bool {
    let file = station.sealed_to(key, &Content::default());
    match station.app.import_bundle(file).await {
        Ok(report) => report.opened == 1,
        Err(ServeError::Refused(refused)) => {
            assert_eq!(refused.code(), "bundle_not_for_us");
            false
        }
        Err(error) => panic!("{error:?}"),
    }
}

/// The key that a server tells when it has lost the private half of the newest.
pub(super) async fn next_seal_key(station: &TestServer) -> SealKey {
    let month = station.seal_key().await.month;
    let file = station.dir.path().join(format!("seal-{month}.key"));
    std::fs::remove_file(file).unwrap();
    station.app.renew_seal_keys().await.unwrap();
    station.seal_key().await
}

#[tokio::test]
async fn each_month_has_a_key_and_an_old_one_opens_for_thirteen_months() {
    let station = TestServer::sample().await;
    let first = station.seal_key().await;
    station.app.renew_seal_keys().await.unwrap();
    assert_eq!(station.seal_key().await, first, "one key a month");
    for month in 1..=14 {
        station
            .clock
            .store(NOON + month * MONTH_SECONDS, Ordering::Relaxed);
        station.app.renew_seal_keys().await.unwrap();
        let now = station.seal_key().await;
        assert!(now.month > first.month);
        assert!(opens(&station, now.key).await);
        let age = now.month - first.month;
        assert_eq!(opens(&station, first.key).await, age <= 13, "{age}");
    }
}

#[tokio::test]
async fn nobody_goes_on_sealing_to_a_key_whose_private_half_is_lost() {
    let station = TestServer::sample().await;
    let lost = station.seal_key().await;
    let next = next_seal_key(&station).await;
    assert_eq!(next.month, lost.month + 1);
    assert!(opens(&station, next.key).await);
    assert!(!opens(&station, lost.key).await);
}
