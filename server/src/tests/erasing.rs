//! Orders of erasure, in the places that no flow reaches.

use std::collections::BTreeSet;

use sync_core::control::{Cut, OrderKind};

use super::phone::{Phone, record_id};
use super::*;
use crate::OrderWish;

const SPACE: &str = "152522100200.general";

async fn erase(station: &Station, record: u8) {
    let key = crate::keys::persons_key(&station.dir.path().join("order.key")).unwrap();
    let erase = OrderWish {
        kind: OrderKind::Erase,
        scope: BTreeSet::from([SPACE.parse().unwrap()]),
        names: BTreeSet::from([record_id(record).to_bytes().to_vec()]),
        content: Cut::default().encode(),
    };
    let app = &station.app;
    let order = app.make_order("order.key", &key, &erase).await.unwrap();
    app.submit_order("order", &order).await.unwrap();
}

#[tokio::test]
async fn an_erasure_reaches_what_waits_in_a_space_where_nothing_is_held_yet() {
    let station = Station::sample().await;
    let mut phone = Phone::enrolled(&station, 1, SPACE).await;
    let first = phone.batch(1, &[], vec![phone.entry(1, "其其格")]);
    let second = phone.batch(2, &[&first], vec![phone.entry(2, "娜仁")]);
    // The first one was lost on its way, or with a server that was restored since.
    phone.exchange(&station, &[&second]).await;
    assert_eq!(station.app.verify().await.unwrap().waiting, 1);

    erase(&station, 2).await;
    let app = &station.app;
    let held = app.held().await.unwrap();
    let waiting: Vec<_> = held
        .spaces
        .iter()
        .flat_map(|space| &space.waiting)
        .collect();
    let [waiting] = waiting[..] else {
        panic!("{waiting:?}");
    };
    assert!(!waiting.windows(6).any(|text| text == "娜仁".as_bytes()));
    // The rest of the feed follows it as ever, and the record stays gone.
    phone.exchange(&station, &[&first, &second]).await;
    let held = app.held().await.unwrap();
    let records = held.spaces.iter().flat_map(|space| &space.records);
    let records: Vec<_> = records.map(|(record, _)| *record).collect();
    assert_eq!(records, [record_id(1)]);
    let verified = app.verify().await.unwrap();
    assert_eq!((verified.batches, verified.waiting), (2, 0));
    assert_eq!(verified.differences, []);
}

#[tokio::test]
async fn verify_names_what_an_erasure_should_have_taken() {
    let station = Station::sample().await;
    let mut phone = Phone::enrolled(&station, 1, SPACE).await;
    let first = phone.batch(1, &[], vec![phone.entry(1, "其其格")]);
    let second = phone.batch(2, &[&first], vec![phone.entry(1, "娜仁")]);
    let third = phone.batch(3, &[&second], vec![phone.entry(1, "乌云")]);
    phone.exchange(&station, &[&first, &third]).await;
    station
        .tamper(
            "CREATE TABLE old AS SELECT hash, bytes FROM batch UNION SELECT hash, bytes FROM stash",
        )
        .await;
    erase(&station, 1).await;
    assert_eq!(station.app.verify().await.unwrap().differences, []);
    station
        .tamper("UPDATE batch SET bytes = (SELECT bytes FROM old WHERE old.hash = batch.hash)")
        .await;
    station
        .tamper("UPDATE stash SET bytes = (SELECT bytes FROM old WHERE old.hash = stash.hash)")
        .await;
    let verified = station.app.verify().await.unwrap();
    let found = |what| {
        let named = |found: &&crate::Difference| found.how.contains("erasure");
        let mut named = verified.differences.iter().filter(named);
        named.any(|found| found.what == what)
    };
    assert!(
        found("batch") && found("stash"),
        "{:?}",
        verified.differences
    );
}
