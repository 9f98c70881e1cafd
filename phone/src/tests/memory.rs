//! The store in memory, and one that is written later, against the suite of all stores.

use std::sync::Arc;

use sync_core::id::Space;
use sync_core::row::{ReadRows, Unreadable};

use super::*;
use crate::memory::{Changes, Name};
use crate::store::{Store, StoreError};
use crate::testing::conformance::Host;
use crate::testing::{Buffered, Flush};

/// A store whose writes go through at once, the first of them with an unknown outcome.
struct Failing {
    store: Box<dyn Store>,
    place: Buffered,
    how: Option<Flush>,
}

impl Failing {
    fn flushed(&mut self, written: Result<(), StoreError>) -> Result<(), StoreError> {
        written?;
        let how = self.how.take().ok_or(StoreError::Unknown)?;
        let failed = self.place.flush(how).unwrap_err();
        Err(StoreError::Io(Box::new(failed)))
    }
}

impl ReadRows for Failing {
    fn read(&self, table: Table, key: &[u8]) -> Result<Option<Vec<u8>>, Unreadable> {
        self.store.read(table, key)
    }
}

impl Store for Failing {
    fn row(&self, table: Table, key: &[u8]) -> Result<Option<Vec<u8>>, StoreError> {
        self.store.row(table, key)
    }

    fn rows(&self, table: Table, each: &mut dyn FnMut(Vec<u8>)) -> Result<usize, StoreError> {
        self.store.rows(table, each)
    }

    fn count(&self, table: Table) -> Result<u32, StoreError> {
        self.store.count(table)
    }

    fn commit(&mut self, rows: &[Row]) -> Result<(), StoreError> {
        let written = self.store.commit(rows);
        self.flushed(written)
    }

    fn drop_space(&mut self, space: &Space) -> Result<(), StoreError> {
        let written = self.store.drop_space(space);
        self.flushed(written)
    }

    fn change_secret(&mut self, secret: &Secret) -> Result<(), StoreError> {
        let written = self.store.change_secret(secret);
        self.flushed(written)
    }

    fn leave_no_trace(&mut self) {
        self.store.leave_no_trace();
    }

    fn measures(&self) -> Vec<(&'static str, u64)> {
        self.store.measures()
    }
}

fn memory(disk: &Database, secret: Secret) -> Memory {
    Memory::new(
        disk.clone(),
        Unlock::Secret(secret, KdfParams::FLOOR),
        system(),
    )
}

impl Host for Database {
    fn place(&self, secret: Secret) -> Box<dyn Place> {
        Box::new(memory(self, secret))
    }

    fn failing(&self, secret: Secret, durable: bool) -> Box<dyn Store> {
        let key = memory(self, secret).key().unwrap();
        let mut place = Buffered::new(self.clone(), key, system());
        let store = place.open().unwrap();
        let how = match durable {
            true => Flush::DiedAfter,
            false => Flush::DiedBefore,
        };
        Box::new(Failing {
            store,
            place,
            how: Some(how),
        })
    }

    fn alter_one(&self, table: Table) {
        let (name, value) = rows(self, table).remove(0);
        let mut altered = value.to_vec();
        *altered.last_mut().unwrap() ^= 1;
        let changes = Changes::from([(name, Some(altered.into()))]);
        self.write(self.fence(), changes).unwrap();
    }

    fn swap(&self, table: Table) {
        let [(one, of_one), (other, of_other)] = rows(self, table).try_into().unwrap();
        let changes = Changes::from([(one, Some(of_other)), (other, Some(of_one))]);
        self.write(self.fence(), changes).unwrap();
    }

    fn image(&self) -> Vec<u8> {
        let values = self.values().into_iter();
        let bytes = values.flat_map(|(name, value)| [&name[..], &value].concat());
        bytes.collect()
    }
}

fn rows(disk: &Database, table: Table) -> Vec<(Name, Arc<[u8]>)> {
    let values = disk.values().into_iter();
    values.filter(|(name, _)| name[0] == table as u8).collect()
}

crate::store_conformance!(Database::default());

#[test]
fn a_store_that_is_written_later_has_on_disk_what_was_flushed_and_not_a_row_more() {
    let disk = Database::default();
    let mut first = phone(&disk, &[UNIT]);
    let first_id = first.add(Subject::Person, None, &sets(&WOMAN)).unwrap();
    drop(first);
    let key = memory(&disk, secret()).key().unwrap();
    let place = Buffered::new(disk.clone(), key, system());
    let mut phone = Phone::open(Box::new(place.clone()), system()).unwrap();
    let before = disk.values();
    let id = phone.add(Subject::Person, None, &sets(&WOMAN)).unwrap();
    phone.show(&id.to_string()).unwrap();
    assert_eq!(disk.values(), before, "in memory alone");
    assert_eq!(place.flush(Flush::Failed), Err(StoreError::Full));
    // Memory is ahead of the disk: it is dropped, and nothing was saved.
    phone.close();
    assert_eq!(
        code(phone.show(&id.to_string()).unwrap_err()).0,
        "unknown_record"
    );
    phone.show(&first_id.to_string()).unwrap();
    let id = phone.add(Subject::Person, None, &sets(&WOMAN)).unwrap();
    place.flush(Flush::Done).unwrap();
    phone.close();
    phone.show(&id.to_string()).unwrap();
    // Somebody else has opened it: nothing more of this one is written.
    drop(opened(&disk, secret()).unwrap());
    phone.add(Subject::Person, None, &sets(&WOMAN)).unwrap();
    assert_eq!(place.flush(Flush::Done), Err(StoreError::Fenced));
}
