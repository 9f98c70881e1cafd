//! Opening a phone's store: unlocking it, and the replica in it.
//!
//! Each measurement runs in a process of its own, so that its memory is its own.

use std::path::Path;
use std::process::Command;
use std::time::Instant;

use ::phone::store::Store as _;
use client::cancel::Cancel;
use client::keys::Secret;
use client::phone;
use client::store::SqliteStore;
use harness::Server;
use sync_core::replica::Replica;
use sync_core::row::Unreadable;

use crate::measure::{Table, median, memory_mib, thousands};
use crate::village;

const UNIT: &str = "152522100200";
const PIN: &str = "246810";
/// How often each store is opened.
const TIMES: usize = 7;

fn secret() -> Secret {
    Secret::new(PIN.to_owned()).unwrap_or_else(|error| panic!("{error}"))
}

/// Runs the family; returns its part of the results.
pub(crate) fn run() -> String {
    let mut table = Table::new(&[
        "records",
        "store MiB",
        "unlock s (Argon2id 64 MiB)",
        "open replica ms",
        "RSS of it MiB",
        "reach (DESIGN)",
    ]);
    for scale in [1, 2, 10] {
        let dir = tempfile::tempdir().unwrap_or_else(|error| panic!("{error}"));
        let server = Server::sample(&dir.path().join("server"));
        let records = village::make(&server, UNIT, 20 + scale as u64, scale);
        let store = dir.path().join("phone");
        client::enrol::enrol(&store, &secret(), &server.link(UNIT), &Cancel::new())
            .unwrap_or_else(|error| panic!("{error}"));
        let mut phone = phone::open(&store, secret()).unwrap_or_else(|error| panic!("{error}"));
        client::sync::sync(&mut phone).unwrap_or_else(|error| panic!("{error}"));
        drop(phone);
        let bytes = std::fs::metadata(store.join(client::store::FILE_NAME)).map_or(0, |m| m.len());
        let runs: Vec<Vec<f64>> = (0..TIMES).map(|_| child(&store)).collect();
        let middle = |at: usize| {
            median(runs.iter().filter_map(|run| run.get(at).copied()).collect()).unwrap_or(0.0)
        };
        let reach = if scale == 2 {
            "≤ 150 ms, ≤ 30 MB at 1,000"
        } else {
            ""
        };
        table.row(&[
            thousands(records.len() as u64),
            format!("{:.1}", bytes as f64 / 1_048_576.0),
            format!("{:.2}", middle(0)),
            format!("{:.0}", middle(1) * 1000.0),
            format!("{:.1}", middle(2)),
            reach.to_owned(),
        ]);
    }
    format!(
        "## Opening a store\n\nEvery record with its history (6 changes each), sealed rows, median \
         of {TIMES} processes; the memory is what the process has more than before it opened.\n\n{}",
        table.text()
    )
}

fn child(store: &Path) -> Vec<f64> {
    let exe = std::env::current_exe().unwrap_or_else(|error| panic!("{error}"));
    let said = Command::new(exe).arg("open-child").arg(store).output();
    let said = said.unwrap_or_else(|error| panic!("{error}"));
    let text = String::from_utf8_lossy(&said.stdout).into_owned();
    text.split_whitespace()
        .filter_map(|number| number.parse().ok())
        .collect()
}

/// What the child does: unlocks the store, opens the replica in it, and prints both times and the
/// memory that the replica takes.
pub(crate) fn measured(dir: &Path) -> String {
    let me = std::process::id();
    let started = Instant::now();
    let store = SqliteStore::open(dir, &secret()).unwrap_or_else(|error| panic!("{error}"));
    let unlock = started.elapsed().as_secs_f64();
    let before = memory_mib(me, "VmRSS");
    let started = Instant::now();
    let opened = Replica::open(&store, &mut |table, each| {
        let damaged = store
            .rows(table, &mut *each)
            .map_err(|e| Unreadable(e.to_string()))?;
        assert_eq!(damaged, 0);
        Ok(())
    });
    let (replica, report) = opened.unwrap_or_else(|error| panic!("{error}"));
    let open = started.elapsed().as_secs_f64();
    assert_eq!(report.rebuilt, 0);
    let more = memory_mib(me, "VmRSS") - before;
    drop(replica);
    format!("{unlock} {open} {more}")
}
