//! Orders of erasure: the records that nobody may hold any more (R29–R33).
//!
//! An order names records; beside them it says the *cut*: what the server held of their spaces when it
//! was given. What a phone wrote on a record before it heard, and the office never saw, is outside of
//! the cut; its author decides on that (R32).

use std::collections::BTreeMap;

use minicbor::{Decode, Encode};

use super::order::Order;
use crate::cbor::{self, List};
use crate::feed::Vector;
use crate::id::{RecordId, Space};
use crate::shape::{Feeds, SPACES_MAX, SpaceWire, feeds_from_wire, feeds_to_wire};

/// Vectors of the spaces of the records that an order names.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Cut(pub BTreeMap<Space, Vector>);

#[derive(Encode, Decode)]
struct CutWire {
    #[n(0)]
    spaces: List<SpaceCutWire, SPACES_MAX>,
}

#[derive(Encode, Decode)]
struct SpaceCutWire {
    #[n(0)]
    space: SpaceWire,
    #[n(1)]
    vector: Feeds,
}

impl Cut {
    /// The content of an order of erasure.
    pub fn encode(&self) -> Vec<u8> {
        let space = |(space, vector): (&Space, &Vector)| SpaceCutWire {
            space: SpaceWire::of(space),
            vector: feeds_to_wire(&vector.changes_from(&Vector::default())),
        };
        cbor::encode(&CutWire {
            spaces: self.0.iter().map(space).collect(),
        })
    }

    /// What an order says; nothing if a newer version said it in another way.
    fn decode(content: &[u8]) -> Self {
        let wire: Option<CutWire> = minicbor::decode(content).ok();
        let spaces = wire.into_iter().flat_map(|wire| wire.spaces);
        let space = |cut: SpaceCutWire| {
            let mut vector = Vector::default();
            for (device, tips) in feeds_from_wire(cut.vector) {
                vector.set(device, tips);
            }
            Some((cut.space.space()?, vector))
        };
        Self(spaces.filter_map(space).collect())
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
