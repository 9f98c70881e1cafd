//! `indicators` and `recount`: the plan's figures.

use clap::Args;
use node::{App, CommandError};
use serde_json::{Value, json};
use sync_core::figure::YearSelection;

use super::shapes::figure_row;

#[derive(Debug, Args)]
pub(super) struct IndicatorsArgs {
    /// Banner, 苏木, 嘎查 or community; the banner if it is left out.
    #[arg(long, value_name = "CODE")]
    org: Option<String>,
    /// The year that the period ends in; this year if it is left out.
    #[arg(long, value_name = "YEAR", conflicts_with = "every_year")]
    year: Option<u16>,
    /// Every year of the plan.
    #[arg(long)]
    every_year: bool,
}

pub(super) async fn indicators(app: &App, args: &IndicatorsArgs) -> Result<Value, CommandError> {
    let query = YearSelection::of(args.year, args.every_year);
    let figures = app.indicators(args.org.as_deref(), query).await?;
    Ok(figures.iter().map(figure_row).collect())
}

pub(super) async fn recount(app: &App) -> Result<Value, CommandError> {
    Ok(json!({ "units": app.recount().await? }))
}
