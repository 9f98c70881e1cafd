//! The figures: ways of counting, what each group adds, and the sums.

use std::collections::BTreeMap;

use sync_core::figure::{Contribution, Tally};
use sync_core::id::{EntryHash, RecordId};

use super::{
    Conn, ROWS_MAX, Read, Row, StoreError, assembled, one_row, over_list, over_rows, query, rows,
    statements, stored,
};

statements! {
    GENERATIONS = "SELECT generation, package, reached, live FROM generation ORDER BY generation";
    NUMBER = "UPDATE turn SET generation = generation + 1";
    ADD_GENERATION = "INSERT INTO generation (generation, package, reached, live)
        SELECT generation, $1, $2, $3 FROM turn";
    SET_REACHED = "UPDATE generation SET reached = $2 WHERE generation = $1";
    GO_LIVE = "UPDATE generation SET live = CASE WHEN generation = $1 THEN 1 ELSE 0 END";
    DROP_GENERATION = "DELETE FROM generation WHERE generation = $1";
    DROP_CONTRIBUTIONS = "DELETE FROM contribution WHERE generation = $1";
    DROP_CELLS = "DELETE FROM cell WHERE generation = $1";
    REMOVE_CONTRIBUTION = "DELETE FROM contribution
        WHERE generation = $1 AND unit = $2 AND record = $3";
    OF_UNIT = "SELECT record, shares FROM contribution
        WHERE generation = $1 AND unit = $2 ORDER BY record";
    OF_YEAR = "SELECT indicator, unit, value, numerator, denominator, unknown FROM cell
        WHERE generation = $1 AND year = $2 AND breakdown = $3 AND unit >= $4 AND unit < $5";
    OF_INDICATOR = "SELECT year, unit, value, numerator, denominator, unknown FROM cell
        WHERE generation = $1 AND breakdown = '' AND value = '' AND indicator = $2
            AND unit >= $3 AND unit < $4 AND year >= $5 AND year <= $6";
    ALL_CELLS = "SELECT year, breakdown, indicator, unit, value, numerator, denominator, unknown
        FROM cell WHERE generation = $1";
}

// Over many rows, see `over_rows`.
const CONTRIBUTIONS: &str =
    "SELECT record, shares FROM contribution WHERE generation = $1 AND unit = $2 AND record IN";
const SET_CONTRIBUTIONS: (&str, &str) = (
    "INSERT INTO contribution (generation, unit, record, shares) VALUES",
    "ON CONFLICT (unit, generation, record) DO UPDATE SET shares = excluded.shares",
);
const ADD_TO_CELLS: (&str, &str) = (
    "INSERT INTO cell (generation, year, breakdown, value, indicator, unit,
        numerator, denominator, unknown) VALUES",
    "ON CONFLICT (unit, generation, year, breakdown, value, indicator) DO UPDATE SET
        numerator = cell.numerator + excluded.numerator,
        denominator = cell.denominator + excluded.denominator,
        unknown = cell.unknown + excluded.unknown",
);

#[cfg(test)]
pub(crate) fn built(count: usize) -> [String; 3] {
    [
        over_list(CONTRIBUTIONS, 2, count),
        over_rows(SET_CONTRIBUTIONS, 4, count),
        over_rows(ADD_TO_CELLS, 9, count),
    ]
}

/// What `reached` says of a generation in which all units are counted; above every code.
pub const ALL_UNITS: &str = "~";

/// A way of counting.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Generation {
    /// Its number, by which cells and contributions are kept.
    pub number: u64,
    /// The control entry that carries its package.
    pub package: EntryHash,
    /// The last unit that is counted.
    pub reached: String,
    /// Whether its figures are those that are shown.
    pub live: bool,
}

impl Generation {
    /// Whether the figures of a unit are kept in it.
    pub fn covers(&self, unit: &str) -> bool {
        unit <= self.reached.as_str()
    }
}

/// The ways of counting, oldest first.
pub async fn generations(conn: &mut Conn) -> Result<Vec<Generation>, StoreError> {
    let rows = query(GENERATIONS).fetch_all(conn).await?;
    let generation = |row: &Row| {
        let read = Read::of("generation", row);
        Ok(Generation {
            number: read.number("generation")?,
            package: read.id("package", EntryHash::from_slice)?,
            reached: read.text("reached")?.to_owned(),
            live: read.number("live")? == 1,
        })
    };
    rows.iter().map(generation).collect()
}

