//! A made-up banner in an installation for samples.

use std::collections::{BTreeMap, BTreeSet};

use node::testing::TestServer;
use node::{CommandError, show};
use serde_json::Value;

use crate::sample::make;

async fn filled(people: usize, seed: u64) -> (TestServer, Value) {
    let station = TestServer::sample().await;
    let said = make(&station.app, people, seed).await.unwrap();
    (station, said)
}

async fn records(station: &TestServer) -> Vec<Value> {
    let shown = show::records(&station.app).await.unwrap();
    shown.as_array().unwrap().clone()
}

fn code(refused: Result<Value, CommandError>) -> &'static str {
    match refused {
        Err(CommandError::Wrong { code, .. }) => code,
        other => panic!("{other:?}"),
    }
}

#[tokio::test]
async fn a_sample_is_whole_and_lacks_nothing_but_what_nobody_had_seen() {
    let (station, said) = filled(200, 2).await;
    let verified = station.app.verify().await.unwrap();
    assert!(
        verified.differences.is_empty(),
        "{:?}",
        verified.differences
    );
    assert_eq!((verified.forks, verified.waiting), (0, 0));
    assert_eq!(said["people"], 200);
    assert_eq!(said["batches"], verified.batches);
    let rows = records(&station).await;
    let linked = |row: &Value| row["linked"].as_array().map_or(0, Vec::len);
    let held: usize = rows.iter().map(|row| 1 + linked(row)).sum();
    assert_eq!(said["records"], held);
    let mut lacking = BTreeMap::new();
    for problem in rows
        .iter()
        .flat_map(|row| row["problems"].as_array().unwrap())
    {
        let named = (
            problem["key"].as_str().unwrap(),
            problem["code"].as_str().unwrap(),
        );
        *lacking.entry(named).or_insert(0) += 1;
    }
    for (named, count) in lacking {
        let known = ["identity.id_no", "identity.birth_date"].contains(&named.0);
        assert!(
            known && named.1 == "required" && count < 10,
            "{named:?} {count}"
        );
    }
}

#[tokio::test]
async fn what_goes_wrong_in_every_register_is_there_too() {
    let (station, _) = filled(200, 2).await;
    let rows = records(&station).await;
    let twice = |row: &&Value| !row["linked"].as_array().unwrap().is_empty();
    let apart = |row: &&Value| {
        let conflicts = row["conflicts"].as_array().unwrap();
        conflicts.iter().any(|of| of["key"] == "household.phone")
    };
    assert_eq!(rows.iter().filter(twice).count(), 1);
    assert_eq!(rows.iter().filter(apart).count(), 1);
    // Who moved is in both units, under one number.
    let mut units: BTreeMap<&str, BTreeSet<&str>> = BTreeMap::new();
    for row in &rows {
        if let Some(number) = row["fields"]["identity.id_no"].as_str() {
            let unit = row["space"].as_str().unwrap();
            units.entry(number).or_default().insert(unit);
        }
    }
    assert_eq!(units.values().filter(|units| units.len() == 2).count(), 1);
}

#[tokio::test]
async fn the_same_seed_makes_the_same_records_and_another_one_others() {
    let (one, _) = filled(40, 7).await;
    let (same, _) = filled(40, 7).await;
    let (other, _) = filled(40, 8).await;
    let rows = records(&one).await;
    assert_eq!(rows, records(&same).await);
    assert_ne!(rows, records(&other).await);
}

#[tokio::test]
async fn a_sample_is_made_once_and_never_beside_real_data() {
    let mut real = TestServer::real().await;
    real.sample = true;
    let real = real.restarted().await;
    assert_eq!(code(make(&real.app, 10, 1).await), "not_a_sample");
    let (station, _) = filled(10, 1).await;
    assert_eq!(code(make(&station.app, 10, 1).await), "sample_not_empty");
}
