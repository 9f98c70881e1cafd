//! Coding context of a message: what both ends remember of it, and the statistics of its numbers.

use super::*;

/// The models of a message.
#[derive(Default)]
pub(super) struct Models {
    pub(super) batches: Number,
    pub(super) canonical: Bit,
    pub(super) raw_length: Number,
    pub(super) space: Number,
    pub(super) class: Number,
    pub(super) device: Number,
    pub(super) parents: Number,
    pub(super) parent: Number,
    pub(super) author: Number,
    pub(super) seq: Number,
    pub(super) dictionary: Number,
    pub(super) batch_time: Number,
    pub(super) entries: Number,
    pub(super) record: Number,
    pub(super) place: Number,
    pub(super) references: Number,
    pub(super) reference: Number,
    pub(super) change_as_it_is: Bit,
    pub(super) deps: Number,
    pub(super) dep: Number,
    pub(super) actor: Number,
    pub(super) start_op: Number,
    pub(super) time: Number,
    pub(super) puts: Number,
    pub(super) key: BTreeMap<Option<usize>, Tree<256>>,
    pub(super) key_far: Number,
    pub(super) value: [Tree<8>; 5],
    pub(super) integer: Number,
    pub(super) length: Number,
    pub(super) text: Text,
    pub(super) preds: Number,
    pub(super) counter: Number,
}

/// A change that stands further back in its document is told as it is: bounds what is looked through.
const BACK_MAX: usize = 64;

/// The changes of one document that the message has told or referred to.
#[derive(Default)]
pub(super) struct Trail {
    /// With the last operation of each, ascending.
    changes: BTreeSet<(u32, ChangeHash)>,
    ends: BTreeMap<ChangeHash, u32>,
    pub(super) last: BTreeMap<Key, OpId>,
}

impl Trail {
    pub(super) fn take(&mut self, change: &Change) {
        let end = change.ops_end();
        self.changes.insert((end, change.hash));
        self.ends.insert(change.hash, end);
        for (op, put) in change.ops() {
            let last = self.last.entry(put.key.clone()).or_insert(op);
            *last = op.max(*last);
        }
    }

    /// How many places back a change stands, from 1; 0 if it doesn't, or too far.
    pub(super) fn back(&self, change: &ChangeHash) -> u64 {
        let mut back = self.changes.iter().rev().take(BACK_MAX);
        let place = back.position(|(_, hash)| hash == change);
        place.map_or(0, |place| place as u64 + 1)
    }

    pub(super) fn at_back(&self, back: u64) -> Result<ChangeHash, BadCompact> {
        let back = usize::try_from(back).ok();
        let back = back.filter(|back| (1..=BACK_MAX).contains(back));
        let change = back.and_then(|back| self.changes.iter().rev().nth(back - 1));
        change.map(|(_, hash)| *hash).ok_or(BadCompact::Shape)
    }

    /// The counter that a change on these dependencies starts with, as far as is known.
    pub(super) fn next_op(&self, deps: &[ChangeHash]) -> i64 {
        let ends = deps.iter().filter_map(|dep| self.ends.get(dep));
        i64::from(ends.max().copied().unwrap_or(0)) + 1
    }
}

/// A batch as those that follow it see it.
#[derive(Clone, Copy)]
pub(super) struct Before {
    pub(super) seq: u32,
    pub(super) author: AuthorId,
    pub(super) dictionary: u32,
    pub(super) time: i64,
}

impl Before {
    pub(super) fn of(header: &Header) -> Self {
        Self {
            seq: header.seq,
            author: header.author,
            dictionary: header.dictionary,
            time: header.time,
        }
    }
}
