//! Marks of merges, for hosts that can't catch a panic (R15).
//!
//! Such a host marks which records it is about to merge, and has the mark durable before it merges them. The
//! commit of what came of it takes the mark away. A mark that is found at opening ended the program: its
//! records are parked ([`sync_core::merging`]), the rest goes on, and after the next exchange each of them is
//! merged alone.

use std::collections::BTreeSet;

use minicbor::{Decode, Encode};
use sync_core::merging::Place;
use sync_core::record::DocumentError;
use sync_core::replica::Replica;
use sync_core::row::{Row, Table};

use crate::error::{Issue, PhoneError};
use crate::phone::{Phone, Prepare};
use crate::store::{Store, StoreError};

/// The logical key of the row with the mark.
const MARK: &[u8] = b"merging";
/// First in the row's value, apart from the numbers of other rows of its table.
const MARK_KIND: u8 = 129;

#[derive(Encode, Decode)]
struct MarkRow {
    #[n(0)]
    kind: u8,
    /// Spaces and records.
    #[n(1)]
    places: Vec<(String, String)>,
    /// It is a suspect that is merged alone.
    #[n(2)]
    alone: bool,
}

fn row(value: Option<Vec<u8>>) -> Row {
    Row {
        table: Table::Meta,
        key: MARK.to_vec(),
        space: None,
        value,
    }
}

fn marked(places: &BTreeSet<Place>, alone: bool) -> Row {
    let places = places.iter();
    let mark = MarkRow {
        kind: MARK_KIND,
        places: places
            .map(|(space, record)| (space.to_string(), record.to_string()))
            .collect(),
        alone,
    };
    let mut value = Vec::new();
    // Writing to memory can't fail.
    drop(minicbor::encode(mark, &mut value));
    row(Some(value))
}

/// Parks what was being merged when the program ended, if it did.
pub(crate) fn recover(store: &mut dyn Store, replica: &mut Replica) -> Result<(), StoreError> {
    let mark = match store.row(Table::Meta, MARK) {
        Ok(Some(mark)) => mark,
        Ok(None) | Err(StoreError::Damaged { .. }) => return Ok(()),
        Err(error) => return Err(error),
    };
    let mark = minicbor::decode::<MarkRow>(&mark).ok();
    let (places, alone) = mark
        .map(|mark| (mark.places, mark.alone))
        .unwrap_or_default();
    let reason = match alone {
        true => DocumentError::Ended,
        false => DocumentError::Suspected,
    };
    let read =
        |(space, record): (String, String)| Some((space.parse().ok()?, record.parse().ok()?));
    let places = places.into_iter().filter_map(read).collect();
    let mut prepared = replica.prepare_suspect(&places, reason);
    prepared.rows.push(row(None));
    store.commit(&prepared.rows)?;
    replica.apply(prepared);
    Ok(())
}

impl Phone {
    /// Marks what is about to be merged, where a panic can't be caught. If it did, the mark must be durable
    /// before [`Phone::merge`] is called.
    pub(crate) fn mark(&mut self, places: &BTreeSet<Place>) -> Result<bool, PhoneError> {
        if self.system.catches_panics() || places.is_empty() {
            return Ok(false);
        }
        self.commit_row(&marked(places, false))?;
        Ok(true)
    }

    /// One try of a step that merges ([`Phone::try_step`]); takes the mark away with it.
    pub(crate) fn merge<T>(
        &mut self,
        prepare: &Prepare<'_, T>,
    ) -> Result<Result<T, StoreError>, PhoneError> {
        if self.system.catches_panics() {
            return self.try_step(prepare);
        }
        let merged = self.try_step(&|open, context| {
            let mut prepared = prepare(open, context)?;
            prepared.rows.push(row(None));
            Ok(prepared)
        });
        if !matches!(merged, Ok(Ok(_))) {
            // Nothing was merged, and the program lives.
            self.commit_row(&row(None))?;
        }
        merged
    }
}

/// The records that are merged one by one, since one of them ended the program.
#[derive(Default)]
pub(crate) struct Proof {
    marked: Option<Place>,
}

impl Proof {
    /// The record that the next step merges.
    #[cfg(test)]
    pub(crate) fn marked(&self) -> Option<&Place> {
        self.marked.as_ref()
    }

    /// One step of it; whether there is another. What it committed must be durable before the next.
    pub(crate) fn step(&mut self, phone: &mut Phone) -> Result<bool, PhoneError> {
        if let Some(place) = self.marked.take() {
            let unreadable = |_| PhoneError::Store(Issue::new("store_unreadable"));
            phone.merge(&|open, _| {
                let rebuilt = open.replica.prepare_rebuild(&open.store, &place);
                rebuilt.map_err(unreadable)
            })??;
            return Ok(true);
        }
        let suspect = phone.opened()?.replica.suspects().next();
        let Some(place) = suspect else {
            return Ok(false);
        };
        phone.commit_row(&marked(&BTreeSet::from([place.clone()]), true))?;
        self.marked = Some(place);
        Ok(true)
    }
}
