//! Two records of one woman, with real processes: what is said of them on one phone is so on the
//! other and on the server, in the figures too.

use harness::Phone;
use sample::people::id_number;
use serde_json::{Value, json};

use crate::village::Village;

/// Everybody exchanges until both phones hold what the other had.
fn meet(a: &Phone, b: &Phone) {
    a.sync();
    b.sync();
    a.sync();
}

fn rows(said: &Value) -> usize {
    said.as_array().map_or(0, Vec::len)
}

#[test]
fn what_one_phone_says_of_two_records_is_so_on_the_other_and_on_the_server() {
    let Village {
        server,
        a,
        b,
        dir: _dir,
    } = Village::new();
    let woman = ["identity.name=其其格", "identity.birth_date=1985-06-07"];
    let one = a.add("person", &woman);
    let other = b.add("person", &woman);
    meet(&a, &b);
    assert_eq!(rows(&a.ok(&["list", "person"])), 2);

    let linked = a.ok(&["link", &other, &one]);
    assert_eq!(
        linked,
        json!({ "id": other, "linked": [one], "conflicts": [] })
    );
    meet(&a, &b);
    for phone in [&a, &b] {
        assert_eq!(rows(&phone.ok(&["list", "person"])), 1);
        assert_eq!(phone.ok(&["show", &one])["linked"], json!([other]));
    }
    assert_eq!(rows(&server.run(&["records"]).json()), 1);

    b.ok(&["unlink", &one, &other]);
    meet(&a, &b);
    for phone in [&a, &b] {
        assert_eq!(rows(&phone.ok(&["list", "person"])), 2);
    }
    assert_eq!(rows(&server.run(&["records"]).json()), 2);
    assert_eq!(server.run(&["verify"]).json()["different"], 0);
    assert_eq!(server.run(&["verify-cells"]).json()["different"], 0);
}

#[test]
fn different_names_under_one_number_wait_until_somebody_confirms_or_parts_them() {
    let Village {
        server,
        a,
        b,
        dir: _dir,
    } = Village::new();
    let number = format!("identity.id_no={}", id_number("19850607", 124));
    let one = a.add("person", &["identity.name=其其格", &number]);
    let other = b.add("person", &["identity.name=琪琪格", &number]);
    meet(&a, &b);
    for phone in [&a, &b] {
        let open = phone.ok(&["conflicts"]);
        assert_eq!((rows(&open), &open[0]["key"]), (1, &json!("identity.name")));
    }

    let confirmed = b.ok(&["link", &one, &other]);
    assert_eq!(confirmed["conflicts"], json!([]));
    meet(&b, &a);
    for phone in [&a, &b] {
        assert_eq!(phone.ok(&["conflicts"]), json!([]));
        assert_eq!(rows(&phone.ok(&["list", "person"])), 1);
    }
    // Both names stand where they were written.
    assert_eq!(a.field(&one, "identity.name"), "其其格");
    assert_eq!(a.field(&other, "identity.name"), "琪琪格");

    a.ok(&["unlink", &one, &other]);
    meet(&a, &b);
    for phone in [&a, &b] {
        assert_eq!(phone.ok(&["conflicts"]), json!([]));
        assert_eq!(rows(&phone.ok(&["list", "person"])), 2);
    }
    assert_eq!(server.run(&["verify-cells"]).json()["different"], 0);
}

#[test]
fn two_people_who_say_the_opposite_apart_are_asked_to_settle_it() {
    let Village {
        server,
        a,
        b,
        dir: _dir,
    } = Village::new();
    let one = a.add("person", &["identity.name=其其格"]);
    let other = a.add("person", &["identity.name=其其格"]);
    meet(&a, &b);
    a.ok(&["link", &one, &other]);
    b.ok(&["unlink", &one, &other]);
    meet(&a, &b);
    b.sync();
    let (smaller, greater) = (one.clone().min(other.clone()), one.max(other));
    let key = format!("same#{greater}.state");
    for phone in [&a, &b] {
        let open = phone.ok(&["conflicts"]);
        assert_eq!((rows(&open), &open[0]["key"]), (1, &json!(key)));
    }
    assert_eq!(a.ok(&["list", "person"]), b.ok(&["list", "person"]));
    a.ok(&["link", &smaller, &greater]);
    meet(&a, &b);
    for phone in [&a, &b] {
        assert_eq!(phone.ok(&["conflicts"]), json!([]));
        assert_eq!(rows(&phone.ok(&["list", "person"])), 1);
    }
    assert_eq!(server.run(&["verify-cells"]).json()["different"], 0);
}
