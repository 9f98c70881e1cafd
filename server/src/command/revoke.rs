//! `revoke`, `devices`, `pending-batches`, `accept` and `refuse`.

use std::collections::BTreeSet;
use std::path::{Path, PathBuf};

use clap::Args;
use node::{App, CommandError, ListedDevice, Renewals, RevokeRequest, WaitingBatch, WipeState};
use serde_json::{Value, json};
use sync_core::control::RevokeReason;
use sync_core::id::{BatchHash, DeviceId, Space};

use super::order::{give, person};
use super::time;

#[derive(Debug, Args)]
pub(super) struct RevokeArgs {
    /// The device.
    device: String,
    /// Take this org unit alone, with or without a class. May be given again.
    #[arg(long = "space", value_name = "CODE[.class]")]
    spaces: Vec<String>,
    /// It is lost.
    #[arg(long, group = "reason")]
    lost: bool,
    /// Somebody else has it.
    #[arg(long, group = "reason")]
    stolen: bool,
    /// Its person does other work now.
    #[arg(long, group = "reason")]
    left: bool,
    /// Revoke the devices too that it made new keys for.
    #[arg(long, group = "renewals")]
    with_renewed: bool,
    /// Leave the devices alone that it made new keys for.
    #[arg(long, group = "renewals")]
    alone: bool,
}

#[derive(Debug, Args)]
pub(super) struct DecideArgs {
    /// The batches, as "pending-batches" lists them.
    #[arg(required_unless_present = "device", value_name = "BATCH")]
    batches: Vec<String>,
    /// All that wait of this device.
    #[arg(long, value_name = "DEVICE", conflicts_with = "batches")]
    device: Option<String>,
    /// A person's key, needed for many at once.
    #[arg(long, value_name = "FILE")]
    key: Option<PathBuf>,
}

#[derive(Debug, Args)]
pub(super) struct WipeArgs {
    /// The device.
    device: String,
    /// The key of the person who orders it.
    #[arg(long, value_name = "FILE")]
    key: PathBuf,
    /// Write the order to a file instead of giving it.
    #[arg(long, value_name = "FILE")]
    out: Option<PathBuf>,
}

pub(super) async fn wipe(app: &App, args: &WipeArgs) -> Result<Value, CommandError> {
    let request = app.wish_wipe(device_id(&args.device)?).await?;
    give(app, &args.key, args.out.as_deref(), &request).await
}

pub(super) async fn revoke(app: &App, args: &RevokeArgs) -> Result<Value, CommandError> {
    let reason = match args {
        RevokeArgs { lost: true, .. } => RevokeReason::Lost,
        RevokeArgs { stolen: true, .. } => RevokeReason::Stolen,
        RevokeArgs { left: true, .. } => RevokeReason::Left,
        _ => RevokeReason::Unsaid,
    };
    let device = device_id(&args.device)?;
    let mut spaces = BTreeSet::new();
    if !args.spaces.is_empty() {
        let held = app.devices().await?;
        let held = held.into_iter().find(|listed| listed.device == device);
        let held = held.map(|listed| listed.spaces).unwrap_or_default();
        for request in &args.spaces {
            let (code, class) = request.split_once('.').unwrap_or((request, ""));
            let meant = |space: &&Space| {
                space.unit().starts_with(code) && (class.is_empty() || space.class.key() == class)
            };
            let before = spaces.len();
            spaces.extend(held.iter().filter(meant).cloned());
            if spaces.len() == before {
                let error = CommandError::wrong("space_not_held", request);
                return Err(error.with("device", device));
            }
        }
    }
    let request = RevokeRequest {
        device,
        spaces,
        reason,
        renewals: match args {
            RevokeArgs {
                with_renewed: true, ..
            } => Renewals::Too,
            RevokeArgs { alone: true, .. } => Renewals::Stay,
            _ => Renewals::Ask,
        },
    };
    app.revoke(&request).await?;
    Ok(json!({ "device": device.to_string() }))
}

pub(super) async fn devices(app: &App) -> Result<Value, CommandError> {
    Ok(app.devices().await?.iter().map(listed).collect())
}

pub(super) async fn waiting(app: &App) -> Result<Value, CommandError> {
    Ok(app.waiting_batches().await?.iter().map(batch).collect())
}

pub(super) async fn decide(
    app: &App,
    args: &DecideArgs,
    accepted: bool,
) -> Result<Value, CommandError> {
    let batches: BTreeSet<BatchHash> = match &args.device {
        Some(device) => {
            let device = device_id(device)?;
            let waiting = app.waiting_batches().await?;
            let of_device = waiting.iter().filter(|batch| batch.device == device);
            of_device.map(|batch| batch.batch).collect()
        }
        None => {
            let hash = |text: &String| {
                let hash = text.parse();
                hash.map_err(|_| CommandError::wrong("batch_not_waiting", text))
            };
            args.batches.iter().map(hash).collect::<Result<_, _>>()?
        }
    };
    if batches.is_empty() {
        let device = args.device.as_deref().unwrap_or_default();
        return Err(CommandError::wrong("batch_not_waiting", device));
    }
    let key = args.key.as_deref().map(|file: &Path| person(file));
    let key = key.transpose()?;
    app.decide(&batches, accepted, key.as_ref()).await?;
    Ok(json!({ "batches": batches.len() }))
}

pub(super) fn device_id(text: &str) -> Result<DeviceId, CommandError> {
    text.parse()
        .map_err(|_| CommandError::wrong("bad_id", text))
}

fn listed(device: &ListedDevice) -> Value {
    let spaces = device.spaces.iter().map(ToString::to_string);
    json!({
        "device": device.device.to_string(),
        "name": device.name,
        "spaces": spaces.collect::<Vec<_>>(),
        "renews": device.renews.map(|from| from.to_string()),
        "revoked": device.revoked.map(RevokeReason::name),
        "seen": device.seen.map(time),
        "wipe": wipe_state(device),
    })
}

/// null, asked, told, handed_over or wiped; a lost phone that never answers stays at asked.
fn wipe_state(device: &ListedDevice) -> Option<&'static str> {
    let heard = device.wipe.map(|(state, _)| match state {
        WipeState::Told => "told",
        WipeState::HandedOver => "handed_over",
        WipeState::Wiped => "wiped",
    });
    heard.or_else(|| device.wipe_ordered.then_some("asked"))
}

fn batch(batch: &WaitingBatch) -> Value {
    let records = batch.records.iter().map(ToString::to_string);
    json!({
        "batch": batch.batch.to_string(),
        "space": batch.space.to_string(),
        "device": batch.device.to_string(),
        "written": time(batch.time),
        "records": records.collect::<Vec<_>>(),
    })
}
