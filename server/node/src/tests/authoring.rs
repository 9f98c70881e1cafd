//! Edits that the office writes through this node, as its pages will.

use std::collections::BTreeMap;

use store::StoreError;
use sync_core::batch::Batch;
use sync_core::check::Problem;
use sync_core::id::{AuthorId, RecordId};
use sync_core::replica::{Edit, EditError};
use sync_core::value::{Key, Value};

use super::*;
use crate::authored::{Unauthored, author};
use crate::show;
use crate::transaction::WriteTx;
use crate::writer::{Job, Unwritten};

const SPACE: &str = "152522100200.general";
const OFFICER: AuthorId = AuthorId([9; 8]);

impl From<Unwritten> for Unauthored {
    fn from(error: Unwritten) -> Self {
        match error {
            Unwritten::Store(error) => Self::Store(error),
            Unwritten::Panicked => panic!("the writer stopped"),
        }
    }
}

/// What a page of the office will be: a job of its own.
struct Corrects(Vec<Edit>);

impl Job for Corrects {
    type Output = ();
    type Error = Unauthored;

    async fn run(&self, tx: &mut WriteTx<'_>) -> Result<(), Unauthored> {
        author(tx, &self.0).await
    }
}

fn edit(record: RecordId, puts: &[(&str, &str)]) -> Edit {
    let put = |(key, value): &(&str, &str)| (Key::parse(key).unwrap(), Value::from(*value));
    Edit {
        record,
        unit: GACHA.into(),
        author: OFFICER,
        puts: puts.iter().map(put).collect(),
        seen: BTreeMap::new(),
    }
}

async fn named(station: &TestServer, record: RecordId) -> Value {
    let shown = show::show(&station.app, &record.to_string()).await.unwrap();
    Value::from(shown["fields"]["identity.name"].as_str().unwrap())
}

#[tokio::test]
async fn an_edit_of_the_office_reaches_the_phones_under_the_name_of_its_author() {
    let station = TestServer::sample().await;
    let mut phone = Phone::enrolled(&station, 1, SPACE).await;
    let entry = phone.entry(1, "其其格");
    let batch = phone.batch(1, &[], vec![entry]);
    phone.exchange(&station, &[&batch]).await;

    // Two records, and one of them twice.
    let (old, new) = (record_id(1), record_id(2));
    let edits = vec![
        edit(old, &[("identity.name", "娜仁")]),
        edit(new, &[("identity.name", "苏和")]),
        edit(old, &[("identity.name", "娜仁花")]),
    ];
    station.app.write(Corrects(edits)).await.unwrap();
    assert_eq!(named(&station, old).await, Value::from("娜仁花"));
    assert_eq!(named(&station, new).await, Value::from("苏和"));

    let answer = phone.exchange(&station, &[]).await;
    let network = station.app.network();
    let open = |bytes: &Vec<u8>| Batch::from_store(network, bytes).unwrap();
    let batches: Vec<Batch> = answer.batches.iter().map(open).collect();
    assert_eq!(batches.len(), 1, "small edits share a batch");
    assert_eq!(batches[0].header.author, OFFICER);
    assert_eq!(batches[0].entries.len(), 3);
    assert_eq!(station.app.verify().await.unwrap().differences, []);
    assert_eq!(station.app.verify_cells().await.unwrap().differences, []);
}

#[tokio::test]
async fn edits_of_which_one_breaks_the_dictionary_are_not_written_at_all() {
    let station = TestServer::sample().await;
    let edits = vec![
        edit(record_id(1), &[("identity.name", "娜仁")]),
        edit(record_id(2), &[("identity.birth_date", "2999-01-01")]),
    ];
    let refused = station.app.write(Corrects(edits)).await.unwrap_err();
    let Unauthored::Refused(EditError::Problems(problems)) = refused else {
        panic!("{refused:?}");
    };
    let code = |problem: &Problem| (problem.key.as_str().to_owned(), problem.code);
    let codes: Vec<_> = problems.iter().map(code).collect();
    assert_eq!(codes, [("identity.birth_date".into(), "future_date")]);
    let held = station.app.dump().await.unwrap();
    assert!(held.spaces.is_empty(), "{held:?}");
}

#[tokio::test]
async fn a_job_that_fails_or_stops_costs_its_neighbours_nothing_and_leaves_nothing() {
    let station = TestServer::sample().await;
    let app = &station.app;
    let good = |number| Corrects(vec![edit(record_id(number), &[("identity.name", "娜仁")])]);
    let wrong = async |tx: &mut WriteTx<'_>| {
        author(tx, &[edit(record_id(8), &[("identity.name", "乌云")])]).await?;
        Err::<(), _>(Unauthored::Store(StoreError::Rows {
            table: "record",
            rows: 0,
        }))
    };
    let stops = async |tx: &mut WriteTx<'_>| -> Result<(), StoppedOr> {
        let edits = [edit(record_id(9), &[("identity.name", "乌云")])];
        author(tx, &edits).await.map_err(|_| StoppedOr::Other)?;
        panic!("a mistake in a job");
    };
    // Asked together, so that they share a transaction at first.
    let (one, failed, stopped, two) = tokio::join!(
        app.write(good(1)),
        app.write(wrong),
        app.write(stops),
        app.write(good(2)),
    );
    assert!(one.is_ok() && two.is_ok());
    assert!(failed.is_err() && matches!(stopped, Err(StoppedOr::Stopped)));
    let held = app.dump().await.unwrap();
    let records: Vec<RecordId> = held.spaces[0].records.iter().map(|(id, _)| *id).collect();
    assert_eq!(records, [record_id(1), record_id(2)]);
    assert_eq!(app.verify().await.unwrap().differences, []);
}

#[derive(Debug)]
enum StoppedOr {
    Stopped,
    Other,
}

impl From<Unwritten> for StoppedOr {
    fn from(error: Unwritten) -> Self {
        match error {
            Unwritten::Panicked => Self::Stopped,
            Unwritten::Store(_) => Self::Other,
        }
    }
}
