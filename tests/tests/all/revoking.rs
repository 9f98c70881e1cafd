//! Revoked devices with real processes: not served, not read, and nothing of theirs lost.

use harness::Phone;
use serde_json::{Value, json};

use crate::village::{GACHA, Village, clean, device, shown, text};

#[test]
fn a_revoked_phone_is_not_served_and_what_it_saved_comes_by_its_outbox() {
    let village = Village::new();
    let Village { server, a, b, .. } = &village;
    let before = a.add("person", &["identity.name=其其格"]);
    a.sync();
    let late = a.add("person", &["identity.name=娜仁"]);
    a.edit(&before, &["identity.phone=10012345678"]);
    let lost = device(a);
    let done = server.run(&["revoke", &lost, "--lost"]).json();
    assert_eq!(done["device"], lost.as_str());
    let again = server.run(&["revoke", &lost]).error(1);
    assert_eq!(again["code"], "device_revoked");

    let said = a.run(&["sync"]).error(1);
    assert_eq!(said["code"], "device_revoked");
    // It keeps what it has, and shows it.
    assert_eq!(a.field(&late, "identity.name"), "娜仁");
    assert_eq!(a.ok(&["status"])["unsent"], 2);

    let outbox = village.file("outbox");
    a.ok(&["outbox", text(&outbox)]);
    server.run(&["bundle", "import", text(&outbox)]).json();
    let waiting = server.run(&["pending-batches"]).json();
    let waiting = waiting.as_array().unwrap();
    assert!(!waiting.is_empty());
    assert!(waiting.iter().all(|batch| batch["device"] == lost.as_str()));
    assert_eq!(shown(&village, &before)["identity.phone"], Value::Null);
    clean(&village);

    // A live phone holds them too, and shows nothing of them.
    b.sync();
    assert_eq!(b.field(&before, "identity.name"), "其其格");
    assert_eq!(b.field(&before, "identity.phone"), Value::Null);

    server.run(&["accept", "--device", &lost]).json();
    assert_eq!(server.run(&["pending-batches"]).json(), json!([]));
    assert_eq!(shown(&village, &before)["identity.phone"], "10012345678");
    assert_eq!(shown(&village, &late)["identity.name"], "娜仁");
    b.sync();
    assert_eq!(b.field(&before, "identity.phone"), "10012345678");
    assert_eq!(b.field(&late, "identity.name"), "娜仁");
    clean(&village);
}

#[test]
fn what_the_office_refuses_shows_nowhere_and_an_edit_on_it_is_not_lost() {
    let village = Village::new();
    let Village { server, a, b, .. } = &village;
    let id = a.add("person", &["identity.name=其其格"]);
    a.sync();
    b.sync();
    // The neighbour takes a later edit by bundle, before she hears of the revocation, and edits on it.
    a.edit(&id, &["identity.name=琪琪格"]);
    let alone = a.add("person", &["identity.name=娜仁"]);
    let bag = village.file("bag");
    a.ok(&["bundle", "export", text(&bag)]);
    server.run(&["revoke", &device(a), "--stolen"]).json();
    b.ok(&["bundle", "import", text(&bag)]);
    b.edit(&id, &["identity.name=齐齐格"]);
    b.sync();

    let waiting = server.run(&["pending-batches"]).json();
    assert!(!waiting.as_array().unwrap().is_empty());
    assert_eq!(shown(&village, &id)["identity.name"], "齐齐格");
    assert_eq!(shown(&village, &alone)["identity.name"], Value::Null);
    server.run(&["refuse", "--device", &device(a)]).json();
    b.sync();
    for _ in 0..2 {
        assert_eq!(shown(&village, &id)["identity.name"], "齐齐格");
        assert_eq!(b.field(&id, "identity.name"), "齐齐格");
        assert_eq!(shown(&village, &alone)["identity.name"], Value::Null);
        // Once more, after a copy of it came again.
        server.run(&["bundle", "import", text(&bag)]).json();
        b.sync();
    }
    assert_eq!(server.run(&["pending-batches"]).json(), json!([]));
    clean(&village);
}

#[test]
fn a_phone_that_loses_a_class_forgets_it_and_goes_on_with_the_others() {
    let village = Village::new();
    let Village { server, a, b, .. } = &village;
    let sets = ["identity.name=其其格", "condition.disability=61"];
    let id = a.add("person", &sets);
    a.sync();
    b.sync();
    assert_eq!(b.field(&id, "condition.disability"), "61");
    let care = format!("{GACHA}.care");
    // Saved before the phone hears of it.
    b.edit(&id, &["condition.disability=62"]);
    b.edit(&id, &["identity.phone=10012345678"]);
    server
        .run(&["revoke", &device(b), "--space", &care, "--left"])
        .json();
    let listed = server.run(&["devices"]).json();
    let listed = listed.as_array().unwrap();
    let of_b = listed
        .iter()
        .find(|row| row["device"] == device(b).as_str());
    let left = of_b.unwrap()["spaces"].to_string();
    assert!(left.contains("general") && !left.contains("care"), "{left}");

    b.sync();
    assert_eq!(b.field(&id, "identity.name"), "其其格");
    assert_eq!(b.field(&id, "condition.disability"), Value::Null);
    let status = b.ok(&["status"]);
    assert!(!status["spaces"].to_string().contains("care"), "{status}");
    assert_eq!(shown(&village, &id)["identity.phone"], "10012345678");
    let refused = ["edit", &id, "--set", "condition.disability=00"];
    assert_eq!(b.run(&refused).error(1)["code"], "not_granted");
    // What it had saved there waits for the office, and is not lost.
    assert_eq!(shown(&village, &id)["condition.disability"], "61");
    server.run(&["accept", "--device", &device(b)]).json();
    assert_eq!(shown(&village, &id)["condition.disability"], "62");
    // Exchanges go on, quiet ones too.
    let quiet = b.sync();
    assert_eq!(quiet["round_trips"], 1, "{quiet}");
    a.sync();
    assert_eq!(a.field(&id, "condition.disability"), "62");
    clean(&village);
}

#[test]
fn a_revoked_persons_new_phone_is_let_in_with_new_keys_and_the_old_keys_never() {
    let village = Village::new();
    let Village { server, a, .. } = &village;
    let id = a.add("person", &["identity.name=其其格"]);
    a.sync();
    server.run(&["revoke", &device(a), "--lost"]).json();
    let again = Phone::enrolled(village.file("again"), server, GACHA);
    again.sync();
    assert_eq!(again.field(&id, "identity.name"), "其其格");
    assert_eq!(a.run(&["sync"]).error(1)["code"], "device_revoked");
}
