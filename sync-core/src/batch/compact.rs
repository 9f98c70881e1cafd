//! Compact form of a message's batches, without what the receiver can rebuild.
//!
//! In its stored form an edit of one field is some 150 bytes, of which most is hashes, ids and the
//! frame of a change chunk; compression can't remove what looks random. In a message a change is
//! its meaning alone: dependencies, predecessors, ids and keys that stood in the message before are
//! small references, checksums and frames are left out, and numbers are told as differences to what
//! they must be. The receiver rebuilds the very bytes, whose signature it checks afterwards; so a
//! mistake here can't be taken for data.
//!
//! That works because a valid change has exactly one encoding ([`Change::parse`] refuses the
//! others), and so has a batch as we write it. What is not in that form travels as it is.
//!
//! Form 1 ([`plain`]) is a message by itself; form 2 ([`referring`]) may also refer to what the receiver
//! holds.

mod coder;
mod plain;
mod plan;
pub(crate) mod reference;
pub(crate) mod referring;

pub(crate) use plain::{decode, encode};

use std::collections::{BTreeMap, BTreeSet};

use super::*;
use crate::cbor;
use crate::change::columns::{Reader, put_unsigned};
use crate::change::{
    BadChange, CHANGE_BYTES_MAX, CHANGE_DEPS_MAX, CHANGE_OPS_MAX, CHANGE_PREDS_MAX, COUNTER_MAX,
    Change, OpId, Put,
};
use crate::id::{ActorId, ChangeHash};
use crate::value::{KEY_BYTES_MAX, Key, VALUE_BYTES_MAX, Value};

/// Bytes that are no compact batches, or expand beyond the limits.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum BadCompact {
    /// They don't read.
    Shape,
    /// More batches or bytes than allowed.
    TooLarge,
    /// They refer to something that is not held here.
    Unresolved,
}

impl From<BadChange> for BadCompact {
    fn from(_: BadChange) -> Self {
        Self::Shape
    }
}

// What a value is. The numbers are on the wire.
const NULL: u64 = 0;
const FALSE: u64 = 1;
const TRUE: u64 = 2;
const INTEGER: u64 = 3;
/// A text of `kind - TEXT` bytes.
const TEXT: u64 = 4;

/// A batch taken apart.
struct Parts {
    hash: BatchHash,
    header: Header,
    signature: [u8; 64],
    seed: [u8; 16],
    entries: Vec<Entry>,
}

/// The parts of a batch, if writing them again gives the same bytes.
fn canonical(network: NetworkId, bytes: &[u8]) -> Option<Parts> {
    let (batch, signature, _) = Batch::open(network, bytes).ok()?;
    let envelope: Envelope = cbor::decode(bytes).ok()?;
    let seed: [u8; 16] = envelope.seed?.into();
    let Batch {
        hash,
        header,
        entries,
        ..
    } = batch;
    let parts = Parts {
        hash,
        header,
        signature,
        seed,
        entries,
    };
    (parts.stored() == bytes).then_some(parts)
}

impl Parts {
    fn stored(&self) -> Vec<u8> {
        let header = self.header.encode();
        Envelope::stored(header, self.signature, self.seed, &self.entries)
    }
}

/// An entry's change where it can be told by its meaning: its actor follows from the rest. One that names
/// more than a predecessor in four bytes would grow by it, and goes as it is.
fn told(device: DeviceId, entry: &Entry) -> Option<Change> {
    let change = Change::parse(&entry.change).ok();
    let fits = |change: &Change| {
        let preds: usize = change.puts.iter().map(|put| put.preds.len()).sum();
        preds * BYTES_A_PREDECESSOR <= entry.change.len()
    };
    change.filter(|change| change.is_of(device) && fits(change))
}

/// Bytes that a change has at least for each predecessor, if it is told by its meaning.
const BYTES_A_PREDECESSOR: usize = 4;

/// Things that stood in the message before, by their number.
struct Table<T> {
    list: Vec<T>,
    places: BTreeMap<T, usize>,
}

impl<T> Default for Table<T> {
    fn default() -> Self {
        Self {
            list: Vec::new(),
            places: BTreeMap::new(),
        }
    }
}

impl<T: Clone + Ord> Table<T> {
    /// 0 for something new, which the table then holds; else its number, from 1.
    fn number(&mut self, thing: &T) -> u64 {
        match self.places.get(thing) {
            Some(place) => *place as u64 + 1,
            None => {
                self.add(thing.clone());
                0
            }
        }
    }

    fn add(&mut self, thing: T) {
        self.places.insert(thing.clone(), self.list.len());
        self.list.push(thing);
    }

    /// How many places back something stands, from 1; 0 if it doesn't.
    fn back(&self, thing: &T) -> u64 {
        let place = self.places.get(thing);
        place.map_or(0, |place| (self.list.len() - place) as u64)
    }

    /// What stands so many places back.
    fn at_back(&self, back: u64) -> Result<T, BadCompact> {
        let back = usize::try_from(back).ok().filter(|back| *back > 0);
        let place = back.and_then(|back| self.list.len().checked_sub(back));
        place
            .and_then(|place| self.list.get(place))
            .cloned()
            .ok_or(BadCompact::Shape)
    }

    /// Adds something unless it is there.
    fn note(&mut self, thing: T) {
        if !self.places.contains_key(&thing) {
            self.add(thing);
        }
    }

    fn at(&self, number: u64) -> Result<T, BadCompact> {
        let place = usize::try_from(number)
            .ok()
            .and_then(|number| number.checked_sub(1));
        place
            .and_then(|place| self.list.get(place))
            .cloned()
            .ok_or(BadCompact::Shape)
    }
}

#[cfg(test)]
mod tests;
