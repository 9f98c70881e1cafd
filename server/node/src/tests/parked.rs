//! Exclusion of changes by the server's verdict.

use serde_json::Value;
use store::record;
use sync_core::change::Change;
use sync_core::control::Exclusion;
use sync_core::id::{ChangeHash, RecordId, Space};
use sync_core::record::RecordState;

use super::*;
use crate::parked::leave_out;
use crate::transaction::WriteTx;
use crate::{CommandError, show};

const SPACE: &str = "152522100200.general";

async fn with_a_record() -> (TestServer, RecordId) {
    let station = TestServer::sample().await;
    let mut phone = Phone::enrolled(&station, 1, SPACE).await;
    let entry = phone.entry(1, "其其格");
    let id = entry.record;
    let batch = phone.batch(1, &[], vec![entry]);
    phone.exchange(&station, &[&batch]).await;
    (station, id)
}

/// Has a change left out that nothing is wrong with: no change is known that Automerge can't take.
async fn decide(station: &TestServer, id: RecordId, change: ChangeHash) {
    let space: Space = SPACE.parse().unwrap();
    let verdict = Exclusion {
        record: id,
        changes: [change].into(),
    };
    let decide = async move |tx: &mut WriteTx<'_>| leave_out(tx, &space, &verdict).await;
    station.app.write(decide).await.unwrap();
}

async fn name(station: &TestServer, id: RecordId) -> Value {
    let shown = show::show(&station.app, &id.to_string()).await.unwrap();
    shown["fields"]["identity.name"].clone()
}

async fn is_clean(station: &TestServer) {
    assert_eq!(station.app.verify().await.unwrap().differences, []);
    assert_eq!(station.app.verify_cells().await.unwrap().differences, []);
}

#[tokio::test]
async fn a_change_that_is_left_out_shows_nowhere_whether_it_came_before_or_comes_after() {
    for before in [true, false] {
        let station = TestServer::sample().await;
        let mut phone = Phone::enrolled(&station, 1, SPACE).await;
        let mut other = Phone::enrolled(&station, 2, SPACE).await;
        let (kept, bad) = (phone.entry(1, "其其格"), other.entry(1, "娜仁"));
        let id = kept.record;
        let hash = Change::parse(&bad.change).unwrap().hash;
        let kept = phone.batch(1, &[], vec![kept]);
        let bad = other.batch(1, &[], vec![bad]);
        phone.exchange(&station, &[&kept]).await;
        if before {
            other.exchange(&station, &[&bad]).await;
            decide(&station, id, hash).await;
        } else {
            decide(&station, id, hash).await;
            other.exchange(&station, &[&bad]).await;
        }
        assert_eq!(name(&station, id).await, "其其格");
        is_clean(&station).await;
        let station = station.restarted().await;
        assert_eq!(name(&station, id).await, "其其格");
        // A verdict on what is not held yet makes no record.
        decide(&station, person(7), ChangeHash([7; 32])).await;
        is_clean(&station).await;
    }
}

#[tokio::test]
async fn nothing_is_left_out_of_a_record_that_is_not_parked() {
    let (station, id) = with_a_record().await;
    assert_eq!(station.app.parked().await.unwrap(), []);
    for id in [id, person(9)] {
        let refused = station.app.unpark(id).await.unwrap_err();
        let is_wrong = matches!(
            refused,
            CommandError::Wrong {
                code: "not_parked",
                ..
            }
        );
        assert!(is_wrong, "{refused}");
    }
}

#[tokio::test]
async fn a_record_that_another_program_could_not_take_comes_back() {
    let (station, id) = with_a_record().await;
    // As an older program left it, whose Automerge failed on the change.
    let mut parked = RecordState::empty().to_cbor();
    // One field more: number 5, that Automerge panicked.
    parked[0] += 1;
    parked.extend([5, 0]);
    let parked = RecordState::from_cbor(&parked).unwrap();
    assert!(parked.parked().is_some());
    let set = async move |tx: &mut WriteTx<'_>| {
        let states = vec![(id, parked.clone())];
        Ok::<_, CommandError>(
            record::set_states(&mut tx.conn, &SPACE.parse().unwrap(), states).await?,
        )
    };
    station.app.write(set).await.unwrap();
    let listed = station.app.parked().await.unwrap();
    assert_eq!((listed[0].record, listed[0].change), (id, None));
    assert_eq!(station.app.unpark(id).await.unwrap(), []);
    assert_eq!(name(&station, id).await, "其其格");
    is_clean(&station).await;
}
