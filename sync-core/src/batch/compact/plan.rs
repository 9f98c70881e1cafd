//! Choice of a message's references, made before a byte is written, because their list comes first.

use super::reference::{DecodedBatch, REFERENCES_MAX, ReferencedBatch};
use super::*;

/// A message before it is written.
pub(super) struct Plan {
    /// The batches referred to, in the order in which they are used first.
    pub(super) list: Vec<DecodedBatch>,
    pub(super) batches: Vec<OutgoingBatch>,
}

/// A batch before it is written.
pub(super) enum OutgoingBatch {
    /// Not in our form.
    AsItIs(Vec<u8>),
    /// Taken apart.
    Apart(Box<OutgoingParts>),
}

/// A batch taken apart, with what it refers to: places in the plan's list.
pub(super) struct OutgoingParts {
    pub(super) parts: Parts,
    /// One for each parent, where it isn't in the message.
    pub(super) parents: Vec<Option<usize>>,
    pub(super) entries: Vec<OutgoingEntry>,
}

/// An entry of a batch taken apart.
pub(super) struct OutgoingEntry {
    /// `None` if it is no change of ours.
    pub(super) change: Option<Change>,
    /// Batches whose changes of the record explain this one, the one it follows first.
    pub(super) references: Vec<usize>,
}

/// Chooses the references of a message among what its receiver holds.
pub(super) fn plan(
    network: NetworkId,
    spaces: &[Space],
    batches: &[Vec<u8>],
    known: &[ReferencedBatch],
) -> Plan {
    let told: Vec<OutgoingBatch> = batches
        .iter()
        .map(|bytes| take_apart(network, bytes))
        .collect();
    let known = known
        .iter()
        .filter(|known| spaces.contains(&known.reference.space));
    let held: Vec<DecodedBatch> = known.filter_map(DecodedBatch::of).collect();
    let mut choice = Choice::among(&held, &told);
    let mut told = told;
    for told in &mut told {
        if let OutgoingBatch::Apart(apart) = told {
            choice.batch(apart);
        }
    }
    let order = choice.list;
    let mut held: Vec<Option<DecodedBatch>> = held.into_iter().map(Some).collect();
    let list = order
        .into_iter()
        .filter_map(|place| held.get_mut(place)?.take());
    Plan {
        list: list.collect(),
        batches: told,
    }
}

fn take_apart(network: NetworkId, bytes: &[u8]) -> OutgoingBatch {
    let Some(parts) = canonical(network, bytes) else {
        return OutgoingBatch::AsItIs(bytes.to_vec());
    };
    let entry = |entry: &Entry| OutgoingEntry {
        change: told(parts.header.device, entry),
        references: Vec::new(),
    };
    OutgoingBatch::Apart(Box::new(OutgoingParts {
        entries: parts.entries.iter().map(entry).collect(),
        parents: vec![None; parts.header.prev.len()],
        parts,
    }))
}

type Document = (Space, RecordId);

/// The changes of a document that the message has explained so far.
#[derive(Default)]
struct Explained {
    changes: BTreeSet<ChangeHash>,
    /// Actor, first and last operation.
    ops: Vec<(ActorId, u32, u32)>,
}

impl Explained {
    fn take(&mut self, change: &Change) {
        self.changes.insert(change.hash);
        self.ops
            .push((change.actor, change.start_op, change.ops_end()));
    }

    fn has(&self, op: &OpId) -> bool {
        self.ops.iter().any(|(actor, first, last)| {
            *actor == op.actor && (*first..=*last).contains(&op.counter)
        })
    }
}

/// The references chosen so far.
struct Choice {
    batches: BTreeMap<BatchHash, usize>,
    /// The changes of the documents that are written about, with the batch that each stands in.
    changes: BTreeMap<Document, Vec<(usize, Change)>>,
    explained: BTreeMap<Document, Explained>,
    said: BTreeSet<BatchHash>,
    /// Batches chosen, by their place among those held.
    list: Vec<usize>,
    places: BTreeMap<usize, usize>,
}

impl Choice {
    fn among(held: &[DecodedBatch], told: &[OutgoingBatch]) -> Self {
        let mut documents: BTreeSet<(&Space, RecordId)> = BTreeSet::new();
        for told in told {
            if let OutgoingBatch::Apart(apart) = told {
                let entries = apart.parts.entries.iter();
                documents.extend(entries.map(|entry| (&apart.parts.header.space, entry.record)));
            }
        }
        let mut changes: BTreeMap<Document, Vec<(usize, Change)>> = BTreeMap::new();
        for (place, held) in held.iter().enumerate() {
            for record in held.records() {
                if documents.contains(&(&held.header.space, record)) {
                    changes
                        .entry((held.header.space.clone(), record))
                        .or_default()
                        .extend(held.changes_of(record).map(|change| (place, change)));
                }
            }
        }
        let batches = held.iter().enumerate();
        Self {
            batches: batches.map(|(place, held)| (held.hash, place)).collect(),
            changes,
            explained: BTreeMap::new(),
            said: BTreeSet::new(),
            list: Vec::new(),
            places: BTreeMap::new(),
        }
    }

    fn batch(&mut self, apart: &mut OutgoingParts) {
        let header = &apart.parts.header;
        for (parent, reference) in header.prev.iter().zip(&mut apart.parents) {
            if !self.said.contains(parent)
                && let Some(held) = self.batches.get(parent).copied()
            {
                *reference = self.choose(held);
            }
        }
        for (entry, told) in apart.parts.entries.iter().zip(&mut apart.entries) {
            if let Some(change) = &told.change {
                let document = (header.space.clone(), entry.record);
                told.references = self.explain(&document, change);
                self.explained.entry(document).or_default().take(change);
            }
        }
        self.said.insert(apart.parts.hash);
    }

    /// The batches that explain what a change follows and replaces.
    fn explain(&mut self, document: &Document, change: &Change) -> Vec<usize> {
        let explained = self.explained.remove(document).unwrap_or_default();
        let known = self.changes.remove(document).unwrap_or_default();
        let mut explained = explained;
        let mut references = Vec::new();
        let preds = change.puts.iter().flat_map(|put| &put.preds);
        let wanted = change
            .deps
            .iter()
            .map(Wanted::Dep)
            .chain(preds.map(Wanted::Pred));
        for wanted in wanted {
            let found = match wanted {
                Wanted::Dep(dep) if explained.changes.contains(dep) => None,
                Wanted::Pred(pred) if explained.has(pred) => None,
                Wanted::Dep(dep) => known.iter().find(|(_, change)| change.hash == *dep),
                Wanted::Pred(pred) => known.iter().find(|(_, change)| {
                    change.actor == pred.actor
                        && (change.start_op..=change.ops_end()).contains(&pred.counter)
                }),
            };
            let held = found.map(|(held, _)| *held);
            if let Some((held, place)) = held.and_then(|held| Some((held, self.choose(held)?))) {
                references.push(place);
                let of_batch = known.iter().filter(|(of, _)| *of == held);
                of_batch.for_each(|(_, change)| explained.take(change));
            }
        }
        self.explained.insert(document.clone(), explained);
        self.changes.insert(document.clone(), known);
        references
    }

    /// The place in the list of a batch that is referred to; `None` if the list is full.
    fn choose(&mut self, held: usize) -> Option<usize> {
        if let Some(place) = self.places.get(&held) {
            return Some(*place);
        }
        let place = self.list.len();
        (place < REFERENCES_MAX).then(|| {
            self.list.push(held);
            self.places.insert(held, place);
            place
        })
    }
}

enum Wanted<'a> {
    Dep(&'a ChangeHash),
    Pred(&'a OpId),
}
