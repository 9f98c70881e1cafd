//! `show` and `records`: what the server shows.

use clap::Args;
use node::{App, CommandError, show};
use serde_json::Value;

#[derive(Debug, Args)]
pub(super) struct ShowArgs {
    /// The record, as RECORD or UNIT/RECORD; or the 12-digit code of an organisation.
    id: String,
}

pub(super) async fn show(app: &App, args: &ShowArgs) -> Result<Value, CommandError> {
    show::show(app, &args.id).await
}

pub(super) async fn records(app: &App) -> Result<Value, CommandError> {
    show::records(app).await
}
