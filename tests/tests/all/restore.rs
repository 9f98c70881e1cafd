//! A server that is lost, with real processes: a backup is made while phones are served, the machine
//! burns, and what was saved comes back from the backup, the journal and the phones.

use std::path::{Path, PathBuf};
use std::process::Stdio;
use std::time::Duration;

use harness::{Phone, Server, run_server, server_command};
use rand_chacha::ChaCha8Rng;
use rand_chacha::rand_core::{Rng, SeedableRng};
use serde_json::{Value, json};
use tempfile::TempDir;

use crate::village::{GACHA, device, text};

fn person(phone: &Phone, name: &str) -> String {
    phone.add("person", &[&format!("identity.name={name}")])
}

struct Place {
    dir: TempDir,
}

impl Place {
    fn new() -> Self {
        Self {
            dir: tempfile::tempdir().unwrap(),
        }
    }

    fn path(&self, name: &str) -> PathBuf {
        self.dir.path().join(name)
    }
}

/// Ends a server for good and gives another one, of what was restored, the same address.
pub(crate) fn replace(server: Server, data: &Path, options: &[&str]) -> Server {
    let address = server.address().to_string();
    let lost = server.data.clone();
    drop(server);
    std::fs::remove_dir_all(lost).unwrap();
    Server::start(data, options, &address)
}

fn kinds(server: &Server) -> Vec<String> {
    let events = server.run(&["events"]).json();
    let rows = events.as_array().unwrap().iter();
    rows.map(|row| row["event"].as_str().unwrap().to_owned())
        .collect()
}

#[test]
fn phones_bring_back_what_a_server_without_a_journal_has_lost() {
    let place = Place::new();
    let server = Server::sample(&place.path("server"));
    let a = Phone::enrolled(place.path("a"), &server, GACHA);
    let b = Phone::enrolled(place.path("b"), &server, GACHA);
    let before = person(&a, "其其格");
    a.sync();
    b.sync();
    let backup = place.path("backup");
    let made = server.run(&["backup", text(&backup)]).json();
    assert_eq!(made["batches"], 1, "{made}");

    // After the backup: another edit that is acknowledged, a phone that is let in, one edit unsent.
    let after = person(&a, "娜仁");
    a.sync();
    let c = Phone::enrolled(place.path("c"), &server, GACHA);
    let by_new = person(&c, "乌云");
    c.sync();
    let unsent = person(&b, "萨仁");

    let restored = place.path("restored");
    let said = run_server(&restored, &["restore", text(&backup)]).json();
    assert_eq!(
        (&said["recovery"], &said["journal"]),
        (&json!(true), &Value::Null)
    );
    let server = replace(server, &restored, &["--sample"]);
    // b held nothing of what the others wrote since; it is given nothing either.
    b.sync();
    assert_eq!(b.ok(&["status"])["unsent"], 0);
    c.sync();
    a.sync();
    assert_eq!(a.ok(&["status"])["unsent"], 0);
    assert_eq!(c.ok(&["status"])["unsent"], 0);
    for id in [&before, &after, &by_new, &unsent] {
        server.run(&["show", id]).json();
    }
    assert_eq!(
        b.run(&["show", &after]).code,
        Some(1),
        "in recovery nothing is sent"
    );
    let status = server.run(&["recovery", "status"]).json();
    assert_eq!(status["recovery"], true);
    let returned = status["returned"].as_array().unwrap().len();
    assert_eq!(returned, 1, "{status}");
    assert_eq!(status["at_risk"], json!([]), "every space came back whole");

    server.run(&["recovery", "confirm"]).json();
    for phone in [&a, &b, &c] {
        phone.sync();
        for id in [&before, &after, &by_new, &unsent] {
            phone.ok(&["show", id]);
        }
    }
    assert_eq!(
        kinds(&server),
        ["recovery_confirmed", "device_returned", "restored"]
    );
    assert_eq!(server.run(&["verify"]).json()["different"], 0);
    assert_eq!(server.run(&["verify-cells"]).json()["different"], 0);
    // A quiet exchange is quiet again.
    assert_eq!(a.sync()["round_trips"], 1);
}

