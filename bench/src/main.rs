//! The benchmarks: `cargo xtask bench [exchange|registers|upload|bundle|snapshot|load|ingest|open|calls|figures|hostile|beside …]` prints their tables in
//! Markdown. bench/RESULTS.md keeps one run with its date, machine and command.

mod bundle;
mod calls;
mod exchange;
mod figures;
mod hostile;
mod ingest;
mod load;
mod measure;
mod open;
mod phone;
mod snapshot;
mod village;
mod workload;

use std::path::Path;

/// A family's name, and what runs it and gives its part of the results.
type Family = (&'static str, fn() -> String);

/// The families, in the order of the results.
const FAMILIES: [Family; 12] = [
    ("exchange", exchange::run),
    ("registers", exchange::registers),
    ("upload", exchange::upload),
    ("bundle", bundle::run),
    ("snapshot", snapshot::run),
    ("load", load::run),
    ("ingest", ingest::run),
    ("open", open::run),
    ("calls", calls::run),
    ("figures", figures::run),
    ("hostile", hostile::run),
    ("beside", hostile::beside),
];

#[expect(clippy::print_stdout, reason = "a command-line program")]
fn main() {
    let named: Vec<String> = std::env::args().skip(1).collect();
    if let [verb, store] = named.as_slice()
        && verb == "open-child"
    {
        println!("{}", open::measured(Path::new(store)));
        return;
    }
    let unknown = |name: &&String| !FAMILIES.iter().any(|(known, _)| known == name);
    if let Some(name) = named.iter().find(unknown) {
        eprintln!(
            "no family {name}; there are exchange, registers, upload, bundle, snapshot, load, ingest, open, calls, figures, hostile, beside"
        );
        std::process::exit(1);
    }
    for (name, run) in FAMILIES {
        if named.is_empty() || named.iter().any(|wanted| wanted == name) {
            println!("{}", run());
        }
    }
}
