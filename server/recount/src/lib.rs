//! Second count of the figures, for `verify-cells`: from the stored records, compared with the cells.
//!
//! This is the oracle of `node::figures` and of the core's `figure`, `facts`, `group` and `show`
//! (R42), so it calls nothing of them: what a record says, who is one person and where she counts is
//! said here a second time, in the plainest way, and worked out anew for every group, year and
//! indicator. A rule that changes there has to change here, by hand; that is the point. Only the
//! expressions are asked of the same [`Scope`]; the tests of the whole system hold the built-in
//! plan's against figures counted in plain Rust.
//!
//! In one snapshot, so that it can run beside a server that serves, and a unit in memory at a time.

mod counting_unit;
mod number;
mod unit;

use std::collections::{BTreeMap, BTreeSet};

use plan::Package;
use plan::expression::{Datum, Scope};
use plan::indicator::Count;
use store::figure::Cell;
use store::{Conn, StoreError, record};
use sync_core::control::Control;
use sync_core::figure::Tally;
use sync_core::id::Space;

use self::counting_unit::Absences;
use self::unit::RecountedUnit;

/// The most people that a household can stand for; a larger number is a mistake, hence no answer.
const PEOPLE_MAX: i64 = 1_000_000;

/// What `verify-cells` found.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Recounted {
    /// Cells with anything in them, stored or recounted. One that is not there is one of zeros.
    pub cells: u64,
    /// Those that differ, ascending.
    pub differences: Vec<CellDifference>,
}

/// A cell that is not what the records say.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct CellDifference {
    /// Which one.
    pub cell: Cell,
    /// What is stored.
    pub stored: Tally,
    /// What the records say.
    pub recounted: Tally,
}

/// Figures by cell.
type Cells = BTreeMap<Cell, Tally>;

/// Recounts the figures that were counted by `package` and compares them with those that are `stored`.
pub async fn recount(
    conn: &mut Conn,
    package: &Package,
    stored: Vec<(Cell, Tally)>,
    control: &Control,
) -> Result<Recounted, StoreError> {
    let mut units: BTreeMap<String, Vec<Space>> = BTreeMap::new();
    for space in record::spaces(conn).await? {
        units
            .entry(space.unit().to_owned())
            .or_default()
            .push(space);
    }
    let elsewhere = Absences::find(conn, package, control, &units).await?;
    let mut recounted = Cells::new();
    for (unit, spaces) in &units {
        let records = RecountedUnit::read(conn, package, spaces).await?;
        count(package, unit, &records, &elsewhere, &mut recounted);
    }
    Ok(compare(&stored.into_iter().collect(), &recounted))
}

/// Adds what the groups of a unit count for.
fn count(
    package: &Package,
    unit: &str,
    records: &RecountedUnit,
    elsewhere: &Absences,
    cells: &mut Cells,
) {
    for group in &records.groups {
        let subject = group.first.subject.key();
        let indicators = package.counted().map(|(_, indicator)| indicator);
        for indicator in indicators.filter(|indicator| indicator.count.of == subject) {
            for year in package.years.iter() {
                let Some(span) = indicator.period.of(year) else {
                    continue;
                };
                if elsewhere.holds(unit, group, &span.to) {
                    continue;
                }
                let home = records.home(package, group, &span.to);
                let scope = Scope::for_period(package, subject, &group.facts, home, &span).ok();
                let tally = tally(scope.as_ref(), &indicator.count);
                let mut add = |breakdown: &str, value: String| {
                    let cell = Cell {
                        indicator: indicator.key.clone(),
                        year,
                        breakdown: breakdown.to_owned(),
                        value,
                        unit: unit.to_owned(),
                    };
                    let sum = cells.entry(cell).or_default();
                    sum.numerator += tally.numerator;
                    sum.denominator += tally.denominator;
                    sum.unknown += tally.unknown;
                };
                add("", String::new());
                for status in &indicator.count.by {
                    add(status, value(scope.as_ref(), status));
                }
            }
        }
    }
}

/// What a group counts for as of a date: for nothing, for as many as it stands for, or for as many of
/// whom nothing is known. Without a scope nothing can be asked of it.
fn tally(scope: Option<&Scope<'_>>, count: &Count) -> Tally {
    let unknown = |people| Tally {
        unknown: people,
        ..Tally::default()
    };
    let Some(scope) = scope else {
        return unknown(1);
    };
    let stands_for = match &count.denominator {
        None => Some(1),
        Some(denominator) => people(scope, denominator),
    };
    let Some(stands_for) = stands_for else {
        return unknown(1);
    };
    if stands_for == 0 {
        return Tally::default();
    }
    let known = count.known.as_ref();
    if known.is_some_and(|known| scope.holds(known) != Ok(true)) {
        return unknown(stands_for);
    }
    let Some(numerator) = people(scope, &count.numerator) else {
        return unknown(stands_for);
    };
    Tally {
        numerator,
        denominator: if count.denominator.is_some() {
            stands_for
        } else {
            0
        },
        unknown: 0,
    }
}

/// How many people an expression gives: one or none for yes or no. None if it gives no answer.
fn people(scope: &Scope<'_>, expression: &str) -> Option<i64> {
    match scope.value(expression) {
        Ok(Datum::Bool(false)) => Some(0),
        Ok(Datum::Bool(true)) => Some(1),
        Ok(Datum::Int(number)) if (0..=PEOPLE_MAX).contains(&number) => Some(number),
        _ => None,
    }
}

/// What a group is put down as in a breakdown: `true`, `false`, a code; nothing where it is not known.
fn value(scope: Option<&Scope<'_>>, status: &str) -> String {
    match scope.map(|scope| scope.computed(status)) {
        Some(Ok(Datum::Bool(true))) => "true".to_owned(),
        Some(Ok(Datum::Bool(false))) => "false".to_owned(),
        // What is too long for a code, or no text for people, is not known.
        Some(Ok(Datum::Text(code))) if code.len() > 64 || code.contains(char::is_control) => {
            String::new()
        }
        Some(Ok(Datum::Text(code))) => code,
        _ => String::new(),
    }
}

fn compare(stored: &Cells, recounted: &Cells) -> Recounted {
    let nothing = Tally::default();
    let mut found = Recounted::default();
    for cell in stored
        .keys()
        .chain(recounted.keys())
        .collect::<BTreeSet<_>>()
    {
        let stored = *stored.get(cell).unwrap_or(&nothing);
        let recounted = *recounted.get(cell).unwrap_or(&nothing);
        if stored != nothing || recounted != nothing {
            found.cells += 1;
        }
        if stored != recounted {
            found.differences.push(CellDifference {
                cell: cell.clone(),
                stored,
                recounted,
            });
        }
    }
    found
}
