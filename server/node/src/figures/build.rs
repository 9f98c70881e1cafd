//! Full counts: the first of an installation, and the one by a new package beside the figures in
//! use (R45). A unit at a time, each in a transaction of its own, so that phones are served in
//! between and a server that is killed goes on where it stopped.

use std::collections::BTreeSet;

use plan::dictionary::Field;
use store::figure::{self, ALL_UNITS, Generation};
use store::{Conn, StoreError, record};
use sync_core::control::Control;
use sync_core::id::Space;
use sync_core::record::BEGUN;

use super::update::update_in;
use crate::changed::ChangedRecords;
use crate::transaction::WriteTx;

/// How far a count is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Built {
    /// Another unit is to be counted.
    More,
    /// Everything is counted by the newest package.
    Done,
}

/// Begins to count by the newest package, if that is not the one by which figures are shown or being
/// counted already. With nothing recorded yet there is nothing to count.
pub(crate) async fn begin(conn: &mut Conn, control: &Control) -> Result<(), StoreError> {
    let Some(package) = control.package_entry() else {
        return Ok(());
    };
    let generations = figure::generations(conn).await?;
    if generations
        .last()
        .is_some_and(|last| last.package == package)
    {
        return Ok(());
    }
    let empty = generations.is_empty() && record::spaces(conn).await?.is_empty();
    if empty {
        return figure::add_generation(conn, package, ALL_UNITS, true).await;
    }
    begin_again(conn, control).await
}

/// Begins to count by the newest package, whatever is shown.
pub(crate) async fn begin_again(conn: &mut Conn, control: &Control) -> Result<(), StoreError> {
    // What was being counted before is of no use to anybody any more.
    for unfinished in figure::generations(conn).await? {
        if !unfinished.live {
            figure::drop_generation(conn, unfinished.number).await?;
        }
    }
    match control.package_entry() {
        Some(package) => figure::add_generation(conn, package, "", false).await,
        None => Ok(()),
    }
}

/// Counts the next unit of the generation that is being counted, or lets it take the place of the
/// one that is shown.
pub(crate) async fn build_next(tx: &mut WriteTx<'_>) -> Result<Built, StoreError> {
    let (conn, control) = (&mut tx.conn, &tx.control);
    let generations = figure::generations(conn).await?;
    let Some(building) = generations.iter().find(|generation| !generation.live) else {
        return Ok(Built::Done);
    };
    let spaces = record::spaces(conn).await?;
    let left = spaces.iter().map(Space::unit);
    let next = left.filter(|unit| *unit > building.reached.as_str()).min();
    let Some(unit) = next else {
        figure::set_reached(conn, building.number, ALL_UNITS).await?;
        figure::go_live(conn, building.number).await?;
        for old in generations.iter().filter(|generation| generation.live) {
            figure::drop_generation(conn, old.number).await?;
        }
        return Ok(Built::Done);
    };
    figure::set_reached(conn, building.number, unit).await?;
    // As if all of it came now.
    let all = control.package().into_iter().flat_map(|p| &p.subjects);
    let parts = all
        .flat_map(|subject| &subject.sections)
        .flat_map(|section| {
            let field = |field: &Field| format!("{}.{}", section.key, field.key);
            let fields = section.fields.iter().map(field);
            fields.chain([section.key.clone()])
        });
    let parts: BTreeSet<String> = parts.chain([BEGUN.to_owned()]).collect();
    let mut changed_records = ChangedRecords::default();
    for space in spaces.iter().filter(|space| space.unit() == unit) {
        for record in record::ids(conn, space).await? {
            changed_records.note(unit, record, parts.clone());
        }
    }
    let building = Generation {
        reached: unit.to_owned(),
        ..building.clone()
    };
    update_in(tx, changed_records, &[building]).await?;
    Ok(Built::More)
}
