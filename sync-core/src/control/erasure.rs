//! Orders of erasure: the records that nobody may hold any more (R29–R33).
//!
//! An order names records; beside them it says the *cut*: what the server held of their units when it
//! was given. What a phone wrote on a record before it heard, and the office never saw, is outside of
//! the cut; its author decides on that (R32).
//!
//! All devices of a unit read the order. So the cut names the tips of all spaces without order, each by a
//! digest that tells something only to who holds the batch.

use std::collections::{BTreeMap, BTreeSet};

use minicbor::bytes::ByteArray;
use minicbor::{Decode, Encode};

use super::order::Order;
use crate::cbor::{self, List};
use crate::feed::{Node, Tip, Vector};
use crate::id::{RecordId, Short, Space};

/// Names in a cut: tips of all feeds of all spaces of the units.
const CUT_NAMES_MAX: usize = 16_384;

/// Tips that the server held when an order was given, by name.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Cut(BTreeSet<Short>);

#[derive(Encode, Decode)]
struct CutWire {
    #[n(0)]
    names: List<ByteArray<16>, CUT_NAMES_MAX>,
}

/// The name of a tip in a cut.
fn name(space: &Space, tip: &Tip) -> Short {
    let space = space.to_string();
    Short::digest("ortoo cut v1", [space.as_bytes(), &tip.hash.0])
}

impl Cut {
    /// What is held of these spaces.
    pub fn of<'a>(held: impl IntoIterator<Item = (&'a Space, &'a Vector)>) -> Self {
        let names = held.into_iter().flat_map(|(space, vector)| {
            let tips = vector.devices().flat_map(|device| vector.tips(device));
            tips.map(move |tip| name(space, tip))
        });
        Self(names.take(CUT_NAMES_MAX).collect())
    }

    /// Whether it names a batch of a space.
    pub fn names(&self, space: &Space, node: &Node) -> bool {
        self.0.contains(&name(space, &Tip::of(node)))
    }

    /// The content of an order of erasure.
    pub fn encode(&self) -> Vec<u8> {
        let names = self.0.iter().map(|name| ByteArray::from(name.0));
        cbor::encode(&CutWire {
            names: names.collect(),
        })
    }

    /// What an order says; nothing if a newer version said it in another way.
    fn decode(content: &[u8]) -> Self {
        let wire: Option<CutWire> = cbor::decode(content).ok();
        let names = wire.into_iter().flat_map(|wire| wire.names);
        Self(names.map(|name| Short(name.into())).collect())
    }
}

/// The join of all orders of erasure.
#[derive(Clone, Debug, Default)]
pub(super) struct Erasures(BTreeMap<RecordId, Vec<Cut>>);

impl Erasures {
    pub(super) fn join(&mut self, order: &Order) {
        let cut = Cut::decode(&order.content);
        let records = order.names.iter();
        for record in records.filter_map(|name| RecordId::from_slice(name).ok()) {
            self.0.entry(record).or_default().push(cut.clone());
        }
    }

    pub(super) fn name(&self, record: RecordId) -> bool {
        self.0.contains_key(&record)
    }

    pub(super) fn records(&self) -> impl Iterator<Item = RecordId> {
        self.0.keys().copied()
    }

    pub(super) fn cuts_of(&self, record: RecordId) -> impl Iterator<Item = &Cut> {
        self.0.get(&record).into_iter().flatten()
    }
}
