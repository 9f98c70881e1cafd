//! Bounds on what one device, or a stranger, makes others wait for or keeps of them.

use store::event::EventKind;
use sync_core::admit::ASIDE_OF_DEVICE_MAX;
use sync_core::batch::{Batch, Entry};
use sync_core::bundle::Content;
use sync_core::change::{Change, Put};
use sync_core::feed::Tip;
use sync_core::id::{RecordId, Subject};
use sync_core::value::{Key, Value};
use sync_core::wire::Answer;

use super::*;

const SPACE: &str = "152522100200.general";

/// A change of a phone that stands side by side with all its others.
fn beside(phone: &Phone, number: usize) -> Vec<u8> {
    let put = Put {
        key: Key::parse("identity.name").unwrap(),
        value: Value::Text(format!("名{number}")),
        preds: Vec::new(),
    };
    Change::make(Vec::new(), phone.device(), 1, 0, vec![put]).1
}

/// A feed of batches with one new record each.
fn feed(phone: &Phone, count: u32) -> Vec<Batch> {
    let mut feed: Vec<Batch> = Vec::new();
    for seq in 1..=count {
        let mut name = [0; 10];
        name[..4].copy_from_slice(&seq.to_be_bytes());
        let record = RecordId::draw(Subject::Person, 1, name);
        let change = beside(phone, seq as usize);
        let parents: Vec<&Batch> = feed.last().into_iter().collect();
        feed.push(phone.batch(seq, &parents, vec![Entry { record, change }]));
    }
    feed
}

#[tokio::test]
async fn a_large_request_is_stored_in_slices_and_answered_as_if_it_were_small() {
    let station = TestServer::sample().await;
    let mut phone = Phone::enrolled(&station, 1, SPACE).await;
    let feed = feed(&phone, 400);
    let all: Vec<&Batch> = feed.iter().collect();
    let store = &station.app.context().store;
    store.statements();
    let answer = phone.exchange(&station, &all).await;
    let run = store.statements().into_iter();
    let turns = run.filter(|statement| statement.starts_with("UPDATE turn SET number"));
    assert_eq!(turns.count(), 13);
    assert!(answer.refused.is_empty() && answer.batches.is_empty() && !answer.more);
    let told = &answer.spaces[0];
    assert_eq!((told.counter, told.changes.len()), (400, 0));
    let verified = station.app.verify().await.unwrap();
    assert_eq!(
        (verified.batches, verified.records, verified.forks),
        (400, 400, 0)
    );
    assert_eq!(verified.differences, []);
    // Nobody takes it for one of two phones with the same keys, and it hears nothing of it again.
    let quiet = phone.exchange(&station, &[]).await;
    assert!(!quiet.renew_keys && quiet.spaces.is_empty() && quiet.batches.is_empty());
}

#[tokio::test]
async fn who_holds_nothing_is_given_everything_part_by_part_in_the_order_in_which_it_came() {
    let station = TestServer::sample().await;
    let mut writer = Phone::enrolled(&station, 1, SPACE).await;
    let feed = feed(&writer, 300);
    let all: Vec<&Batch> = feed.iter().collect();
    writer.exchange(&station, &all).await;
    let mut reader = Phone::enrolled(&station, 2, SPACE).await;
    reader.budget = 4096;
    let mut held: Vec<Vec<u8>> = Vec::new();
    loop {
        let newest = held
            .len()
            .checked_sub(1)
            .map(|at| Tip::of(&feed[at].node()));
        let mut request = reader.request(&[]);
        let tips: Vec<Tip> = newest.into_iter().collect();
        request.spaces[0].changes = vec![(writer.device(), tips)];
        let said = station.exchange(reader.encode(&request)).await.body();
        let answer = Answer::decode(station.app.network(), &said).unwrap();
        assert!(answer.batches.len() < 60);
        held.extend(answer.batches);
        if !answer.more {
            break;
        }
    }
    let sent: Vec<&[u8]> = feed.iter().map(Batch::bytes).collect();
    assert_eq!(held, sent);
}

#[tokio::test]
async fn a_device_of_which_enough_is_set_aside_on_a_record_is_refused_and_others_are_not() {
    let station = TestServer::sample().await;
    let mut bad = Phone::enrolled(&station, 1, SPACE).await;
    let mut honest = Phone::enrolled(&station, 2, SPACE).await;
    let record = record_id(1);
    let mut last: Vec<Batch> = Vec::new();
    let mut refused = Vec::new();
    for (seq, from) in (1..).zip((0..ASIDE_OF_DEVICE_MAX + 400).step_by(100)) {
        let entries = (from..from + 100).map(|number| Entry {
            record,
            change: beside(&bad, number),
        });
        let entries = entries.collect();
        let parents: Vec<&Batch> = last.iter().collect();
        let batch = bad.batch(seq, &parents, entries);
        let answer = bad.exchange(&station, &[&batch]).await;
        refused.extend(answer.refused.into_iter().map(|refused| refused.code));
        if !refused.is_empty() {
            break;
        }
        last = vec![batch];
    }
    assert_eq!(refused, ["batch_aside"]);
    let events = station.app.events(100).await.unwrap();
    let stopped = events
        .iter()
        .filter(|of| of.kind == EventKind::FeedStopped.code());
    assert_eq!(stopped.count(), 1);

    let edit = Entry {
        record,
        change: beside(&honest, 0),
    };
    let batch = honest.batch(1, &[], vec![edit]);
    let answer = honest.exchange(&station, &[&batch]).await;
    assert!(answer.refused.is_empty());
    let verified = station.app.verify().await.unwrap();
    assert_eq!(verified.differences, []);
}

#[tokio::test]
async fn a_file_is_left_after_too_much_of_strangers_and_what_came_before_is_taken() {
    let station = TestServer::sample().await;
    let phone = Phone::enrolled(&station, 1, SPACE).await;
    let key = station.seal_key().await.key;
    let honest = Content {
        batches: vec![
            phone
                .batch(1, &[], vec![phone.entry(1, "其其格")])
                .bytes()
                .to_vec(),
        ],
        ..Content::default()
    };
    let honest = station.sealed_to(key, &honest);
    let strange = station.sealed_to(key, &Content::default());
    let file = [honest.clone(), strange.repeat(500)].concat();
    let report = station.app.import_bundle(file).await.unwrap();
    assert_eq!((report.new, report.batches), (1, 1));
    assert!(report.opened < 100, "{report:?}");
    assert_eq!(report.not_held, ["bundle_of_strangers"]);
    // A bag of few, whoever sealed them, is opened whole.
    let file = [strange.repeat(20), honest].concat();
    let report = station.app.import_bundle(file).await.unwrap();
    assert_eq!((report.opened, report.batches), (21, 1));
    assert!(report.not_held.is_empty());
}
