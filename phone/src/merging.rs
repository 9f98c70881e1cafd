//! Marks of merges, for hosts that can't catch a panic (R15).
//!
//! Such a host marks which records it is about to merge, and has the mark durable before it merges them. The
//! commit of what came of it takes the mark away. A mark that is found at opening ended the program: its
//! records are parked ([`sync_core::merging`]), the rest goes on, and after the next exchange each of them is
//! merged alone.

use std::collections::BTreeSet;

use minicbor::{Decode, Encode};
use sync_core::id::Place;
use sync_core::record::DocumentError;
use sync_core::replica::{Prepared, Replica};
use sync_core::row::{Row, Table};

use crate::error::{Issue, PhoneError};
use crate::phone::{Phone, Prepare};
use crate::store::{Store, StoreError};

/// First in the row's value, apart from the numbers of other rows of its table.
const MARK_KIND: u8 = 129;

/// What is about to be merged, as a row of the store says it.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Mark {
    /// The records.
    pub places: BTreeSet<Place>,
    /// It is a suspect that is merged alone.
    pub alone: bool,
}

#[derive(Encode, Decode)]
struct MarkRow {
    #[n(0)]
    kind: u8,
    /// Spaces and records.
    #[n(1)]
    places: Vec<(String, String)>,
    #[n(2)]
    alone: bool,
}

impl Mark {
    /// The logical key of its row, which is one of [`Table::Meta`].
    pub const KEY: &'static [u8] = b"merging";

    /// Its row, to be durable before anything is merged.
    pub fn row(&self) -> Row {
        let places = self.places.iter();
        let mark = MarkRow {
            kind: MARK_KIND,
            places: places
                .map(|(space, record)| (space.to_string(), record.to_string()))
                .collect(),
            alone: self.alone,
        };
        let mut value = Vec::new();
        // Writing to memory can't fail.
        drop(minicbor::encode(mark, &mut value));
        row(Some(value))
    }

    /// The row that takes it away, in the transaction of what came of the merge.
    pub fn gone() -> Row {
        row(None)
    }

    /// Reads the value of its row. Nothing is marked by what does not read.
    pub fn read(value: &[u8]) -> Self {
        let Ok(mark) = minicbor::decode::<MarkRow>(value) else {
            return Self::default();
        };
        let read =
            |(space, record): (String, String)| Some((space.parse().ok()?, record.parse().ok()?));
        Self {
            places: mark.places.into_iter().filter_map(read).collect(),
            alone: mark.alone,
        }
    }

    /// Prepares what follows from a mark that is found at opening: its records are parked, and it goes.
    pub fn park(&self, replica: &Replica) -> Prepared<()> {
        let reason = match self.alone {
            true => DocumentError::Ended,
            false => DocumentError::Suspected,
        };
        let mut prepared = replica.prepare_suspect(&self.places, reason);
        prepared.rows.push(Self::gone());
        prepared
    }
}

fn row(value: Option<Vec<u8>>) -> Row {
    Row {
        table: Table::Meta,
        key: Mark::KEY.to_vec(),
        space: None,
        value,
    }
}

/// Parks what was being merged when the program ended, if it did.
pub(crate) fn recover(store: &mut dyn Store, replica: &mut Replica) -> Result<(), StoreError> {
    let mark = match store.row(Table::Meta, Mark::KEY) {
        Ok(Some(mark)) => Mark::read(&mark),
        Ok(None) | Err(StoreError::Damaged { .. }) => return Ok(()),
        Err(error) => return Err(error),
    };
    let prepared = mark.park(replica);
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
        let mark = Mark {
            places: places.clone(),
            alone: false,
        };
        self.commit_row(&mark.row())?;
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
            prepared.rows.push(Mark::gone());
            Ok(prepared)
        });
        if !matches!(merged, Ok(Ok(_))) {
            // Nothing was merged, and the program lives.
            self.commit_row(&Mark::gone())?;
        }
        merged
    }
}

/// The merges of suspects, one by one: a merge of one of them ended the program, or their rows are lost.
///
/// Exchanges and imports end with it. A host may take its steps after opening too.
#[derive(Debug, Default)]
pub struct Proof {
    marked: Option<Place>,
}

impl Proof {
    /// The record that the next step merges.
    #[cfg(test)]
    pub(crate) fn marked(&self) -> Option<&Place> {
        self.marked.as_ref()
    }

    /// One step of it; whether there is another. What it committed must be durable before the next.
    ///
    /// # Errors
    /// Those of the store.
    pub fn step(&mut self, phone: &mut Phone) -> Result<bool, PhoneError> {
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
        let mark = Mark {
            places: BTreeSet::from([place.clone()]),
            alone: true,
        };
        phone.commit_row(&mark.row())?;
        self.marked = Some(place);
        Ok(true)
    }
}