/// Adds a way of counting.
pub async fn add_generation(
    conn: &mut Conn,
    package: EntryHash,
    reached: &str,
    live: bool,
) -> Result<(), StoreError> {
    one_row("turn", query(NUMBER).execute(conn).await?)?;
    let query = query(ADD_GENERATION)
        .bind(package.0.to_vec())
        .bind(reached)
        .bind(i64::from(live));
    one_row("generation", query.execute(conn).await?)
}

/// Notes that a generation is counted up to this unit.
pub async fn set_reached(
    conn: &mut Conn,
    generation: u64,
    reached: &str,
) -> Result<(), StoreError> {
    let query = query(SET_REACHED).bind(stored(generation)).bind(reached);
    one_row("generation", query.execute(conn).await?)
}

/// Makes a generation the one that is shown.
pub async fn go_live(conn: &mut Conn, generation: u64) -> Result<(), StoreError> {
    query(GO_LIVE)
        .bind(stored(generation))
        .execute(conn)
        .await?;
    Ok(())
}

/// Removes a generation with everything in it.
pub async fn drop_generation(conn: &mut Conn, generation: u64) -> Result<(), StoreError> {
    for statement in [DROP_CELLS, DROP_CONTRIBUTIONS, DROP_GENERATION] {
        let query = query(statement).bind(stored(generation));
        query.execute(&mut *conn).await?;
    }
    Ok(())
}

/// What a row says that a group adds. One that was damaged adds nothing as far as is known: a
/// phone's batch must not be kept out by it, and `verify-cells` finds the difference.
fn contribution(row: &Row) -> Result<(RecordId, Contribution), StoreError> {
    let read = Read::of("contribution", row);
    let shares = Contribution::from_cbor(read.blob("shares")?).unwrap_or_else(|_| {
        tracing::error!(
            table = "contribution",
            column = "shares",
            "a row does not read"
        );
        Contribution::default()
    });
    Ok((read.id("record", RecordId::from_slice)?, shares))
}

/// What the groups that these records name add.
pub async fn contributions(
    conn: &mut Conn,
    generation: u64,
    unit: &str,
    records: &[RecordId],
) -> Result<BTreeMap<RecordId, Contribution>, StoreError> {
    let mut found = BTreeMap::new();
    for chunk in records.chunks(ROWS_MAX) {
        let mut query = assembled(over_list(CONTRIBUTIONS, 2, chunk.len()))
            .bind(stored(generation))
            .bind(unit);
        for record in chunk {
            query = query.bind(record.to_bytes().to_vec());
        }
        for row in query.fetch_all(&mut *conn).await? {
            let (record, contribution) = contribution(&row)?;
            found.insert(record, contribution);
        }
    }
    Ok(found)
}

/// What every group of a unit adds.
pub async fn contributions_of_unit(
    conn: &mut Conn,
    generation: u64,
    unit: &str,
) -> Result<Vec<(RecordId, Contribution)>, StoreError> {
    let query = query(OF_UNIT).bind(stored(generation)).bind(unit);
    let rows = query.fetch_all(conn).await?;
    rows.iter().map(contribution).collect()
}

/// Writes what groups add.
pub async fn set_contributions(
    conn: &mut Conn,
    generation: u64,
    unit: &str,
    contributions: &[(RecordId, &Contribution)],
) -> Result<(), StoreError> {
    for chunk in contributions.chunks(ROWS_MAX) {
        let mut query = assembled(over_rows(SET_CONTRIBUTIONS, 4, chunk.len()));
        for (record, contribution) in chunk {
            query = query
                .bind(stored(generation))
                .bind(unit)
                .bind(record.to_bytes().to_vec())
                .bind(contribution.to_cbor());
        }
        rows(
            "contribution",
            query.execute(&mut *conn).await?,
            chunk.len(),
        )?;
    }
    Ok(())
}

/// Removes what a group added that is none any more.
pub async fn remove_contribution(
    conn: &mut Conn,
    generation: u64,
    unit: &str,
    record: RecordId,
) -> Result<(), StoreError> {
    let query = query(REMOVE_CONTRIBUTION)
        .bind(stored(generation))
        .bind(unit)
        .bind(record.to_bytes().to_vec());
    one_row("contribution", query.execute(conn).await?)
}

