//! The boundary to Automerge, which no other file touches: a record's data as a flat document.
//!
//! Only changes that [`crate::admit`] has let through come here. Even so every call is made on a
//! copy, under [`guarded`], and what comes out is saved, loaded again and compared before anybody
//! relies on it (R14): Automerge 0.12 asserts and unwraps in places, and has written documents that
//! it then refused to load.
//!
//! Automerge draws a random actor for every new or loaded document. It writes nothing here (changes
//! are made by [`crate::change::Change::make`]), so results don't depend on it; it is set to a fixed
//! value all the same.

use std::borrow::Cow;
use std::collections::{BTreeMap, BTreeSet};

use automerge::{Automerge, ObjId, ROOT, ReadDoc, ScalarValue, ScalarValueRef, ValueRef};

use crate::change::{Change, OpId};
use crate::id::{ActorId, ChangeHash};
use crate::value::{Key, Value};

/// What went wrong inside Automerge. The numbers are on disk.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, thiserror::Error)]
pub enum DocumentError {
    /// It panicked.
    #[error("automerge panicked")]
    Panicked = 0,
    /// It refused a change that was admitted.
    #[error("automerge refused an admitted change")]
    Refused = 1,
    /// It can't load what it saved.
    #[error("automerge can't load what it saved")]
    NotLoaded = 2,
    /// Its document isn't what the admitted changes say: heads or values differ.
    #[error("automerge's document differs from its changes")]
    Differs = 3,
    /// The program ended while it merged this record and others: which of them it was is not known yet.
    #[error("the program ended in a merge of this and other records")]
    Suspected = 4,
    /// The program ended while it merged this record alone.
    #[error("the program ended in a merge of this record")]
    Ended = 5,
}

impl DocumentError {
    const ALL: [DocumentError; 6] = [
        DocumentError::Panicked,
        DocumentError::Refused,
        DocumentError::NotLoaded,
        DocumentError::Differs,
        DocumentError::Suspected,
        DocumentError::Ended,
    ];

    /// The stable code for people and logs.
    pub fn code(&self) -> &'static str {
        match self {
            DocumentError::Panicked => "document.panicked",
            DocumentError::Refused => "document.refused",
            DocumentError::NotLoaded => "document.not_loaded",
            DocumentError::Differs => "document.differs",
            DocumentError::Suspected => "document.suspected",
            DocumentError::Ended => "document.ended",
        }
    }

    /// The error's number on disk.
    pub fn number(self) -> u8 {
        self as u8
    }

    /// The error with this number.
    pub fn from_number(number: u8) -> Option<Self> {
        Self::ALL.get(usize::from(number)).copied()
    }
}

/// Runs `work`; a panic inside becomes an error. In wasm a panic ends the instance, which the host
/// provides for (R15).
pub(crate) fn guarded<T>(
    work: impl FnOnce() -> Result<T, DocumentError>,
) -> Result<T, DocumentError> {
    #[cfg(not(target_arch = "wasm32"))]
    {
        // Whatever `work` has touched is dropped with the error.
        let caught = std::panic::catch_unwind(std::panic::AssertUnwindSafe(work));
        caught.unwrap_or(Err(DocumentError::Panicked))
    }
    #[cfg(target_arch = "wasm32")]
    work()
}

/// What is visible under one key.
pub(crate) struct Shown<'a> {
    pub(crate) key: Cow<'a, str>,
    /// The one value; none where several were written apart.
    pub(crate) only: Option<(OpId, Value)>,
}

/// An Automerge document in memory, 20 to 50 KB: loaded to write or to merge, then dropped.
pub(crate) struct Document(Automerge);

impl Document {
    /// Loads what [`Self::saved`] gave, with changes behind it or not, or nothing for a new document.
    /// Automerge recomputes every change's hash and compares the heads.
    pub(crate) fn load(saved: &[u8]) -> Result<Self, DocumentError> {
        let mut inner = Automerge::load(saved).map_err(|_| DocumentError::NotLoaded)?;
        #[cfg(test)]
        peer::panic_if_poisoned(&inner.get_changes(&[]));
        inner.set_actor(automerge::ActorId::from([0; ActorId::LEN]));
        Ok(Self(inner))
    }

