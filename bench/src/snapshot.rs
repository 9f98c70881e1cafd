//! Size of a village's snapshot: every batch in one file, beside a file of documents, and what a
//! phone keeps of either.

use ::phone::store::Store as _;
use client::keys::Secret;
use client::phone::Phone;
use client::store::{FILE_NAME, SqliteStore};
use harness::Server;
use std::path::Path;
use std::time::Instant;
use sync_core::id::{Class, Space};
use sync_core::replica::Replica;
use sync_core::row::{Table as Rows, Unreadable};
use sync_core::wire::pack;

use crate::exchange::{UNIT, open};
use crate::measure::{Table, thousands};
use crate::village;
use crate::workload::EDITS_PER_RECORD;

/// Edits of each record after the first: those of the other benches, and ten times as many.
const HISTORIES: [usize; 2] = [EDITS_PER_RECORD, 10 * EDITS_PER_RECORD];

/// Runs the family; returns its part of the results.
pub(crate) fn run() -> String {
    let mut table = Table::new(&[
        "edits of each of 600 records",
        "batches as stored B",
        "snapshot file B",
        "documents, saved B",
        "documents, one DEFLATE stream B",
        "import s",
        "phone's store afterwards MiB",
    ]);
    for edits in HISTORIES {
        let dir = tempfile::tempdir().unwrap_or_else(|error| panic!("{error}"));
        let server = Server::sample(&dir.path().join("server"));
        village::with_history(&server, UNIT, 3, 1, edits);
        let space = format!("{UNIT}.general");
        let phone = dir.path().join("phone");
        let mut phone = open(&phone, &server.link(&space), &server.url);
        let file = dir.path().join("snapshot");
        let name = file.to_string_lossy().into_owned();
        server.run(&["snapshot", &name, "--space", &space]).json();
        let file = std::fs::read(&file).unwrap_or_else(|error| panic!("{error}"));
        let started = Instant::now();
        import(&mut phone, &file);
        let took = started.elapsed().as_secs_f64();
        drop(phone);
        let dir = dir.path().join("phone");
        let held = held(&dir);
        let store = std::fs::metadata(dir.join(FILE_NAME)).map_or(0, |file| file.len());
        table.row(&[
            (1 + edits).to_string(),
            thousands(held.batches as u64),
            thousands(file.len() as u64),
            thousands(held.documents.len() as u64),
            thousands(pack(&held.documents).len() as u64),
            format!("{took:.2}"),
            format!("{:.1}", store as f64 / 1_048_576.0),
        ]);
    }
    format!(
        "## Snapshots\n\nOne space, as `ortoo-server snapshot` writes it.\n\n{}",
        table.text()
    )
}

fn import(phone: &mut Phone, file: &[u8]) {
    let imported = phone.import_bundle(file);
    let imported = imported.unwrap_or_else(|error| panic!("import: {error}"));
    assert!(
        imported.batches > 0 && imported.waiting == 0,
        "{imported:?}"
    );
}

/// What a phone holds of the space: bytes of its batches, and its documents end to end.
struct Held {
    batches: usize,
    documents: Vec<u8>,
}

fn held(dir: &Path) -> Held {
    let secret = Secret::new("246810".to_owned()).unwrap_or_else(|error| panic!("{error}"));
    let store = SqliteStore::open(dir, &secret).unwrap_or_else(|error| panic!("{error}"));
    let mut batches = 0;
    let damaged = store.rows(Rows::Batch, &mut |bytes| batches += bytes.len());
    assert!(matches!(damaged, Ok(0)));
    let opened = Replica::open(&store, &mut |table, each| {
        let rows = store.rows(table, &mut *each);
        rows.map(drop).map_err(|e| Unreadable(e.to_string()))
    });
    let (replica, _) = opened.unwrap_or_else(|error| panic!("{error}"));
    let space = Space::new(UNIT, Class::General).unwrap_or_else(|error| panic!("{error}"));
    let states = replica.records(&space);
    let documents = states.flat_map(|(_, state)| state.saved().to_vec());
    Held {
        batches,
        documents: documents.collect(),
    }
}
