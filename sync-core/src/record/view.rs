//! The view of a record: one value under each key, or several that were written apart.

use std::cmp::Ordering;
use std::sync::Arc;

use super::*;

/// One visible value.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Written {
    /// The value.
    pub value: Value,
    /// The operation that wrote it.
    pub op: OpId,
    /// The change that the operation stands in.
    pub change: ChangeHash,
}

/// What is visible under one key: one value, or several that were written apart.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct MultiValue {
    pub(super) winner: Written,
    pub(super) others: Vec<Written>,
}

impl MultiValue {
    /// The value that shows.
    pub fn winner(&self) -> &Value {
        &self.winner.value
    }

    /// All the values, the winner first.
    pub fn values(&self) -> impl Iterator<Item = &Written> {
        std::iter::once(&self.winner).chain(&self.others)
    }

    /// The different values, the winner first, if there is more than one. Equal values written
    /// apart are no conflict (R40).
    pub fn conflict(&self) -> Option<Vec<&Written>> {
        if self.others.is_empty() {
            return None;
        }
        let mut seen = BTreeSet::new();
        let different: Vec<_> = self.values().filter(|w| seen.insert(&w.value)).collect();
        (different.len() > 1).then_some(different)
    }

    pub(super) fn ops(&self) -> Vec<OpId> {
        let mut ops: Vec<OpId> = self.values().map(|written| written.op).collect();
        ops.sort_unstable();
        ops
    }
}

/// The part of a record that changes when it first shows anything: that it is there. No section has
/// this name.
pub const BEGUN: &str = "+";

/// The values of a record, by key. A copy shares all that is not written anew.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct View {
    pub(super) slots: BTreeMap<Key, Arc<MultiValue>>,
}

impl View {
    /// What is visible under `key`.
    pub fn get(&self, key: &Key) -> Option<&MultiValue> {
        self.slots.get(key).map(Arc::as_ref)
    }

    /// The keys with what is visible under them, ascending.
    pub fn iter(&self) -> impl Iterator<Item = (&Key, &MultiValue)> {
        self.slots.iter().map(|(key, slot)| (key, slot.as_ref()))
    }

    /// The number of keys.
    pub fn len(&self) -> usize {
        self.slots.len()
    }

    /// Whether nothing was written yet.
    pub fn is_empty(&self) -> bool {
        self.slots.is_empty()
    }

    /// Where `after` shows something else, or has other values written apart: `section.field` of a
    /// single section, `section` of a repeating one, and [`BEGUN`] of a record that showed nothing.
    pub fn changed_parts(&self, after: &View) -> BTreeSet<String> {
        let part = |key: &Key| match key.item() {
            Some(_) => key.section().to_owned(),
            None => format!("{}.{}", key.section(), key.field()),
        };
        let mut parts = BTreeSet::new();
        let (mut old, mut new) = (self.slots.iter().peekable(), after.slots.iter().peekable());
        // Both ascend, so that one walk meets every key once.
        loop {
            let order = match (old.peek(), new.peek()) {
                (None, None) => break,
                (Some(_), None) => Ordering::Less,
                (None, Some(_)) => Ordering::Greater,
                (Some((old, _)), Some((new, _))) => old.cmp(new),
            };
            let gone = old.next_if(|_| order.is_le());
            let come = new.next_if(|_| order.is_ge());
            if let Some((key, _)) = gone.or(come).filter(|_| gone != come) {
                parts.insert(part(key));
            }
        }
        if self.is_empty() && !after.is_empty() {
            parts.insert(BEGUN.to_owned());
        }
        parts
    }

    /// Takes in a change whose dependencies are in.
    pub(super) fn take(&mut self, change: &Change) {
        for (op, put) in change.ops() {
            let old = self.slots.remove(&put.key);
            let old = old.iter().flat_map(|slot| slot.values());
            let unseen = |written: &&Written| put.preds.binary_search(&written.op).is_err();
            let mut values: Vec<Written> = old.filter(unseen).cloned().collect();
            values.push(Written {
                value: put.value.clone(),
                op,
                change: change.hash,
            });
            self.set(put.key.clone(), values);
        }
    }

    pub(super) fn set(&mut self, key: Key, mut values: Vec<Written>) {
        values.sort_unstable_by_key(|written| std::cmp::Reverse(written.op));
        let mut values = values.into_iter();
        if let Some(winner) = values.next() {
            let others = values.collect();
            self.slots
                .insert(key, Arc::new(MultiValue { winner, others }));
        }
    }

    /// Whether Automerge shows the same.
    pub(super) fn agrees_wholly(&self, document: &Document) -> Result<(), DocumentError> {
        let mut ours = self.slots.iter();
        for theirs in document.shown() {
            let theirs = theirs?;
            let (key, slot) = ours.next().ok_or(DocumentError::Differs)?;
            if theirs.key != key.as_str() {
                return Err(DocumentError::Differs);
            }
            match theirs.only {
                None => self.agrees(document, key)?,
                Some((op, value)) => {
                    let same = slot.winner.op == op && slot.winner.value == value;
                    if !same || !slot.others.is_empty() {
                        return Err(DocumentError::Differs);
                    }
                }
            }
        }
        ours.next().map_or(Ok(()), |_| Err(DocumentError::Differs))
    }

    /// Whether Automerge shows the same under `key`.
    pub(super) fn agrees(&self, document: &Document, key: &Key) -> Result<(), DocumentError> {
        let theirs = document.values(key, None)?;
        let ours = self.get(key).into_iter().flat_map(MultiValue::values);
        let mut ours: Vec<_> = ours.map(|written| (written.op, &written.value)).collect();
        ours.sort_unstable();
        if ours
            .into_iter()
            .eq(theirs.iter().map(|(op, value)| (*op, value)))
        {
            Ok(())
        } else {
            Err(DocumentError::Differs)
        }
    }
}
