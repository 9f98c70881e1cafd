//! Phones that the office has ordered to wipe themselves, with real processes: each hands over what it
//! holds first, and nothing of it is lost.

use client::cancel::Cancel;
use client::error::PhoneError;
use client::keys::Secret;
use client::sync::{PhoneAccess, exchange};
use harness::{PIN, files, run_server};
use serde_json::{Value, json};
use sync_core::id::Subject;

use crate::restore::replace;
use crate::village::{Village, clean, device, shown, text};

/// How far the server says that a wipe has come.
fn wipe_state(village: &Village, device: &str) -> Value {
    let listed = village.server.run(&["devices"]).json();
    let listed = listed.as_array().unwrap();
    let row = listed.iter().find(|row| row["device"] == device);
    row.unwrap()["wipe"].clone()
}

#[test]
fn a_phone_that_is_to_be_wiped_hands_over_what_it_has_although_it_is_revoked() {
    let village = Village::new();
    let Village { server, a, b, .. } = &village;
    let before = a.add("person", &["identity.name=其其格"]);
    a.sync();
    let late = a.add("person", &["identity.name=娜仁"]);
    let (lost, other) = (device(a), device(b));
    server.run(&["revoke", &lost, "--lost"]).json();
    let order_key = village.file("server/order.key");
    let wipe = ["wipe", &lost, "--key", text(&order_key)];

    // The node's key orders nothing.
    let node = village.file("server/node.key");
    let by_node = server.run(&["wipe", &lost, "--key", text(&node)]).error(1);
    assert_eq!(by_node["code"], "not_an_order_key");
    assert_eq!(wipe_state(&village, &lost), Value::Null);
    server.run(&wipe).json();
    assert_eq!(wipe_state(&village, &lost), "asked");
    assert_eq!(server.run(&["order", "list"]).json()[0]["kind"], "wipe");

    assert_eq!(a.run(&["sync"]).error(1)["code"], "wiped");
    assert_eq!(wipe_state(&village, &lost), "wiped");
    assert_eq!(wipe_state(&village, &other), Value::Null);
    assert_eq!(a.run(&["status"]).error(3)["code"], "store_missing");
    let left = files(&village.file("a"));
    assert!(left.iter().all(|(_, bytes)| bytes.len() < 64), "{left:?}");

    // What it had saved is here, and waits for the office like everything of a revoked phone.
    assert_eq!(shown(&village, &late)["identity.name"], Value::Null);
    server.run(&["accept", "--device", &lost]).json();
    assert_eq!(shown(&village, &late)["identity.name"], "娜仁");
    assert_eq!(shown(&village, &before)["identity.name"], "其其格");
    b.sync();
    assert_eq!(b.field(&late, "identity.name"), "娜仁");
    clean(&village);
}

#[test]
fn a_phone_that_is_not_revoked_is_wiped_and_what_it_hands_over_counts() {
    let village = Village::new();
    let Village { server, a, .. } = &village;
    let id = a.add("person", &["identity.name=其其格"]);
    let order_key = village.file("server/order.key");
    let order_key = text(&order_key);
    let file = village.file("order");
    // By way of a file, which a second person could sign.
    let out = ["wipe", &device(a), "--key", order_key, "--out", text(&file)];
    let made = server.run(&out).json();
    assert_eq!(
        (&made["kind"], &made["persons_needed"]),
        (&json!("wipe"), &json!(1))
    );
    assert_eq!(
        wipe_state(&village, &device(a)),
        Value::Null,
        "not given yet"
    );
    let lost = device(a);
    server.run(&["order", "submit", text(&file)]).json();
    assert_eq!(a.run(&["sync"]).error(1)["code"], "wiped");
    assert_eq!(shown(&village, &id)["identity.name"], "其其格");
    assert_eq!(wipe_state(&village, &lost), "wiped");
    clean(&village);
}

/// Whoever uses a phone in every pause of an exchange: before each of its steps another woman is saved.
struct Busy {
    phone: client::phone::Phone,
    saved: Vec<String>,
}

impl PhoneAccess for Busy {
    fn turn<T>(
        &mut self,
        step: impl FnOnce(&mut client::phone::Phone) -> Result<T, PhoneError>,
    ) -> Result<T, PhoneError> {
        let name = format!("identity.name=其其格{}", self.saved.len());
        let id = self
            .phone
            .add(Subject::Person, None, &[name.parse().unwrap()])?;
        self.saved.push(id.to_string());
        step(&mut self.phone)
    }
}

