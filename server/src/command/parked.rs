//! `parked` and `unpark`: records that show what they said before a change that can't be taken.

use clap::Args;
use node::{App, CommandError};
use serde_json::Value;

use super::{record_id, shapes};

#[derive(Debug, Args)]
pub(super) struct UnparkArgs {
    /// The record.
    record: String,
}

pub(super) async fn parked(app: &App) -> Result<Value, CommandError> {
    Ok(app.parked().await?.iter().map(shapes::parked).collect())
}

pub(super) async fn unpark(app: &App, args: &UnparkArgs) -> Result<Value, CommandError> {
    let excluded = app.unpark(record_id(&args.record)?).await?;
    Ok(excluded.iter().map(shapes::left_out_row).collect())
}
