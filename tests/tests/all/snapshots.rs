//! Snapshots with real processes: all of a unit in one file, for a phone that no network reaches, and for
//! the server itself where it has lost what nobody else holds.

use std::path::Path;

use harness::{Phone, Server, contains, run_server};
use serde_json::{Value, json};

use crate::village::{GACHA, Village, text};

fn snapshot(server: &Server, file: &Path) -> Value {
    server
        .run(&["snapshot", text(file), "--space", GACHA])
        .json()
}

/// People with a few edits each, by two phones.
fn some_history(village: &Village) -> Vec<String> {
    let Village { a, b, .. } = village;
    let names = ["其其格", "娜仁", "乌云"];
    let person = |name: &&str| a.add("person", &[&format!("identity.name={name}")]);
    let people: Vec<String> = names.iter().map(person).collect();
    a.sync();
    b.sync();
    for (n, id) in people.iter().enumerate() {
        b.edit(id, &[&format!("identity.phone=1001234567{n}")]);
        // Apart from that, so that both stand.
        a.edit(id, &[&format!("identity.phone=1001234568{n}")]);
    }
    b.sync();
    a.sync();
    b.sync();
    people
}

/// What a phone shows of some records, and its unit's figures.
fn shown(phone: &Phone, people: &[String]) -> Vec<Value> {
    let mut all: Vec<Value> = people.iter().map(|id| phone.ok(&["show", id])).collect();
    all.push(phone.ok(&["indicators", "--every-year"]));
    all
}

#[test]
fn a_snapshot_and_what_came_since_show_the_same_as_the_whole_history() {
    let village = Village::new();
    let Village { server, a, b, .. } = &village;
    let people = some_history(&village);
    let file = village.file("snapshot");
    let made = snapshot(server, &file);
    assert!(
        made["batches"][format!("{GACHA}.general")].as_u64() > Some(2),
        "{made}"
    );
    let again = server
        .run(&["snapshot", text(&file), "--space", GACHA])
        .error(1);
    assert_eq!(again["code"], "file_exists");

    let by_courier = Phone::enrolled(village.file("c"), server, GACHA);
    // Sealed to whoever holds the unit when it is made; so it is made for the new phone too.
    let for_all = village.file("for-all");
    snapshot(server, &for_all);
    let taken = by_courier.ok(&["bundle", "import", text(&for_all)]);
    assert!(taken["batches"].as_u64() > Some(2), "{taken}");
    assert_eq!(shown(&by_courier, &people), shown(b, &people));
    assert_eq!(
        by_courier.ok(&["bundle", "import", text(&for_all)])["batches"],
        0
    );

    // The tail comes by network.
    a.edit(&people[0], &["identity.name=其其格格"]);
    a.sync();
    b.sync();
    let synced = by_courier.sync();
    assert_eq!(synced["batches_down"], 1, "{synced}");
    assert_eq!(shown(&by_courier, &people), shown(b, &people));
    assert_eq!(server.run(&["verify"]).json()["different"], 0);
}

#[test]
fn only_devices_of_the_unit_read_a_snapshot() {
    let village = Village::new();
    let people = some_history(&village);
    let elsewhere = Phone::enrolled(village.file("c"), &village.server, "152522100201");
    let file = village.file("snapshot");
    snapshot(&village.server, &file);
    let refused = elsewhere.run(&["bundle", "import", text(&file)]).error(1);
    assert_eq!(refused["code"], "bundle_not_for_us");
    let carried = std::fs::read(&file).unwrap();
    for secret in ["其其格", "identity.name", GACHA, &people[0]] {
        assert!(!contains(&carried, secret), "{secret}");
    }
    let unknown = ["snapshot", "never", "--space", "152522999"];
    assert_eq!(
        village.server.run(&unknown).error(1)["code"],
        "unknown_unit"
    );
}

#[test]
fn a_snapshot_brings_a_restored_server_back_where_no_phone_is_left() {
    let village = Village::new();
    let backup = village.file("backup");
    village.server.run(&["backup", text(&backup)]).json();
    let people = some_history(&village);
    let file = village.file("snapshot");
    snapshot(&village.server, &file);
    let Village { server, a, b, dir } = village;
    for phone in [a, b] {
        std::fs::remove_dir_all(&phone.dir).unwrap();
    }
    drop(server);

    let restored = dir.path().join("restored");
    run_server(&restored, &["restore", text(&backup)]).json();
    assert_eq!(
        run_server(&restored, &["show", &people[0]]).error(1)["code"],
        "unknown_record"
    );
    let refused = ["snapshot", "never", "--space", GACHA];
    assert_eq!(
        run_server(&restored, &refused).error(1)["code"],
        "recovery_first"
    );
    let taken = run_server(&restored, &["bundle", "import", text(&file)]).json();
    assert_eq!(
        (&taken["waiting"], &taken["not_held"]),
        (&json!(0), &json!([]))
    );
    for (id, name) in people.iter().zip(["其其格", "娜仁", "乌云"]) {
        let shown = run_server(&restored, &["show", id]).json();
        assert_eq!(shown["fields"]["identity.name"], name);
        let conflict = &shown["conflicts"];
        assert!(conflict.to_string().contains("identity.phone"), "{shown}");
    }
    assert_eq!(run_server(&restored, &["verify"]).json()["different"], 0);
    run_server(&restored, &["recovery", "confirm"]).json();
    assert_eq!(
        run_server(&restored, &["verify-cells"]).json()["different"],
        0
    );
}

#[test]
fn a_snapshot_made_before_an_erasure_brings_nobody_back() {
    let village = Village::new();
    let Village { server, a, b, .. } = &village;
    let people = some_history(&village);
    let file = village.file("snapshot");
    snapshot(server, &file);
    let key = server.data.join("order.key");
    server
        .run(&["erase", &people[0], "--key", text(&key)])
        .json();
    a.sync();
    server.run(&["bundle", "import", text(&file)]).json();
    for phone in [a, b] {
        phone.ok(&["bundle", "import", text(&file)]);
    }
    b.sync();
    for phone in [a, b] {
        assert_eq!(phone.run(&["show", &people[0]]).code, Some(1));
        phone.ok(&["show", &people[1]]);
    }
    assert_eq!(
        server.run(&["show", &people[0]]).error(1)["code"],
        "unknown_record"
    );
    assert_eq!(server.run(&["verify"]).json()["different"], 0);
}
