//! `ortoo-simulate A..B`: runs seeds of the simulator and prints what failed and what was exercised.

use std::process::ExitCode;
use std::time::{Duration, Instant};

use ortoo_tests::sim::fault::Plant;
use ortoo_tests::sim::{Options, Outcome, Summary, run, run_many};

const USAGE: &str =
    "usage: ortoo-simulate [--seeds] SEED | A..B [--plant NAME | --real] [--trace] [--seconds N]";

struct Arguments {
    seeds: std::ops::Range<u64>,
    options: Options,
    seconds: Option<u64>,
}

fn arguments(mut given: impl Iterator<Item = String>) -> Result<Arguments, String> {
    let mut seeds = None;
    let mut options = Options::default();
    let mut seconds = None;
    while let Some(argument) = given.next() {
        match argument.as_str() {
            "--trace" => options.trace = true,
            "--real" => options.real = true,
            // The range may be named too.
            "--seeds" => {}
            "--plant" => {
                let name = given.next().unwrap_or_default();
                let names = Plant::ALL.map(Plant::name).join(", ");
                let plant = Plant::from_name(&name);
                options.plant = Some(plant.ok_or_else(|| format!("plants: {names}"))?);
            }
            "--seconds" => {
                let number = given.next().and_then(|number| number.parse().ok());
                seconds = Some(number.ok_or(USAGE)?);
            }
            range => {
                let number = |text: &str| text.parse::<u64>().map_err(|_| USAGE.to_owned());
                seeds = Some(match range.split_once("..") {
                    Some((from, to)) => number(from)?..number(to)?,
                    None => number(range)?..number(range)? + 1,
                });
            }
        }
    }
    Ok(Arguments {
        seeds: seeds.ok_or(USAGE)?,
        options,
        seconds,
    })
}

#[expect(clippy::print_stdout, reason = "a command-line program")]
fn main() -> ExitCode {
    let Arguments {
        seeds,
        options,
        seconds,
    } = match arguments(std::env::args().skip(1)) {
        Ok(arguments) => arguments,
        Err(message) => {
            eprintln!("{message}");
            return ExitCode::from(2);
        }
    };
    let started = Instant::now();
    if options.trace {
        let mut failed = false;
        for seed in seeds {
            let outcome = run(seed, options);
            println!("seed {seed}: {}", outcome.config);
            outcome.trace.iter().for_each(|line| println!("{line}"));
            failed |= outcome.broken.is_some();
            println!("{}", outcome.broken.as_deref().unwrap_or("clean"));
        }
        return if failed {
            ExitCode::FAILURE
        } else {
            ExitCode::SUCCESS
        };
    }
    let limit = seconds.map(Duration::from_secs);
    let summary = run_many(seeds, options, &|_| {
        limit.is_none_or(|limit| started.elapsed() < limit)
    });
    summary
        .failed
        .iter()
        .for_each(|outcome| println!("{}", line(outcome)));
    println!("{}", closing(&summary, started.elapsed()));
    if summary.failed.is_empty() {
        ExitCode::SUCCESS
    } else {
        ExitCode::FAILURE
    }
}

fn line(outcome: &Outcome) -> String {
    let broken = outcome.broken.as_deref().unwrap_or_default();
    let first = broken.lines().next().unwrap_or_default();
    format!(
        "seed {} fails at step {}: {first}\n  {}",
        outcome.seed, outcome.steps, outcome.config
    )
}

fn closing(summary: &Summary, took: Duration) -> String {
    let faults: Vec<String> = summary
        .faults
        .iter()
        .map(|(fault, count)| format!("{fault:?} {count}"))
        .collect();
    let rate = summary.seeds as f64 / took.as_secs_f64().max(0.001);
    format!(
        "{} seeds, {} failed, {} steps, {} edits saved, {} forms refused, {} cells counted, at most {} rounds to settle\n{}\n{:.1} s, {rate:.0} seeds/s",
        summary.seeds,
        summary.failed.len(),
        summary.steps,
        summary.saved,
        summary.refused_forms,
        summary.cells,
        summary.rounds_max,
        faults.join(", "),
        took.as_secs_f64(),
    )
}
