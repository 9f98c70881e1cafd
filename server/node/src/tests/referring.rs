use sync_core::batch::{Batch, REFERENCES_MAX, Reference, ReferencedBatch};
use sync_core::feed::BRANCHES_MAX;
use sync_core::wire::Answer;

use super::*;

const SPACE: &str = "152522100200.general";

pub(super) fn known(batch: &Batch) -> ReferencedBatch {
    let header = &batch.header;
    ReferencedBatch {
        reference: Reference::to(&header.space, header.device, header.seq),
        hash: batch.hash,
        bytes: batch.bytes().to_vec(),
    }
}

/// What is answered to a request that brings `batches`, which refer to `held`.
async fn referring(
    station: &TestServer,
    phone: &Phone,
    batches: &[&Batch],
    held: &[&Batch],
) -> Answer {
    let mut request = phone.request(batches);
    request.refer = Some(held.iter().map(|batch| known(batch)).collect());
    let bytes = station.exchange(phone.encode(&request)).await;
    let held: Vec<ReferencedBatch> = held.iter().map(|batch| known(batch)).collect();
    let mut find = |reference: &Reference| {
        let mut found = held.iter().filter(|known| known.reference == *reference);
        found.next().cloned()
    };
    phone.read(&bytes.body(), &mut find).unwrap()
}

fn codes(answer: &Answer) -> Vec<&str> {
    let refused = answer.refused.iter();
    refused.map(|refused| refused.code.as_str()).collect()
}

#[tokio::test]
async fn a_request_refers_to_what_the_server_holds_and_costs_less() {
    let station = TestServer::sample().await;
    let mut a = Phone::enrolled(&station, 1, SPACE).await;
    let first = a.batch(1, &[], vec![a.entry(1, "一")]);
    a.exchange(&station, &[&first]).await;
    let second = a.batch(2, &[&first], vec![a.entry(2, "二")]);
    let mut request = a.request(&[&second]);
    let plain = a.encode(&request).len();
    request.refer = Some(vec![known(&first)]);
    assert!(a.encode(&request).len() + 40 < plain);

    let answer = referring(&station, &a, &[&second], &[&first]).await;
    assert_eq!(codes(&answer), Vec::<&str>::new());
    let verified = station.app.verify().await.unwrap();
    assert_eq!((verified.batches, verified.differences.len()), (2, 0));
}

#[tokio::test]
async fn an_answer_refers_to_what_the_phone_says_it_holds_and_to_nothing_else() {
    let station = TestServer::sample().await;
    let mut a = Phone::enrolled(&station, 1, SPACE).await;
    let mut b = Phone::enrolled(&station, 2, SPACE).await;
    let first = a.batch(1, &[], vec![a.entry(1, "一")]);
    a.exchange(&station, &[&first]).await;
    // B holds nothing yet: nothing is referred to, so nothing needs to be found.
    let answer = referring(&station, &b, &[], &[]).await;
    assert_eq!(answer.batches, [first.bytes()]);
    b.exchange(&station, &[]).await;

    let second = a.batch(2, &[&first], vec![a.entry(2, "二")]);
    a.exchange(&station, &[&second]).await;
    let answer = referring(&station, &b, &[], &[&first]).await;
    assert_eq!(answer.batches, [second.bytes()]);
    // Whoever does not have it can't read the answer, so it did refer; and asks without.
    let mut request = b.request(&[]);
    request.refer = Some(Vec::new());
    let said = station.exchange(b.encode(&request)).await;
    let read = b.read(&said.body(), &mut |_| None);
    assert_eq!(read, Err(sync_core::wire::BadMessage::Reference));
    assert_eq!(b.exchange(&station, &[]).await.batches, [second.bytes()]);
}

