//! The repository's own commands.
//!
//! ```text
//! cargo xtask demo [--people N]  builds all, makes a banner and plays the main story in it
//! cargo xtask test [--all]    builds and passes all checks; --all fails where a tool is missing
//! cargo xtask bindings LANGUAGE  generates the code of kotlin, swift or python from the library
//! cargo xtask bench [NAME]    runs the benchmarks and prints their tables
//! cargo xtask simulate A..B   runs the simulator over a range of seeds
//! cargo xtask fuzz [DECODER] [--seconds N]  gives changed messages and files to the decoders
//! cargo xtask record          writes the fuzzer's corpus again, and golden files that are new
//! ```

mod bindings;

use bindings::Language;
use std::env;
use std::path::PathBuf;
use std::process::{Command, ExitCode, Stdio};

/// A check that failed, in words.
type Outcome = Result<(), String>;

fn main() -> ExitCode {
    let mut args = env::args().skip(1);
    let verb = args.next().unwrap_or_default();
    let rest: Vec<String> = args.collect();
    let outcome = match verb.as_str() {
        "demo" => run_built("ortoo-demo", &rest),
        "test" => match rest.iter().map(String::as_str).collect::<Vec<_>>()[..] {
            [] => test(false),
            ["--all"] => test(true),
            _ => Err(USAGE.to_owned()),
        },
        "bindings" => bindings::command(&rest),
        "bench" => bench(&rest),
        "simulate" => simulate(&rest),
        "fuzz" => run_built("ortoo-fuzz", &rest),
        "record" => run_built("ortoo-record", &rest),
        _ => Err(USAGE.to_owned()),
    };
    match outcome {
        Ok(()) => ExitCode::SUCCESS,
        Err(message) => {
            eprintln!("{message}");
            ExitCode::FAILURE
        }
    }
}

const USAGE: &str = "usage: cargo xtask demo [--people N] | test [--all] | bindings LANGUAGE | \
    bench [NAME] | simulate A..B | fuzz [DECODER] [--seconds N] | record";

fn run_built(program: &str, args: &[String]) -> Outcome {
    run(built(program)?.args(args))
}

/// A program of this workspace, built. The whole workspace is: with other features for a part of
/// it, dependencies would be built once for the demo and once more for the tests.
fn built(program: &str) -> Result<Command, String> {
    cargo(&["build", "--locked", "--workspace"])?;
    Ok(Command::new(target_dir().join("debug").join(program)))
}

/// Everything that CI checks, in the order in which it fails fastest.
fn test(all: bool) -> Outcome {
    let wasm = set_up_wasm();
    let browser = find_browser();
    let kotlin = find_kotlin();
    let python = find_python();
    let needed = [&wasm, &browser, &kotlin, &python];
    let mut skipped: Vec<&str> = needed
        .into_iter()
        .filter_map(|missing| missing.as_ref().err())
        .map(String::as_str)
        .collect();
    if all && !skipped.is_empty() {
        return Err(format!(
            "missing, and --all was asked for: {}",
            skipped.join("; ")
        ));
    }
    cargo(&["fmt", "--all", "--", "--check"])?;
    cargo(&[
        "clippy",
        "--locked",
        "--workspace",
        "--all-targets",
        "--",
        "-D",
        "warnings",
    ])?;
    if wasm.is_ok() {
        let wasm = [
            "check",
            "--locked",
            "-p",
            "sync-core",
            "--target",
            WASM,
            "--features",
            "wasm",
        ];
        cargo(&wasm)?;
    }
    // Integration tests start these two as processes.
    cargo(&["build", "--locked", "--workspace", "--all-targets"])?;
    let mut tests = cargo_command(&["test", "--locked", "--workspace"]);
    let mut left_out = Vec::new();
    if browser.is_err() {
        left_out.push("browser");
    }
    if !there("python3") {
        left_out.push("second");
        skipped.push("the second implementation of the protocol (apt install python3)");
    }
    tests.env("ORTOO_TEST_SKIP", left_out.join(" "));
    run(&mut tests)?;
    let mut docs = cargo_command(&[
        "doc",
        "--locked",
        "--workspace",
        "--no-deps",
        "--document-private-items",
        "--quiet",
    ]);
    run(docs.env("RUSTDOCFLAGS", "-D warnings"))?;
    // The layers of other languages against the programs and the library that were just built.
    if python.is_ok() {
        bindings::generate(Language::Python, "debug")?;
        let mut pytest = Command::new("python3");
        pytest.args(["-m", "pytest", "-q", "-p", "no:cacheprovider", "tests"]);
        pytest.env("ORTOO_PROGRAMS", target_dir().join("debug"));
        run(pytest.current_dir(Language::Python.package()))?;
    }
    if kotlin.is_ok() {
        bindings::generate(Language::Kotlin, "debug")?;
        let mut maven = Command::new("mvn");
        let programs = target_dir().join("debug");
        maven.args(["--batch-mode", "--no-transfer-progress", "test"]);
        maven.arg(format!("-Dortoo.programs={}", programs.display()));
        run(maven.current_dir(Language::Kotlin.package()))?;
    }
    // `swift` alone is also the name of a client of OpenStack.
    if there("swiftc") {
        bindings::generate(Language::Swift, "debug")?;
        let mut swift = Command::new("swift");
        swift
            .arg("test")
            .env("ORTOO_LIBRARY_DIR", target_dir().join("debug"));
        run(swift.current_dir(Language::Swift.package()))?;
    } else {
        skipped.push("the Swift layer, which needs a Swift toolchain (swift.org/install)");
    }
    for what in skipped {
        eprintln!("skipped: {what}");
    }
    Ok(())
}

