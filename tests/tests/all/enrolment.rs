//! A device comes in to a server that holds real people's data.

use harness::{Phone, Server};
use serde_json::json;

const GACHA: &str = "152522100200";
const STRONG: &str = "482913746502";

#[test]
fn a_device_with_a_generated_secret_waits_for_the_administrator_and_then_works() {
    let dir = tempfile::tempdir().unwrap();
    let server = Server::start(&dir.path().join("server"), &[], "127.0.0.1:0");
    let link = server.link(GACHA);
    // The harness's PIN is too short here, and the link is not used up by the try.
    let short = Phone::at(dir.path().join("short"));
    assert_eq!(short.run(&["enrol", &link]).error(1)["code"], "secret_weak");
    assert!(
        !short.dir.join("ortoo.db").exists(),
        "nothing is left of it"
    );

    let phone = Phone::at(dir.path().join("phone"));
    let run = |args: &[&str]| {
        let mut command = phone.command(args);
        command.env("ORTOO_PIN", STRONG).output().unwrap()
    };
    let enrolled = run(&["enrol", &link]);
    let shape: serde_json::Value = serde_json::from_slice(&enrolled.stdout).unwrap();
    assert_eq!(shape["pending"], true);
    let waiting = server.run(&["pending"]).json();
    assert_eq!(waiting.as_array().map(Vec::len), Some(1), "{waiting}");
    assert_eq!(
        waiting[0]["digits"], shape["digits"],
        "what both sides compare"
    );
    assert_eq!(run(&["sync"]).status.code(), Some(1));

    let device = waiting[0]["device"].as_str().unwrap_or_default();
    server.run(&["approve", device]).json();
    assert_eq!(run(&["sync"]).status.code(), Some(0));
    let added = run(&["add", "household", "--set", "household.head_name=巴特尔"]);
    assert_eq!(added.status.code(), Some(0));
    assert_eq!(run(&["sync"]).status.code(), Some(0));
    let verified = server.run(&["verify"]).json();
    assert_eq!(
        (&verified["records"], &verified["different"]),
        (&json!(1), &json!(0))
    );
}

#[test]
fn a_link_is_good_for_one_device_and_the_same_device_may_use_it_again() {
    let dir = tempfile::tempdir().unwrap();
    let server = Server::sample(&dir.path().join("server"));
    let link = server.link(GACHA);
    let (one, two) = (
        Phone::at(dir.path().join("one")),
        Phone::at(dir.path().join("two")),
    );
    let first = one.ok(&["enrol", &link]);
    assert_eq!(one.ok(&["enrol", &link]), first);
    assert_eq!(two.run(&["enrol", &link]).error(1)["code"], "code_refused");
    let other = server.link(GACHA);
    assert_eq!(
        one.run(&["enrol", &other]).error(1)["code"],
        "already_enrolled"
    );
    two.ok(&["enrol", &other]);
    assert_eq!(two.ok(&["status"])["unsent"], 0);
}

#[test]
fn a_link_of_another_network_is_not_followed() {
    let dir = tempfile::tempdir().unwrap();
    let server = Server::sample(&dir.path().join("server"));
    let link = server
        .link(GACHA)
        .replace(&server.network, &"ab".repeat(32));
    let phone = Phone::at(dir.path().join("phone"));
    assert_eq!(
        phone.run(&["enrol", &link]).error(1)["code"],
        "other_network"
    );
}

#[test]
fn codes_are_made_for_units_where_registers_are_kept() {
    let dir = tempfile::tempdir().unwrap();
    let server = Server::sample(&dir.path().join("server"));
    let spaces = |space: &str| {
        let phone = Phone::at(dir.path().join(space));
        let enrolled = phone.ok(&["enrol", &server.link(space)]);
        enrolled["spaces"].as_array().map_or(0, Vec::len)
    };
    assert_eq!(spaces("152522100001"), 3, "a community");
    assert_eq!(spaces("152522100200.health"), 1, "one class");
    assert_eq!(spaces("152522201"), 18, "six units of a sumu");
    for (space, code) in [
        ("152522", "unit_without_cadres"),
        ("152522400498", "unit_without_cadres"),
        ("999999999999", "unknown_unit"),
        ("152522100200.secret", "unknown_class"),
    ] {
        let said = server.run(&["enrol-code", "--space", space]);
        assert_eq!(said.error(1)["code"], code, "{space}");
    }
}
