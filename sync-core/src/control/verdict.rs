//! Verdicts of the office on batches that a revoked device signed beside its cut (R24).

use std::collections::BTreeMap;

use minicbor::{Decode, Encode};

use super::order::Order;
use crate::cbor;
use crate::id::{BatchHash, EntryHash};

/// What becomes of batches that waited: the content of an order of their kind.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct Verdict {
    /// Above the number of every verdict held about the same batches: the highest stands.
    pub number: u32,
    /// They count from now on; else they don't, and wait no more.
    pub accepted: bool,
}

#[derive(Encode, Decode)]
struct VerdictWire {
    #[n(0)]
    number: u32,
    #[n(1)]
    accepted: bool,
}

impl Verdict {
    /// The content of the order.
    pub fn encode(self) -> Vec<u8> {
        cbor::encode(&VerdictWire {
            number: self.number,
            accepted: self.accepted,
        })
    }

    /// Reads the content of an order; `None` where a newer version wrote it.
    pub fn decode(content: &[u8]) -> Option<Self> {
        let wire: VerdictWire = cbor::decode(content).ok()?;
        Some(Self {
            number: wire.number,
            accepted: wire.accepted,
        })
    }
}

/// The join of the verdicts held, by batch. Of two with one number the acceptance stands: what
/// somebody wanted kept is not lost by chance.
#[derive(Clone, Debug, Default)]
pub(super) struct Verdicts(BTreeMap<BatchHash, (Verdict, EntryHash)>);

impl Verdicts {
    pub(super) fn join(&mut self, entry: EntryHash, order: &Order) {
        let Some(verdict) = Verdict::decode(&order.content) else {
            return;
        };
        let named = order.names.iter();
        for batch in named.filter_map(|name| BatchHash::from_slice(name).ok()) {
            let said = self.0.entry(batch).or_insert((verdict, entry));
            *said = (*said).max((verdict, entry));
        }
    }

    pub(super) fn of(&self, batch: BatchHash) -> Option<Verdict> {
        self.0.get(&batch).map(|(verdict, _)| *verdict)
    }
}