const WASM: &str = "wasm32-unknown-unknown";

/// What a check can't be done without, with the line that installs it.
type Missing = Result<(), String>;

/// Adds the wasm target, which a Rust without rustup can't.
fn set_up_wasm() -> Missing {
    let added = Command::new("rustup")
        .args(["target", "add", WASM])
        .stdout(Stdio::null())
        .stderr(Stdio::null())
        .status();
    match added {
        Ok(status) if status.success() => Ok(()),
        _ => Err(format!(
            "the wasm build of sync-core (rustup target add {WASM})"
        )),
    }
}

/// Whether a program can be called.
fn there(program: &str) -> bool {
    let paths = env::var_os("PATH").unwrap_or_default();
    env::split_paths(&paths).any(|path| path.join(program).is_file())
}

/// Looks for what compiles and runs the Kotlin layer.
fn find_kotlin() -> Missing {
    if there("javac") && there("mvn") {
        return Ok(());
    }
    Err("the Kotlin layer (apt install openjdk-17-jdk-headless maven)".into())
}

/// Looks for what runs the Python layer's tests.
fn find_python() -> Missing {
    let mut pytest = Command::new("python3");
    pytest.args(["-c", "import pytest"]);
    let found = pytest.stdout(Stdio::null()).stderr(Stdio::null()).status();
    match found {
        Ok(status) if status.success() => Ok(()),
        _ => Err("the Python layer (apt install python3-pytest)".into()),
    }
}

/// Looks for the browser that the console is tested in, and the program that drives it.
fn find_browser() -> Missing {
    if there("chromium") && there("chromedriver") {
        return Ok(());
    }
    Err("the console in a browser (apt install chromium chromium-driver)".into())
}

fn bench(args: &[String]) -> Outcome {
    // The benchmarks start the server as a process.
    cargo(&["build", "--locked", "--release", "-p", "ortoo-server"])?;
    if args.is_empty() || args.iter().any(|arg| arg == "calls") {
        other_languages_for_bench()?;
    }
    let mut all = vec!["run", "--locked", "--release", "-p", "ortoo-bench", "--"];
    all.extend(args.iter().map(String::as_str));
    cargo(&all)
}

/// Builds what the family `calls` starts of other languages, around the library as apps have it.
fn other_languages_for_bench() -> Outcome {
    cargo(&["build", "--locked", "--workspace"])?;
    cargo(&["build", "--locked", "--release", "-p", "mobile-ffi"])?;
    bindings::generate(Language::Python, "release")?;
    if find_kotlin().is_ok() {
        bindings::generate(Language::Kotlin, "release")?;
        let mut maven = Command::new("mvn");
        maven.args(["--batch-mode", "--quiet", "test-compile"]);
        run(maven.current_dir(Language::Kotlin.package()))?;
    }
    Ok(())
}

fn simulate(args: &[String]) -> Outcome {
    let mut command = built("ortoo-simulate")?;
    if args.is_empty() {
        command.arg("0..1000");
    }
    run(command.args(args))
}

fn cargo(args: &[&str]) -> Outcome {
    run(&mut cargo_command(args))
}

fn cargo_command(args: &[&str]) -> Command {
    let mut command = Command::new(env::var_os("CARGO").unwrap_or_else(|| "cargo".into()));
    command
        .args(args)
        .current_dir(root())
        .env("CARGO_INCREMENTAL", "0");
    command
}

fn run(command: &mut Command) -> Outcome {
    let shown = format!("{command:?}").replace('"', "");
    eprintln!("+ {shown}");
    match command.status() {
        Ok(status) if status.success() => Ok(()),
        Ok(status) => Err(format!("failed ({status}): {shown}")),
        Err(error) => Err(format!("could not start {shown}: {error}")),
    }
}

fn root() -> PathBuf {
    let manifest = PathBuf::from(env!("CARGO_MANIFEST_DIR"));
    manifest.parent().map(PathBuf::from).unwrap_or(manifest)
}

fn target_dir() -> PathBuf {
    env::var_os("CARGO_TARGET_DIR").map_or_else(|| root().join("target"), PathBuf::from)
}
