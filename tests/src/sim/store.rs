//! A phone's store as the simulator keeps it: rows in memory, committed whole or not at all, with a
//! writer fence, and copies to be set back to.

use std::collections::BTreeMap;
use std::rc::Rc;

use sync_core::id::Space;
use sync_core::row::{ReadRows, Row, Table, Unreadable};

use super::fault::Dice;

/// A row: the space whose key seals it, and its value.
type Kept = (Option<Space>, Rc<[u8]>);

/// The rows of one store. A copy is cheap: values are shared.
#[derive(Clone, Default)]
pub(super) struct Disk {
    rows: BTreeMap<(Table, Vec<u8>), Kept>,
    fence: u64,
}

/// The store was opened by somebody else since: nothing was written (R9).
#[derive(Debug)]
pub(super) struct Fenced;

impl Disk {
    /// Opens the store for writing; every earlier writer is shut out.
    pub(super) fn open(&mut self) -> u64 {
        self.fence += 1;
        self.fence
    }

    /// Writes all rows of a step, or nothing.
    pub(super) fn commit(&mut self, fence: u64, rows: &[Row]) -> Result<(), Fenced> {
        if fence != self.fence {
            return Err(Fenced);
        }
        self.write(rows);
        Ok(())
    }

    /// What a store does that has no transactions or no fence: for planted mistakes only.
    pub(super) fn write(&mut self, rows: &[Row]) {
        for row in rows {
            let key = (row.table, row.key.clone());
            match &row.value {
                Some(value) => {
                    self.rows
                        .insert(key, (row.space.clone(), value.as_slice().into()));
                }
                None => {
                    self.rows.remove(&key);
                }
            }
        }
    }

    /// The values of a table, in ascending order of keys.
    pub(super) fn table(&self, table: Table) -> impl Iterator<Item = (Option<&Space>, &[u8])> {
        self.rows
            .range((table, Vec::new())..)
            .take_while(move |((of, _), _)| *of == table)
            .map(|(_, (space, value))| (space.as_ref(), value.as_ref()))
    }

    /// All rows' spaces.
    pub(super) fn spaces(&self) -> impl Iterator<Item = &Space> {
        self.rows.values().filter_map(|(space, _)| space.as_ref())
    }

    /// Gives the values of a table to `each` in a random order.
    pub(super) fn read_shuffled(
        &self,
        dice: &mut Dice,
        table: Table,
        each: &mut dyn FnMut(Vec<u8>),
    ) {
        let mut values: Vec<&[u8]> = self.table(table).map(|(_, value)| value).collect();
        dice.shuffle(&mut values);
        values.into_iter().for_each(|value| each(value.to_vec()));
    }
}

impl ReadRows for Disk {
    fn read(&self, table: Table, key: &[u8]) -> Result<Option<Vec<u8>>, Unreadable> {
        let row = self.rows.get(&(table, key.to_vec()));
        Ok(row.map(|(_, value)| value.to_vec()))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_old_writer_is_refused_whole() {
        let mut disk = Disk::default();
        let old = disk.open();
        let new = disk.open();
        let row = Row {
            table: Table::Meta,
            key: vec![1],
            space: None,
            value: Some(vec![2]),
        };
        assert!(disk.commit(old, std::slice::from_ref(&row)).is_err());
        assert_eq!(disk.read(Table::Meta, &[1]).unwrap(), None);
        assert!(disk.commit(new, &[row]).is_ok());
        assert_eq!(disk.read(Table::Meta, &[1]).unwrap(), Some(vec![2]));
    }
}
