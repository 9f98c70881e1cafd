use sync_core::value::{Key, Value};

use super::*;

const SPACE: &str = "152522100200.general";

async fn name_of(station: &TestServer, record: u8) -> Option<Value> {
    let mut conn = station.app.context().store.connect().await.unwrap();
    let states =
        store::record::states(&mut conn, &SPACE.parse().unwrap(), &[record_id(record)]).await;
    let state = states.unwrap().pop()?.1.unwrap();
    let slot = state.view().get(&Key::parse("identity.name").unwrap())?;
    Some(slot.winner().clone())
}

#[tokio::test]
async fn a_batch_is_held_acknowledged_and_given_to_the_other_phone() {
    let station = TestServer::sample().await;
    let mut a = Phone::enrolled(&station, 1, SPACE).await;
    let mut b = Phone::enrolled(&station, 2, SPACE).await;
    let batch = a.batch(1, &[], vec![a.entry(1, "其其格"), a.entry(2, "琪琪格")]);
    let answer = a.exchange(&station, &[&batch]).await;
    assert!(answer.refused.is_empty() && answer.batches.is_empty());
    // All of it is held: the acknowledgement is the counter alone.
    assert_eq!(
        (answer.spaces[0].counter, answer.spaces[0].changes.len()),
        (1, 0)
    );
    assert_eq!(name_of(&station, 2).await, Some(Value::from("琪琪格")));

    let answer = b.exchange(&station, &[]).await;
    assert_eq!(answer.batches, [batch.bytes()]);
    let quiet = b.exchange(&station, &[]).await;
    assert!(quiet.batches.is_empty() && quiet.spaces.is_empty() && !quiet.reset);
}

#[tokio::test]
async fn the_same_request_twice_changes_nothing() {
    let station = TestServer::sample().await;
    let a = Phone::enrolled(&station, 1, SPACE).await;
    let batch = a.batch(1, &[], vec![a.entry(1, "其其格")]);
    let request = a.encode(&a.request(&[&batch]));
    let first = station.exchange(request.clone()).await.body();
    let again = station.exchange(request).await.body();
    assert_eq!(first, again);
    let verified = station.app.verify().await.unwrap();
    assert_eq!(
        (verified.batches, verified.records, verified.forks),
        (1, 1, 0)
    );
}

#[tokio::test]
async fn a_gap_waits_outside_the_vector_until_its_parent_comes() {
    let station = TestServer::sample().await;
    let mut a = Phone::enrolled(&station, 1, SPACE).await;
    let first = a.batch(1, &[], vec![a.entry(1, "一")]);
    let second = a.batch(2, &[&first], vec![a.entry(2, "二")]);
    let third = a.batch(3, &[&second], vec![a.entry(3, "三")]);
    let answer = a.exchange(&station, &[&third, &second]).await;
    assert!(answer.refused.is_empty());
    assert_eq!(name_of(&station, 3).await, None);
    assert_eq!(station.app.verify().await.unwrap().waiting, 2);

    a.base = (0, Default::default());
    let answer = a.exchange(&station, &[&first]).await;
    assert_eq!(answer.spaces[0].counter, 3);
    // The phone had not counted on more than the first: it is told the feed's end.
    assert_eq!(answer.spaces[0].changes[0].1[0].seq, 3);
    assert_eq!(name_of(&station, 3).await, Some(Value::from("三")));
    let verified = station.app.verify().await.unwrap();
    assert_eq!(
        (
            verified.batches,
            verified.waiting,
            verified.differences.len()
        ),
        (3, 0, 0)
    );
}

#[tokio::test]
async fn two_batches_with_one_number_are_both_kept_and_a_third_joins_them() {
    let station = TestServer::sample().await;
    let mut a = Phone::enrolled(&station, 1, SPACE).await;
    let mut b = Phone::enrolled(&station, 2, SPACE).await;
    let first = a.batch(1, &[], vec![a.entry(1, "一")]);
    let left = a.batch(2, &[&first], vec![a.entry(2, "左")]);
    let right = a.batch(2, &[&first], vec![a.entry(3, "右")]);
    a.exchange(&station, &[&first, &left]).await;
    b.exchange(&station, &[]).await;
    a.exchange(&station, &[&right]).await;
    for (record, name) in [(2, "左"), (3, "右")] {
        assert_eq!(name_of(&station, record).await, Some(Value::from(name)));
    }
    let verified = station.app.verify().await.unwrap();
    assert_eq!(
        (verified.batches, verified.forks, verified.differences.len()),
        (3, 1, 0)
    );

    let joined = a.batch(3, &[&left, &right], vec![a.entry(4, "合")]);
    a.exchange(&station, &[&joined]).await;
    // A base from before a branch can't be found again: the phone is told everything, and says what
    // it holds.
    assert!(b.exchange(&station, &[]).await.reset);
    let mut request = b.request(&[]);
    request.spaces[0].changes = vec![(a.device(), vec![sync_core::feed::Tip::of(&left.node())])];
    let answer = station.exchange(b.encode(&request)).await.body();
    let answer = sync_core::wire::Answer::decode(b.network, &answer).unwrap();
    // The branch begins below what B held, and comes all the same.
    assert_eq!(answer.batches, [right.bytes(), joined.bytes()]);
    let mut new = Phone::enrolled(&station, 3, SPACE).await;
    assert_eq!(new.exchange(&station, &[]).await.batches.len(), 4);
}

