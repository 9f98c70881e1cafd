//! `cargo xtask test [--all]`: every check of the project, in the order in which it fails fastest.
//!
//! While the Rust tests run, the documentation is built and the layers of other languages are
//! tested: both sides wait on processes more than they compute.

use std::process::Command;

use crate::bindings::{self, Language};
use crate::needs::{self, Need, WASM};
use crate::steps::{Steps, cargo};
use crate::{Outcome, target_dir};

pub(crate) fn test(all: bool) -> Outcome {
    let needs = Needs::look();
    let skipped = needs.missing();
    if all && !skipped.is_empty() {
        return Err(format!(
            "missing, and --all was asked for: {}",
            skipped.join("; ")
        ));
    }
    let mut steps = Steps::begin();
    let outcome = check(&mut steps, &needs);
    steps.report();
    let swift = needs.swift.as_ref().err();
    for what in skipped.into_iter().chain(swift.map(String::as_str)) {
        eprintln!("skipped: {what}");
    }
    outcome
}

/// What this machine has for the checks beyond a Rust toolchain.
struct Needs {
    wasm: Need,
    browser: Need,
    kotlin: Need,
    python: Need,
    second: Need,
    /// Not asked for by `--all`: no package of Debian brings it.
    swift: Need,
}

impl Needs {
    fn look() -> Self {
        Self {
            wasm: needs::wasm(),
            browser: needs::browser(),
            kotlin: needs::kotlin(),
            python: needs::python(),
            second: needs::second(),
            swift: needs::swift(),
        }
    }

    fn missing(&self) -> Vec<&str> {
        let needed = [
            &self.wasm,
            &self.browser,
            &self.kotlin,
            &self.python,
            &self.second,
        ];
        needed
            .into_iter()
            .filter_map(|need| need.as_ref().err())
            .map(String::as_str)
            .collect()
    }
}

fn check(steps: &mut Steps, needs: &Needs) -> Outcome {
    steps.run("format", &mut cargo(&["fmt", "--all", "--", "--check"]))?;
    let clippy = ["clippy", "--locked", "--workspace", "--all-targets"];
    let strict = ["--", "-D", "warnings"];
    steps.run("clippy", cargo(&clippy).args(strict))?;
    if needs.wasm.is_ok() {
        let check = ["check", "--locked", "-p", "phone", "--target", WASM];
        steps.run("wasm", &mut cargo(&check))?;
    }
    // Integration tests start the programs as processes.
    let build = ["build", "--locked", "--workspace", "--all-targets"];
    steps.run("build", &mut cargo(&build))?;
    let beside = Steps::beside(beside_the_tests(needs)?);
    let mut tests = cargo(&["test", "--locked", "--workspace"]);
    tests.env("ORTOO_TEST_SKIP", left_out(needs));
    let outcome = steps.run("tests", &mut tests);
    // Its output first, whatever failed.
    steps.join(beside).and(outcome)
}

/// The tests that know by name that they are to be left out.
fn left_out(needs: &Needs) -> String {
    let named = [("browser", &needs.browser), ("second", &needs.second)];
    let missing = named.into_iter().filter(|(_, need)| need.is_err());
    missing.map(|(name, _)| name).collect::<Vec<_>>().join(" ")
}

/// The documentation, and the layers of other languages against the programs and the library that
/// were just built.
fn beside_the_tests(needs: &Needs) -> Result<Vec<(&'static str, Command)>, String> {
    let programs = target_dir().join("debug");
    let mut commands = Vec::new();
    let mut docs = cargo(&["doc", "--locked", "--workspace", "--no-deps", "--quiet"]);
    docs.arg("--document-private-items");
    docs.env("RUSTDOCFLAGS", "-D warnings");
    commands.push(("documentation", docs));
    if needs.python.is_ok() {
        bindings::generate(Language::Python, "debug")?;
        let mut pytest = Command::new("python3");
        pytest.args(["-m", "pytest", "-q", "-p", "no:cacheprovider", "tests"]);
        pytest.env("ORTOO_PROGRAMS", &programs);
        pytest.current_dir(Language::Python.package());
        commands.push(("Python layer", pytest));
    }
    if needs.kotlin.is_ok() {
        bindings::generate(Language::Kotlin, "debug")?;
        let mut maven = Command::new("mvn");
        maven.args(["--batch-mode", "--no-transfer-progress", "test"]);
        maven.arg(format!("-Dortoo.programs={}", programs.display()));
        maven.current_dir(Language::Kotlin.package());
        commands.push(("Kotlin layer", maven));
    }
    if needs.swift.is_ok() {
        bindings::generate(Language::Swift, "debug")?;
        let mut swift = Command::new("swift");
        swift.arg("test").env("ORTOO_LIBRARY_DIR", &programs);
        swift.current_dir(Language::Swift.package());
        commands.push(("Swift layer", swift));
    }
    Ok(commands)
}