#[tokio::test]
async fn what_refers_to_something_that_is_not_held_is_not_taken_and_comes_again_without() {
    let station = TestServer::sample().await;
    let mut a = Phone::enrolled(&station, 1, SPACE).await;
    let first = a.batch(1, &[], vec![a.entry(1, "一")]);
    let second = a.batch(2, &[&first], vec![a.entry(2, "二")]);
    let answer = referring(&station, &a, &[&second], &[&first]).await;
    assert_eq!(codes(&answer), ["batch_reference"]);
    assert_eq!(station.app.verify().await.unwrap().batches, 0);
    assert_eq!(
        codes(&a.exchange(&station, &[&first, &second]).await),
        Vec::<&str>::new()
    );
    assert_eq!(station.app.verify().await.unwrap().batches, 2);
}

#[tokio::test]
async fn a_number_that_was_used_twice_names_no_batch() {
    let station = TestServer::sample().await;
    let mut a = Phone::enrolled(&station, 1, SPACE).await;
    let left = a.batch(1, &[], vec![a.entry(1, "左")]);
    let right = a.batch(1, &[], vec![a.entry(2, "右")]);
    a.exchange(&station, &[&left, &right]).await;
    let next = a.batch(2, &[&left], vec![a.entry(3, "又")]);
    let answer = referring(&station, &a, &[&next], &[&left]).await;
    assert_eq!(codes(&answer), ["batch_reference"]);
    assert_eq!(
        codes(&a.exchange(&station, &[&next]).await),
        Vec::<&str>::new()
    );
}

#[tokio::test]
async fn a_batch_that_comes_out_as_nobody_signed_it_is_never_held() {
    let station = TestServer::sample().await;
    let mut a = Phone::enrolled(&station, 1, SPACE).await;
    let first = a.batch(1, &[], vec![a.entry(1, "一")]);
    a.exchange(&station, &[&first]).await;
    // The phone means another batch by the same place.
    let other = a.batch(1, &[], vec![a.entry(1, "别的")]);
    let next = a.batch(2, &[&other], vec![a.entry(2, "二")]);
    let answer = referring(&station, &a, &[&next], &[&other]).await;
    assert_eq!(codes(&answer), ["batch_reference"]);
    // What is wrong with a batch that refers shows when it comes without.
    let thief = sync_core::seal::SigningKey::from_bytes(&[9; 32]);
    let forged = a.batch_signed_by(&thief, 2, vec![first.hash], vec![a.entry(3, "三")]);
    let answer = referring(&station, &a, &[&forged], &[&first]).await;
    assert_eq!(codes(&answer), ["batch_reference"]);
    assert_eq!(
        codes(&a.exchange(&station, &[&forged]).await),
        ["batch_signature"]
    );
    assert_eq!(station.app.verify().await.unwrap().batches, 1);
}

#[tokio::test]
async fn as_many_references_as_a_message_can_have_are_looked_up() {
    let station = TestServer::sample().await;
    let mut a = Phone::enrolled(&station, 1, SPACE).await;
    let mut batches = vec![a.batch(1, &[], vec![a.entry(1, "一")])];
    for seq in 2..=REFERENCES_MAX as u32 + 10 {
        let last = batches.last().unwrap();
        batches.push(a.batch(seq, &[last], vec![]));
    }
    let held: Vec<&Batch> = batches.iter().collect();
    a.exchange(&station, &held).await;
    // Branches from every number, each with a parent to be looked up; as many as one feed may have are
    // taken. The last one goes on with the tip.
    let branches: Vec<Batch> = (held.iter())
        .map(|batch| a.batch(batch.header.seq + 1, &[batch], vec![a.entry(2, "枝")]))
        .collect();
    let branches: Vec<&Batch> = branches.iter().collect();
    let answer = referring(&station, &a, &branches, &held).await;
    assert_eq!(
        codes(&answer),
        vec!["batch_branches"; held.len() - BRANCHES_MAX]
    );
    let verified = station.app.verify().await.unwrap();
    assert_eq!(verified.batches, (held.len() + BRANCHES_MAX) as u64);
    assert_eq!(verified.differences.len(), 0);
}
