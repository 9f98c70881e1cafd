//! The library of native apps against a live server, from Rust: what holds in every language.

use std::collections::HashMap;
use std::io::Read;
use std::net::TcpListener;
use std::path::Path;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::mpsc::{Receiver, Sender, channel};
use std::sync::{Arc, Mutex};

use harness::{PIN, Server};
use ortoo_ffi::error::{HostError, PhoneError};
use ortoo_ffi::language::Language;
use ortoo_ffi::phone::Phone;
use ortoo_ffi::record::{Record, Subject, Value};
use ortoo_ffi::secret::Secret;
use ortoo_ffi::status::Progress;
use ortoo_ffi::work::{Listener, start_enrolment};

const UNIT: &str = "152522100200";

fn secret() -> Secret {
    Secret::Typed {
        secret: PIN.to_owned(),
    }
}

fn enrolled(server: &Server, dir: &Path) -> Arc<Phone> {
    let dir = dir.to_string_lossy().into_owned();
    let link = server.link(UNIT);
    let enrolment = start_enrolment(dir.clone(), secret(), link, Language::English, None).unwrap();
    assert_eq!(enrolment.wait().unwrap().pending_digits, None);
    Phone::open(dir, secret(), Language::English).unwrap()
}

fn exchange(phone: &Phone) {
    phone.start_exchange(None).unwrap().wait().unwrap();
}

fn named(name: &str) -> HashMap<String, String> {
    HashMap::from([("identity.name".to_owned(), name.to_owned())])
}

fn name_of(record: &Record) -> &str {
    match &record.fields["identity.name"] {
        Value::Text { value } => value,
        other => panic!("{other:?}"),
    }
}

/// The address of one who hears whoever connects and never answers, and word that somebody did.
fn silent_server() -> (String, Receiver<()>) {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let address = format!("https://{}", listener.local_addr().unwrap());
    let (reached, arrived) = channel();
    std::thread::spawn(move || {
        let (mut tcp, _) = listener.accept().unwrap();
        tcp.read_exact(&mut [0; 1]).unwrap();
        reached.send(()).unwrap();
        drop(tcp.read_to_end(&mut Vec::new()));
    });
    (address, arrived)
}

/// Counts what it hears, and fails every time.
#[derive(Default)]
struct Faulty {
    rounds: AtomicUsize,
    ends: Mutex<Option<Sender<()>>>,
}

impl Listener for Faulty {
    fn progress(&self, progress: Progress) -> Result<(), HostError> {
        assert!(progress.moved.round_trips > 0);
        self.rounds.fetch_add(1, Ordering::SeqCst);
        Err(HostError::Failed {
            detail: "the app's mistake".to_owned(),
        })
    }

    fn ended(&self) -> Result<(), HostError> {
        let told = self.ends.lock().unwrap().take();
        told.expect("ends once").send(()).unwrap();
        Err(HostError::Failed {
            detail: String::new(),
        })
    }
}

#[test]
fn a_listener_that_fails_is_told_all_the_same_and_stops_nothing() {
    let dir = tempfile::tempdir().unwrap();
    let server = Server::sample(&dir.path().join("server"));
    let phone = enrolled(&server, &dir.path().join("phone"));
    phone.add(Subject::Person, None, named("其其格")).unwrap();
    let (sender, ended) = channel();
    let listener = Arc::new(Faulty {
        rounds: AtomicUsize::new(0),
        ends: Mutex::new(Some(sender)),
    });
    let exchange = phone.start_exchange(Some(listener.clone())).unwrap();
    ended.recv().unwrap();
    assert!(!exchange.is_running());
    let moved = exchange.wait().unwrap();
    assert_eq!(moved.batches_up, 1);
    let rounds = listener.rounds.load(Ordering::SeqCst);
    assert_eq!(rounds as i64, moved.round_trips);
}

#[test]
fn a_round_that_does_not_come_through_is_no_progress() {
    let dir = tempfile::tempdir().unwrap();
    let mut server = Server::sample(&dir.path().join("server"));
    let phone = enrolled(&server, &dir.path().join("phone"));
    phone.add(Subject::Person, None, named("其其格")).unwrap();
    server.stop();
    let (sender, ended) = channel();
    let listener = Arc::new(Faulty {
        rounds: AtomicUsize::new(0),
        ends: Mutex::new(Some(sender)),
    });
    let exchange = phone.start_exchange(Some(listener.clone())).unwrap();
    ended.recv().unwrap();
    let error = exchange.wait().unwrap_err();
    assert!(
        matches!(error, PhoneError::NoConnection { .. }),
        "{error:?}"
    );
    assert_eq!(listener.rounds.load(Ordering::SeqCst), 0);
}

