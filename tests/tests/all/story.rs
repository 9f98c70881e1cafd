//! The story of the README with real processes: what a phone saves offline reaches the server and
//! the other phone, and nothing is lost.

use harness::Phone;
use sample::people::id_number;
use serde_json::{Value, json};

use crate::village::{GACHA, Village};

const HOUSEHOLD: [&str; 7] = [
    "household.household_no=0101",
    "household.head_name=巴特尔",
    "household.head_sex=1",
    "household.area_type=1",
    "household.residence_status=1",
    "household.resident_population=4",
    "household.resident_female=2",
];

fn household(phone: &Phone) -> String {
    let mut sets = HOUSEHOLD.to_vec();
    sets.push("household.main_camp=1");
    phone.add("household", &sets)
}

#[test]
fn different_keys_edited_offline_on_two_phones_stand_on_both_and_on_the_server() {
    let Village { server, a, b, dir } = Village::new();
    let id = household(&a);
    a.sync();
    b.sync();

    a.edit(&id, &["household.phone=10012345678"]);
    b.edit(&id, &["household.resident_population=5"]);
    let c = Phone::enrolled(dir.path().join("c"), &server, GACHA);
    b.sync();
    c.sync();
    a.sync();
    b.sync();
    a.sync();
    c.sync();

    for phone in [&a, &b, &c] {
        assert_eq!(phone.field(&id, "household.phone"), "10012345678");
        assert_eq!(phone.field(&id, "household.resident_population"), 5);
        assert_eq!(phone.ok(&["conflicts"]), json!([]));
    }
    let shown = server.run(&["show", &id]).json();
    assert_eq!(shown["fields"]["household.phone"], "10012345678");
    assert_eq!(shown["fields"]["household.resident_population"], 5);
    let verified = server.run(&["verify"]).json();
    assert_eq!(
        (&verified["different"], &verified["forks"]),
        (&json!(0), &json!(0))
    );
}

#[test]
fn one_key_edited_apart_is_a_conflict_until_a_deliberate_write_settles_it_everywhere() {
    let Village {
        server,
        a,
        b,
        dir: _dir,
    } = Village::new();
    let id = household(&a);
    a.sync();
    b.sync();
    a.edit(&id, &["household.phone=10011111111"]);
    b.edit(&id, &["household.phone=10022222222"]);
    a.sync();
    b.sync();
    a.sync();

    let values = |phone: &Phone| -> Vec<Value> {
        let conflicts = phone.ok(&["show", &id])["conflicts"].clone();
        conflicts[0]["values"]
            .as_array()
            .cloned()
            .unwrap_or_default()
    };
    let seen = values(&a);
    assert_eq!(seen.len(), 2, "{seen:?}");
    assert_eq!(seen, values(&b));
    assert_eq!(
        a.field(&id, "household.phone"),
        b.field(&id, "household.phone")
    );
    assert_eq!(a.ok(&["conflicts"]).as_array().map(Vec::len), Some(1));

    b.ok(&["resolve", &id, "household.phone", "--take", "1"]);
    b.sync();
    a.sync();
    for phone in [&a, &b] {
        assert_eq!(phone.ok(&["conflicts"]), json!([]));
        assert_eq!(phone.field(&id, "household.phone"), seen[1]);
    }
    let shown = server.run(&["show", &id]).json();
    assert_eq!(
        (&shown["conflicts"], &shown["fields"]["household.phone"]),
        (&json!([]), &seen[1])
    );
}

#[test]
fn equal_values_written_apart_are_no_conflict() {
    let Village {
        a,
        b,
        server: _server,
        dir: _dir,
    } = Village::new();
    let id = household(&a);
    a.sync();
    b.sync();
    a.edit(&id, &["household.phone=10033333333"]);
    b.edit(&id, &["household.phone=10033333333"]);
    a.sync();
    b.sync();
    a.sync();
    assert_eq!(a.ok(&["conflicts"]), json!([]));
    assert_eq!(b.ok(&["conflicts"]), json!([]));
}

fn woman(phone: &Phone, name: &str, number: &str, birth: &str) -> String {
    phone.add(
        "person",
        &[
            &format!("identity.name={name}"),
            "identity.sex=2",
            "identity.id_type=01",
            &format!("identity.id_no={number}"),
            &format!("identity.birth_date={birth}"),
        ],
    )
}

#[test]
fn a_woman_registered_on_two_phones_is_one_person_until_a_number_is_corrected() {
    let Village {
        a,
        b,
        server: _server,
        dir: _dir,
    } = Village::new();
    let number = id_number("19850607", 124);
    let first = woman(&a, "其其格", &number, "1985-06-07");
    let second = woman(&b, "琪琪格", &number, "1985-06-07");
    a.sync();
    b.sync();
    a.sync();

    for phone in [&a, &b] {
        let list = phone.ok(&["list", "person"]);
        assert_eq!(list.as_array().map(Vec::len), Some(1), "{list}");
        assert_eq!(phone.ok(&["show", &first])["linked"], json!([second]));
        // Both entries' values are kept.
        assert_eq!(phone.field(&first, "identity.name"), "其其格");
        assert_eq!(phone.field(&second, "identity.name"), "琪琪格");
    }

    let corrected = id_number("19850607", 126);
    b.edit(&second, &[&format!("identity.id_no={corrected}")]);
    b.sync();
    a.sync();
    for phone in [&a, &b] {
        assert_eq!(
            phone.ok(&["list", "person"]).as_array().map(Vec::len),
            Some(2)
        );
        assert_eq!(phone.ok(&["show", &first])["linked"], json!([]));
    }
}

