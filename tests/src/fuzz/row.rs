//! Rows of a store, and states that stand in them.

use sync_core::figure::{CellDelta, Contribution};
use sync_core::record::RecordState;
use sync_core::replica::OpenError;
use sync_core::row::Table;
use sync_core::show;

use super::{Checked, Ground, Input, about, broken, require};
use crate::cbor::Item;
use crate::sim::village::UNIT;

/// A store with one row more, or another one: it opens, or it is said to be none; and what it holds
/// can be shown.
pub(super) fn row(ground: &Ground, input: Input<'_>) -> Checked {
    let Some((number, value)) = input.bytes.split_first() else {
        return Ok("empty".into());
    };
    let Some(table) = Table::ALL.into_iter().find(|table| *table as u8 == *number) else {
        return Ok("no table".into());
    };
    let mut rows = ground.village.phones()[1].rows.clone();
    let before = rows.0.len();
    // The two rows of which a store has one each stand under their own names.
    let kind = Item::read(value).and_then(|item| item.field(0).cloned());
    let key: &[u8] = match (table, kind) {
        (Table::Meta, Some(Item::Unsigned(0))) => b"me",
        (Table::Meta, Some(Item::Unsigned(1))) => b"hub",
        _ => b"one more",
    };
    rows.0.insert((table, key.to_vec()), value.to_vec());
    let (replica, report) = match rows.open() {
        Ok(opened) => opened,
        Err(OpenError::NotEnrolled) if key == b"me" => return Ok("not enrolled".into()),
        Err(error) => return broken(format!("it does not open: {error}")),
    };
    let spaces: Vec<_> = replica.spaces().cloned().collect();
    let tips: usize = spaces
        .iter()
        .map(|space| replica.vector(space).devices().count())
        .sum();
    let mut shown = 0;
    for record in replica.records_of(UNIT) {
        shown += replica.view(UNIT, record).len();
        shown += replica.heads(UNIT, record).len();
    }
    shown += show::conflicts(&replica, UNIT).len();
    let counts = [
        report.unreadable_rows,
        report.rebuilt,
        rows.0.len() - before,
    ];
    let holds = [replica.waiting(), replica.unsent(), tips, spaces.len()];
    let (counts, holds) = (counts.map(about), holds.map(about));
    Ok(format!(
        "{} {counts:?} {holds:?} {}",
        table.name(),
        about(shown)
    ))
}

/// A record's state reads back as it was written.
pub(super) fn record(_: &Ground, input: Input<'_>) -> Checked {
    let Ok(state) = RecordState::from_cbor(input.bytes) else {
        return Ok("refused".into());
    };
    match RecordState::from_cbor(&state.to_cbor()) {
        Ok(read) => {
            require(read == state, "it reads back as another state")?;
            require(read.saved() == state.saved(), "its document is another")?;
        }
        Err(error) => return broken(format!("written again it does not read: {error}")),
    }
    let sizes = [state.heads().len(), state.view().len(), state.aside().len()];
    Ok(format!("{:?} {:?}", sizes.map(about), state.parked()))
}

/// What a group adds reads back, and taken back it leaves nothing.
pub(super) fn contribution(_: &Ground, input: Input<'_>) -> Checked {
    let Ok(contribution) = Contribution::from_cbor(input.bytes) else {
        return Ok("refused".into());
    };
    match Contribution::from_cbor(&contribution.to_cbor()) {
        Ok(read) => require(read == contribution, "it reads back as another")?,
        Err(error) => return broken(format!("written again it does not read: {error}")),
    }
    let mut change = CellDelta::default();
    change.add(&contribution);
    Ok(format!("{} cells", about(change.cells().count())))
}