#[test]
fn a_space_that_no_phone_brings_back_is_named() {
    let place = Place::new();
    let server = Server::sample(&place.path("server"));
    let a = Phone::enrolled(place.path("a"), &server, GACHA);
    let lost = Phone::enrolled(place.path("lost"), &server, "152522100201");
    let backup = place.path("backup");
    server.run(&["backup", text(&backup)]).json();
    person(&lost, "其其格");
    lost.sync();
    person(&a, "娜仁");
    a.sync();

    let restored = place.path("restored");
    run_server(&restored, &["restore", text(&backup)]).json();
    let server = replace(server, &restored, &["--sample"]);
    a.sync();
    let named = json!([
        "152522100201.general",
        "152522100201.care",
        "152522100201.referral"
    ]);
    let sorted = |list: &Value| {
        let mut list: Vec<String> = list
            .as_array()
            .unwrap()
            .iter()
            .map(|name| name.as_str().unwrap().to_owned())
            .collect();
        list.sort();
        list
    };
    let status = server.run(&["recovery", "status"]).json();
    assert_eq!(sorted(&status["at_risk"]), sorted(&named));
    server.run(&["recovery", "confirm"]).json();
    let noted = kinds(&server);
    assert_eq!(noted.iter().filter(|kind| *kind == "at_risk").count(), 3);
}

#[test]
fn with_a_journal_nothing_that_was_acknowledged_is_lost_with_all_phones_and_the_server() {
    let place = Place::new();
    let journal = place.path("journal");
    let options = ["--sample", "--journal", text(&journal)];
    let server = Server::start(&place.path("server"), &options, "127.0.0.1:0");
    let a = Phone::enrolled(place.path("a"), &server, GACHA);
    let mut ids = vec![person(&a, "其其格")];
    a.sync();
    let backup = place.path("backup");
    server.run(&["backup", text(&backup)]).json();
    ids.push(person(&a, "娜仁"));
    a.sync();
    let c = Phone::enrolled(place.path("c"), &server, GACHA);
    ids.push(person(&c, "乌云"));
    c.sync();
    // What a bundle brings is acknowledged by another process, which keeps the journal too.
    ids.push(person(&c, "萨仁"));
    let bag = place.path("bag");
    c.ok(&["bundle", "export", text(&bag)]);
    server.run(&["bundle", "import", text(&bag)]).json();

    for phone in [&a, &c] {
        std::fs::remove_dir_all(&phone.dir).unwrap();
    }
    let restored = place.path("restored");
    let verb = ["restore", text(&backup), "--journal", text(&journal)];
    let said = run_server(&restored, &verb).json();
    assert_eq!(said["recovery"], false, "{said}");
    assert_eq!(said["journal"]["complete"], true, "{said}");
    let server = replace(server, &restored, &options);
    for id in &ids {
        server.run(&["show", id]).json();
    }
    assert_eq!(server.run(&["verify"]).json()["different"], 0);
    assert_eq!(server.run(&["verify-cells"]).json()["different"], 0);
    // And a new phone gets all of it.
    let new = Phone::enrolled(place.path("new"), &server, GACHA);
    new.sync();
    for id in &ids {
        new.ok(&["show", id]);
    }
}