#[test]
fn what_breaks_the_dictionary_is_refused_at_add_with_key_and_reason() {
    let Village {
        a,
        server: _server,
        b: _b,
        dir: _dir,
    } = Village::new();
    let refused = |subject: &str, set: &str, code: &str| {
        let mut args = vec!["add", subject];
        let mut sets: Vec<&str> = match subject {
            "household" => HOUSEHOLD
                .iter()
                .copied()
                .chain(["household.main_camp=1"])
                .collect(),
            _ => vec![
                "identity.name=萨仁",
                "identity.sex=2",
                "identity.birth_date=1990-01-02",
            ],
        };
        sets.push(set);
        sets.iter().for_each(|set| args.extend(["--set", set]));
        let error = a.run(&args).error(1);
        let key = set.split('=').next().unwrap_or_default();
        assert_eq!(
            (error["code"].as_str(), error["key"].as_str()),
            (Some(code), Some(key))
        );
        assert!(
            error["message"]
                .as_str()
                .is_some_and(|message| message.len() > 10),
            "{error}"
        );
    };
    refused(
        "person",
        "identity.id_no=999999198506071241",
        "bad_id_number",
    );
    refused("household", "household.area_type=77", "unknown_code");
    refused("person", "identity.birth_date=2999-01-01", "future_date");
    let long = format!("identity.name={}", "长".repeat(61));
    refused("person", &long, "too_long");
    refused("household", "household.nonsense=1", "unknown_key");
    refused(
        "household",
        "household.resident_population=many",
        "not_an_integer",
    );
    assert_eq!(a.ok(&["list", "person"]), json!([]));
    assert_eq!(a.ok(&["list", "household"]), json!([]));
    assert_eq!(a.ok(&["status"])["unsent"], 0);
}

#[test]
fn an_item_opened_on_two_phones_for_one_round_is_one_item() {
    let Village {
        a,
        b,
        server: _server,
        dir: _dir,
    } = Village::new();
    let id = woman(&a, "乌云", &id_number("19800101", 222), "1980-01-01");
    a.sync();
    b.sync();
    let set = |phone: &Phone, field: &str| {
        let args = [
            "item",
            &id,
            "screening",
            "--set",
            "cancer=C",
            "--set",
            "round=2026",
            "--set",
            field,
        ];
        phone.ok(&args)["item"].clone()
    };
    assert_eq!(set(&a, "on_target_list=true"), "C-2026");
    assert_eq!(set(&b, "notified_on=2026-03-01"), "C-2026");
    a.sync();
    b.sync();
    a.sync();
    for phone in [&a, &b] {
        let items = phone.ok(&["show", &id])["items"]["screening"].clone();
        assert_eq!(items.as_array().map(Vec::len), Some(1), "{items}");
        assert_eq!(items[0]["on_target_list"], true);
        assert_eq!(items[0]["notified_on"], "2026-03-01");
    }
    a.ok(&["item", &id, "screening", "--void", "C-2026"]);
    a.sync();
    b.sync();
    assert_eq!(b.ok(&["show", &id])["items"].get("screening"), None);
}

#[test]
fn history_says_what_was_written_where_and_by_which_device() {
    let Village {
        a,
        b,
        server: _server,
        dir: _dir,
    } = Village::new();
    let id = household(&a);
    a.sync();
    b.sync();
    b.edit(&id, &["household.resident_population=6"]);
    b.sync();
    a.sync();
    let history = a.ok(&["history", &id]);
    let events: Vec<&Value> = history
        .as_array()
        .into_iter()
        .flatten()
        .filter(|event| event["key"] == "household.resident_population")
        .collect();
    let values: Vec<&Value> = events.iter().map(|event| &event["value"]).collect();
    assert_eq!(values, [&json!(4), &json!(6)]);
    assert_eq!(events[0]["device"], a.ok(&["status"])["device"]);
    assert_eq!(events[1]["device"], b.ok(&["status"])["device"]);
    assert!(
        events
            .iter()
            .all(|event| event["time"].as_str().is_some_and(|t| t.contains('T')))
    );
}

#[test]
fn without_a_server_nothing_is_lost_and_the_exit_code_says_so() {
    let Village {
        a,
        server,
        b: _b,
        dir: _dir,
    } = Village::new();
    let id = household(&a);
    drop(server);
    let error = a.run(&["sync"]).error(2);
    assert!(
        error["message"]
            .as_str()
            .is_some_and(|message| !message.is_empty())
    );
    assert_eq!(a.field(&id, "household.head_name"), "巴特尔");
    assert!(a.ok(&["status"])["unsent"].as_u64() > Some(0));
}

#[test]
fn a_store_does_not_open_with_another_secret() {
    let Village {
        a,
        server: _server,
        b: _b,
        dir: _dir,
    } = Village::new();
    let said = a
        .command(&["status"])
        .env("ORTOO_PIN", "135791")
        .output()
        .unwrap();
    assert_eq!(said.status.code(), Some(3));
    assert!(String::from_utf8_lossy(&said.stderr).contains("\"code\""));
    assert_eq!(
        Phone::at(a.dir.join("nowhere")).run(&["status"]).code,
        Some(3)
    );
}
