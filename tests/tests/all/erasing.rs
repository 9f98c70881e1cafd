//! Erasure with real processes: an order takes a woman out of every file of the server and of the
//! phones, and nothing of anybody else.

use std::path::Path;

use harness::{Phone, Server, files, run_server};
use serde_json::{Value, json};
use sha2::{Digest, Sha256};

use crate::village::{GACHA, Village, device, text};

const NAME: &str = "呼日勒其木格";
/// A made-up number: no such address code exists.
const NUMBER: &str = "999999197504120023";

fn register(phone: &Phone) -> String {
    let name = format!("identity.name={NAME}");
    let number = format!("identity.id_no={NUMBER}");
    phone.add("person", &[&name, "identity.id_type=01", &number])
}

/// Orders an erasure with the sample installation's key of a person.
fn erase(server: &Server, record: &str) -> Value {
    let key = server.data.join("order.key");
    server.run(&["erase", record, "--key", text(&key)]).json()
}

/// The files under `dir` that hold one of these.
fn holding(dir: &Path, secrets: &[&[u8]]) -> Vec<String> {
    let holds = |bytes: &[u8]| {
        let holds = |secret: &&[u8]| bytes.windows(secret.len()).any(|part| part == *secret);
        secrets.iter().any(holds)
    };
    let found = files(dir).into_iter().filter(|(_, bytes)| holds(bytes));
    found.map(|(path, _)| path.display().to_string()).collect()
}

/// The sealed values of a phone's rows, as they lie in its file.
fn sealed_rows(phone: &Phone) -> Vec<Vec<u8>> {
    let path = files(&phone.dir).into_iter().map(|(path, _)| path);
    let store = path
        .into_iter()
        .find(|path| path.extension().is_some_and(|e| e == "db"));
    let db = rusqlite::Connection::open(store.unwrap()).unwrap();
    // Batches, records, staged edits, outbox.
    let mut rows = db
        .prepare("SELECT value FROM row WHERE tbl IN (2, 3, 4, 7) ORDER BY tbl, name")
        .unwrap();
    let values = rows.query_map([], |row| row.get(0)).unwrap();
    values.map(Result::unwrap).collect()
}

/// What nobody may find: name and number as they are, and their bare hashes.
fn secrets() -> Vec<Vec<u8>> {
    let plain = [NAME, NUMBER];
    let hash = |text: &str| Sha256::digest(text).to_vec();
    let hex = |text: &str| {
        let digits = hash(text).into_iter().map(|byte| format!("{byte:02x}"));
        digits.collect::<String>().into_bytes()
    };
    let hashes = plain.iter().flat_map(|text| [hash(text), hex(text)]);
    let plain = plain.iter().map(|text| text.as_bytes().to_vec());
    plain.chain(hashes).collect()
}

fn holding_her(dir: &Path) -> Vec<String> {
    let secrets = secrets();
    let secrets: Vec<&[u8]> = secrets.iter().map(Vec::as_slice).collect();
    holding(dir, &secrets)
}

fn blind_numbers(server: &Server) -> i64 {
    let db = rusqlite::Connection::open(server.data.join("ortoo.db")).unwrap();
    let count = db.query_row("SELECT COUNT(*) FROM identity_number", [], |row| row.get(0));
    count.unwrap()
}

