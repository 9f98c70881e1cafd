//! Throughput of the hub on durable SQLite, beside bare Automerge applying the same changes to the
//! same documents in memory.

use std::collections::BTreeMap;
use std::time::{Duration, Instant};

use automerge::{Automerge, Change};
use ortoo_server::{App, CodeRequest, Options};
use plan::Package;
use sync_core::id::{RecordId, Space};
use tokio::runtime::Runtime;

use crate::measure::{Table, thousands};
use crate::phone::MemoryPhone;
use crate::workload::{Kind, Workload};

/// One village for each device, so that what is measured is taking edits in and not handing them on.
const UNITS: [&str; 4] = [
    "152522100200",
    "152522100201",
    "152522100202",
    "152522100203",
];
/// Records of each village.
const RECORDS: usize = 60;
/// Edits of one request.
const EDITS: usize = 20;
/// Requests of one device.
const ROUNDS: usize = 25;

/// A hub with its phones, and what it has needed so far.
struct Hub {
    app: App,
    _dir: tempfile::TempDir,
    phones: Vec<MemoryPhone>,
    records: Vec<Vec<RecordId>>,
    draw: Workload,
    sequential: Duration,
    concurrent: Duration,
}

impl Hub {
    /// A hub that works by this package, with a village for each device.
    fn new(runtime: &Runtime, package: Package) -> Self {
        let dir = tempfile::tempdir().unwrap_or_else(|error| panic!("{error}"));
        let options = Options {
            sample: true,
            package,
            ..Options::default()
        };
        let app = runtime.block_on(App::open(dir.path(), options));
        let app = app.unwrap_or_else(|error| panic!("{error}"));
        runtime
            .block_on(app.remember_address("https://127.0.0.1:1"))
            .unwrap_or_else(|e| panic!("{e}"));
        let mut phones: Vec<MemoryPhone> = (5000..)
            .zip(UNITS)
            .map(|(seed, unit)| enrol(runtime, &app, unit, seed))
            .collect();
        let mut draw = Workload::of_village(9);
        let mut records: Vec<Vec<RecordId>> = Vec::new();
        for phone in &mut phones {
            let made = (0..RECORDS).map(|_| {
                let record = phone.draw(Kind::Household);
                phone.save(record, &draw.record(Kind::Household));
                record
            });
            records.push(made.collect());
            phone.sync(&mut |body| exchange(runtime, &app, body));
        }
        Self {
            app,
            _dir: dir,
            phones,
            records,
            draw,
            sequential: Duration::ZERO,
            concurrent: Duration::ZERO,
        }
    }

    /// Every device edits and exchanges, one after the other or all at once; returns the changes.
    fn round(&mut self, runtime: &Runtime, round: usize) -> Vec<(RecordId, Vec<u8>)> {
        let requests: Vec<_> = self
            .phones
            .iter_mut()
            .zip(&self.records)
            .map(|(phone, records)| {
                for edit in 0..EDITS {
                    let at = (round * EDITS + edit) % records.len();
                    phone.save(records[at], &self.draw.edit(Kind::Household));
                }
                phone.request()
            })
            .collect();
        let network = self.app.network();
        let changes = (self.phones.iter())
            .zip(&requests)
            .flat_map(|(phone, outgoing)| phone.changes_in(network, &outgoing.bytes));
        let changes = changes.collect();
        let started = Instant::now();
        let answers: Vec<Vec<u8>> = if round.is_multiple_of(2) {
            requests
                .iter()
                .map(|outgoing| exchange(runtime, &self.app, &outgoing.bytes))
                .collect()
        } else {
            runtime.block_on(async {
                let running: Vec<_> = requests
                    .iter()
                    .map(|outgoing| {
                        let (app, body) = (self.app.clone(), outgoing.bytes.clone());
                        tokio::spawn(async move { app.exchange(body).await })
                    })
                    .collect();
                let mut answers = Vec::new();
                for task in running {
                    let answer = task.await.unwrap_or_else(|error| panic!("{error}"));
                    answers.push(answer.unwrap_or_else(|error| panic!("{error}")));
                }
                answers
            })
        };
        let took = started.elapsed();
        match round.is_multiple_of(2) {
            true => self.sequential += took,
            false => self.concurrent += took,
        }
        for ((phone, outgoing), answer) in self.phones.iter_mut().zip(&requests).zip(&answers) {
            phone.take(outgoing, answer);
        }
        changes
    }
}

