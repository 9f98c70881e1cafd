//! `ortoo-fuzz [DECODER] [--seconds N]`: changes recorded messages and gives them to the decoders.

#![expect(clippy::print_stdout, reason = "a command-line program")]

use std::path::{Path, PathBuf};
use std::process::ExitCode;
use std::time::{Duration, Instant};

use ortoo_tests::fuzz::memory::Counted;
use ortoo_tests::fuzz::run::{Report, execute, run};
use ortoo_tests::fuzz::{DECODERS, Decoder, Ground, Input, corpus};

#[global_allocator]
static COUNTED: Counted = Counted;

const USAGE: &str = "usage: ortoo-fuzz [DECODER] [--seconds N | --executions N] [--seed N] \
    [--findings DIR] [--last FILE] [--again FILE] [--seeds DIR]
  --seconds N     how long, for each decoder; 10 unless told
  --executions N  how many inputs of each decoder, fewer where one costs more
  --findings DIR  where an input that breaks a promise is written; target/fuzz unless told
  --last FILE     writes every input there before it is tried, for those that end the process
  --again FILE    tries this one input of DECODER
  --seeds DIR     writes what decoders start from, as a corpus for cargo-fuzz";

struct Arguments {
    decoders: Vec<&'static Decoder>,
    seconds: u64,
    executions: Option<u64>,
    seed: u64,
    findings: PathBuf,
    last: Option<PathBuf>,
    again: Option<PathBuf>,
    seeds: Option<PathBuf>,
}

fn arguments(mut given: impl Iterator<Item = String>) -> Result<Arguments, String> {
    let mut arguments = Arguments {
        decoders: DECODERS.iter().collect(),
        seconds: 10,
        executions: None,
        seed: 1,
        findings: PathBuf::from("target/fuzz"),
        last: None,
        again: None,
        seeds: None,
    };
    while let Some(argument) = given.next() {
        let mut value = || given.next().ok_or(USAGE);
        let number = |text: String| text.parse::<u64>().map_err(|_| USAGE);
        match argument.as_str() {
            "--seconds" => arguments.seconds = number(value()?)?,
            "--executions" => arguments.executions = Some(number(value()?)?),
            "--seed" => arguments.seed = number(value()?)?,
            "--findings" => arguments.findings = value()?.into(),
            "--last" => arguments.last = Some(value()?.into()),
            "--again" => arguments.again = Some(value()?.into()),
            "--seeds" => arguments.seeds = Some(value()?.into()),
            name => {
                let names: Vec<&str> = DECODERS.iter().map(|decoder| decoder.name).collect();
                let known = || format!("{USAGE}\ndecoders: {}", names.join(", "));
                arguments.decoders = vec![Decoder::named(name).ok_or_else(known)?];
            }
        }
    }
    Ok(arguments)
}

fn main() -> ExitCode {
    let arguments = match arguments(std::env::args().skip(1)) {
        Ok(arguments) => arguments,
        Err(message) => {
            eprintln!("{message}");
            return ExitCode::from(2);
        }
    };
    // Panics are findings, and told as such.
    std::panic::set_hook(Box::new(|_| {}));
    let ground = Ground::new();
    if let Some(file) = &arguments.again {
        return again(&ground, &arguments, file);
    }
    if let Some(dir) = &arguments.seeds {
        return write_seeds(&ground, &arguments, dir);
    }
    let mut good = true;
    for decoder in &arguments.decoders {
        let started = Instant::now();
        let limit = Duration::from_secs(arguments.seconds);
        let most = arguments
            .executions
            .map(|n| n * u64::from(decoder.share) / 1000);
        let report = run(&ground, decoder, arguments.seed, &mut |report, input| {
            if let Some(last) = &arguments.last {
                drop(std::fs::write(last, input));
            }
            match most {
                Some(most) => report.executions < most,
                None => started.elapsed() < limit,
            }
        });
        println!("{}", line(decoder, &report, started.elapsed()));
        good &= report.findings.is_empty();
        tell(decoder, &report, &arguments);
    }
    if good {
        ExitCode::SUCCESS
    } else {
        ExitCode::FAILURE
    }
}

fn line(decoder: &Decoder, report: &Report, took: Duration) -> String {
    format!(
        "{:<14} {:>9} executions, {:>4} distinct outcomes, {} findings; {:.0} s, longest {:.1} ms, most {:.1} MiB",
        decoder.name,
        report.executions,
        report.outcomes.len(),
        report.findings.len(),
        took.as_secs_f64(),
        report.longest.as_secs_f64() * 1000.0,
        report.most as f64 / (1024.0 * 1024.0),
    )
}

/// Writes the inputs that broke a promise, and says how to try them again.
fn tell(decoder: &Decoder, report: &Report, arguments: &Arguments) {
    for (number, finding) in report.findings.iter().enumerate() {
        let signed = if finding.mended { "-signed" } else { "" };
        let seed = arguments.seed;
        let name = format!("{}-{seed}-{number}{signed}", decoder.name);
        let path = arguments.findings.join(name);
        let written = std::fs::create_dir_all(&arguments.findings)
            .and_then(|()| std::fs::write(&path, &finding.input));
        println!("  {}: {}", decoder.name, finding.what);
        match written {
            Ok(()) => println!(
                "  again: ortoo-fuzz {} --again {}",
                decoder.name,
                path.display()
            ),
            Err(error) => println!("  {}: {error}", path.display()),
        }
    }
}

fn write_seeds(ground: &Ground, arguments: &Arguments, dir: &Path) -> ExitCode {
    for decoder in &arguments.decoders {
        let dir = dir.join(decoder.name);
        let mut written = std::fs::create_dir_all(&dir);
        for (number, seed) in corpus::seeds(ground, decoder).iter().enumerate() {
            written = written.and_then(|()| std::fs::write(dir.join(format!("{number}")), seed));
        }
        if let Err(error) = written {
            eprintln!("{}: {error}", dir.display());
            return ExitCode::FAILURE;
        }
    }
    ExitCode::SUCCESS
}

fn again(ground: &Ground, arguments: &Arguments, file: &Path) -> ExitCode {
    let bytes = match std::fs::read(file) {
        Ok(bytes) => bytes,
        Err(error) => {
            eprintln!("{}: {error}", file.display());
            return ExitCode::from(2);
        }
    };
    let mended = file.to_string_lossy().ends_with("-signed");
    drop(std::panic::take_hook());
    let mut good = true;
    for decoder in &arguments.decoders {
        let input = Input {
            bytes: &bytes,
            mended,
        };
        let executed = execute(ground, decoder, input);
        println!(
            "{}: {:?} in {:?}, {} bytes",
            decoder.name, executed.checked, executed.took, executed.grown
        );
        good &= executed.checked.is_ok();
    }
    if good {
        ExitCode::SUCCESS
    } else {
        ExitCode::FAILURE
    }
}
