//! Orders of erasure, in the places that no flow reaches.

use std::collections::BTreeSet;

use sync_core::batch::Batch;
use sync_core::control::{Cut, OrderKind};

use super::referring::known;
use super::restoring::{backed_up, restored};
use super::*;
use crate::{NamedRecord, OrderRequest, Reach};

const SPACE: &str = "152522100200.general";

async fn erase(station: &TestServer, record: u8) {
    let key = crate::keys::persons_key(&station.dir.path().join("order.key")).unwrap();
    let erase = OrderRequest {
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
    let station = TestServer::sample().await;
    let mut phone = Phone::enrolled(&station, 1, SPACE).await;
    let first = phone.batch(1, &[], vec![phone.entry(1, "其其格")]);
    let second = phone.batch(2, &[&first], vec![phone.entry(2, "娜仁")]);
    // The first one was lost on its way, or with a server that was restored since.
    phone.exchange(&station, &[&second]).await;
    assert_eq!(station.app.verify().await.unwrap().waiting, 1);

    erase(&station, 2).await;
    let app = &station.app;
    let held = app.dump().await.unwrap();
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
    let held = app.dump().await.unwrap();
    let records = held.spaces.iter().flat_map(|space| &space.records);
    let records: Vec<_> = records.map(|(record, _)| *record).collect();
    assert_eq!(records, [record_id(1)]);
    let verified = app.verify().await.unwrap();
    assert_eq!((verified.batches, verified.waiting), (2, 0));
    assert_eq!(verified.differences, []);
}

#[tokio::test]
async fn verify_names_what_an_erasure_should_have_taken() {
    let station = TestServer::sample().await;
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

#[tokio::test]
async fn an_answer_refers_to_nothing_that_the_order_shown_with_the_request_erases() {
    let station = TestServer::sample().await;
    let mut author = Phone::enrolled(&station, 1, SPACE).await;
    let mut reader = Phone::enrolled(&station, 2, SPACE).await;
    let entry = author.entry(1, "其其格");
    let edit = author.edit(&entry, "乌云");
    let first = author.batch(1, &[], vec![entry]);
    author.exchange(&station, &[&first]).await;
    reader.exchange(&station, &[]).await;
    let second = author.batch(2, &[&first], vec![edit, author.entry(2, "娜仁")]);
    author.exchange(&station, &[&second]).await;
    let dir = tempfile::tempdir().unwrap();
    let file = backed_up(&station, &dir).await;
    erase(&station, 1).await;
    let told = station.app.dump().await.unwrap().control;

    let (again, _) = restored(&file, None).await;
    again.app.confirm_recovery().await.unwrap();
    let holds = reader.base.clone();
    reader.incarnation = reader.exchange(&again, &[]).await.incarnation.unwrap();
    reader.base = holds;
    // The reader has erased already: it holds the first batch without what the edit goes on with.
    let without = |batch: &Batch| {
        batch
            .clone()
            .redact(|record| record == record_id(1))
            .unwrap()
    };
    let redacted = without(&first);
    let mut request = reader.request(&[]);
    request.shown = told;
    request.refer = Some(Vec::new());
    let said = again.exchange(reader.encode(&request)).await;
    let answer = reader.read(&said.body(), &mut |wanted| {
        Some(known(&redacted)).filter(|held| held.reference == *wanted)
    });
    assert_eq!(answer.unwrap().batches, [without(&second).bytes()]);
    assert_eq!(again.app.verify().await.unwrap().differences, []);
}

/// Everybody of a unit reads an order. It tells nobody who writes in a space that he does not hold, or how
/// much.
#[tokio::test]
async fn an_order_of_erasure_names_no_device_and_no_batch() {
    let station = TestServer::sample().await;
    let mut nurse = Phone::enrolled(&station, 1, "152522100200.health").await;
    let batch = nurse.batch(1, &[], vec![nurse.entry(1, "其其格")]);
    nurse.exchange(&station, &[&batch]).await;
    let record = NamedRecord::from(record_id(1));
    let reach = Reach::default();
    let wish = station.app.erasure(&[record], reach).await.unwrap();
    let contains = |needle: &[u8]| {
        let mut windows = wish.content.windows(needle.len());
        windows.any(|window| window == needle)
    };
    let batch = Batch::from_store(station.app.network(), batch.bytes()).unwrap();
    assert!(!contains(&nurse.device().0));
    assert!(!contains(&batch.hash.0[..8]));
    // It still says of the batch that the office held it, to who holds it too.
    assert_eq!(wish.content.len(), Cut::default().encode().len() + 17);
}