/// Whatever single row a store loses: opening says that it is damaged, or an exchange brings back
/// all that the phone showed.
#[test]
fn a_store_that_lost_any_row_says_so_or_gets_everything_back() {
    let dir = tempfile::tempdir().unwrap();
    let server = Server::sample(&dir.path().join("server"));
    let whole = dir.path().join("phone");
    let phone = enrolled(&server, &whole);
    for name in ["其其格", "乌云", "萨仁"] {
        let id = phone.add(Subject::Person, None, named(name)).unwrap();
        phone.edit(id, named(&format!("{name}玛"))).unwrap();
        exchange(&phone);
    }
    let everything = phone.list(Subject::Person, None, None).unwrap();
    phone.lock();
    let rows: Vec<(i64, Vec<u8>)> = {
        let store = rusqlite::Connection::open(whole.join("ortoo.db")).unwrap();
        let mut all = store.prepare("SELECT tbl, name FROM row").unwrap();
        let rows = all.query_map([], |row| Ok((row.get(0)?, row.get(1)?)));
        rows.unwrap().map(Result::unwrap).collect()
    };
    let mut damaged = 0;
    for (at, (table, name)) in rows.iter().enumerate() {
        let copy = dir.path().join(format!("without-{at}"));
        std::fs::create_dir(&copy).unwrap();
        std::fs::copy(whole.join("ortoo.db"), copy.join("ortoo.db")).unwrap();
        let store = rusqlite::Connection::open(copy.join("ortoo.db")).unwrap();
        let lost = store.execute(
            "DELETE FROM row WHERE tbl = ?1 AND name = ?2",
            rusqlite::params![table, name],
        );
        assert_eq!(lost, Ok(1));
        drop(store);
        let place = copy.to_string_lossy().into_owned();
        let phone = match Phone::open(place, secret(), Language::English) {
            Ok(phone) => phone,
            Err(PhoneError::Store { problems }) => {
                assert_eq!(problems[0].code, "store_damaged", "table {table}");
                damaged += 1;
                continue;
            }
            Err(error) => panic!("table {table}: {error:?}"),
        };
        if phone.status().unwrap().server.is_empty() {
            phone.set_server(server.url.clone()).unwrap();
        }
        exchange(&phone);
        let shows = phone.list(Subject::Person, None, None).unwrap();
        assert_eq!(shows, everything, "table {table}, row {at}");
        assert_eq!(phone.status().unwrap().unsent, 0, "table {table}, row {at}");
    }
    // The device's keys, and who it is.
    assert_eq!(damaged, 2);
    server.run(&["verify"]).json();
}

/// Rows of the control feed say what this phone may hold. One that is damaged takes nothing away.
#[test]
fn what_is_unsent_survives_damage_to_any_row_of_the_control_feed() {
    let dir = tempfile::tempdir().unwrap();
    let server = Server::sample(&dir.path().join("server"));
    let whole = dir.path().join("phone");
    let phone = enrolled(&server, &whole);
    phone.add(Subject::Person, None, named("其其格")).unwrap();
    exchange(&phone);
    phone.add(Subject::Person, None, named("乌云")).unwrap();
    let everything = phone.list(Subject::Person, None, None).unwrap();
    phone.lock();
    let rows: Vec<(Vec<u8>, Vec<u8>)> = {
        let store = rusqlite::Connection::open(whole.join("ortoo.db")).unwrap();
        let control = "SELECT name, value FROM row WHERE tbl = 1";
        let mut control = store.prepare(control).unwrap();
        let rows = control.query_map([], |row| Ok((row.get(0)?, row.get(1)?)));
        rows.unwrap().map(Result::unwrap).collect()
    };
    assert!(rows.len() > 3, "{}", rows.len());
    for (at, (name, value)) in rows.iter().enumerate() {
        for damage in [false, true] {
            let copy = dir.path().join(format!("{at}-{damage}"));
            std::fs::create_dir(&copy).unwrap();
            std::fs::copy(whole.join("ortoo.db"), copy.join("ortoo.db")).unwrap();
            let store = rusqlite::Connection::open(copy.join("ortoo.db")).unwrap();
            let mut flipped = value.clone();
            flipped[value.len() / 2] ^= 16;
            let hurt = match damage {
                true => store.execute(
                    "UPDATE row SET value = ?2 WHERE tbl = 1 AND name = ?1",
                    rusqlite::params![name, flipped],
                ),
                false => store.execute("DELETE FROM row WHERE tbl = 1 AND name = ?1", [name]),
            };
            assert_eq!(hurt, Ok(1));
            drop(store);
            let place = copy.to_string_lossy().into_owned();
            let open = || Phone::open(place.clone(), secret(), Language::English).unwrap();
            // Opening alone takes nothing away, and what an exchange brings back is there for good.
            open().lock();
            let phone = open();
            exchange(&phone);
            assert_eq!(phone.status().unwrap().unsent, 0, "row {at}, {damage}");
            phone.lock();
            let phone = open();
            let shows = phone.list(Subject::Person, None, None).unwrap();
            assert_eq!(shows, everything, "row {at}, {damage}");
            exchange(&phone);
            phone.lock();
            let shows = open().list(Subject::Person, None, None).unwrap();
            assert_eq!(shows, everything, "row {at}, {damage}");
        }
    }
    server.run(&["verify"]).json();
}