    /// Applies admitted changes, each after what it depends on.
    pub(crate) fn apply<'a>(
        &mut self,
        raws: impl IntoIterator<Item = &'a [u8]>,
    ) -> Result<(), DocumentError> {
        let changes: Result<Vec<automerge::Change>, _> =
            raws.into_iter().map(automerge::Change::try_from).collect();
        let changes = changes.map_err(|_| DocumentError::Refused)?;
        #[cfg(test)]
        peer::panic_if_poisoned(&changes);
        self.0
            .apply_changes(changes)
            .map_err(|_| DocumentError::Refused)
    }

    /// Saves the document and loads it again; the document returned is the one loaded, and it has
    /// exactly `heads`.
    pub(crate) fn saved(self, heads: &[ChangeHash]) -> Result<(Vec<u8>, Self), DocumentError> {
        // Uncompressed: deflating takes longer than all the rest of saving, to gain 1 KB a record.
        let saved = self.0.save_nocompress();
        drop(self);
        let loaded = Self::load(&saved)?;
        // A change waiting in Automerge's queue (R12) would be saved too, and be missing here.
        if loaded.heads() != heads || !loaded.0.get_missing_deps(&[]).is_empty() {
            return Err(DocumentError::Differs);
        }
        Ok((saved, loaded))
    }

    /// The heads, ascending.
    pub(crate) fn heads(&self) -> Vec<ChangeHash> {
        self.0
            .get_heads()
            .into_iter()
            .map(|hash| ChangeHash(hash.0))
            .collect()
    }

    /// The values visible under `key`, ascending by operation (the last one wins), now or as of
    /// `heads`.
    pub(crate) fn values(
        &self,
        key: &Key,
        heads: Option<&[ChangeHash]>,
    ) -> Result<Vec<(OpId, Value)>, DocumentError> {
        let all = match heads {
            None => self.0.get_all(ROOT, key.as_str()),
            Some(heads) => {
                let heads: Vec<_> = heads.iter().map(|h| automerge::ChangeHash(h.0)).collect();
                self.0.get_all_at(ROOT, key.as_str(), &heads)
            }
        };
        let all = all.map_err(|_| DocumentError::Differs)?;
        let mut values = Vec::with_capacity(all.len());
        for (value, id) in all {
            let value = value
                .as_scalar()
                .and_then(scalar)
                .ok_or(DocumentError::Differs)?;
            values.push((op_id(&id).ok_or(DocumentError::Differs)?, value));
        }
        values.sort_unstable_by_key(|(op, _)| *op);
        Ok(values)
    }

    /// What is visible under every key, ascending.
    pub(crate) fn shown(&self) -> impl Iterator<Item = Result<Shown<'_>, DocumentError>> {
        self.0.map_range(ROOT, ..).map(|item| {
            let only = match item.conflict {
                true => None,
                false => {
                    let op = op_id(&item.id()).ok_or(DocumentError::Differs)?;
                    Some((op, shown(item.value).ok_or(DocumentError::Differs)?))
                }
            };
            let key = item.key;
            Ok(Shown { key, only })
        })
    }

    /// A change as bytes.
    pub(crate) fn change(&self, hash: &ChangeHash) -> Option<Vec<u8>> {
        let change = self.0.get_change_by_hash(&automerge::ChangeHash(hash.0))?;
        Some(change.raw_bytes().to_vec())
    }

    /// The changes as bytes, each after what it depends on.
    pub(crate) fn changes(&self) -> Vec<Vec<u8>> {
        self.0
            .get_changes(&[])
            .iter()
            .map(|change| change.raw_bytes().to_vec())
            .collect()
    }

    /// Which change depends on which, without the operations.
    pub(crate) fn graph(&self) -> Graph {
        let mut graph = Graph::default();
        for meta in self.0.get_changes_meta(&[]) {
            let end = u32::try_from(meta.max_op).unwrap_or(u32::MAX);
            let deps = meta.deps.iter().map(|dep| ChangeHash(dep.0)).collect();
            let ops = (meta.max_op + 1).saturating_sub(meta.start_op);
            graph.ops += usize::try_from(ops).unwrap_or(usize::MAX);
            graph.insert(ChangeHash(meta.hash.0), Node { end, deps });
        }
        graph
    }
}

fn op_id(id: &ObjId) -> Option<OpId> {
    match id {
        ObjId::Id(counter, actor, _) => Some(OpId {
            counter: u32::try_from(*counter).ok()?,
            actor: ActorId::from_slice(actor.to_bytes()).ok()?,
        }),
        ObjId::Root => None,
    }
}

fn shown(value: ValueRef<'_>) -> Option<Value> {
    match value {
        ValueRef::Scalar(ScalarValueRef::Null) => Some(Value::Null),
        ValueRef::Scalar(ScalarValueRef::Boolean(flag)) => Some(Value::Bool(flag)),
        ValueRef::Scalar(ScalarValueRef::Int(number)) => Some(Value::Int(number)),
        ValueRef::Scalar(ScalarValueRef::Str(text)) => Some(Value::Text(text.into_owned())),
        _ => None,
    }
}

fn scalar(value: &ScalarValue) -> Option<Value> {
    match value {
        ScalarValue::Null => Some(Value::Null),
        ScalarValue::Boolean(flag) => Some(Value::Bool(*flag)),
        ScalarValue::Int(number) => Some(Value::Int(*number)),
        ScalarValue::Str(text) => Some(Value::Text(text.to_string())),
        _ => None,
    }
}

