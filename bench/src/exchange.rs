//! Cost of one village's exchanges: W1 new phone, W2 20 edits each way, W3 nothing new, W5
//! conflicts, and its growth with the register.
//!
//! Real phones (sealed SQLite stores) against a real server process. Message bodies are counted by
//! the phone, bytes on the socket with TLS and HTTP by a proxy in between.

use std::path::Path;
use std::sync::atomic::Ordering;
use std::time::{Duration, Instant};

use client::cancel::Cancel;
use client::draft::Typed;
use client::keys::Secret;
use client::phone::{self, Phone};
use client::sync::SyncReport;
use harness::Server;
use harness::proxy::Proxy;
use sync_core::id::RecordId;

use crate::measure::{Table, cpu_of, modelled_2g, thousands};
use crate::village::{self, Way};
use crate::workload::{Kind, Workload, kind_at};

/// The 嘎查 of these benches.
pub(crate) const UNIT: &str = "152522100200";
const PIN: &str = "246810";
/// Edits of each phone in the daily delta.
pub(crate) const DELTA: usize = 20;

/// One measured exchange.
pub(crate) struct Cost {
    report: SyncReport,
    socket_up: u64,
    socket_down: u64,
    wall: Duration,
    client_cpu: Duration,
    server_cpu: Duration,
}

/// A server, and phones that talk to it through a counting proxy.
pub(crate) struct Bench {
    pub(crate) server: Server,
    proxy: Proxy,
    dir: tempfile::TempDir,
}

impl Bench {
    pub(crate) fn new() -> Self {
        let dir = tempfile::tempdir().unwrap_or_else(|error| panic!("{error}"));
        let server = Server::sample(&dir.path().join("server"));
        let proxy = Proxy::before(server.address());
        Self { server, proxy, dir }
    }

    /// A real phone, which talks through the proxy.
    fn phone(&self, name: &str) -> Phone {
        self.phone_of(name, UNIT)
    }

    /// One of a single space, or of a unit.
    pub(crate) fn phone_of(&self, name: &str, space: &str) -> Phone {
        let dir = self.dir.path().join(name);
        open(
            &dir,
            &self.server.link(space),
            &format!("https://{}", self.proxy.address),
        )
    }

    pub(crate) fn sync(&self, phone: &mut Phone) -> Cost {
        let seen = || {
            let seen = &self.proxy.seen;
            (
                seen.up.load(Ordering::SeqCst),
                seen.down.load(Ordering::SeqCst),
            )
        };
        let (up, down) = seen();
        let (client, server) = (cpu_of(std::process::id()), cpu_of(self.server.pid()));
        let started = Instant::now();
        let report = client::sync::sync(phone).unwrap_or_else(|error| panic!("sync: {error}"));
        let wall = started.elapsed();
        let (up_after, down_after) = seen();
        Cost {
            report,
            socket_up: up_after - up,
            socket_down: down_after - down,
            wall,
            client_cpu: cpu_of(std::process::id()).saturating_sub(client),
            server_cpu: cpu_of(self.server.pid()).saturating_sub(server),
        }
    }
}

pub(crate) fn open(dir: &Path, link: &str, server: &str) -> Phone {
    let secret = || Secret::new(PIN.to_owned()).unwrap_or_else(|error| panic!("{error}"));
    client::enrol::enrol(dir, &secret(), link, &Cancel::new())
        .unwrap_or_else(|error| panic!("enrol: {error}"));
    let mut phone = phone::open(dir, secret()).unwrap_or_else(|error| panic!("open: {error}"));
    phone
        .set_server(server)
        .unwrap_or_else(|error| panic!("server: {error}"));
    phone
}

/// Saves what is drawn, drawing again where it says what stands there already: every edit is one.
pub(crate) fn edit(phone: &mut Phone, record: RecordId, draw: &mut dyn FnMut() -> Vec<String>) {
    let id = record.to_string();
    loop {
        let sets = draw();
        let typed: Result<Vec<Typed>, _> = sets.iter().map(|set| set.parse()).collect();
        let changes = typed.and_then(|typed| phone.edit(&id, &typed));
        if changes.unwrap_or_else(|error| panic!("{sets:?}: {error}")) > 0 {
            return;
        }
    }
}