#[test]
fn an_exchange_that_waits_holds_nothing_up_and_goes_on_after_it_was_stopped() {
    let dir = tempfile::tempdir().unwrap();
    let server = Server::sample(&dir.path().join("server"));
    let phone = enrolled(&server, &dir.path().join("phone"));
    let id = phone.add(Subject::Person, None, named("其其格")).unwrap();
    let (silent, arrived) = silent_server();
    phone.set_server(silent).unwrap();
    let waiting = phone.start_exchange(None).unwrap();
    arrived.recv().unwrap();
    assert_eq!(name_of(&phone.show(id.clone()).unwrap()), "其其格");
    phone.edit(id.clone(), named("其其格玛")).unwrap();
    let second = phone.start_exchange(None).map(drop).unwrap_err();
    let PhoneError::Wrong { problems } = second else {
        panic!("{second:?}");
    };
    assert_eq!(problems[0].code, "exchange_running");
    waiting.cancel();
    let stopped = waiting.wait().unwrap_err();
    assert!(
        matches!(stopped, PhoneError::Cancelled { .. }),
        "{stopped:?}"
    );

    phone.set_server(server.url.clone()).unwrap();
    exchange(&phone);
    assert_eq!(phone.status().unwrap().unsent, 0);
    let other = enrolled(&server, &dir.path().join("other"));
    exchange(&other);
    assert_eq!(name_of(&other.show(id).unwrap()), "其其格玛");
}

#[test]
fn new_keys_that_were_stopped_wait_and_come_with_the_next_exchange() {
    let dir = tempfile::tempdir().unwrap();
    let server = Server::sample(&dir.path().join("server"));
    let phone = enrolled(&server, &dir.path().join("phone"));
    let id = phone.add(Subject::Person, None, named("其其格")).unwrap();
    let device = phone.status().unwrap().device;
    let (silent, arrived) = silent_server();
    phone.set_server(silent).unwrap();
    let waiting = phone.start_renewal(None).unwrap();
    arrived.recv().unwrap();
    assert_eq!(name_of(&phone.show(id.clone()).unwrap()), "其其格");
    let second = phone.start_exchange(None).map(drop).unwrap_err();
    let PhoneError::Wrong { problems } = second else {
        panic!("{second:?}");
    };
    assert_eq!(problems[0].code, "exchange_running");
    waiting.cancel();
    let stopped = waiting.wait().unwrap_err();
    assert!(
        matches!(stopped, PhoneError::Cancelled { .. }),
        "{stopped:?}"
    );
    assert_eq!(phone.status().unwrap().device, device);

    phone.set_server(server.url.clone()).unwrap();
    let moved = phone.start_exchange(None).unwrap().wait().unwrap();
    let renewed = phone.status().unwrap();
    assert_eq!(moved.renewed.as_ref(), Some(&renewed.device));
    assert_ne!(renewed.device, device);
    assert_eq!(renewed.unsent, 0);
    phone.edit(id.clone(), named("其其格玛")).unwrap();
    let moved = phone.start_exchange(None).unwrap().wait().unwrap();
    assert_eq!(moved.renewed, None);
    assert_eq!(phone.status().unwrap().unsent, 0);
    let again = phone.start_renewal(None).unwrap().wait().unwrap();
    assert_ne!(again.renewed, Some(renewed.device));
    server.run(&["verify"]).json();
}