#[test]
fn nothing_is_wiped_that_was_saved_while_a_phone_hands_over() {
    let village = Village::new();
    let Village { server, a, .. } = &village;
    let order_key = village.file("server/order.key");
    let lost = device(a);
    let order = ["wipe", &lost, "--key", text(&order_key)];
    server.run(&order).json();

    let secret = Secret::new(PIN.to_owned()).unwrap();
    let phone = client::phone::open(&a.dir, secret).unwrap();
    let saved = Vec::new();
    let mut busy = Busy { phone, saved };
    let ended = exchange(&mut busy, &Cancel::new(), &mut |_| {}).unwrap_err();
    assert_eq!(ended.issues()[0].code, "no_progress");
    let Busy { phone, saved } = busy;
    drop(phone);
    let last = saved.last().unwrap();
    a.ok(&["show", last]);
    assert_eq!(
        server.run(&["show", last]).error(1)["code"],
        "unknown_record"
    );
    // The server has taken what was handed over; the last one is not among it.
    assert_eq!(wipe_state(&village, &lost), "handed_over");

    assert_eq!(a.run(&["sync"]).error(1)["code"], "wiped");
    assert_eq!(wipe_state(&village, &lost), "wiped");
    for (at, id) in saved.iter().enumerate() {
        let name = &shown(&village, id)["identity.name"];
        assert_eq!(name, &json!(format!("其其格{at}")));
    }
    clean(&village);
}

#[test]
fn a_wiped_phone_hands_over_what_a_restored_server_has_lost_though_it_was_acknowledged() {
    let village = Village::new();
    let (backup, restored) = (village.file("backup"), village.file("restored"));
    let Village { server, a, b, dir } = village;
    let order_key = dir.path().join("order.key");
    std::fs::copy(server.data.join("order.key"), &order_key).unwrap();
    let before = a.add("person", &["identity.name=其其格"]);
    a.sync();
    server.run(&["backup", text(&backup)]).json();
    // Neither the server's backup nor another phone has this one.
    let after = a.add("person", &["identity.name=娜仁"]);
    a.sync();
    assert_eq!(a.ok(&["status"])["unsent"], 0);

    run_server(&restored, &["restore", text(&backup)]).json();
    let server = replace(server, &restored, &["--sample"]);
    let village = Village { server, a, b, dir };
    let Village { server, a, b, .. } = &village;
    let lost = device(a);
    let order = ["wipe", &lost, "--key", text(&order_key)];
    server.run(&order).json();
    assert_eq!(a.run(&["sync"]).error(1)["code"], "wiped");
    assert_eq!(wipe_state(&village, &lost), "wiped");
    server.run(&["recovery", "confirm"]).json();
    for (id, name) in [(&before, "其其格"), (&after, "娜仁")] {
        assert_eq!(shown(&village, id)["identity.name"], name);
    }
    b.sync();
    for id in [&before, &after] {
        b.ok(&["show", id]);
    }
    clean(&village);
}

#[test]
fn a_wiped_phone_seals_anew_where_a_restored_server_has_lost_the_key_it_sealed_to() {
    let village = Village::new();
    let (backup, restored) = (village.file("backup"), village.file("restored"));
    let Village {
        mut server,
        a,
        b,
        dir,
    } = village;
    let order_key = dir.path().join("order.key");
    std::fs::copy(server.data.join("order.key"), &order_key).unwrap();
    server.run(&["backup", text(&backup)]).json();
    // Another key is told after the backup, as in another month.
    for (path, _) in files(&server.data) {
        if text(&path).contains("/seal-") {
            std::fs::remove_file(path).unwrap();
        }
    }
    server.kill_and_restart();
    a.sync();
    let late = a.add("person", &["identity.name=娜仁"]);

    run_server(&restored, &["restore", text(&backup)]).json();
    let server = replace(server, &restored, &["--sample"]);
    let village = Village { server, a, b, dir };
    let Village { server, a, .. } = &village;
    let lost = device(a);
    let order = ["wipe", &lost, "--key", text(&order_key)];
    server.run(&order).json();
    assert_eq!(a.run(&["sync"]).error(1)["code"], "wiped");
    assert_eq!(wipe_state(&village, &lost), "wiped");
    server.run(&["recovery", "confirm"]).json();
    assert_eq!(shown(&village, &late)["identity.name"], "娜仁");
    clean(&village);
}