#[test]
fn a_journal_whose_files_are_gone_begins_anew_and_the_office_is_told() {
    let place = Place::new();
    let journal = place.path("journal");
    let options = ["--sample", "--journal", text(&journal)];
    let server = Server::start(&place.path("server"), &options, "127.0.0.1:0");
    let phone = Phone::enrolled(place.path("a"), &server, GACHA);
    let backup = place.path("backup");
    server.run(&["backup", text(&backup)]).json();
    let mut ids = vec![person(&phone, "其其格")];
    phone.sync();

    // The disk is taken out while the server runs, then while it does not.
    std::fs::remove_dir_all(&journal).unwrap();
    ids.push(person(&phone, "娜仁"));
    phone.sync();
    assert_eq!(kinds(&server), ["journal_lost"]);
    let data = server.data.clone();
    drop(server);
    std::fs::remove_dir_all(&journal).unwrap();
    let server = Server::start(&data, &options, "127.0.0.1:0");
    phone.ok(&["server", &server.url]);
    ids.push(person(&phone, "萨仁"));
    phone.sync();
    assert_eq!(kinds(&server), ["journal_lost", "journal_lost"]);

    let restored = place.path("restored");
    let verb = ["restore", text(&backup), "--journal", text(&journal)];
    let said = run_server(&restored, &verb).json();
    assert_eq!(said["journal"]["complete"], true, "{said}");
    for id in &ids {
        run_server(&restored, &["show", id]).json();
    }

    // Old files may be taken away by whoever has a newer backup; with this one it is not complete.
    let files = || {
        let files = std::fs::read_dir(&journal).unwrap();
        let mut files: Vec<_> = files.map(|file| file.unwrap().path()).collect();
        files.sort();
        files
    };
    let before = files();
    drop(server);
    let server = Server::start(&data, &options, "127.0.0.1:0");
    phone.ok(&["server", &server.url]);
    person(&phone, "乌云");
    phone.sync();
    let after = files();
    assert_eq!(after[..before.len()], before[..]);
    assert_eq!(after.len(), before.len() + 1);
    for file in before {
        std::fs::remove_file(file).unwrap();
    }
    std::fs::remove_dir_all(&restored).unwrap();
    let said = run_server(&restored, &verb).json();
    assert_eq!(said["journal"]["complete"], false, "{said}");
    assert_eq!(said["recovery"], true, "{said}");
    person(&phone, "敖云");
    phone.sync();
    assert_eq!(kinds(&server).len(), 2);
}

#[test]
fn no_start_takes_away_what_a_journal_holds_and_the_database_lacks() {
    let place = Place::new();
    let journal = place.path("journal");
    let options = ["--sample", "--journal", text(&journal)];
    let server = Server::start(&place.path("server"), &options, "127.0.0.1:0");
    let phone = Phone::enrolled(place.path("a"), &server, GACHA);
    person(&phone, "其其格");
    phone.sync();
    let backup = place.path("backup");
    server.run(&["backup", text(&backup)]).json();
    let acknowledged = person(&phone, "娜仁");
    phone.sync();
    drop(server);

    // Restored by somebody who forgot the journal, and served with it as on every day.
    let without = place.path("without");
    run_server(&without, &["restore", text(&backup)]).json();
    let server = Server::start(&without, &options, "127.0.0.1:0");
    server.run(&["recovery", "confirm"]).json();
    drop(server);
    // Served from a directory that is another installation's.
    let other = place.path("other");
    drop(Server::sample(&other));
    let serve = [
        "serve",
        "--sample",
        "--listen",
        "127.0.0.1:0",
        "--journal",
        text(&journal),
    ];
    let refused = run_server(&other, &serve);
    assert_eq!(refused.error(1)["code"], "journal_of_another");

    let restored = place.path("restored");
    let verb = ["restore", text(&backup), "--journal", text(&journal)];
    let said = run_server(&restored, &verb).json();
    assert_eq!(said["journal"]["complete"], true, "{said}");
    run_server(&restored, &["show", &acknowledged]).json();
}

