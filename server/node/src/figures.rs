//! The figures in the database: kept current by what arrives, read by commands and pages.
//!
//! [`update()`] changes the cells of what a transaction touched, in that transaction (R42); [`build_next`]
//! counts anew where a package is new; the functions here read. What a figure *is* stands in
//! [`sync_core::figure`]; the rows stand in `store::figure`.
//!
//! An org unit is given by its code; figures are kept for 嘎查 and communities and summed for what is
//! above them.

mod affected;
mod build;
mod load;
mod update;

use std::collections::BTreeMap;

use plan::Package;
use store::figure::{self, Generation};
use store::{Conn, StoreError};
use sync_core::control::Control;
use sync_core::figure::Tally;
use sync_core::id::RecordId;

pub(crate) use build::{Built, begin, begin_again, build_next};
pub(crate) use update::update;

/// The figures that are shown, and the package by which they were counted.
pub struct FigureReader<'a> {
    generation: u64,
    package: &'a Package,
}

impl<'a> FigureReader<'a> {
    /// As the transaction of `conn` sees them; none before the first count is finished.
    pub async fn current(
        conn: &mut Conn,
        control: &'a Control,
    ) -> Result<Option<Self>, StoreError> {
        let generations = figure::generations(conn).await?;
        let live = generations.into_iter().find(|generation| generation.live);
        Ok(live.and_then(|live| Self::of(&live, control)))
    }

    fn of(generation: &Generation, control: &'a Control) -> Option<Self> {
        Some(Self {
            generation: generation.number,
            package: control.package_of(generation.package)?,
        })
    }

    /// The package by which they were counted.
    pub fn package(&self) -> &'a Package {
        self.package
    }

    /// Every cell: what a recount is held against.
    pub(crate) async fn all_cells(
        &self,
        conn: &mut Conn,
    ) -> Result<Vec<(figure::Cell, Tally)>, StoreError> {
        figure::all_cells(conn, self.generation).await
    }

    /// Every indicator's figure of an org unit in a year, by the indicator's key; zeros where
    /// nobody is counted.
    pub async fn totals(
        &self,
        conn: &mut Conn,
        org: &str,
        year: u16,
    ) -> Result<BTreeMap<String, Tally>, StoreError> {
        let nothing = self.package.counted();
        let mut totals: BTreeMap<String, Tally> = nothing
            .map(|(_, indicator)| (indicator.key.clone(), Tally::default()))
            .collect();
        for (cell, tally) in figure::of_year(conn, self.generation, year, "", org).await? {
            *totals.entry(cell.indicator).or_default() += tally;
        }
        Ok(totals)
    }

    /// Every indicator's figure of each 嘎查 and community below `org` where somebody is counted, by
    /// the indicator's key and the unit's code.
    pub async fn by_unit(
        &self,
        conn: &mut Conn,
        org: &str,
        year: u16,
    ) -> Result<BTreeMap<(String, String), Tally>, StoreError> {
        let cells = figure::of_year(conn, self.generation, year, "", org).await?;
        let by_unit = cells
            .into_iter()
            .map(|(cell, tally)| ((cell.indicator, cell.unit), tally));
        Ok(by_unit.collect())
    }

    /// An indicator's figure of an org unit in every year of the plan.
    pub async fn by_year(
        &self,
        conn: &mut Conn,
        indicator: &str,
        org: &str,
    ) -> Result<BTreeMap<u16, Tally>, StoreError> {
        let years = self.package.years;
        let mut by_year: BTreeMap<u16, Tally> =
            years.iter().map(|year| (year, Tally::default())).collect();
        let range = (years.from, years.to);
        let cells = figure::of_indicator(conn, self.generation, indicator, org, range).await?;
        for (year, tally) in cells {
            *by_year.entry(year).or_default() += tally;
        }
        Ok(by_year)
    }

    /// An indicator's figure of an org unit in a year, broken down: status, value, figure. The value
    /// is empty where it is not known.
    pub async fn breakdown(
        &self,
        conn: &mut Conn,
        indicator: &str,
        org: &str,
        year: u16,
    ) -> Result<Vec<(String, String, Tally)>, StoreError> {
        let mut parts = Vec::new();
        let found = self.package.indicator(indicator);
        for by in found.into_iter().flat_map(|found| &found.count.by) {
            let mut values: BTreeMap<String, Tally> = BTreeMap::new();
            for (cell, tally) in figure::of_year(conn, self.generation, year, by, org).await? {
                if cell.indicator == indicator {
                    *values.entry(cell.value).or_default() += tally;
                }
            }
            let values = values.into_iter().filter(|(_, tally)| !tally.is_zero());
            parts.extend(values.map(|(value, tally)| (by.clone(), value, tally)));
        }
        Ok(parts)
    }

    /// Every group of a 嘎查 or community that counts for an indicator in a year, by its first
    /// record, with what it adds: their sum is the figure.
    pub async fn behind(
        &self,
        conn: &mut Conn,
        indicator: &str,
        unit: &str,
        year: u16,
    ) -> Result<Vec<(RecordId, Tally)>, StoreError> {
        let mut places = self.package.counted();
        let Some((place, _)) = places.find(|(_, known)| known.key == indicator) else {
            return Ok(Vec::new());
        };
        let groups = figure::contributions_of_unit(conn, self.generation, unit).await?;
        let counted = groups
            .into_iter()
            .map(|(record, contribution)| (record, contribution.of(place, year)));
        Ok(counted.filter(|(_, tally)| !tally.is_zero()).collect())
    }
}
