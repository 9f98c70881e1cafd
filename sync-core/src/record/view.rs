//! The view of a record: one value under each key, or several that were written apart.

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

/// The values of a record, by key.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct View {
    pub(super) slots: BTreeMap<Key, MultiValue>,
}

impl View {
    /// What is visible under `key`.
    pub fn get(&self, key: &Key) -> Option<&MultiValue> {
        self.slots.get(key)
    }

    /// The keys with what is visible under them, ascending.
    pub fn iter(&self) -> impl Iterator<Item = (&Key, &MultiValue)> {
        self.slots.iter()
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
        let either = self.slots.keys().chain(after.slots.keys());
        let changed = either.filter(|key| self.get(key) != after.get(key));
        let part = |key: &Key| match key.item() {
            Some(_) => key.section().to_owned(),
            None => format!("{}.{}", key.section(), key.field()),
        };
        let begun = self.is_empty() && !after.is_empty();
        let begun = begun.then(|| BEGUN.to_owned());
        changed.map(part).chain(begun).collect()
    }

    /// Takes in a change whose dependencies are in.
    pub(super) fn take(&mut self, change: &Change) {
        for (op, put) in change.ops() {
            let old = self.slots.remove(&put.key);
            let mut values: Vec<Written> = old.map_or_else(Vec::new, |slot| {
                std::iter::once(slot.winner).chain(slot.others).collect()
            });
            values.retain(|written| put.preds.binary_search(&written.op).is_err());
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
            self.slots.insert(
                key,
                MultiValue {
                    winner,
                    others: values.collect(),
                },
            );
        }
    }

    /// Whether Automerge shows the same.
    pub(super) fn agrees_wholly(&self, document: &Document) -> Result<(), DocumentError> {
        if document.len() != self.len() {
            return Err(DocumentError::Differs);
        }
        let mut keys = self.slots.keys();
        keys.try_for_each(|key| self.agrees(document, key))
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
