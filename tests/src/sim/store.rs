//! A phone's store as the simulator keeps it: rows in memory, committed whole or not at all, with a
//! writer fence, and copies to be set back to.
//!
//! Or the real store beside it: then every row goes into a SQLite file too, a phone reads that alone,
//! and whenever it is opened it must hold what was written, row by row.

use std::collections::BTreeMap;
use std::rc::Rc;

use client::keys::Secret;
use client::store::{FILE_NAME, SqliteStore, StoreError};
use phone::store::Store;
use sync_core::id::Space;
use sync_core::row::{ReadRows, Row, Table, Unreadable};
use sync_core::seal::KdfParams;
use tempfile::TempDir;

use super::fault::Dice;
use super::real::scratch;

/// A row: the space whose key seals it, and its value.
type Kept = (Option<Space>, Rc<[u8]>);

/// The rows of one store. A copy is cheap, values are shared; of a store in files it copies the files.
#[derive(Default)]
pub(super) struct Disk {
    rows: BTreeMap<(Table, Vec<u8>), Kept>,
    fence: u64,
    files: Option<TempDir>,
}

/// What a process that has opened the store writes with.
pub(super) struct Writer {
    fence: u64,
    store: Option<SqliteStore>,
}

/// The store as a process reads it.
pub(super) struct Seen<'a> {
    disk: &'a Disk,
    writer: &'a Writer,
}

/// The store was opened by somebody else since: nothing was written (R9).
#[derive(Debug)]
pub(super) struct Fenced;

impl Clone for Disk {
    fn clone(&self) -> Self {
        let copy_of = |files: &TempDir| {
            let copy = scratch();
            // A log that is not in the database yet belongs to it.
            for name in [FILE_NAME.to_owned(), format!("{FILE_NAME}-wal")] {
                let from = files.path().join(&name);
                if from.exists() {
                    std::fs::copy(from, copy.path().join(name)).expect("a file of the store");
                }
            }
            copy
        };
        Self {
            rows: self.rows.clone(),
            fence: self.fence,
            files: self.files.as_ref().map(copy_of),
        }
    }
}

impl Disk {
    /// An empty store that is the real one.
    pub(super) fn in_files() -> Self {
        Self {
            files: Some(scratch()),
            ..Self::default()
        }
    }

    /// Opens the store for writing; every earlier writer is shut out.
    pub(super) fn open(&mut self) -> Writer {
        self.fence += 1;
        let store = self.files.as_ref().map(|files| {
            let secret = Secret::new("246810".to_owned()).expect("a secret");
            let opened = match SqliteStore::exists(files.path()) {
                true => SqliteStore::open(files.path(), &secret),
                false => SqliteStore::create(files.path(), &secret, KdfParams::FLOOR),
            };
            opened.unwrap_or_else(|error| panic!("the store does not open: {error}"))
        });
        Writer {
            fence: self.fence,
            store,
        }
    }

    /// Writes all rows of a step, or nothing.
    pub(super) fn commit(&mut self, writer: &mut Writer, rows: &[Row]) -> Result<(), Fenced> {
        let in_files = writer.store.as_mut().map(|store| store.commit(rows));
        let newest = writer.fence == self.fence;
        match in_files {
            Some(Ok(())) if newest => {}
            Some(Err(StoreError::Fenced)) if !newest => {}
            Some(other) => panic!("the newest writer: {newest}, the store says: {other:?}"),
            None => {}
        }
        if !newest {
            return Err(Fenced);
        }
        self.write(rows);
        Ok(())
    }

    /// Erases what is sealed under a space's key, and the key.
    pub(super) fn drop_space(&mut self, writer: &mut Writer, space: &Space) {
        if let Some(store) = &mut writer.store {
            let dropped = store.drop_space(space);
            dropped.unwrap_or_else(|error| panic!("a space is not dropped: {error}"));
        }
        self.rows.retain(|_, (of, _)| of.as_ref() != Some(space));
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

    /// The store as the process of `writer` reads it.
    pub(super) fn as_seen_by<'a>(&'a self, writer: &'a Writer) -> Seen<'a> {
        Seen { disk: self, writer }
    }
}

impl Seen<'_> {
    /// Returns the values of a table to `each` in a random order.
    pub(super) fn read_shuffled(
        &self,
        dice: &mut Dice,
        table: Table,
        each: &mut dyn FnMut(Vec<u8>),
    ) {
        let written = self.disk.table(table);
        let mut values: Vec<Vec<u8>> = written.map(|(_, value)| value.to_vec()).collect();
        if let Some(store) = &self.writer.store {
            values.sort_unstable();
            let mut read = Vec::new();
            let damaged = store.rows(table, &mut |value| read.push(value));
            read.sort_unstable();
            assert_eq!(damaged, Ok(0), "damaged rows of {}", table.name());
            assert_eq!(read, values, "{} holds what was not written", table.name());
            values = read;
        }
        dice.shuffle(&mut values);
        values.into_iter().for_each(each);
    }
}

impl ReadRows for Seen<'_> {
    fn read(&self, table: Table, key: &[u8]) -> Result<Option<Vec<u8>>, Unreadable> {
        if let Some(store) = &self.writer.store {
            return store.read(table, key);
        }
        let row = self.disk.rows.get(&(table, key.to_vec()));
        Ok(row.map(|(_, value)| value.to_vec()))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn an_old_writer_of(mut disk: Disk) {
        let mut old = disk.open();
        let mut new = disk.open();
        let row = Row {
            table: Table::Meta,
            key: vec![1],
            space: None,
            value: Some(vec![2]),
        };
        let read = |disk: &Disk, writer: &Writer| disk.as_seen_by(writer).read(Table::Meta, &[1]);
        assert!(disk.commit(&mut old, std::slice::from_ref(&row)).is_err());
        assert_eq!(read(&disk, &new).unwrap(), None);
        assert!(disk.commit(&mut new, &[row]).is_ok());
        assert_eq!(read(&disk, &new).unwrap(), Some(vec![2]));
        let mut copy = disk.clone();
        let writer = copy.open();
        assert_eq!(read(&copy, &writer).unwrap(), Some(vec![2]));
    }

    #[test]
    fn an_old_writer_is_refused_whole_and_a_copy_holds_what_was_written() {
        an_old_writer_of(Disk::default());
        an_old_writer_of(Disk::in_files());
    }
}
