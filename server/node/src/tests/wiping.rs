//! Remote wipes: when a phone is told that it may.

use std::collections::BTreeSet;

use store::wipe::WipeState;
use sync_core::batch::Batch;
use sync_core::bundle::Content;
use sync_core::control::Control;
use sync_core::id::DeviceId;
use sync_core::remote_wipe::{WipeCommand, WipeReport};
use sync_core::wire::Answer;

use super::restoring::{backed_up, restored};
use super::sealing::next_seal_key;
use super::*;
use crate::ingest::STASH_MAX;

const SPACE: &str = "152522100200.general";

async fn ordered(station: &TestServer, device: DeviceId) {
    let key = crate::keys::persons_key(&station.dir.path().join("order.key")).unwrap();
    let app = &station.app;
    let wish = app.wish_wipe(device).await.unwrap();
    let order = app.make_order("order.key", &key, &wish).await.unwrap();
    app.submit_order("order", &order).await.unwrap();
}

/// What a phone hands over: these batches and control entries. Whether it may wipe then.
async fn hands_over(
    station: &TestServer,
    phone: &Phone,
    batches: &[&Batch],
    control: Vec<Vec<u8>>,
) -> bool {
    let content = content(batches, control);
    let bundle = station.sealed(&content).await;
    parts(station, phone, bundle, Vec::new()).await.taken
}

fn content(batches: &[&Batch], control: Vec<Vec<u8>>) -> Content {
    Content {
        batches: batches.iter().map(|batch| batch.bytes().to_vec()).collect(),
        control,
        ..Content::default()
    }
}

/// What the server says to a phone that hands over this bundle and shows these control entries.
async fn parts(
    station: &TestServer,
    phone: &Phone,
    bundle: Vec<u8>,
    shown: Vec<Vec<u8>>,
) -> WipeCommand {
    let wiped = false;
    says(station, phone, WipeReport { bundle, wiped }, shown).await
}

async fn says(
    station: &TestServer,
    phone: &Phone,
    wipe_report: WipeReport,
    shown: Vec<Vec<u8>>,
) -> WipeCommand {
    let mut request = phone.request(&[]);
    request.shown = shown;
    request.wipe_report = Some(wipe_report);
    let said = station.exchange(phone.encode(&request)).await;
    let answer = Answer::decode(phone.network, &said.body()).unwrap();
    answer.wipe.unwrap()
}

/// A server, and a phone that is to wipe itself.
async fn called_to_wipe() -> (TestServer, Phone) {
    let station = TestServer::sample().await;
    let phone = Phone::enrolled(&station, 1, SPACE).await;
    ordered(&station, phone.device()).await;
    (station, phone)
}

#[tokio::test]
async fn a_phone_may_wipe_only_when_the_server_knows_who_wrote_what_it_handed_over() {
    let (station, phone) = called_to_wipe().await;
    let dir = tempfile::tempdir().unwrap();
    let file = backed_up(&station, &dir).await;
    // Let in after the backup, and lost with its phone; the first one holds the only copy.
    let late = Phone::enrolled(&station, 2, SPACE).await;
    let only = late.batch(1, &[], vec![late.entry(1, "其其格")]);
    let told = station.app.dump().await.unwrap().control;

    let (again, _) = restored(&file, None).await;
    assert!(!hands_over(&again, &phone, &[&only], Vec::new()).await);
    assert_eq!(again.app.verify().await.unwrap().batches, 0);
    assert!(hands_over(&again, &phone, &[&only], told).await);
    assert_eq!(again.app.verify().await.unwrap().batches, 1);
}

#[tokio::test]
async fn a_phone_that_seals_to_a_key_that_a_restored_server_has_lost_is_told_of_one_that_opens() {
    let (station, phone) = called_to_wipe().await;
    let dir = tempfile::tempdir().unwrap();
    let file = backed_up(&station, &dir).await;
    // Told after the backup; a restored server tells another one of the same month.
    let lost = next_seal_key(&station).await;
    let only = phone.batch(1, &[], vec![phone.entry(1, "其其格")]);
    let content = content(&[&only], Vec::new());
    // Of two keys of one month everybody seals to the greater one: either of them.
    let mut greater = BTreeSet::new();
    while greater.len() < 2 {
        let (again, _) = restored(&file, None).await;
        let other = next_seal_key(&again).await;
        assert_eq!((lost.month, lost == other), (other.month, false));
        greater.insert(lost.max(other) == lost);

        let mut known = station.control().await;
        let sealed = |known: &Control| again.sealed_to(known.seal_key().unwrap().key, &content);
        let shown = known.seal_key_entry().unwrap().bytes().to_vec();
        let told = parts(&again, &phone, sealed(&known), vec![shown]).await;
        assert!(!told.taken);
        assert_eq!(again.app.verify().await.unwrap().batches, 0);
        let next = known.check(&told.seal_key.unwrap()).unwrap().unwrap();
        known.apply(next);
        let told = parts(&again, &phone, sealed(&known), Vec::new()).await;
        assert!(told.taken);
        assert_eq!(again.app.verify().await.unwrap().batches, 1);
    }
}

