//! `sample`: made-up people in an installation for samples.

use clap::Args;
use node::{App, CommandError};
use serde_json::Value;

use super::Cli;
use super::serve::{advise, options};
use crate::sample;

/// More people than two banners have: household numbers of a community have four digits.
const PEOPLE_MAX: i64 = 100_000;

#[derive(Debug, Args)]
pub(super) struct SampleArgs {
    /// People; 45000 are the whole banner. Every unit has two at least.
    #[arg(long, value_name = "N", default_value_t = 3000, value_parser = clap::value_parser!(u32).range(1..=PEOPLE_MAX))]
    people: u32,
    /// What everybody and everything follows from.
    #[arg(long, value_name = "S", default_value_t = 1)]
    seed: u64,
}

pub(super) async fn sample(cli: &Cli, args: &SampleArgs) -> Result<Value, CommandError> {
    let app = App::open(&cli.data, options(true)).await?;
    advise(cli, &app);
    let people = usize::try_from(args.people).unwrap_or(usize::MAX);
    let made = sample::make(&app, people, args.seed).await;
    app.close().await;
    made
}