const COLUMNS: [&str; 11] = [
    "work",
    "body up B",
    "body down B",
    "batches up / down",
    "round trips",
    "socket up B (TLS)",
    "socket down B (TLS)",
    "wall s",
    "CPU s phone / server",
    "modelled 2G s",
    "reach (DESIGN)",
];

fn row(table: &mut Table, name: &str, cost: &Cost, reach: &str) {
    let Cost { report, .. } = cost;
    // As the peers' table: bytes inside the transport, and one round trip for the connect.
    let modelled = modelled_2g(
        (report.bytes_up + report.bytes_down) as u64,
        report.round_trips as u64 + 1,
    );
    table.row(&[
        name.to_owned(),
        thousands(report.bytes_up as u64),
        thousands(report.bytes_down as u64),
        format!("{} / {}", report.batches_up, report.batches_down),
        report.round_trips.to_string(),
        thousands(cost.socket_up),
        thousands(cost.socket_down),
        format!("{:.3}", cost.wall.as_secs_f64()),
        format!(
            "{:.2} / {:.2}",
            cost.client_cpu.as_secs_f64(),
            cost.server_cpu.as_secs_f64()
        ),
        format!("{modelled:.1}"),
        reach.to_owned(),
    ]);
}

/// Runs the family; returns its part of the results.
pub(crate) fn run() -> String {
    let bench = Bench::new();
    let records = village::make(&bench.server, UNIT, 0, 1);
    let way = Way::to(&bench.server);
    let mut table = Table::new(&COLUMNS);

    let (mut a, mut b) = (bench.phone("a"), bench.phone("b"));
    let cost = bench.sync(&mut a);
    row(
        &mut table,
        "W1 new phone, 600 records, 3,600 edits",
        &cost,
        "≤ 120 KB, ≤ 1 s CPU",
    );
    bench.sync(&mut b);

    let mut draw = Workload::of_village(1);
    let two = |a: &mut Phone, b: &mut Phone, draw: &mut Workload, day: usize| {
        // All in one space: 20 households for each phone, others every day.
        for n in 0..DELTA {
            let place = |half: usize| (day * 2 * DELTA + half * DELTA + n) % 250;
            edit(a, records[place(0)], &mut || draw.edit(Kind::Household));
            edit(b, records[place(1)], &mut || draw.edit(Kind::Household));
        }
        bench.sync(b);
        bench.sync(a)
    };
    let first = two(&mut a, &mut b, &mut draw, 0);
    row(
        &mut table,
        "W2 first: 20 edits up, 20 down, one space",
        &first,
        "≤ 2.5 KB each way, 1",
    );
    let again = two(&mut a, &mut b, &mut draw, 1);
    row(&mut table, "W2 the next day", &again, "then ≤ 500 B");
    let quiet = bench.sync(&mut a);
    row(
        &mut table,
        "W3 nothing new, 3 spaces",
        &quiet,
        "≤ 200 B both ways, 1",
    );

    one_space(&bench, &records, &mut table);

    let conflicts = w5(&bench, &records, &mut a, &mut b, &mut table);
    drop((a, b, way));
    format!(
        "## One village over a phone link (W1, W2, W3, W5)\n\n{}\nW5: {conflicts}\n",
        table.text()
    )
}

/// A phone of a single space: what a day of edits of one or two fields each costs, and a day of
/// none.
fn one_space(bench: &Bench, records: &[RecordId], table: &mut Table) {
    let mut phone = bench.phone_of("one-space", &format!("{UNIT}.general"));
    bench.sync(&mut phone);
    let mut draw = Workload::of_village(5);
    let mut day = |phone: &mut Phone, place: &dyn Fn(usize) -> usize| {
        for n in 0..DELTA {
            let record = records[place(n)];
            edit(phone, record, &mut || draw.edit_of(Kind::Household, 2));
        }
        bench.sync(phone)
    };
    let spread = day(&mut phone, &|n| 100 + (n * 37) % 150);
    row(
        table,
        "20 edits of 1–2 fields up, one space, all over the village",
        &spread,
        "≤ 500 B",
    );
    let beside = day(&mut phone, &|n| 80 + n);
    row(
        table,
        "the same the next day, households side by side",
        &beside,
        "≤ 500 B",
    );
    let quiet = bench.sync(&mut phone);
    row(
        table,
        "W3 nothing new, 1 space",
        &quiet,
        "≤ 200 B both ways, 1",
    );
}

