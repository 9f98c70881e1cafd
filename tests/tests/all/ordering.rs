//! Persons' keys for orders, with the real program: made, listed by the root key, and shown.

use harness::{Server, run_server};

#[test]
fn a_persons_key_is_made_on_a_stick_and_listed_by_the_root_key() {
    let dir = tempfile::tempdir().unwrap();
    let server = Server::sample(&dir.path().join("server"));
    let stick = dir.path().join("stick.key");
    let stick = stick.to_str().unwrap();

    let made = server.run(&["order-key", "new", stick]).json();
    let public = made["public"].as_str().unwrap();
    let again = server.run(&["order-key", "new", stick]).error(1);
    assert_eq!(again["code"], "key_exists", "no key is ever overwritten");

    let renewed = server.run(&["root", "renew", "--order-key", public]).json();
    assert_eq!(renewed["version"], 2);
    let wrong = server
        .run(&["root", "renew", "--order-key", "01ab"])
        .error(1);
    assert_eq!(wrong["code"], "bad_public_key");
    let node = dir.path().join("server/node.key");
    let thief = ["--root-key", node.to_str().unwrap()];
    let thief = [&["root", "renew", "--order-key", public][..], &thief].concat();
    assert_eq!(server.run(&thief).error(1)["code"], "root_key_wrong");

    assert_eq!(server.run(&["order", "list"]).json(), serde_json::json!([]));
    let nothing = server.run(&["order", "show", stick]).error(1);
    assert_eq!(nothing["code"], "not_an_order");
}

#[test]
fn the_root_key_may_be_carried_away_and_brought_back_for_one_statement() {
    let dir = tempfile::tempdir().unwrap();
    let data = dir.path().join("server");
    let server = Server::sample(&data);
    let away = dir.path().join("root.key");
    std::fs::rename(data.join("root.key"), &away).unwrap();
    let stick = dir.path().join("stick.key");
    let made = server
        .run(&["order-key", "new", stick.to_str().unwrap()])
        .json();
    let public = made["public"].as_str().unwrap();
    let missing = run_server(&data, &["root", "renew", "--order-key", public]).error(1);
    assert_eq!(missing["code"], "key_unusable");
    let brought = [
        "root",
        "renew",
        "--order-key",
        public,
        "--root-key",
        away.to_str().unwrap(),
    ];
    assert_eq!(run_server(&data, &brought).json()["version"], 2);
}
