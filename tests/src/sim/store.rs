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
/// Where a row stands.
type Place = (Table, Vec<u8>);

/// The rows of one store. A copy is cheap, values are shared; of a store in files it copies the files.
#[derive(Default)]
pub(super) struct Disk {
    rows: BTreeMap<Place, Kept>,
    /// Of a store that is made durable later, as a browser's: the rows as they are on its disk, where
    /// memory has others.
    durable: Option<BTreeMap<Place, Option<Kept>>>,
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
        let mut copy = Self {
            rows: self.rows.clone(),
            durable: self.durable.clone(),
            fence: self.fence,
            files: self.files.as_ref().map(copy_of),
        };
        copy.set_back();
        copy
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

    /// An empty store that commits into memory and is made durable later.
    pub(super) fn buffered() -> Self {
        Self {
            durable: Some(BTreeMap::new()),
            ..Self::default()
        }
    }

    /// Whether it is made durable later.
    pub(super) fn is_buffered(&self) -> bool {
        self.durable.is_some()
    }

    /// Whether memory has what the disk has not.
    pub(super) fn is_ahead(&self) -> bool {
        self.durable.as_ref().is_some_and(|rows| !rows.is_empty())
    }

    /// What memory has is on the disk, in one transaction.
    pub(super) fn flush(&mut self) {
        self.durable.iter_mut().for_each(BTreeMap::clear);
    }

    /// Memory is gone; the rows are those of the disk.
    pub(super) fn set_back(&mut self) {
        let durable = self.durable.as_mut().map(std::mem::take);
        for (place, row) in durable.into_iter().flatten() {
            match row {
                Some(row) => drop(self.rows.insert(place, row)),
                None => drop(self.rows.remove(&place)),
            }
        }
    }

    /// The values of a table that are on the disk.
    pub(super) fn durable(&self, table: Table) -> impl Iterator<Item = &[u8]> {
        let behind = self.durable.iter().flatten();
        let behind = behind.filter_map(|(place, row)| Some((place, row.as_ref()?)));
        let known = |place: &Place| {
            let durable = self.durable.as_ref();
            durable.is_none_or(|rows| !rows.contains_key(place))
        };
        let same = self.rows.iter().filter(move |(place, _)| known(place));
        let all = same.chain(behind);
        all.filter(move |((of, _), _)| *of == table)
            .map(|(_, (_, value))| value.as_ref())
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
            if let Some(durable) = &mut self.durable {
                let before = || self.rows.get(&key).cloned();
                durable.entry(key.clone()).or_insert_with(before);
            }
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
