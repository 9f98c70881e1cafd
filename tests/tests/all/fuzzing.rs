//! Changed messages, rows and sealed things break no decoder: some thousand of each, within limits.

use std::process::Command;

use harness::program;
use ortoo_tests::fuzz::{DECODERS, Ground, corpus};

/// Inputs of each decoder; of those that cost more, fewer.
const EXECUTIONS: &str = "2000";

#[test]
fn no_changed_input_breaks_a_promise_of_any_decoder() {
    // A process of its own: the allocator counts there, and what would end a process ends that.
    let findings = tempfile::tempdir().unwrap();
    let said = Command::new(program("ortoo-fuzz"))
        .args(["--executions", EXECUTIONS, "--seed", "7", "--findings"])
        .arg(findings.path())
        .output()
        .unwrap();
    let out = String::from_utf8_lossy(&said.stdout);
    let err = String::from_utf8_lossy(&said.stderr);
    assert!(said.status.success(), "{:?}\n{out}{err}", said.status);
    for decoder in DECODERS {
        let line = out
            .lines()
            .find(|line| line.split(' ').next() == Some(decoder.name));
        let line = line.unwrap_or_else(|| panic!("{} is not among\n{out}", decoder.name));
        assert!(line.contains(" 0 findings"), "{line}");
    }
}

#[test]
fn the_corpus_is_what_decoders_take_and_small_enough_to_be_committed() {
    let ground = Ground::new();
    for decoder in DECODERS {
        let words = corpus::words(&ground, decoder);
        assert!(!words.is_empty(), "{} has no seeds", decoder.name);
        let refused = |word: &str| {
            ["message_", "refused", "Not", "Bad", "Envelope"]
                .iter()
                .any(|bad| word.starts_with(bad))
        };
        for (name, word) in &words {
            let word = word.as_ref().unwrap_or_else(|broken| {
                panic!("{} {name}: {broken}", decoder.name);
            });
            assert!(!refused(word), "{} {name}: {word}", decoder.name);
        }
    }
    let size: usize = harness::files(&corpus::dir())
        .iter()
        .map(|(_, bytes)| bytes.len())
        .sum();
    assert!(size < 300 * 1024, "{size} bytes");
}

#[test]
fn every_decoder_is_a_target_of_cargo_fuzz_too() {
    let manifest = concat!(env!("CARGO_MANIFEST_DIR"), "/../fuzz/Cargo.toml");
    let manifest = std::fs::read_to_string(manifest).unwrap();
    for decoder in DECODERS {
        let target = format!("name = \"{}\"", decoder.name);
        assert!(
            manifest.contains(&target),
            "{target} is missing in fuzz/Cargo.toml"
        );
    }
}
