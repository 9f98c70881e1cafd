//! The whole banner's figures: recounting every cell, and the overview under many readers.
//!
//! `ORTOO_BENCH_PEOPLE` makes a smaller banner, for a quick look.

use std::io::{BufRead, BufReader, Read, Write};
use std::net::TcpStream;
use std::time::{Duration, Instant};

use harness::{Server, run_server};
use ortoo_server::{App, Options};
use tokio::runtime::Runtime;

use crate::measure::{Table, cpu_of, memory_mib, thousands};

/// The banner of DESIGN.md.
const PEOPLE: &str = "45000";
/// Readers of the overview at the same time.
const READERS: usize = 20;
/// Pages that each of them reads.
const PAGES: usize = 50;

/// Runs the family; returns its part of the results.
pub(crate) fn run() -> String {
    let people = std::env::var("ORTOO_BENCH_PEOPLE").unwrap_or_else(|_| PEOPLE.to_owned());
    let dir = tempfile::tempdir().unwrap_or_else(|error| panic!("{error}"));
    let data = dir.path().join("banner");
    let sample = run_server(&data, &["sample", "--people", &people]).json();
    let number = |key: &str| sample[key].as_u64().unwrap_or(0);
    let seconds = sample["seconds"].as_f64().unwrap_or(0.0);
    let size = std::fs::metadata(data.join("ortoo.db")).map_or(0, |file| file.len());

    let runtime = Runtime::new().unwrap_or_else(|error| panic!("{error}"));
    let app = runtime.block_on(App::open_existing(&data, Options::default()));
    let app = app.unwrap_or_else(|error| panic!("{error}"));
    let before = cpu_of(std::process::id());
    let started = Instant::now();
    let units = runtime.block_on(app.recount());
    let units = units.unwrap_or_else(|error| panic!("{error}"));
    let wall = started.elapsed();
    let cpu = cpu_of(std::process::id()).saturating_sub(before);
    let started = Instant::now();
    let verified = runtime.block_on(app.verify_cells());
    let verified = verified.unwrap_or_else(|error| panic!("{error}"));
    let plainly = started.elapsed();
    assert_eq!(verified.differences.len(), 0);
    runtime.block_on(app.close());
    drop(app);

    let server = Server::sample(&data);
    let idle = memory_mib(server.pid(), "VmRSS");
    let (p50, p99, bytes) = overview(&server);

    let mut table = Table::new(&["work", "measured", "reach (DESIGN)"]);
    let mut row = |work: &str, measured: String, reach: &str| {
        table.row(&[work.to_owned(), measured, reach.to_owned()]);
    };
    row(
        "sample through the real exchange",
        format!(
            "{} edits in {seconds:.0} s, {} edits/s, database {} MiB",
            thousands(number("edits")),
            thousands((number("edits") as f64 / seconds) as u64),
            size >> 20
        ),
        "",
    );
    row(
        &format!("recount of every cell ({units} units × 10 years)"),
        format!(
            "{:.1} s, CPU {:.1} s",
            wall.as_secs_f64(),
            cpu.as_secs_f64()
        ),
        "≤ 30 s on 2 cores",
    );
    row(
        &format!("`verify-cells` ({} cells)", thousands(verified.cells)),
        format!("{:.1} s", plainly.as_secs_f64()),
        "",
    );
    row(
        &format!("overview page, {READERS} readers at once ({bytes} B)"),
        format!("p50 {:.1} ms, p99 {:.1} ms", millis(p50), millis(p99)),
        "≤ 50 ms at p99",
    );
    row(
        "server's memory, idle and after",
        format!(
            "{idle:.0} MiB, {:.0} MiB",
            memory_mib(server.pid(), "VmRSS")
        ),
        "",
    );
    format!(
        "## Figures of the whole banner\n\n{} people in {} households, {} records, made up by `ortoo-server \
         sample`.\n\n{}",
        thousands(number("people")),
        thousands(number("households")),
        thousands(number("records")),
        table.text()
    )
}

fn millis(duration: Duration) -> f64 {
    duration.as_secs_f64() * 1000.0
}

/// The middle and the slowest hundredth of all readings of the overview, and its length.
fn overview(server: &Server) -> (Duration, Duration, usize) {
    let host = server.console.trim_start_matches("http://").to_owned();
    let read = || {
        let mut reader = Reader::connect(&host);
        // The first page warms the connection and is not counted.
        let bytes = reader.page("/zh/?year=2026");
        let timed = (0..PAGES).map(|_| {
            let started = Instant::now();
            reader.page("/zh/?year=2026");
            started.elapsed()
        });
        (timed.collect::<Vec<Duration>>(), bytes)
    };
    let (mut all, mut bytes) = (Vec::new(), 0);
    std::thread::scope(|scope| {
        let readers: Vec<_> = (0..READERS).map(|_| scope.spawn(read)).collect();
        for reader in readers {
            let (times, length) = reader.join().unwrap_or_default();
            all.extend(times);
            bytes = length;
        }
    });
    all.sort_unstable();
    let at = |part: usize| all.get(all.len() * part / 100).copied().unwrap_or_default();
    (at(50), at(99), bytes)
}

/// A browser's connection, without the browser.
struct Reader {
    stream: BufReader<TcpStream>,
    host: String,
}

impl Reader {
    fn connect(host: &str) -> Self {
        let stream = TcpStream::connect(host).unwrap_or_else(|error| panic!("{host}: {error}"));
        Self {
            stream: BufReader::new(stream),
            host: host.to_owned(),
        }
    }

    /// Reads a page; returns its length.
    fn page(&mut self, path: &str) -> usize {
        let request = format!("GET {path} HTTP/1.1\r\nHost: {}\r\n\r\n", self.host);
        let sent = self.stream.get_mut().write_all(request.as_bytes());
        sent.unwrap_or_else(|error| panic!("{error}"));
        let (mut line, mut length) = (String::new(), 0);
        let mut first = true;
        loop {
            line.clear();
            let read = self.stream.read_line(&mut line);
            read.unwrap_or_else(|error| panic!("{error}"));
            let header = line.trim_end().to_ascii_lowercase();
            assert!(!first || header.contains(" 200 "), "{header}");
            first = false;
            if header.is_empty() {
                break;
            }
            if let Some(value) = header.strip_prefix("content-length:") {
                length = value.trim().parse().unwrap_or(0);
            }
        }
        let mut body = vec![0; length];
        let read = self.stream.read_exact(&mut body);
        read.unwrap_or_else(|error| panic!("{error}"));
        length
    }
}
