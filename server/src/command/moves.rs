//! `move`: a person to another unit.

use clap::Args;
use node::{App, CommandError, NamedRecord};
use serde_json::Value;

use super::shapes;

#[derive(Debug, Args)]
pub(super) struct MoveArgs {
    /// The record, as RECORD or UNIT/RECORD.
    record: String,
    /// The unit that she moves to.
    #[arg(long, value_name = "CODE")]
    to: String,
    /// The day from which on she lives there; today if it is left out.
    #[arg(long, value_name = "YYYY-MM-DD")]
    on: Option<String>,
}

pub(super) async fn move_person(app: &App, args: &MoveArgs) -> Result<Value, CommandError> {
    let record: NamedRecord = args.record.parse()?;
    let gone = app.move_person(record, &args.to, args.on.as_deref());
    Ok(shapes::gone(&gone.await?))
}
