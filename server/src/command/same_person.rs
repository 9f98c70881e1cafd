//! `duplicates` and `same-person`: persons with one ID number in two units.

use clap::Args;
use node::{App, CommandError, Duplicate, NamedRecord};
use serde_json::{Value, json};
use sync_core::control::UnitRecord;
use sync_core::link::Statement;

#[derive(Debug, Args)]
pub(super) struct SamePersonArgs {
    /// A record, as RECORD or UNIT/RECORD.
    record: String,
    /// A record of another unit.
    other: String,
    /// They are two persons, whatever number they show.
    #[arg(long)]
    not: bool,
}

pub(super) async fn duplicates(app: &App) -> Result<Value, CommandError> {
    Ok(app.duplicates().await?.iter().map(shape).collect())
}

pub(super) async fn same_person(app: &App, args: &SamePersonArgs) -> Result<Value, CommandError> {
    let record: NamedRecord = args.record.parse()?;
    let other: NamedRecord = args.other.parse()?;
    let said = app.say_same_person(&record, &other, !args.not).await;
    let (records, is_new) = said?;
    Ok(json!({
        "records": records.each_ref().map(named),
        "said": statement(!args.not),
        "new": is_new,
    }))
}

fn shape(pair: &Duplicate) -> Value {
    json!({
        "records": pair.records.each_ref().map(named),
        "names": pair.names,
        "said": pair.said.map(statement),
    })
}

fn named((unit, record): &UnitRecord) -> String {
    format!("{unit}/{record}")
}

fn statement(same: bool) -> &'static str {
    match same {
        true => Statement::Same.key(),
        false => Statement::NotSame.key(),
    }
}