/// The hash graph of the admitted changes of one document.
#[derive(Default)]
pub(crate) struct Graph {
    nodes: BTreeMap<ChangeHash, Node>,
    heads: BTreeSet<ChangeHash>,
    end: u32,
    ops: usize,
}

struct Node {
    end: u32,
    deps: Vec<ChangeHash>,
}

/// What a change on certain heads follows on.
#[derive(Debug, PartialEq, Eq)]
pub(crate) struct Past {
    /// The highest operation counter.
    pub(crate) end: u32,
    /// Whether it is the whole document.
    pub(crate) whole: bool,
}

impl Graph {
    fn insert(&mut self, hash: ChangeHash, node: Node) {
        for dep in &node.deps {
            self.heads.remove(dep);
        }
        self.heads.insert(hash);
        self.end = self.end.max(node.end);
        self.nodes.insert(hash, node);
    }

    /// Adds a change whose dependencies are here.
    pub(crate) fn add(&mut self, change: &Change) {
        let node = Node {
            end: change.ops_end(),
            deps: change.deps.clone(),
        };
        self.ops += change.puts.len();
        self.insert(change.hash, node);
    }

    /// Whether the change is here.
    pub(crate) fn has(&self, hash: &ChangeHash) -> bool {
        self.nodes.contains_key(hash)
    }

    /// The changes that no other depends on, ascending.
    pub(crate) fn heads(&self) -> Vec<ChangeHash> {
        self.heads.iter().copied().collect()
    }

    /// The highest operation counter.
    pub(crate) fn end(&self) -> u32 {
        self.end
    }

    /// How many operations there are.
    pub(crate) fn ops(&self) -> usize {
        self.ops
    }

    /// The changes that are neither of `heads`, which must be here, nor in their past.
    pub(crate) fn beside(&self, heads: &[ChangeHash]) -> Vec<ChangeHash> {
        let past = self.closure(heads);
        let others = self.nodes.keys().filter(|hash| !past.contains(*hash));
        others.copied().collect()
    }

    /// Whether a change on `deps` would have `most` changes beside it, or be one of so many beside a
    /// later one: only then can one device have so many there.
    pub(crate) fn is_wide(&self, deps: &[ChangeHash], start_op: u32, most: usize) -> bool {
        if self.heads.iter().all(|head| deps.contains(head)) {
            return false;
        }
        let beside = self.beside(deps);
        let is_later = |node: &&Node| node.end >= start_op;
        let later = beside.iter().filter_map(|hash| self.nodes.get(hash));
        // A later change is among those beside its dependencies; the new one would be.
        let mut later = later.filter(is_later);
        beside.len() >= most || later.any(|node| self.beside(&node.deps).len() >= most)
    }

    /// Those of the changes that no other one of them rests on, ascending.
    pub(crate) fn tops(&self, changes: &BTreeSet<ChangeHash>) -> Vec<ChangeHash> {
        let deps = |hash: &ChangeHash| self.nodes.get(hash).map(|node| node.deps.as_slice());
        let below: Vec<ChangeHash> = changes.iter().filter_map(deps).flatten().copied().collect();
        let below = self.closure(&below);
        changes.difference(&below).copied().collect()
    }

    /// So many of these changes that end last, ascending.
    pub(crate) fn newest(&self, changes: Vec<ChangeHash>, most: usize) -> Vec<ChangeHash> {
        let end = |hash: &ChangeHash| self.nodes.get(hash).map_or(0, |node| node.end);
        let mut changes = changes;
        changes.sort_by_key(|hash| std::cmp::Reverse((end(hash), *hash)));
        changes.truncate(most);
        changes.sort_unstable();
        changes
    }

    fn closure(&self, heads: &[ChangeHash]) -> BTreeSet<ChangeHash> {
        let mut seen: BTreeSet<ChangeHash> = heads.iter().copied().collect();
        let mut open: Vec<ChangeHash> = seen.iter().copied().collect();
        while let Some(hash) = open.pop() {
            let deps = self
                .nodes
                .get(&hash)
                .into_iter()
                .flat_map(|node| &node.deps);
            open.extend(deps.copied().filter(|dep| seen.insert(*dep)));
        }
        seen
    }

    /// What a change on `heads` follows on, or `None` if one of them isn't here.
    pub(crate) fn past(&self, heads: &[ChangeHash]) -> Option<Past> {
        if !heads.iter().all(|head| self.has(head)) {
            return None;
        }
        if self.heads.iter().all(|head| heads.contains(head)) {
            return Some(Past {
                end: self.end,
                whole: true,
            });
        }
        let mut past = Past {
            end: 0,
            whole: false,
        };
        let ends = self.closure(heads).into_iter();
        let ends = ends.filter_map(|hash| self.nodes.get(&hash).map(|node| node.end));
        past.end = ends.max().unwrap_or(0);
        Some(past)
    }
}

