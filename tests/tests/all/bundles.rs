//! Bundles with real processes: what a phone without signal saved reaches the server, the other phones
//! and its own status line in a file that somebody carries, and nobody reads it on the way.

use std::io::{Read, Write};
use std::net::TcpStream;
use std::path::Path;

use harness::{PIN, Phone, Server, contains};
use serde_json::json;

use crate::village::{GACHA, Village, text};

const NAME: &str = "identity.name=其其格";

/// What a courier does who has nothing but the file, with curl or a browser: status and body.
fn post(server: &Server, bundle: &Path) -> (u16, Vec<u8>) {
    let body = std::fs::read(bundle).unwrap();
    let mut stream = TcpStream::connect(server.address()).unwrap();
    write!(
        stream,
        "POST /v1/bundles HTTP/1.1\r\nHost: server\r\nContent-Length: {}\r\nConnection: close\r\n\r\n",
        body.len()
    )
    .unwrap();
    stream.write_all(&body).unwrap();
    let mut answer = Vec::new();
    stream.read_to_end(&mut answer).unwrap();
    let end = answer
        .windows(4)
        .position(|four| four == b"\r\n\r\n")
        .unwrap();
    let status = String::from_utf8_lossy(&answer[9..12]).parse().unwrap();
    (status, answer[end + 4..].to_vec())
}

#[test]
fn what_a_traveller_carries_arrives_and_the_answer_comes_back_with_him() {
    let village = Village::new();
    let Village { server, a, b, .. } = &village;
    let id = a.add("person", &[NAME]);
    let bag = village.file("bag");
    let made = a.ok(&["bundle", "export", text(&bag)]);
    assert_eq!((&made["batches"], &made["left"]), (&json!(1), &json!(0)));
    assert_eq!(a.ok(&["status"])["unsent"], 1, "sealed is not acknowledged");
    let carried = std::fs::read(&bag).unwrap();
    for secret in ["其其格", "identity.name", GACHA, &id] {
        assert!(!contains(&carried, secret), "{secret}");
    }

    // The other phone has something that the first lacks, for the way back.
    let other = b.add("person", &["identity.name=娜仁"]);
    b.sync();
    let reply = village.file("reply");
    let taken = server.run(&["bundle", "import", text(&bag), "--reply", text(&reply)]);
    let taken = taken.json();
    assert_eq!((&taken["new"], &taken["not_held"]), (&json!(1), &json!([])));
    // Any number of times.
    let again = server.run(&["bundle", "import", text(&bag)]).json();
    assert_eq!(again["new"], 0);
    let shown = server.run(&["show", &id]).json();
    assert_eq!(shown["fields"]["identity.name"], "其其格");

    let back = a.ok(&["bundle", "import", text(&reply)]);
    assert_eq!(back["batches"], 1);
    assert!(back["acknowledged"].as_u64() > Some(0), "{back}");
    assert_eq!(a.ok(&["status"])["unsent"], 0);
    assert_eq!(a.field(&other, "identity.name"), "娜仁");
    assert_eq!(server.run(&["verify"]).json()["different"], 0);
}

#[test]
fn a_neighbours_phone_takes_the_bundle_and_passes_it_on_with_the_acknowledgement() {
    let village = Village::new();
    let Village { server, a, b, .. } = &village;
    // A phone seals to those of whom it has heard.
    a.sync();
    let id = a.add("person", &[NAME]);
    let bag = village.file("bag");
    a.ok(&["bundle", "export", text(&bag)]);
    assert_eq!(b.ok(&["bundle", "import", text(&bag)])["batches"], 1);
    assert_eq!(b.field(&id, "identity.name"), "其其格");
    b.sync();
    assert_eq!(
        server.run(&["show", &id]).json()["fields"]["identity.name"],
        "其其格"
    );
    let home = village.file("home");
    b.ok(&["bundle", "export", text(&home)]);
    let heard = a.ok(&["bundle", "import", text(&home)]);
    assert!(heard["acknowledged"].as_u64() > Some(0), "{heard}");
    assert_eq!(a.ok(&["status"])["unsent"], 0);
}