#[test]
fn a_phone_that_the_office_had_wiped_says_so_from_then_on() {
    let dir = tempfile::tempdir().unwrap();
    let server = Server::sample(&dir.path().join("server"));
    let phone = enrolled(&server, &dir.path().join("phone"));
    let id = phone.add(Subject::Person, None, named("其其格")).unwrap();
    let device = phone.status().unwrap().device;
    let key = server.data.join("order.key");
    let order = ["wipe", &device, "--key", &key.to_string_lossy()];
    server.run(&order).json();
    let ended = phone.start_exchange(None).unwrap().wait().unwrap_err();
    for error in [ended, phone.show(id.clone()).unwrap_err()] {
        let PhoneError::Wiped { problems } = error else {
            panic!("{error:?}");
        };
        assert_eq!(problems[0].code, "wiped");
    }
    let shown = server.run(&["show", &id]).json();
    assert_eq!(shown["fields"]["identity.name"], "其其格");
}

#[test]
fn locking_a_phone_stops_the_exchange_that_is_under_way() {
    let dir = tempfile::tempdir().unwrap();
    let server = Server::sample(&dir.path().join("server"));
    let phone = enrolled(&server, &dir.path().join("phone"));
    let (silent, arrived) = silent_server();
    phone.set_server(silent).unwrap();
    let waiting = phone.start_exchange(None).unwrap();
    arrived.recv().unwrap();
    phone.lock();
    let stopped = waiting.wait().unwrap_err();
    assert!(
        matches!(stopped, PhoneError::Cancelled { .. }),
        "{stopped:?}"
    );
}

#[test]
fn calls_from_eight_threads_and_exchanges_meanwhile_lose_nothing() {
    let dir = tempfile::tempdir().unwrap();
    let server = Server::sample(&dir.path().join("server"));
    let phone = enrolled(&server, &dir.path().join("phone"));
    let writers: Vec<_> = (0..8)
        .map(|writer| {
            let phone = phone.clone();
            std::thread::spawn(move || {
                let mut mine = Vec::new();
                for round in 0..12 {
                    let name = format!("其其格{writer}-{round}");
                    let id = phone.add(Subject::Person, None, named("新")).unwrap();
                    phone.edit(id.clone(), named(&name)).unwrap();
                    assert_eq!(name_of(&phone.show(id.clone()).unwrap()), name);
                    if writer == 0 {
                        exchange(&phone);
                    }
                    mine.push((id, name));
                }
                mine
            })
        })
        .collect();
    let written = writers.into_iter().flat_map(|one| one.join().unwrap());
    let written: HashMap<String, String> = written.collect();
    assert_eq!(written.len(), 8 * 12);
    exchange(&phone);
    let other = enrolled(&server, &dir.path().join("other"));
    exchange(&other);
    for phone in [&phone, &other] {
        let rows = phone.list(Subject::Person, None, None).unwrap();
        let shown = rows
            .iter()
            .map(|row| (row.id.clone(), name_of(row).to_owned()));
        assert_eq!(shown.collect::<HashMap<_, _>>(), written);
    }
    server.run(&["verify"]).json();
}

#[test]
fn a_locked_phone_says_so_and_a_wiped_one_has_no_store() {
    let dir = tempfile::tempdir().unwrap();
    let server = Server::sample(&dir.path().join("server"));
    let store = dir.path().join("phone");
    let phone = enrolled(&server, &store);
    phone.add(Subject::Person, None, named("其其格")).unwrap();
    phone.lock();
    let code = |error: PhoneError| match error {
        PhoneError::Store { problems } | PhoneError::Wrong { problems } => problems[0].code.clone(),
        other => panic!("{other:?}"),
    };
    assert_eq!(code(phone.status().unwrap_err()), "phone_locked");
    let place = store.to_string_lossy().into_owned();
    let again = Phone::open(place.clone(), secret(), Language::Chinese).unwrap();
    assert_eq!(code(again.wipe(false).unwrap_err()), "unsent_changes");
    again.wipe(true).unwrap();
    let gone = Phone::open(place, secret(), Language::Chinese).map(drop);
    assert_eq!(code(gone.unwrap_err()), "store_missing");
}
