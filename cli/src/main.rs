//! `ortoo-field`: the phone at a command line, for officers with a laptop, couriers, scripts and
//! tests.
//!
//! Names, options, JSON shapes and exit codes are a public contract: see [`shapes`]. Each verb is
//! one function in [`verbs`]; nothing is decided here.

mod args;
mod bundle;
mod shapes;
mod verbs;

use std::process::ExitCode;

use clap::Parser;
use client::error::{Issue, PhoneError};
use words::{Language, Words};

use crate::args::Cli;

fn main() -> ExitCode {
    let words = Words::new(Language::of_environment());
    let cli = match Cli::try_parse() {
        Ok(cli) => cli,
        Err(error) if error.use_stderr() => {
            let asked_json = std::env::args_os().any(|arg| arg == "--json");
            let text = error.to_string();
            if !asked_json {
                shapes::say(text.trim_end());
                return ExitCode::from(shapes::EXIT_WRONG);
            }
            let what = text
                .lines()
                .next()
                .unwrap_or_default()
                .trim_start_matches("error: ");
            let issue = Issue::new("usage").with("detail", what);
            return shapes::fail(&PhoneError::Wrong(vec![issue]), &words, true);
        }
        // `--help` and `--version`: printed where they belong, by clap.
        Err(help) => help.exit(),
    };
    match verbs::run(&cli, &words) {
        Ok(said) => shapes::finish(&said, cli.json),
        Err(error) => shapes::fail(&error, &words, cli.json),
    }
}
