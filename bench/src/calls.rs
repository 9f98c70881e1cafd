//! Cost of a call for an app: the same phone called from Rust, Kotlin and Python, alone and during
//! an exchange.
//!
//! Kotlin and Python are measured by programs of their own packages, which `cargo xtask bench`
//! builds; where a tool is missing its row says so.

use std::path::Path;
use std::process::Command;
use std::time::{Duration, Instant};

use harness::Server;
use ortoo_ffi::language::Language;
use ortoo_ffi::phone::Phone;
use ortoo_ffi::record::Subject;
use ortoo_ffi::secret::Secret;
use ortoo_ffi::work::start_enrolment;

use crate::measure::{Table, median, thousands};
use crate::village;

const UNIT: &str = "152522100200";
const PIN: &str = "246810";
/// Three villages in one: 1,050 women for the list.
const SCALE: usize = 3;
/// Calls of which the median is taken, and of the slow ones.
const CALLS: usize = 300;
const SLOW_CALLS: usize = 15;

/// Runs the family; returns its part of the results.
pub(crate) fn run() -> String {
    let dir = tempfile::tempdir().unwrap_or_else(|error| panic!("{error}"));
    let server = Server::sample(&dir.path().join("server"));
    village::make(&server, UNIT, 31, SCALE);
    let mut table = Table::new(&[
        "from",
        "show µs",
        "list µs",
        "its rows",
        "add (durable) µs",
        "exchange of nothing µs",
    ]);
    for language in ["Rust", "Kotlin", "Python"] {
        let store = dir.path().join(language);
        let phone = enrolled(&server, &store);
        exchange(&phone);
        let cells = match language {
            "Rust" => rust(&phone),
            other => {
                drop(phone);
                elsewhere(other, &store)
            }
        };
        table.row(&[vec![language.to_owned()], cells].concat());
    }
    let mut waits = Table::new(&[
        "records that the exchange brings",
        "it takes ms",
        "calls of status meanwhile",
        "longest ms",
    ]);
    waits.row(&waiting(&server, &dir.path().join("waits")));
    let community = Server::sample(&dir.path().join("community"));
    village::make(&community, UNIT, 32, 10);
    waits.row(&waiting(&community, &dir.path().join("waits more")));
    format!(
        "## Calls from apps\n\nMedians on a store of {} records through the same library (release); \
         Kotlin's after a warm-up. Rust calls it directly, so its row is the work itself.\n\n{}\n### A call while a first exchange is under way\n\nIt waits for the step \
         that the exchange is in, never for the network.\n\n{}",
        thousands(600 * SCALE as u64),
        table.text(),
        waits.text()
    )
}

fn secret() -> Secret {
    Secret::Typed {
        secret: PIN.to_owned(),
    }
}

fn enrolled(server: &Server, store: &Path) -> std::sync::Arc<Phone> {
    let dir = store.to_string_lossy().into_owned();
    let link = server.link(UNIT);
    let enrolment = start_enrolment(dir.clone(), secret(), link, Language::English, None);
    let enrolled = enrolment.and_then(|enrolment| enrolment.wait());
    enrolled.unwrap_or_else(|error| panic!("enrolment: {error}"));
    Phone::open(dir, secret(), Language::English).unwrap_or_else(|error| panic!("{error}"))
}

fn exchange(phone: &Phone) {
    let exchange = phone.start_exchange(None);
    let moved = exchange.and_then(|exchange| exchange.wait());
    moved.unwrap_or_else(|error| panic!("exchange: {error}"));
}

/// The median time of a call, in µs.
fn timed(calls: usize, mut call: impl FnMut(usize)) -> String {
    let times = (0..calls).map(|at| {
        let started = Instant::now();
        call(at);
        started.elapsed()
    });
    let median = median(times.collect()).unwrap_or_default();
    thousands(median.as_micros() as u64)
}

fn rust(phone: &Phone) -> Vec<String> {
    let list = || {
        let rows = phone.list(Subject::Person, None, None);
        rows.unwrap_or_else(|error| panic!("list: {error}"))
    };
    let rows = list();
    let id = rows.first().map(|row| row.id.clone()).unwrap_or_default();
    let show = timed(CALLS, |_| {
        drop(phone.show(id.clone()).unwrap_or_else(|e| panic!("{e}")));
    });
    let listed = timed(SLOW_CALLS, |_| drop(list()));
    let nothing = timed(SLOW_CALLS, |_| exchange(phone));
    let add = timed(CALLS, |at| {
        let name = ("identity.name".to_owned(), format!("其其格{at}"));
        let added = phone.add(Subject::Person, None, [name].into());
        drop(added.unwrap_or_else(|error| panic!("add: {error}")));
    });
    vec![show, listed, rows.len().to_string(), add, nothing]
}

/// Has another language's program measure the same and say it in one line of JSON.
fn elsewhere(language: &str, store: &Path) -> Vec<String> {
    let root = Path::new(env!("CARGO_MANIFEST_DIR")).join("../mobile-ffi");
    let mut command = match language {
        "Kotlin" => {
            let package = root.join("kotlin");
            let path = std::fs::read_to_string(package.join("target/classpath.txt"));
            let mut java = Command::new("java");
            java.current_dir(&package)
                .arg("-Djna.library.path=target/native")
                .arg("-cp")
                .arg(format!(
                    "target/test-classes:target/classes:{}",
                    path.unwrap_or_default().trim()
                ))
                .arg("ortoo.bench.CallsKt");
            java
        }
        _ => {
            let mut python = Command::new("python3");
            python
                .current_dir(root.join("python"))
                .arg("bench_calls.py");
            python
        }
    };
    let said = command.arg(store).arg(PIN).output();
    let said = said.ok().filter(|said| said.status.success());
    let line = said.map(|said| String::from_utf8_lossy(&said.stdout).into_owned());
    let figures = line.as_deref().and_then(|line| line.lines().last());
    let figures = figures.and_then(|line| serde_json::from_str::<serde_json::Value>(line).ok());
    let Some(figures) = figures else {
        return vec!["not run: its package is not built".to_owned()];
    };
    let figure = |name: &str| thousands(figures[name].as_f64().unwrap_or_default() as u64);
    ["show_us", "list_us", "list_rows", "add_us", "exchange_us"]
        .map(figure)
        .to_vec()
}

/// The row of a new phone's first exchange with somebody calling all the time.
fn waiting(server: &Server, store: &Path) -> Vec<String> {
    let phone = enrolled(server, store);
    let started = Instant::now();
    let exchange = phone.start_exchange(None);
    let exchange = exchange.unwrap_or_else(|error| panic!("exchange: {error}"));
    let (mut calls, mut longest) = (0, Duration::ZERO);
    while exchange.is_running() {
        let called = Instant::now();
        phone.status().unwrap_or_else(|error| panic!("{error}"));
        longest = longest.max(called.elapsed());
        calls += 1;
    }
    let took = started.elapsed();
    exchange.wait().unwrap_or_else(|error| panic!("{error}"));
    let all = [Subject::Person, Subject::Household].map(|subject| {
        let rows = phone.list(subject, None, None);
        rows.unwrap_or_else(|error| panic!("{error}")).len()
    });
    vec![
        thousands(all.iter().sum::<usize>() as u64),
        thousands(took.as_millis() as u64),
        thousands(calls),
        thousands(longest.as_millis() as u64),
    ]
}
