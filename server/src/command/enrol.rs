//! `enrol-code`, `pending` and `approve`: how phones are let in.

use clap::Args;
use node::{App, CodeRequest, CommandError};
use serde_json::{Value, json};

use super::revoke::device_id;
use super::shapes;

#[derive(Debug, Args)]
pub(super) struct CodeArgs {
    /// Org unit with or without a class; a 9-digit 苏木 means all its units. May be given again.
    #[arg(long = "space", value_name = "CODE[.class]", required = true)]
    pub(super) spaces: Vec<String>,
    /// Whom it is for.
    #[arg(long, value_name = "TEXT")]
    name: Option<String>,
    /// The server's address, if another than the one it was started with.
    #[arg(long, value_name = "URL")]
    url: Option<String>,
}

#[derive(Debug, Args)]
pub(super) struct ApproveArgs {
    /// The device.
    device: String,
}

pub(super) async fn code(app: &App, args: &CodeArgs) -> Result<Value, CommandError> {
    let request = CodeRequest {
        spaces: args.spaces.clone(),
        name: args.name.clone(),
        url: args.url.clone(),
    };
    Ok(json!({ "link": app.enrol_code(&request).await?.to_string() }))
}

pub(super) async fn pending(app: &App) -> Result<Value, CommandError> {
    Ok(app.pending().await?.iter().map(shapes::pending).collect())
}

pub(super) async fn approve(app: &App, args: &ApproveArgs) -> Result<Value, CommandError> {
    let id = device_id(&args.device)?;
    app.approve(id).await?;
    Ok(json!({ "device": id.to_string() }))
}
