//! The repository's own commands.
//!
//! ```text
//! cargo xtask demo [--people N]  builds what the demo runs, makes a banner and plays the story in it
//! cargo xtask test [--all]    builds and passes all checks; --all fails where a tool is missing
//! cargo xtask bindings LANGUAGE  generates the code of kotlin, swift or python from the library
//! cargo xtask bench [NAME]    runs the benchmarks and prints their tables
//! cargo xtask simulate A..B   runs the simulator over a range of seeds
//! cargo xtask fuzz [DECODER] [--seconds N]  gives changed messages and files to the decoders
//! cargo xtask record          writes the fuzzer's corpus again, and golden files that are new
//! ```

mod bindings;
mod needs;
mod steps;
mod test;

use std::env;
use std::path::PathBuf;
use std::process::{Command, ExitCode};

use bindings::Language;
use steps::{Steps, cargo, run};

/// A check that failed, in words.
type Outcome = Result<(), String>;

fn main() -> ExitCode {
    let mut args = env::args().skip(1);
    let verb = args.next().unwrap_or_default();
    let rest: Vec<String> = args.collect();
    let outcome = match verb.as_str() {
        "demo" => demo(&rest),
        "test" => match rest.iter().map(String::as_str).collect::<Vec<_>>()[..] {
            [] => test::test(false),
            ["--all"] => test::test(true),
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

/// Builds the three programs of the demo and nothing else, and plays it.
fn demo(args: &[String]) -> Outcome {
    let mut steps = Steps::begin();
    let programs = ["-p", "ortoo-server", "-p", "ortoo-field", "-p", "harness"];
    steps.run("build", cargo(&["build", "--locked"]).args(programs))?;
    let mut play = Command::new(target_dir().join("debug").join("ortoo-demo"));
    steps.run("demo", play.args(args))?;
    steps.report();
    Ok(())
}

fn run_built(program: &str, args: &[String]) -> Outcome {
    run(built(program)?.args(args))
}

/// A program of the crate above all others, built with the whole workspace: with other features for
/// a part of it, dependencies would be built once for this and once more for the tests.
fn built(program: &str) -> Result<Command, String> {
    run(&mut cargo(&["build", "--locked", "--workspace"]))?;
    Ok(Command::new(target_dir().join("debug").join(program)))
}

fn bench(args: &[String]) -> Outcome {
    // The benchmarks start the server as a process.
    let server = ["build", "--locked", "--release", "-p", "ortoo-server"];
    run(&mut cargo(&server))?;
    if args.is_empty() || args.iter().any(|arg| arg == "calls") {
        other_languages_for_bench()?;
    }
    let bench = ["run", "--locked", "--release", "-p", "ortoo-bench", "--"];
    run(cargo(&bench).args(args))
}

/// Builds what the family `calls` starts of other languages, around the library as apps have it.
fn other_languages_for_bench() -> Outcome {
    run(&mut cargo(&["build", "--locked", "--workspace"]))?;
    let library = ["build", "--locked", "--release", "-p", "mobile-ffi"];
    run(&mut cargo(&library))?;
    bindings::generate(Language::Python, "release")?;
    if needs::kotlin().is_ok() {
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

fn root() -> PathBuf {
    let manifest = PathBuf::from(env!("CARGO_MANIFEST_DIR"));
    manifest.parent().map(PathBuf::from).unwrap_or(manifest)
}

fn target_dir() -> PathBuf {
    env::var_os("CARGO_TARGET_DIR").map_or_else(|| root().join("target"), PathBuf::from)
}
