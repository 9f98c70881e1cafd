//! `bundle` and `outbox`: files that are carried. A file is whole under its name or not there.

use std::fs::{self, File};
use std::io::{self, Read, Write};
use std::path::Path;

use client::error::{Issue, PhoneError};
use serde_json::json;
use sync_core::bundle::BUNDLE_BYTES_MAX;
use sync_core::bundle_exchange::{BundleOptions, SHORT_BYTES};
use words::Words;

use crate::args::BundleVerb;
use crate::shapes::{self, Said};
use crate::verbs::phone;

pub(crate) fn run(dir: &Path, verb: &BundleVerb, words: &Words) -> Result<Said, PhoneError> {
    match verb {
        BundleVerb::Export {
            file,
            max_bytes,
            short,
            everything,
        } => {
            let options = BundleOptions {
                bytes_max: max_bytes.or(short.then_some(SHORT_BYTES)),
                short: *short,
                everything: *everything,
            };
            let bundle = phone(dir)?.export_bundle(options)?;
            write(file, &bundle.bytes)?;
            let mut said = Said::of(json!({
                "batches": bundle.batches,
                "bytes": bundle.bytes.len(),
                "left": bundle.left,
            }));
            if bundle.left > 0 {
                let left = bundle.left.to_string();
                said.notes
                    .push(words.sentence("bundle-left", &[("left", &left)]));
            }
            Ok(said)
        }
        BundleVerb::Import { file } => {
            let imported = phone(dir)?.import_bundle(&read(file)?)?;
            let mut said = Said::of(json!({
                "batches": imported.batches,
                "acknowledged": imported.acknowledged,
                "waiting": imported.waiting,
                "for_others": imported.others,
            }));
            said.notes.extend(shapes::refused_note(
                words,
                imported.not_held.iter().copied(),
            ));
            if imported.stash_full {
                said.notes.push(words.sentence("stash-full", &[]));
            }
            Ok(said)
        }
    }
}

pub(crate) fn outbox(dir: &Path, file: &Path) -> Result<Said, PhoneError> {
    let outbox = client::bundle::outbox(dir)?;
    let (bytes, parts) = outbox.unwrap_or_default();
    if parts > 0 {
        write(file, &bytes)?;
    }
    Ok(Said::of(json!({ "parts": parts, "bytes": bytes.len() })))
}

fn read(path: &Path) -> Result<Vec<u8>, PhoneError> {
    let mut bytes = Vec::new();
    File::open(path)
        .and_then(|file| {
            file.take(BUNDLE_BYTES_MAX as u64 + 1)
                .read_to_end(&mut bytes)
        })
        .map_err(|error| about("file_unreadable", path, &error))?;
    Ok(bytes)
}

/// Writes beside, then renames: whoever copies the file away never gets half of it.
fn write(path: &Path, bytes: &[u8]) -> Result<(), PhoneError> {
    let mut beside = path.as_os_str().to_owned();
    beside.push(".part");
    let beside = Path::new(&beside);
    let written = || -> io::Result<()> {
        let mut file = File::create(beside)?;
        file.write_all(bytes)?;
        file.sync_all()?;
        fs::rename(beside, path)
    };
    written().map_err(|error| {
        // What stands there is of no use to anybody.
        drop(fs::remove_file(beside));
        about("file_unwritable", path, &error)
    })
}

fn about(code: &str, path: &Path, error: &io::Error) -> PhoneError {
    let path = path.display().to_string();
    PhoneError::wrong(Issue::about(code, &path).with("detail", error))
}