#[test]
fn killed_at_any_moment_a_backup_a_restore_and_a_journal_are_whole_or_not_there() {
    let mut rng = ChaCha8Rng::seed_from_u64(20_261_127);
    let place = Place::new();
    let journal = place.path("journal");
    let options = ["--sample", "--journal", text(&journal)];
    let mut server = Server::start(&place.path("server"), &options, "127.0.0.1:0");
    let phone = Phone::enrolled(place.path("a"), &server, GACHA);
    let first = place.path("first");
    server.run(&["backup", text(&first)]).json();

    // The server is killed within exchanges; what an exchange that came through brought counts.
    let mut acknowledged = Vec::new();
    let mut unsure = Vec::new();
    for round in 0..12 {
        unsure.push(person(&phone, &format!("其其格{round}")));
        let mut sync = phone.command(&["sync"]);
        let child = sync.stdout(Stdio::null()).stderr(Stdio::null()).spawn();
        let mut child = child.unwrap();
        let within = rng.next_u64() % 150_000;
        std::thread::sleep(Duration::from_micros(within));
        server.kill_and_restart();
        drop(child.wait());
        if phone.ok(&["status"])["unsent"] == 0 {
            acknowledged.append(&mut unsure);
        }
    }
    phone.sync();
    acknowledged.append(&mut unsure);

    let mut kill = |args: &[&str], data: &Path, within_ms: u64| {
        let mut command = server_command(data, args);
        let child = command.stdout(Stdio::null()).stderr(Stdio::null()).spawn();
        let mut child = child.unwrap();
        let within = rng.next_u64() % (within_ms * 1000);
        std::thread::sleep(Duration::from_micros(within));
        drop(child.kill());
        drop(child.wait());
    };
    let backup = place.path("backup");
    for round in 0..10 {
        kill(&["backup", text(&backup)], &server.data, 400);
        if backup.exists() {
            let whole = place.path(&format!("whole-{round}"));
            run_server(&whole, &["restore", text(&backup)]).json();
            std::fs::remove_file(&backup).unwrap();
        }
    }
    let restored = place.path("restored");
    let verb = ["restore", text(&first), "--journal", text(&journal)];
    for _ in 0..10 {
        kill(&verb, &restored, 800);
        if restored.exists() {
            run_server(&restored, &["records"]).json();
            std::fs::remove_dir_all(&restored).unwrap();
        }
    }
    let said = run_server(&restored, &verb).json();
    assert_eq!(said["recovery"], false, "{said}");
    for id in &acknowledged {
        run_server(&restored, &["show", id]).json();
    }
    assert_eq!(run_server(&restored, &["verify"]).json()["different"], 0);
}

/// A copy of a phone's directory, keys and all.
fn copy(phone: &Phone, to: PathBuf) -> Phone {
    std::fs::create_dir(&to).unwrap();
    for entry in std::fs::read_dir(&phone.dir).unwrap().flatten() {
        std::fs::copy(entry.path(), to.join(entry.file_name())).unwrap();
    }
    Phone::at(to)
}

#[test]
fn a_phone_that_was_set_back_heals_as_the_device_that_it_is() {
    let place = Place::new();
    let server = Server::sample(&place.path("server"));
    let phone = Phone::enrolled(place.path("a"), &server, GACHA);
    let b = Phone::enrolled(place.path("b"), &server, GACHA);
    let mut ids = vec![person(&phone, "其其格")];
    phone.sync();
    let phone_before = copy(&phone, place.path("old"));
    ids.push(person(&phone, "娜仁"));
    phone.sync();
    let device = phone.ok(&["status"])["device"].clone();
    std::fs::remove_dir_all(&phone.dir).unwrap();

    ids.push(person(&phone_before, "乌云"));
    phone_before.sync();
    ids.push(person(&phone_before, "萨仁"));
    phone_before.sync();
    b.sync();
    for id in &ids {
        phone_before.ok(&["show", id]);
        b.ok(&["show", id]);
    }
    assert_eq!(phone_before.ok(&["status"])["device"], device);
    assert_eq!(kinds(&server), ["fork_healed", "fork_seen"]);
    assert_eq!(server.run(&["verify"]).json()["different"], 0);
}