/// Runs the family; returns its part of the results.
pub(crate) fn run() -> String {
    let runtime = Runtime::new().unwrap_or_else(|error| panic!("{error}"));
    let mut counting = Hub::new(&runtime, Package::builtin());
    let mut without = Package::builtin();
    without.indicators.clear();
    let mut plain = Hub::new(&runtime, without);
    let mut documents = Documents::default();
    for (phone, unit) in counting.phones.iter().zip(UNITS) {
        documents.of(phone, unit);
    }
    let mut automerge = Duration::ZERO;
    let mut edits = 0;
    // In turns, so that a busy moment hits all of them.
    for round in 0..ROUNDS {
        let changes = counting.round(&runtime, round);
        edits += changes.len();
        plain.round(&runtime, round);
        let started = Instant::now();
        documents.apply(&changes);
        automerge += started.elapsed();
    }
    for hub in [&counting, &plain] {
        let verified = runtime.block_on(hub.app.verify());
        let verified = verified.unwrap_or_else(|error| panic!("{error}"));
        assert_eq!(verified.differences.len(), 0);
    }
    let recounted = runtime.block_on(counting.app.verify_cells());
    let recounted = recounted.unwrap_or_else(|error| panic!("{error}"));
    assert_eq!(recounted.differences.len(), 0);

    let even = ROUNDS.div_ceil(2) as f64 / ROUNDS as f64;
    let rate = |edits: f64, took: Duration| edits / took.as_secs_f64();
    let bare = rate(edits as f64, automerge);
    let mut table = Table::new(&["work", "edits/s", "of bare Automerge", "reach (DESIGN)"]);
    let mut row = |name: String, rate: f64, reach: &str| {
        let ratio = format!("{:.2}", rate / bare);
        table.row(&[name, thousands(rate as u64), ratio, reach.to_owned()]);
    };
    for (name, hub) in [("with cells", &counting), ("without cells", &plain)] {
        let one = rate(edits as f64 * even, hub.sequential);
        let many = rate(edits as f64 * (1.0 - even), hub.concurrent);
        let reach = "≥ 2,000; ≥ 0.3";
        row(
            format!("hub {name}, one request after the other"),
            one,
            reach,
        );
        let at_once = format!("hub {name}, {} requests at once", UNITS.len());
        row(at_once, many, reach);
    }
    row(
        "bare Automerge: load, apply, save in memory".into(),
        bare,
        "",
    );
    format!(
        "## Hub ingest on durable SQLite\n\n{} edits in requests of {EDITS}, from {} devices in as many \
         villages of {RECORDS} records; signatures verified, changes admitted, records, batches and cells in one \
         transaction with `synchronous=FULL`, in process without TLS. The hub without cells works by a plan \
         without indicators. `verify` and `verify-cells` afterwards: clean.\n\n{}",
        thousands(edits as u64),
        UNITS.len(),
        table.text()
    )
}

fn enrol(runtime: &Runtime, app: &App, unit: &str, seed: u64) -> MemoryPhone {
    let wish = CodeRequest {
        spaces: vec![format!("{unit}.general")],
        ..CodeRequest::default()
    };
    let link = runtime
        .block_on(app.enrol_code(&wish))
        .unwrap_or_else(|error| panic!("{error}"));
    MemoryPhone::enrol(&link, seed, |request| {
        let answer = runtime.block_on(app.enrol(request.to_vec()));
        answer.unwrap_or_else(|error| panic!("{error}"))
    })
}

fn exchange(runtime: &Runtime, app: &App, body: &[u8]) -> Vec<u8> {
    let answer = runtime.block_on(app.exchange(body.to_vec()));
    answer.unwrap_or_else(|error| panic!("{error}"))
}

/// The same documents, kept by Automerge alone: saved, and loaded for each edit.
#[derive(Default)]
struct Documents(BTreeMap<RecordId, Vec<u8>>);

impl Documents {
    /// Starts from what a phone holds, through its history.
    fn of(&mut self, phone: &MemoryPhone, unit: &str) {
        let space: Space = format!("{unit}.general")
            .parse()
            .unwrap_or_else(|_| panic!("space"));
        for (record, state) in phone.replica().records(&space) {
            self.0.insert(record, state.saved().to_vec());
        }
    }

    fn apply(&mut self, changes: &[(RecordId, Vec<u8>)]) {
        for (record, raw) in changes {
            let saved = self.0.entry(*record).or_default();
            let mut document = Automerge::load(saved).unwrap_or_else(|error| panic!("{error}"));
            let change = Change::try_from(raw.as_slice()).unwrap_or_else(|error| panic!("{error}"));
            document
                .apply_changes([change])
                .unwrap_or_else(|error| panic!("{error}"));
            *saved = document.save_nocompress();
        }
    }
}