#[test]
fn an_order_takes_a_woman_out_of_every_file_and_nothing_of_anybody_else() {
    let village = Village::new();
    let Village { server, a, b, .. } = &village;
    let her = register(a);
    let other = a.add("person", &["identity.name=其其格"]);
    a.sync();
    b.sync();
    // What the phones hold of her once more, in a log that was not emptied yet.
    b.edit(&her, &["identity.phone=10012345678"]);
    b.sync();
    a.sync();
    assert!(!holding_her(&server.data).is_empty(), "she is there before");
    assert_eq!(blind_numbers(server), 1);
    let before = [sealed_rows(a), sealed_rows(b)];

    let order = erase(server, &her);
    assert_eq!(order["records"], json!([her]));
    assert_eq!(holding_her(&server.data), [""; 0]);
    assert_eq!(blind_numbers(server), 0);
    let told = &server.run(&["erasures"]).json()[0];
    assert_eq!(told["done"], json!([]));
    assert_eq!(told["silent"].as_array().unwrap().len(), 2);

    for phone in [a, b] {
        phone.sync();
        assert_eq!(
            phone.run(&["show", &her]).error(1)["code"],
            "unknown_record"
        );
        assert_eq!(phone.field(&other, "identity.name"), "其其格");
        let named = format!("identity.name={NAME}");
        let again = phone.run(&["edit", &her, "--set", &named]);
        assert_eq!(again.error(1)["code"], "unknown_record");
        assert_eq!(phone.ok(&["status"])["kept"], 0);
    }
    for (phone, before) in [a, b].into_iter().zip(before) {
        let after = sealed_rows(phone);
        let gone: Vec<&[u8]> = before
            .iter()
            .filter(|row| !after.contains(row))
            .map(Vec::as_slice)
            .collect();
        assert!(gone.len() > 2, "her batches and her record");
        assert_eq!(holding(&phone.dir, &gone), [""; 0]);
    }
    let told = &server.run(&["erasures"]).json()[0];
    assert_eq!(told["done"].as_array().unwrap().len(), 2, "{told}");
    assert!(told["records"][0]["erased"].is_string());

    assert_eq!(
        server.run(&["show", &her]).error(1)["code"],
        "unknown_record"
    );
    let shown = server.run(&["show", &other]).json();
    assert_eq!(shown["fields"]["identity.name"], "其其格");
    assert_eq!(server.run(&["verify"]).json()["different"], 0);
    assert_eq!(server.run(&["verify-cells"]).json()["different"], 0);

    // A new phone is given everything, and nothing of her; who registers her anew may.
    let c = Phone::enrolled(village.file("c"), server, GACHA);
    c.sync();
    assert_eq!(c.field(&other, "identity.name"), "其其格");
    let anew = register(&c);
    c.sync();
    a.sync();
    assert_eq!(a.field(&anew, "identity.name"), NAME);
}

#[test]
fn what_comes_late_or_in_a_bag_is_not_applied_and_its_author_decides() {
    let village = Village::new();
    let Village { server, a, b, .. } = &village;
    let her = register(a);
    a.sync();
    b.sync();
    // A bundle from before, and edits of a phone that has not heard: one in a batch, one staged.
    let bag = village.file("bag");
    b.edit(&her, &["identity.name=斯琴高娃"]);
    b.ok(&["bundle", "export", text(&bag)]);
    b.edit(&her, &["identity.aliases=小斯琴"]);
    erase(server, &her);

    let taken = server.run(&["bundle", "import", text(&bag)]).json();
    assert_eq!(taken["not_held"], json!([]), "{taken}");
    assert!(holding(&server.data, &["斯琴高娃".as_bytes()]).is_empty());
    a.sync();
    assert_eq!(a.ok(&["bundle", "import", text(&bag)])["batches"], 0);
    assert_eq!(a.run(&["show", &her]).error(1)["code"], "unknown_record");

    b.sync();
    assert_eq!(b.run(&["show", &her]).error(1)["code"], "unknown_record");
    assert_eq!(b.ok(&["status"])["kept"], 1);
    let kept = b.ok(&["kept"]);
    assert_eq!(kept[0]["record"], json!(her));
    assert_eq!(kept[0]["values"]["identity.name"], "斯琴高娃");
    assert_eq!(kept[0]["values"]["identity.aliases"], "小斯琴");
    assert!(holding(&server.data, &["斯琴高娃".as_bytes()]).is_empty());
    assert_eq!(server.run(&["verify"]).json()["different"], 0);

    let anew = b.ok(&["kept", "register", &her])["id"].clone();
    b.sync();
    let shown = server.run(&["show", anew.as_str().unwrap()]).json();
    assert_eq!(shown["fields"]["identity.name"], "斯琴高娃");
    assert_eq!(b.ok(&["status"])["kept"], 0);
    let nothing = b.run(&["kept", "drop", &her]).error(1);
    assert_eq!(nothing["code"], "nothing_kept");
}

#[test]
fn whoever_is_shown_as_one_person_with_her_goes_too_unless_it_is_said_otherwise() {
    let village = Village::new();
    let Village { server, a, b, .. } = &village;
    let (one, other) = (register(a), register(b));
    a.sync();
    b.sync();
    let key = server.data.join("order.key");
    let out = village.file("order");
    let alone = [
        "erase",
        &one,
        "--alone",
        "--key",
        text(&key),
        "--out",
        text(&out),
    ];
    assert_eq!(server.run(&alone).json()["records"], json!([one]));
    let both = erase(server, &one);
    let mut expected = vec![one, other];
    expected.sort();
    assert_eq!(both["records"], json!(expected));
    assert!(holding_her(&server.data).is_empty());
}