#[test]
fn two_phones_with_the_keys_of_one_become_two_devices_and_lose_nothing() {
    let place = Place::new();
    let server = Server::sample(&place.path("server"));
    let a = Phone::enrolled(place.path("a"), &server, GACHA);
    let mut ids = vec![person(&a, "其其格")];
    a.sync();
    let device = a.ok(&["status"])["device"].clone();
    let twin = copy(&a, place.path("twin"));
    for round in 0..3 {
        for phone in [&a, &twin] {
            ids.push(person(phone, &format!("乌云{round}")));
            phone.sync();
        }
    }
    a.sync();
    twin.sync();
    let devices = [&a, &twin].map(|phone| phone.ok(&["status"])["device"].clone());
    assert!(
        devices[0] != devices[1] && !devices.contains(&device),
        "{devices:?}"
    );
    for id in &ids {
        a.ok(&["show", id]);
        twin.ok(&["show", id]);
    }
    let noted = kinds(&server);
    let count = |kind: &str| noted.iter().filter(|noted| *noted == kind).count();
    assert_eq!(
        (count("device_cloned"), count("keys_renewed")),
        (1, 2),
        "{noted:?}"
    );
    assert_eq!(server.run(&["verify"]).json()["different"], 0);

    // And whoever wishes so has new keys at once.
    let renewed = a.ok(&["renew-keys"]);
    assert_ne!(renewed["device"], devices[0]);
    ids.push(person(&a, "萨仁"));
    a.sync();
    assert_eq!(a.ok(&["status"])["unsent"], 0);
    twin.sync();
    twin.ok(&["show", ids.last().unwrap()]);

    // Whoever revokes the old keys says what becomes of the new ones.
    let old = device.as_str().unwrap();
    let asked = server.run(&["revoke", old]).error(1);
    assert_eq!(asked["code"], "device_renewed", "{asked}");
    server.run(&["revoke", old, "--alone"]).json();
    ids.push(person(&a, "娜仁"));
    a.sync();
    assert_eq!(a.ok(&["status"])["unsent"], 0);
}

#[test]
fn what_the_office_decided_stands_in_the_journal_at_once() {
    let place = Place::new();
    let journal = place.path("journal");
    let options = ["--sample", "--journal", text(&journal)];
    let server = Server::start(&place.path("server"), &options, "127.0.0.1:0");
    let a = Phone::enrolled(place.path("a"), &server, GACHA);
    person(&a, "其其格");
    a.sync();
    let backup = place.path("backup");
    server.run(&["backup", text(&backup)]).json();
    let device = device(&a);
    server.run(&["revoke", &device, "--lost"]).json();

    let restored = place.path("restored");
    let journal = ["restore", text(&backup), "--journal", text(&journal)];
    run_server(&restored, &journal).json();
    let devices = run_server(&restored, &["devices"]).json();
    assert_eq!(devices[0]["device"], json!(device));
    assert_eq!(devices[0]["revoked"], "lost", "{devices}");
}

#[test]
fn a_revocation_that_a_phone_brings_back_holds_for_what_came_before_it() {
    let place = Place::new();
    let server = Server::sample(&place.path("server"));
    let a = Phone::enrolled(place.path("a"), &server, GACHA);
    let b = Phone::enrolled(place.path("b"), &server, GACHA);
    let id = person(&a, "其其格");
    a.sync();
    b.sync();
    let backup = place.path("backup");
    server.run(&["backup", text(&backup)]).json();
    a.edit(&id, &["identity.name=娜仁"]);
    let outbox = place.path("outbox");
    a.ok(&["outbox", text(&outbox)]);
    server.run(&["revoke", &device(&a)]).json();
    b.sync();

    // The restored server knows nothing of it, and is brought what the phone had not sent.
    let restored = place.path("restored");
    run_server(&restored, &["restore", text(&backup)]).json();
    let server = replace(server, &restored, &["--sample"]);
    server.run(&["bundle", "import", text(&outbox)]).json();
    let name = |server: &Server| {
        let shown = server.run(&["show", &id]).json();
        shown["fields"]["identity.name"].clone()
    };
    assert_eq!(name(&server), "娜仁");

    b.sync();
    assert_eq!(name(&server), "其其格");
    let waiting = server.run(&["pending-batches"]).json();
    assert_eq!(waiting.as_array().unwrap().len(), 1, "{waiting}");
    assert_eq!(server.run(&["verify"]).json()["different"], 0);
    assert_eq!(server.run(&["verify-cells"]).json()["different"], 0);
}