#[tokio::test]
async fn a_phone_that_names_an_old_tip_is_given_what_lies_above_it() {
    let station = TestServer::sample().await;
    let mut a = Phone::enrolled(&station, 1, SPACE).await;
    let b = Phone::enrolled(&station, 2, SPACE).await;
    let mut batches = vec![a.batch(1, &[], vec![a.entry(1, "一")])];
    for seq in 2..=6 {
        let last = batches.last().unwrap();
        batches.push(a.batch(seq, &[last], vec![a.entry(seq as u8, "又")]));
    }
    a.exchange(&station, &batches.iter().collect::<Vec<_>>())
        .await;

    let tip = sync_core::feed::Tip::of(&batches[3].node());
    let mut request = b.request(&[]);
    request.spaces[0].changes = vec![(a.device(), vec![tip])];
    let answer = station.exchange(b.encode(&request)).await.body();
    let answer = sync_core::wire::Answer::decode(b.network, &answer).unwrap();
    assert_eq!(answer.batches, [batches[4].bytes(), batches[5].bytes()]);

    // A tip that nobody here knows costs one more round trip, never a stall (R3).
    let strange = sync_core::feed::Tip {
        seq: 9,
        hash: sync_core::id::Short([9; 16]),
    };
    request.spaces[0].changes = vec![(a.device(), vec![strange])];
    let answer = station.exchange(b.encode(&request)).await.body();
    let answer = sync_core::wire::Answer::decode(b.network, &answer).unwrap();
    assert_eq!(answer.spaces[0].ladders_wanted, [a.device()]);
    request.spaces[0].locators = vec![(a.device(), vec![strange, tip])];
    let answer = station.exchange(b.encode(&request)).await.body();
    let answer = sync_core::wire::Answer::decode(b.network, &answer).unwrap();
    assert_eq!(answer.batches.len(), 2);
}

#[tokio::test]
async fn an_answer_keeps_to_the_budget_and_brings_at_least_one_batch() {
    let station = TestServer::sample().await;
    let mut a = Phone::enrolled(&station, 1, SPACE).await;
    let mut b = Phone::enrolled(&station, 2, SPACE).await;
    let first = a.batch(1, &[], vec![a.entry(1, "一")]);
    let second = a.batch(2, &[&first], vec![a.entry(2, "二")]);
    a.exchange(&station, &[&first, &second]).await;
    b.budget = 1;
    let answer = b.exchange(&station, &[]).await;
    assert!(answer.more);
    assert_eq!(answer.batches, [first.bytes()]);
}

#[tokio::test]
async fn a_restart_keeps_everything_and_costs_no_round_trip() {
    let station = TestServer::sample().await;
    let mut a = Phone::enrolled(&station, 1, SPACE).await;
    let first = a.batch(1, &[], vec![a.entry(1, "一")]);
    a.exchange(&station, &[&first]).await;
    let station = station.restarted().await;
    assert!(!station.app.founded());
    let second = a.batch(2, &[&first], vec![a.entry(2, "二")]);
    let answer = a.exchange(&station, &[&second]).await;
    assert!(!answer.reset && !answer.stale_nonce && answer.refused.is_empty());
    assert_eq!(answer.spaces[0].counter, 2);
    assert_eq!(name_of(&station, 1).await, Some(Value::from("一")));
    let verified = station.app.verify().await.unwrap();
    assert_eq!(
        (
            verified.batches,
            verified.records,
            verified.differences.len()
        ),
        (2, 2, 0)
    );
}

#[tokio::test]
async fn requests_that_wait_for_one_commit_are_all_served() {
    let station = TestServer::sample().await;
    let mut phones = Vec::new();
    for seed in 1..=12 {
        phones.push(Phone::enrolled(&station, seed, SPACE).await);
    }
    let batches: Vec<_> = phones
        .iter()
        .map(|phone| phone.batch(1, &[], vec![phone.entry(1, "同")]))
        .collect();
    let requests = phones.iter().zip(&batches).map(|(phone, batch)| {
        let app = station.app.clone();
        let request = phone.encode(&phone.request(&[batch]));
        tokio::spawn(async move { app.exchange(request).await.map(drop) })
    });
    for served in requests.collect::<Vec<_>>() {
        served.await.unwrap().unwrap();
    }
    let verified = station.app.verify().await.unwrap();
    assert_eq!(
        (
            verified.batches,
            verified.records,
            verified.differences.len()
        ),
        (12, 1, 0)
    );
}

#[tokio::test]
async fn a_record_that_was_damaged_is_made_again_by_the_next_batch() {
    let station = TestServer::sample().await;
    let mut a = Phone::enrolled(&station, 1, SPACE).await;
    let first = a.batch(1, &[], vec![a.entry(1, "一")]);
    a.exchange(&station, &[&first]).await;
    station.tamper("UPDATE record SET state = x'ff'").await;
    let mut b = Phone::enrolled(&station, 2, SPACE).await;
    let other = b.batch(1, &[], vec![b.entry(1, "一")]);
    b.exchange(&station, &[&other]).await;
    assert_eq!(station.app.verify().await.unwrap().differences, []);
}