#[test]
fn who_moved_is_erased_at_both_places() {
    let village = Village::new();
    let Village { server, a, .. } = &village;
    let name = format!("identity.name={NAME}");
    let her = a.add("person", &[&name]);
    a.sync();
    let moved = server.run(&["move", &her, "--to", "152522100201"]).json();
    let there = moved["records"][&her].as_str().unwrap_or_default();
    assert!(!there.is_empty(), "{moved}");
    let order = erase(server, &her);
    let mut expected = vec![her.as_str(), there];
    expected.sort_unstable();
    assert_eq!(order["records"], json!(expected));
    assert!(holding_her(&server.data).is_empty());
}

#[test]
fn many_records_need_a_second_person() {
    let village = Village::new();
    let Village { server, a, .. } = &village;
    let name = |n: usize| format!("identity.name=牧民{n}");
    let records: Vec<String> = (0..21).map(|n| a.add("person", &[&name(n)])).collect();
    a.sync();
    let key = server.data.join("order.key");
    let all: Vec<&str> = records.iter().map(String::as_str).collect();
    let args = [&["erase"], all.as_slice(), &["--key", text(&key)]].concat();
    assert_eq!(server.run(&args).error(1)["code"], "order_needs_second");
    assert_eq!(
        server.run(&["records"]).json().as_array().unwrap().len(),
        21
    );

    let stick = village.file("second.key");
    let made = server.run(&["order-key", "new", text(&stick)]).json();
    let public = made["public"].as_str().unwrap();
    server.run(&["root", "renew", "--order-key", public]).json();
    let file = village.file("order");
    let args = [args.as_slice(), &["--out", text(&file)]].concat();
    assert_eq!(server.run(&args).json()["persons_needed"], 2);
    server
        .run(&["order", "sign", text(&file), "--key", text(&stick)])
        .json();
    server.run(&["order", "submit", text(&file)]).json();
    assert_eq!(server.run(&["records"]).json(), json!([]));
    a.sync();
    assert_eq!(a.ok(&["list", "person"]), json!([]));
}

#[test]
fn the_journal_begins_anew_without_her_and_a_restore_does_not_bring_her_back() {
    let dir = tempfile::tempdir().unwrap();
    let (data, journal) = (dir.path().join("server"), dir.path().join("journal"));
    let options = ["--sample", "--journal", text(&journal)];
    let server = Server::start(&data, &options, "127.0.0.1:0");
    let a = Phone::enrolled(dir.path().join("a"), &server, GACHA);
    let her = register(&a);
    a.sync();
    let backup = dir.path().join("backup");
    server.run(&["backup", text(&backup)]).json();
    assert!(!holding_her(&journal).is_empty(), "she is there before");
    erase(&server, &her);
    assert_eq!(holding_her(&journal), [""; 0]);
    // What comes later goes on in the new journal.
    let other = a.add("person", &["identity.name=其其格"]);
    a.sync();

    let again = dir.path().join("again");
    let restored = ["restore", text(&backup), "--journal", text(&journal)];
    run_server(&again, &restored).json();
    assert_eq!(holding_her(&again), [""; 0]);
    assert_eq!(
        run_server(&again, &["show", &her]).error(1)["code"],
        "unknown_record"
    );
    let shown = run_server(&again, &["show", &other]).json();
    assert_eq!(shown["fields"]["identity.name"], "其其格");
    assert_eq!(run_server(&again, &["verify"]).json()["different"], 0);
}

#[test]
fn the_office_sees_who_has_done_it_also_of_phones_that_hold_less_or_nothing_any_more() {
    let village = Village::new();
    let Village { server, a, b, .. } = &village;
    let her = register(a);
    a.sync();
    b.sync();
    let (first, second) = (device(a), device(b));
    let care = format!("{}.care", GACHA);
    let narrowed = ["revoke", &second, "--space", &care];
    server.run(&narrowed).json();
    b.sync();
    let key = server.data.join("order.key");
    let wipe = ["wipe", &first, "--key", text(&key)];
    server.run(&wipe).json();
    erase(server, &her);
    assert_eq!(server.run(&["erasures"]).json()[0]["done"], json!([]));
    b.sync();
    // What it did with the answer it says the next time.
    b.sync();
    a.run(&["sync"]);
    let told = &server.run(&["erasures"]).json()[0];
    assert_eq!(told["silent"], json!([]), "{told}");
    assert_eq!(told["done"].as_array().unwrap().len(), 2);
}
