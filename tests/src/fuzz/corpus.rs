//! The corpus: recorded messages, committed, and inputs that once broke a promise.

use std::collections::BTreeSet;
use std::path::{Path, PathBuf};

use sync_core::wire::unpack;

use super::message::streams;
use super::{DECODERS, Decoder, Ground, Input};
use crate::golden;
use crate::sim::village::Recorded;

/// Where the corpus is committed, a directory for each kind.
pub fn dir() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("corpus")
}

/// What is committed, in the order of the names, and the golden files.
pub fn kept() -> Vec<Recorded> {
    let mut kept = Vec::new();
    for kind in kinds() {
        kept.extend(golden::of(kind).into_iter().map(|golden| golden.recorded));
        for path in files(&dir().join(kind)) {
            let name = path.file_name().unwrap_or_default().to_string_lossy();
            let bytes = std::fs::read(&path);
            kept.push(Recorded {
                kind,
                name: name.into_owned(),
                bytes: bytes.unwrap_or_else(|error| panic!("{}: {error}", path.display())),
            });
        }
    }
    kept
}

fn kinds() -> BTreeSet<&'static str> {
    DECODERS.iter().map(|decoder| decoder.seeds).collect()
}

fn files(dir: &Path) -> Vec<PathBuf> {
    let entries = std::fs::read_dir(dir).into_iter().flatten().flatten();
    let mut files: Vec<PathBuf> = entries.map(|entry| entry.path()).collect();
    files.sort();
    files
}

/// The names of what is recorded begin so; other files are inputs that once broke a promise, and
/// stay.
const RECORDED: &str = "busy-";
/// Of one kind no more than this is kept.
const OF_A_KIND_MAX: usize = 12;

/// Writes the recorded part of the corpus again: of each kind some, spread over the whole story.
pub fn write(recorded: &[Recorded]) -> std::io::Result<usize> {
    let mut written = 0;
    for kind in kinds() {
        let dir = dir().join(kind);
        for old in files(&dir) {
            let name = old.file_name().unwrap_or_default().to_string_lossy();
            if name.starts_with(RECORDED) {
                std::fs::remove_file(&old)?;
            }
        }
        let all: Vec<&Recorded> = recorded.iter().filter(|thing| thing.kind == kind).collect();
        let step = all.len().div_ceil(OF_A_KIND_MAX).max(1);
        for thing in all.into_iter().rev().step_by(step) {
            std::fs::create_dir_all(&dir)?;
            std::fs::write(dir.join(format!("{RECORDED}{}", thing.name)), &thing.bytes)?;
            written += 1;
        }
    }
    Ok(written)
}

/// What a decoder's inputs are made of. Messages are unpacked: a change inside compressed bytes
/// says nothing.
pub fn seeds(ground: &Ground, decoder: &Decoder) -> Vec<Vec<u8>> {
    let seeds = ground.of(decoder.seeds).map(|recorded| {
        match decoder.packed.then(|| unpack(&recorded.bytes)) {
            Some(Ok(message)) => [&[0], message.as_slice()].concat(),
            _ => recorded.bytes.clone(),
        }
    });
    let mut seeds: Vec<Vec<u8>> = seeds.collect();
    if decoder.seeds == "compact" {
        let streams: Vec<Vec<u8>> = seeds.iter().filter_map(|seed| streams(seed)).collect();
        seeds.extend(streams);
    }
    seeds.sort();
    seeds.dedup();
    seeds
}

/// What a decoder makes of its seeds as they are.
pub fn words(ground: &Ground, decoder: &Decoder) -> Vec<(String, Result<String, String>)> {
    let recorded = ground.of(decoder.seeds);
    recorded
        .map(|recorded| {
            let input = Input {
                bytes: &recorded.bytes,
                mended: false,
            };
            (recorded.name.clone(), (decoder.check)(ground, input))
        })
        .collect()
}