/// 300 records edited on both phones: 100 under the same key, 200 under different ones.
fn w5(
    bench: &Bench,
    records: &[RecordId],
    a: &mut Phone,
    b: &mut Phone,
    table: &mut Table,
) -> String {
    let mut draw = Workload::of_village(2);
    for (n, record) in records.iter().enumerate().skip(200).take(300) {
        let kind = kind_at(n);
        let (for_a, for_b) = if n < 300 { (1, 1) } else { (1, 0) };
        edit(a, *record, &mut || vec![draw.field(kind, for_a)]);
        edit(b, *record, &mut || vec![draw.field(kind, for_b)]);
    }
    let first = bench.sync(a);
    row(table, "W5 A pushes 300 edits", &first, "");
    let second = bench.sync(b);
    row(table, "W5 B pushes 300, pulls 300", &second, "");
    let third = bench.sync(a);
    row(table, "W5 A pulls 300", &third, "");
    let listed = |phone: &mut Phone| phone.conflicts().map_or(0, |conflicts| conflicts.len());
    let (at_a, at_b) = (listed(a), listed(b));
    format!(
        "600 edits, none lost: of the 200 under the same 100 keys both values stand, and {at_a} \
         conflicts are listed on A, {at_b} on B; the 400 under different keys show on both."
    )
}

/// Registers of several sizes: how many times 600 records, and how often each was edited since.
const REGISTERS: [(usize, usize); 4] = [(1, 5), (10, 5), (2, 0), (167, 0)];

/// A daily delta and a quiet exchange in registers of several sizes: the second family of this file.
pub(crate) fn registers() -> String {
    let mut table = Table::new(&COLUMNS);
    for (scale, edits) in REGISTERS {
        let bench = Bench::new();
        let records = village::with_history(&bench.server, UNIT, 3, scale, edits);
        let mut phone = bench.phone("a");
        bench.sync(&mut phone);
        let mut draw = Workload::of_village(4);
        for record in records.iter().take(DELTA) {
            edit(&mut phone, *record, &mut || draw.edit(Kind::Household));
        }
        let cost = bench.sync(&mut phone);
        let count = thousands(records.len() as u64);
        row(
            &mut table,
            &format!("20 edits up, {count} records"),
            &cost,
            "flat",
        );
        let cost = bench.sync(&mut phone);
        row(
            &mut table,
            &format!("nothing new, {count} records"),
            &cost,
            "flat",
        );
    }
    format!(
        "### The same against the size of the register\n\n{}",
        table.text()
    )
}

/// Edits that wait for a phone's first exchange.
const UPLOADS: [usize; 2] = [4_000, 10_000];

/// What a phone's first upload costs it, by how much it has saved since: the third family of this file.
pub(crate) fn upload() -> String {
    let mut table = Table::new(&["edits saved before", "CPU s phone", "ms per 1,000 edits"]);
    for (seed, edits) in (1..).zip(UPLOADS) {
        let bench = Bench::new();
        let way = Way::to(&bench.server);
        let mut phone = way.enrol(&bench.server.link(UNIT), seed);
        let mut draw = Workload::of_village(6);
        for place in 0..edits {
            let kind = kind_at(place % 600);
            let record = phone.draw(kind);
            phone.save(record, &draw.record(kind));
        }
        let before = cpu_of(std::process::id());
        phone.sync(&mut |body| way.exchange(body));
        let cost = cpu_of(std::process::id()).saturating_sub(before);
        table.row(&[
            thousands(edits as u64),
            format!("{:.2}", cost.as_secs_f64()),
            thousands((cost.as_millis() * 1_000 / edits as u128) as u64),
        ]);
    }
    format!(
        "### A first upload\n\nNew records in one store in memory, a saved form each.\n\n{}",
        table.text()
    )
}
