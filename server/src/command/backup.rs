//! `backup`, `restore` and `recovery`: an installation in a file, and out of it.

use std::path::PathBuf;

use clap::{Args, Subcommand};
use node::restore as make_of_backup;
use node::{App, CommandError, InClear, Options, RecoveryStatus};
use serde_json::{Value, json};
use sync_core::id::{DeviceId, Space};

use super::{Cli, time};

#[derive(Debug, Args)]
pub(super) struct BackupArgs {
    /// The file to write; it must not be there.
    file: PathBuf,
    /// Write it although it holds real people's data in clear.
    #[arg(long)]
    plain_i_know: bool,
}

#[derive(Debug, Args)]
pub(super) struct RestoreArgs {
    /// The backup.
    file: PathBuf,
    /// The journal that was kept beside the server that is lost.
    #[arg(long, value_name = "DIR")]
    journal: Option<PathBuf>,
}

#[derive(Debug, Subcommand)]
pub(super) enum RecoveryVerb {
    /// Who came back, and what nobody has brought back yet.
    Status,
    /// Serve everybody on the roster again.
    Confirm,
}

pub(super) async fn backup(app: &App, args: &BackupArgs) -> Result<Value, CommandError> {
    let in_clear = match args.plain_i_know {
        true => InClear::Known,
        false => InClear::NotSaid,
    };
    let made = app.backup(&args.file, in_clear).await?;
    Ok(json!({
        "bytes": made.bytes,
        "parts": made.parts,
        "batches": made.batches,
    }))
}

pub(super) async fn restore(cli: &Cli, args: &RestoreArgs) -> Result<Value, CommandError> {
    let journal = args.journal.as_deref();
    let restored = make_of_backup(&args.file, &cli.data, journal, Options::default()).await?;
    let journal = restored.journal.map(|journal| {
        json!({
            "files": journal.files,
            "control": journal.control,
            "batches": journal.batches,
            "torn": journal.torn,
            "bad": journal.bad,
            "complete": journal.complete,
        })
    });
    Ok(json!({
        "network": restored.network.to_string(),
        "backup_time": time(restored.backup_time),
        "journal": journal,
        "recovery": restored.recovery,
    }))
}

pub(super) async fn recovery(app: &App, verb: &RecoveryVerb) -> Result<Value, CommandError> {
    let status = match verb {
        RecoveryVerb::Status => app.recovery_status().await?,
        RecoveryVerb::Confirm => RecoveryStatus {
            recovery: false,
            ..app.confirm_recovery().await?
        },
    };
    let named =
        |devices: &[DeviceId]| -> Vec<String> { devices.iter().map(DeviceId::to_string).collect() };
    let spaces = status.at_risk.iter().map(Space::to_string);
    Ok(json!({
        "recovery": status.recovery,
        "returned": named(&status.returned),
        "awaited": named(&status.awaited),
        "at_risk": spaces.collect::<Vec<_>>(),
    }))
}
