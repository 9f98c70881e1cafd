//! `erase` and `erasures`: records that nobody may hold any more.

use std::path::PathBuf;

use clap::Args;
use node::{App, CommandError, Erasure, NamedRecord, Reach};
use serde_json::{Value, json};
use sync_core::id::{DeviceId, RecordId};

use super::{order, time};

#[derive(Debug, Args)]
pub(super) struct EraseArgs {
    /// The records, each as RECORD or UNIT/RECORD. Whoever is shown as one person with them is erased too.
    #[arg(required = true)]
    records: Vec<String>,
    /// These records alone.
    #[arg(long)]
    alone: bool,
    /// Also where another unit has a record of the same id: an order can't tell them apart.
    #[arg(long)]
    every_unit: bool,
    /// The key of the person who orders it.
    #[arg(long, value_name = "FILE")]
    key: PathBuf,
    /// Write the order to a file instead of giving it, for a second person to sign.
    #[arg(long, value_name = "FILE")]
    out: Option<PathBuf>,
}

pub(super) async fn erase(app: &App, args: &EraseArgs) -> Result<Value, CommandError> {
    let records = args.records.iter().map(|text| text.parse());
    let records: Vec<NamedRecord> = records.collect::<Result<_, _>>()?;
    let reach = Reach {
        alone: args.alone,
        every_unit: args.every_unit,
    };
    let wish = app.erasure(&records, reach).await?;
    let mut given = order::give(app, &args.key, args.out.as_deref(), &wish).await?;
    let names = wish.names.iter();
    let records = names.filter_map(|name| RecordId::from_slice(name).ok());
    given["records"] = records.map(|record| record.to_string()).collect();
    Ok(given)
}

pub(super) async fn erasures(app: &App) -> Result<Value, CommandError> {
    Ok(app.erasures().await?.iter().map(shape).collect())
}

fn shape(erasure: &Erasure) -> Value {
    let record = |(record, at): (&RecordId, &Option<i64>)| json!({ "record": record.to_string(), "erased": at.map(time) });
    let devices = |devices: &std::collections::BTreeSet<DeviceId>| -> Value {
        devices.iter().map(ToString::to_string).collect()
    };
    json!({
        "order": erasure.order.to_string(),
        "records": erasure.records.iter().map(record).collect::<Vec<_>>(),
        "done": devices(&erasure.done),
        "silent": devices(&erasure.silent),
    })
}