/// Which sum of the figures.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct Cell {
    /// The indicator's key.
    pub indicator: String,
    /// The year that the period ends in.
    pub year: u16,
    /// The status it is broken down by; empty for the whole.
    pub breakdown: String,
    /// The status's value; empty for the whole, and where it is not known.
    pub value: String,
    /// The 嘎查 or community.
    pub unit: String,
}

/// Adds to cells.
pub async fn add_to_cells(
    conn: &mut Conn,
    generation: u64,
    cells: &[(Cell, Tally)],
) -> Result<(), StoreError> {
    for chunk in cells.chunks(ROWS_MAX) {
        let mut query = assembled(over_rows(ADD_TO_CELLS, 9, chunk.len()));
        for (cell, tally) in chunk {
            query = query
                .bind(stored(generation))
                .bind(i64::from(cell.year))
                .bind(cell.breakdown.as_str())
                .bind(cell.value.as_str())
                .bind(cell.indicator.as_str())
                .bind(cell.unit.as_str())
                .bind(tally.numerator)
                .bind(tally.denominator)
                .bind(tally.unknown);
        }
        rows("cell", query.execute(&mut *conn).await?, chunk.len())?;
    }
    Ok(())
}

fn tally(read: &Read<'_>) -> Result<Tally, StoreError> {
    Ok(Tally {
        numerator: read.time("numerator")?,
        denominator: read.time("denominator")?,
        unknown: read.time("unknown")?,
    })
}

fn year(read: &Read<'_>) -> Result<u16, StoreError> {
    u16::try_from(read.number("year")?).map_err(|_| read.unreadable("year"))
}

/// The first code that is not below `org`: codes are digits, and `:` follows them.
fn beyond(org: &str) -> String {
    format!("{org}:")
}

/// The cells of a year below an org unit; `breakdown` is empty for the whole.
pub async fn of_year(
    conn: &mut Conn,
    generation: u64,
    year: u16,
    breakdown: &str,
    org: &str,
) -> Result<Vec<(Cell, Tally)>, StoreError> {
    let query = query(OF_YEAR)
        .bind(stored(generation))
        .bind(i64::from(year))
        .bind(breakdown)
        .bind(org)
        .bind(beyond(org));
    let rows = query.fetch_all(conn).await?;
    let cell = |row: &Row| {
        let read = Read::of("cell", row);
        let cell = Cell {
            indicator: read.text("indicator")?.to_owned(),
            year,
            breakdown: breakdown.to_owned(),
            value: read.text("value")?.to_owned(),
            unit: read.text("unit")?.to_owned(),
        };
        Ok((cell, tally(&read)?))
    };
    rows.iter().map(cell).collect()
}

/// The whole of an indicator below an org unit, over the years.
pub async fn of_indicator(
    conn: &mut Conn,
    generation: u64,
    indicator: &str,
    org: &str,
    years: (u16, u16),
) -> Result<Vec<(u16, Tally)>, StoreError> {
    let query = query(OF_INDICATOR)
        .bind(stored(generation))
        .bind(indicator)
        .bind(org)
        .bind(beyond(org))
        .bind(i64::from(years.0))
        .bind(i64::from(years.1));
    let rows = query.fetch_all(conn).await?;
    let cell = |row: &Row| {
        let read = Read::of("cell", row);
        Ok((year(&read)?, tally(&read)?))
    };
    rows.iter().map(cell).collect()
}

/// Every cell of a generation.
pub async fn all_cells(conn: &mut Conn, generation: u64) -> Result<Vec<(Cell, Tally)>, StoreError> {
    let query = query(ALL_CELLS).bind(stored(generation));
    let rows = query.fetch_all(conn).await?;
    let cell = |row: &Row| {
        let read = Read::of("cell", row);
        let cell = Cell {
            indicator: read.text("indicator")?.to_owned(),
            year: year(&read)?,
            breakdown: read.text("breakdown")?.to_owned(),
            value: read.text("value")?.to_owned(),
            unit: read.text("unit")?.to_owned(),
        };
        Ok((cell, tally(&read)?))
    };
    rows.iter().map(cell).collect()
}
