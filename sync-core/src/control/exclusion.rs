//! Exclusions: the server's verdict on changes that Automerge can't take, so that a parked record
//! is whole again, and the same everywhere (R14).

use std::collections::{BTreeMap, BTreeSet};

use minicbor::bytes::ByteArray;
use minicbor::{Decode, Encode};

use super::entry::{ControlEntry, Signer, kind, seal_entry};
use crate::cbor::{self, List};
use crate::id::{ChangeHash, NetworkId, RecordId, Space};
use crate::shape::SpaceWire;

/// Changes in one verdict.
pub const LEFT_OUT_MAX: usize = 64;

/// Changes of a record that everybody leaves out.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Exclusion {
    /// The record.
    pub record: RecordId,
    /// The changes, at most [`LEFT_OUT_MAX`].
    pub changes: BTreeSet<ChangeHash>,
}

#[derive(Encode, Decode)]
struct ExclusionWire {
    #[n(0)]
    record: ByteArray<{ RecordId::LEN }>,
    #[n(1)]
    changes: List<ByteArray<32>, LEFT_OUT_MAX>,
}

impl Exclusion {
    pub(super) fn decode(content: &[u8]) -> Option<Self> {
        let wire: ExclusionWire = cbor::decode(content).ok()?;
        Some(Self {
            record: RecordId::from_slice(wire.record.as_slice()).ok()?,
            changes: (wire.changes.into_iter())
                .map(|hash| ChangeHash(hash.into()))
                .collect(),
        })
    }
}

impl ControlEntry {
    /// The entry that has changes of a record in a space left out: for who holds the space.
    pub fn exclude(
        network: NetworkId,
        space: &Space,
        verdict: &Exclusion,
        signer: Signer<'_>,
    ) -> Vec<u8> {
        let changes = verdict.changes.iter().take(LEFT_OUT_MAX);
        let content = cbor::encode(&ExclusionWire {
            record: verdict.record.to_bytes().into(),
            changes: changes.map(|hash| hash.0.into()).collect(),
        });
        let scope = vec![SpaceWire::of(space)];
        seal_entry(network, kind::LEFT_OUT, Some(scope), content, signer)
    }
}

/// The join of these verdicts.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(super) struct Exclusions(BTreeMap<(Space, RecordId), BTreeSet<ChangeHash>>);

impl Exclusions {
    pub(super) fn join(&mut self, spaces: &BTreeSet<Space>, verdict: &Exclusion) {
        for space in spaces {
            let changes = self.0.entry((space.clone(), verdict.record)).or_default();
            changes.extend(&verdict.changes);
        }
    }

    pub(super) fn of(&self, space: &Space, record: RecordId) -> &BTreeSet<ChangeHash> {
        static NOTHING: BTreeSet<ChangeHash> = BTreeSet::new();
        self.0.get(&(space.clone(), record)).unwrap_or(&NOTHING)
    }

    /// The records of which more is left out than `before` said.
    pub(super) fn since(&self, before: &Self) -> impl Iterator<Item = (&Space, RecordId)> {
        let said = self.0.iter();
        let more = said.filter(|(place, changes)| before.0.get(*place) != Some(*changes));
        more.map(|((space, record), _)| (space, *record))
    }
}
