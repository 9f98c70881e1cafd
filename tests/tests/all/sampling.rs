//! A made-up banner through the command line, and a phone that joins it.

use harness::{Phone, Server, run_server};

const GACHA: &str = "152522100202";

#[test]
fn a_phone_that_joins_a_made_up_banner_holds_its_unit_after_one_exchange() {
    let dir = tempfile::tempdir().unwrap();
    let data = dir.path().join("banner");
    let said = run_server(&data, &["sample", "--people", "200"]).json();
    let keys: Vec<&String> = said.as_object().unwrap().keys().collect();
    let contract = [
        "people",
        "households",
        "phones",
        "records",
        "edits",
        "batches",
        "seconds",
    ];
    assert_eq!(keys, contract);
    assert!(said["people"].as_u64() >= Some(200), "{said}");

    let again = run_server(&data, &["sample", "--people", "200"]);
    assert_eq!(again.error(1)["code"], "sample_not_empty");

    let server = Server::sample(&data);
    let phone = Phone::enrolled(dir.path().join("phone"), &server, GACHA);
    phone.sync();
    let households = phone.ok(&["list", "household"]);
    assert!(!households.as_array().unwrap().is_empty());
    // The years are in it: what was written in the first one comes first.
    let id = households[0]["id"].as_str().unwrap();
    let history = phone.ok(&["history", id]).to_string();
    assert!(history.contains("2021-"), "{history}");
    assert_eq!(server.run(&["verify"]).json()["different"], 0);
}

#[test]
fn real_data_never_becomes_a_made_up_banner() {
    let dir = tempfile::tempdir().unwrap();
    let server = Server::start(&dir.path().join("banner"), &[], "127.0.0.1:0");
    let said = server.run(&["sample", "--people", "200"]);
    assert_eq!(said.error(1)["code"], "not_a_sample");
}
