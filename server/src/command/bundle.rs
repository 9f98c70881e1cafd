//! `bundle` and `snapshot`: files that somebody carries.

use std::fs::File;
use std::io::{ErrorKind, Read, Write};
use std::path::{Path, PathBuf};

use clap::{Args, Subcommand};
use node::{App, CommandError, ServeError};
use serde_json::{Value, json};
use sync_core::bundle::BUNDLE_BYTES_MAX;

#[derive(Debug, Subcommand)]
pub(super) enum BundleVerb {
    /// Take what a bundle brings.
    Import {
        /// The file to read.
        file: PathBuf,
        /// The file to write for the way back: what its maker lacks, and the acknowledgement.
        #[arg(long, value_name = "FILE")]
        reply: Option<PathBuf>,
    },
}

#[derive(Debug, Args)]
pub(super) struct SnapshotArgs {
    /// The file to write; it must not be there.
    file: PathBuf,
    /// Org unit with or without a class, as for enrol-code. May be given again.
    #[arg(long = "space", value_name = "CODE[.class]", required = true)]
    spaces: Vec<String>,
}

/// `{"bytes","batches":{SPACE: how many ever came in}}`.
pub(super) async fn snapshot(app: &App, args: &SnapshotArgs) -> Result<Value, CommandError> {
    let SnapshotArgs { file, spaces } = args;
    let made = app.snapshot(spaces).await?;
    let written = File::create_new(file).and_then(|mut out| {
        out.write_all(&made.bytes)?;
        out.sync_all()
    });
    written.map_err(|error| match error.kind() {
        ErrorKind::AlreadyExists => CommandError::wrong("file_exists", file.display()),
        _ => CommandError::file_failed(file, error),
    })?;
    let counters = made.counters.iter();
    let spaces = counters.map(|(space, count)| (space.to_string(), Value::from(*count)));
    Ok(json!({
        "bytes": made.bytes.len(),
        "batches": Value::Object(spaces.collect()),
    }))
}

pub(super) async fn bundle(app: &App, verb: &BundleVerb) -> Result<Value, CommandError> {
    let BundleVerb::Import { file, reply } = verb;
    import(app, file, reply.as_deref()).await
}

async fn import(app: &App, file: &Path, reply: Option<&Path>) -> Result<Value, CommandError> {
    let mut bytes = Vec::new();
    File::open(file)
        .and_then(|file| {
            file.take(BUNDLE_BYTES_MAX as u64 + 1)
                .read_to_end(&mut bytes)
        })
        .map_err(|error| CommandError::file_failed(file, error))?;
    let report = app
        .import_bundle(bytes)
        .await
        .map_err(|error| match error {
            ServeError::Refused(refused) => {
                CommandError::wrong("bundle_refused", file.display()).with("reason", refused.code())
            }
            other => CommandError::Data(other.into()),
        })?;
    if let Some(path) = reply {
        std::fs::write(path, &report.reply)
            .map_err(|error| CommandError::file_failed(path, error))?;
    }
    Ok(json!({
        "batches": report.batches,
        "new": report.new,
        "waiting": report.waiting,
        "for_others": report.others,
        "not_held": report.not_held,
    }))
}
