//! Golden files: bytes of version 1 with what they say written beside them, kept for good.
//!
//! `tests/golden/KIND.json` is a list of `{"name", "bytes", "says"}`, bytes in hexadecimal. A list
//! only ever grows: [`write_new`] adds what has a new name and leaves everything else as it is,
//! so a program of any later version is held to the bytes that phones have on disk today. Before the first
//! version is sealed, bytes that changed are recorded anew by deleting what holds them and calling it again.

mod again;
mod carried;
mod file;
mod left;
mod says;

use std::io;
use std::path::{Path, PathBuf};

use serde_json::{Value, json};

use sync_core::row::Table;

use crate::sim::village::{Recorded, Rows};

pub use again::again;
pub use left::{app_store, installation};
pub use says::{says, store};

/// What is kept for good, of what is recorded: all but texts, whose tests stand beside them.
pub const KINDS: &[&str] = &[
    "network",
    "enrol_request",
    "enrol_answer",
    "request",
    "answer",
    "compact",
    "batch",
    "change",
    "control",
    "decision",
    "package",
    "row",
    "record",
    "contribution",
    "slot",
    "sealed_row",
    "wrapped_key",
    "sealed_to",
    "bundle",
    "content",
    "claims",
    "receipt",
    "referring",
    "journal",
    "backup",
];

/// A golden thing.
#[derive(Clone, Debug)]
pub struct Golden {
    /// The bytes, their kind and name.
    pub recorded: Recorded,
    /// What they say.
    pub says: Value,
}

/// What [`write_new`] did.
#[derive(Debug, Default)]
pub struct Written {
    /// What was added.
    pub new: Vec<String>,
    /// How many stayed as they are.
    pub kept: usize,
}

/// Where they are committed.
pub fn dir() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("golden")
}

fn path(kind: &str) -> PathBuf {
    dir().join(format!("{kind}.json"))
}

/// All golden things of a kind.
pub fn of(kind: &'static str) -> Vec<Golden> {
    let text = std::fs::read_to_string(path(kind)).unwrap_or_else(|_| "[]".to_owned());
    let list: Vec<Value> = serde_json::from_str(&text)
        .unwrap_or_else(|error| panic!("{}: {error}", path(kind).display()));
    let golden = |thing: Value| Golden {
        recorded: Recorded {
            kind,
            name: thing["name"].as_str().unwrap_or_default().to_owned(),
            bytes: from_hex(thing["bytes"].as_str().unwrap_or_default()),
        },
        says: thing["says"].clone(),
    };
    list.into_iter().map(golden).collect()
}

/// The store that the golden rows are.
pub fn rows() -> Rows {
    let mut rows = Rows::default();
    for thing in of("row") {
        let Some((table, value)) = thing.recorded.bytes.split_first() else {
            continue;
        };
        let table = Table::ALL.into_iter().find(|known| *known as u8 == *table);
        // The two rows that a store has one of each stand under their own names.
        let meta = thing.says["value"][0]
            .as_u64()
            .filter(|_| thing.says["table"] == "meta");
        let key = match meta {
            Some(0) => "me",
            Some(1) => "hub",
            _ => thing.recorded.name.as_str(),
        };
        if let Some(table) = table {
            rows.0
                .insert((table, key.as_bytes().to_vec()), value.to_vec());
        }
    }
    rows
}

/// Where stands what the golden store shows.
pub fn store_path() -> PathBuf {
    dir().join("store.json")
}

/// Adds what is not there yet; never changes what is.
pub fn write_new(recorded: &[Recorded]) -> io::Result<Written> {
    let mut written = Written::default();
    std::fs::create_dir_all(dir())?;
    for kind in KINDS {
        let mut list = of(kind);
        let before = list.len();
        for thing in recorded.iter().filter(|thing| thing.kind == *kind) {
            let known = list.iter().any(|golden| {
                golden.recorded.name == thing.name || golden.recorded.bytes == thing.bytes
            });
            if !known {
                let says = says(kind, &thing.bytes).map_err(io::Error::other)?;
                written.new.push(format!("{kind}/{}", thing.name));
                list.push(Golden {
                    recorded: thing.clone(),
                    says,
                });
            }
        }
        written.kept += before;
        if list.len() > before {
            let list: Vec<Value> = list.iter().map(json).collect();
            let text = serde_json::to_string_pretty(&list)?;
            std::fs::write(path(kind), text + "\n")?;
        }
    }
    if !store_path().exists() {
        let says = store(&rows()).map_err(io::Error::other)?;
        std::fs::write(store_path(), serde_json::to_string_pretty(&says)? + "\n")?;
        written.new.push("store".to_owned());
    }
    written.new.extend(left::write_missing()?);
    Ok(written)
}

fn json(golden: &Golden) -> Value {
    let bytes = hex(&golden.recorded.bytes);
    json!({"name": golden.recorded.name, "bytes": bytes, "says": golden.says})
}

/// Bytes as two digits each.
pub fn hex(bytes: &[u8]) -> String {
    bytes.iter().map(|byte| format!("{byte:02x}")).collect()
}

fn from_hex(text: &str) -> Vec<u8> {
    let digits = text.as_bytes().chunks(2);
    let byte = |pair: &[u8]| {
        let pair = std::str::from_utf8(pair).ok();
        pair.and_then(|pair| u8::from_str_radix(pair, 16).ok())
    };
    digits.filter_map(byte).collect()
}