#[test]
fn a_courier_without_a_grant_carries_and_cannot_read() {
    let village = Village::new();
    let Village { a, .. } = &village;
    let elsewhere = Phone::enrolled(village.file("c"), &village.server, "152522100201");
    a.add("person", &[NAME]);
    let bag = village.file("bag");
    a.ok(&["bundle", "export", text(&bag)]);
    let refused = elsewhere.run(&["bundle", "import", text(&bag)]).error(1);
    assert_eq!(refused["code"], "bundle_not_for_us");
    // Another installation's server does not open it either.
    let other = Server::sample(&village.file("other"));
    let refused = other.run(&["bundle", "import", text(&bag)]).error(1);
    assert_eq!(refused["code"], "bundle_refused");
}

#[test]
fn anybody_may_post_a_bundle_and_garbage_is_refused() {
    let village = Village::new();
    let Village { a, dir, .. } = &village;
    // Another process on the same data, that speaks without TLS on loopback.
    let options = ["--sample", "--http"];
    let server = Server::start(&village.server.data, &options, "127.0.0.1:0");
    let id = a.add("person", &[NAME]);
    let bag = dir.path().join("bag");
    a.ok(&["bundle", "export", text(&bag)]);
    let reply = dir.path().join("reply");
    let (status, body) = post(&server, &bag);
    assert_eq!(status, 200);
    std::fs::write(&reply, body).unwrap();
    assert_eq!(
        server.run(&["show", &id]).json()["fields"]["identity.name"],
        "其其格"
    );
    a.ok(&["bundle", "import", text(&reply)]);
    assert_eq!(a.ok(&["status"])["unsent"], 0);
    std::fs::write(&bag, b"PK\x03\x04 is no bundle").unwrap();
    assert_eq!(post(&server, &bag).0, 400);
    // A reply is for phones.
    assert_eq!(post(&server, &reply).0, 422);
}

#[test]
fn a_short_message_stays_in_its_size_and_the_rest_is_for_the_next_one() {
    let village = Village::new();
    let Village { server, a, .. } = &village;
    for number in 0..120 {
        let name = format!("identity.name=牧民{number}");
        let phone = format!("identity.phone=1000000{number:04}");
        a.add("person", &[&name, &phone]);
    }
    let nothing_fits = ["bundle", "export", "sms", "--short", "--max-bytes", "20"];
    assert_eq!(a.run(&nothing_fits).error(1)["code"], "bundle_too_small");
    let mut messages = 0;
    loop {
        let sms = village.file("sms");
        let made = a.ok(&["bundle", "export", text(&sms), "--short"]);
        assert!(std::fs::metadata(&sms).unwrap().len() <= 1750);
        messages += 1;
        let reply = village.file("reply");
        server
            .run(&["bundle", "import", text(&sms), "--reply", text(&reply)])
            .json();
        a.ok(&["bundle", "import", text(&reply)]);
        if made["left"] == 0 {
            break;
        }
    }
    assert!((2..=8).contains(&messages), "{messages}");
    assert_eq!(a.ok(&["status"])["unsent"], 0);
    assert_eq!(
        server.run(&["records"]).json().as_array().unwrap().len(),
        120
    );
}

#[test]
fn a_forgotten_pin_loses_nothing_that_was_saved() {
    let village = Village::new();
    let Village { server, a, .. } = &village;
    let first = a.add("person", &[NAME]);
    // A request that got no answer leaves a batch, and what came after it is only staged.
    let address = server.url.clone();
    a.ok(&["server", "https://127.0.0.1:9"]);
    assert_eq!(a.run(&["sync"]).code, Some(2));
    a.ok(&["server", &address]);
    let second = a.add("person", &["identity.name=娜仁"]);
    let file = village.file("outbox");
    let mut command = a.command(&["outbox", text(&file)]);
    let said = command.env_remove("ORTOO_PIN").output().unwrap();
    assert!(said.status.success(), "{said:?}");
    let carried = std::fs::read(&file).unwrap();
    assert!(!contains(&carried, "其其格") && !contains(&carried, PIN));
    let taken = server.run(&["bundle", "import", text(&file)]).json();
    assert_eq!(taken["not_held"], json!([]));
    for (id, name) in [(&first, "其其格"), (&second, "娜仁")] {
        assert_eq!(
            server.run(&["show", id]).json()["fields"]["identity.name"],
            name
        );
    }
    // Should the PIN come back to somebody's mind, nothing is there twice.
    a.sync();
    let verified = server.run(&["verify"]).json();
    assert_eq!(
        (&verified["different"], &verified["aside"]),
        (&json!(0), &json!(0))
    );
    assert_eq!(a.ok(&["outbox", text(&file)])["parts"], 0);
}
