//! `verify` and `verify-cells`: everything made again from the batches, and compared. What differs is
//! printed, and an error says that something does.

use node::{App, CommandError};
use serde_json::Value;

use super::shapes::{recounted, verified};
use super::{Cli, say_answer};

pub(super) async fn verify(cli: &Cli, app: &App) -> Result<Value, CommandError> {
    let found = app.verify().await?;
    judged(
        cli,
        verified(&found),
        "store_differs",
        found.differences.len(),
    )
}

pub(super) async fn verify_cells(cli: &Cli, app: &App) -> Result<Value, CommandError> {
    let found = app.verify_cells().await?;
    judged(
        cli,
        recounted(&found),
        "cells_differ",
        found.differences.len(),
    )
}

fn judged(
    cli: &Cli,
    shape: Value,
    code: &'static str,
    differences: usize,
) -> Result<Value, CommandError> {
    if differences == 0 {
        return Ok(shape);
    }
    say_answer(cli, &shape);
    Err(CommandError::wrong(code, differences))
}