#[tokio::test]
async fn what_a_phone_says_at_its_parting_counts_although_the_server_learns_a_key_from_it() {
    let (station, phone) = called_to_wipe().await;
    let dir = tempfile::tempdir().unwrap();
    let file = backed_up(&station, &dir).await;
    next_seal_key(&station).await;
    let shown = station.control().await;
    let shown = || vec![shown.seal_key_entry().unwrap().bytes().to_vec()];
    let (again, _) = restored(&file, None).await;
    // To the key that the backup holds.
    let only = phone.batch(1, &[], vec![phone.entry(1, "其其格")]);
    let bundle = again.sealed(&content(&[&only], Vec::new())).await;
    assert!(parts(&again, &phone, bundle, shown()).await.taken);
    assert_eq!(again.app.verify().await.unwrap().batches, 1);

    let (again, _) = restored(&file, None).await;
    let last = WipeReport {
        bundle: Vec::new(),
        wiped: true,
    };
    assert!(says(&again, &phone, last, shown()).await.taken);
    let listed = again.app.devices().await.unwrap();
    let heard = listed.iter().find_map(|device| device.wipe);
    assert_eq!(heard.unwrap().0, WipeState::Wiped);
}

#[tokio::test]
async fn an_order_given_while_a_request_is_looked_at_is_told_and_nobody_is_called_revoked() {
    let station = TestServer::sample().await;
    let phone = Phone::enrolled(&station, 1, SPACE).await;
    let batch = phone.batch(1, &[], vec![phone.entry(1, "巴特尔")]);
    let packed = phone.encode(&phone.request(&[&batch]));
    let begun = station.app.begin_exchange(packed).await.unwrap();
    assert!(!begun.is_answered());
    ordered(&station, phone.device()).await;
    let answer = station.app.finish_exchange(begun).await.unwrap();
    let answer = Answer::decode(phone.network, &answer).unwrap();
    assert!(!answer.wipe.unwrap().taken);
    assert_eq!(station.app.verify().await.unwrap().batches, 0);
}

#[tokio::test]
async fn a_phone_may_not_wipe_while_something_of_it_finds_no_room_to_wait_in() {
    let (station, phone) = called_to_wipe().await;
    // All of them follow one that is nowhere.
    let first = phone.batch(1, &[], vec![phone.entry(1, "其其格")]);
    let record = |n: usize| u8::try_from(n + 2).unwrap();
    let follows = |n| phone.batch(2, &[&first], vec![phone.entry(record(n), "娜仁")]);
    let following: Vec<Batch> = (0..=STASH_MAX).map(follows).collect();
    let all: Vec<&Batch> = following.iter().collect();
    assert!(!hands_over(&station, &phone, &all, Vec::new()).await);
    let waiting = station.app.verify().await.unwrap().waiting;
    assert_eq!(waiting, STASH_MAX as u64);
    // What waits is durable too.
    assert!(hands_over(&station, &phone, &all[..STASH_MAX], Vec::new()).await);
}

#[tokio::test]
async fn what_waits_of_one_device_takes_no_room_of_another() {
    let station = TestServer::sample().await;
    let hostile = Phone::enrolled(&station, 1, SPACE).await;
    let other = Phone::enrolled(&station, 2, SPACE).await;
    let behind_a_gap = |phone: &Phone, record: usize| {
        let record = u8::try_from(record + 1).unwrap();
        let missing = phone.batch(1, &[], vec![phone.entry(record, "其其格")]);
        phone.batch(2, &[&missing], vec![phone.entry(record, "娜仁")])
    };
    let said = [
        (&hostile, STASH_MAX + 1, STASH_MAX),
        (&other, 1, STASH_MAX + 1),
    ];
    for (phone, count, waiting) in said {
        let batches: Vec<Batch> = (0..count).map(|n| behind_a_gap(phone, n)).collect();
        let batches: Vec<&Batch> = batches.iter().collect();
        drop(phone.send(&station, &batches).await);
        let verified = station.app.verify().await.unwrap();
        assert_eq!(verified.waiting, waiting as u64);
    }
}