/// Automerge writing by itself, as the judge of our own reading and writing in tests.
#[cfg(test)]
pub(crate) mod peer {
    use automerge::transaction::{CommitOptions, Transactable};

    use super::*;

    /// A document that another program edits with Automerge alone, every time as another actor.
    #[derive(Clone)]
    pub(crate) struct Peer(pub(crate) Automerge);

    impl Peer {
        pub(crate) fn new(actor: ActorId) -> Self {
            Self(Automerge::new().with_actor(actor.0.into()))
        }

        /// The actor that follows the last one of this peer.
        fn next_actor(&self) -> ActorId {
            let mut next = [0; ActorId::LEN];
            next.copy_from_slice(self.0.get_actor().to_bytes());
            next[ActorId::LEN - 1] += 1;
            ActorId(next)
        }

        pub(crate) fn put(&mut self, puts: &[(&str, Value)], time: i64) -> Vec<u8> {
            self.put_as(self.next_actor(), puts, time)
        }

        pub(crate) fn put_as(
            &mut self,
            actor: ActorId,
            puts: &[(&str, Value)],
            time: i64,
        ) -> Vec<u8> {
            self.0.set_actor(actor.0.into());
            self.edit_as_before(time, |tx| {
                for (key, value) in puts {
                    let value = match value {
                        Value::Null => ScalarValue::Null,
                        Value::Bool(flag) => ScalarValue::Boolean(*flag),
                        Value::Int(number) => ScalarValue::Int(*number),
                        Value::Text(text) => ScalarValue::Str(text.as_str().into()),
                    };
                    tx.put(ROOT, *key, value).unwrap();
                }
            })
        }

        pub(crate) fn edit(
            &mut self,
            time: i64,
            work: impl FnOnce(&mut automerge::transaction::Transaction<'_>),
        ) -> Vec<u8> {
            self.0.set_actor(self.next_actor().0.into());
            self.edit_as_before(time, work)
        }

        fn edit_as_before(
            &mut self,
            time: i64,
            work: impl FnOnce(&mut automerge::transaction::Transaction<'_>),
        ) -> Vec<u8> {
            let mut tx = self.0.transaction();
            work(&mut tx);
            tx.commit_with(CommitOptions::default().with_time(time));
            // None if there was nothing to write and never has been.
            let change = self.0.get_last_local_change();
            change.map_or_else(Vec::new, |change| change.raw_bytes().to_vec())
        }

        pub(crate) fn empty_change(&mut self) -> Vec<u8> {
            let hash = self.0.empty_commit(CommitOptions::default());
            self.0
                .get_change_by_hash(&hash)
                .unwrap()
                .raw_bytes()
                .to_vec()
        }

        pub(crate) fn fork(&self, actor: ActorId) -> Self {
            Self(self.0.clone().with_actor(actor.0.into()))
        }

        pub(crate) fn merge(&mut self, other: &mut Peer) {
            self.0.merge(&mut other.0).unwrap();
        }

        pub(crate) fn heads(&self) -> Vec<ChangeHash> {
            self.0
                .get_heads()
                .into_iter()
                .map(|hash| ChangeHash(hash.0))
                .collect()
        }

        /// The winner that Automerge itself shows.
        pub(crate) fn get(&self, key: &str) -> Option<(Value, OpId)> {
            let (value, id) = self.0.get(ROOT, key).unwrap()?;
            Some((
                scalar(value.as_scalar().unwrap()).unwrap(),
                op_id(&id).unwrap(),
            ))
        }

        pub(crate) fn load(saved: &[u8]) -> Self {
            Self(Automerge::load(saved).unwrap())
        }
    }

    thread_local! {
        /// A change on which Automerge is made to panic: the only way to test what no known change
        /// does.
        pub(crate) static POISON: std::cell::Cell<Option<ChangeHash>> = const { std::cell::Cell::new(None) };
    }

    pub(super) fn panic_if_poisoned(changes: &[automerge::Change]) {
        let poison = POISON.get();
        assert!(
            !changes
                .iter()
                .any(|change| Some(ChangeHash(change.hash().0)) == poison),
            "poisoned"
        );
    }

    /// The same content without Automerge's own checks: what a hostile device could send.
    pub(crate) fn apply_unchecked(raws: &[Vec<u8>]) -> bool {
        let mut document = Automerge::new();
        let work = || {
            for raw in raws {
                let Ok(change) = automerge::Change::try_from(raw.as_slice()) else {
                    return false;
                };
                if document.apply_changes([change]).is_err() {
                    return false;
                }
            }
            Automerge::load(&document.save()).is_ok()
        };
        std::panic::catch_unwind(std::panic::AssertUnwindSafe(work)).unwrap_or(false)
    }
}
