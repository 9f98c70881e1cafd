//! Sealed rows in memory: the store of a browser, which writes them to its database, and of tests.
//!
//! A database is a map from names of 17 bytes to values: a byte for what it is and 16 for which one. A
//! browser keeps the same map on its disk. It commits into memory and makes that durable before any answer
//! leaves: [`Database::take_changes`] gives what it has to write, in one transaction that compares the
//! fence; should that fail, the database in memory is dropped and read again.

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use minicbor::bytes::ByteArray;
use sync_core::id::Space;
use sync_core::row::{ReadRows, Row, Table, Unreadable};
use sync_core::seal::{KdfParams, KeyId, RowName, StoreId, StoreKey};

use crate::keys::Secret;
use crate::store::{Place, Store, StoreError, damaged};
use crate::system::{Randomness, System};
use crate::vault::{Header, SLOTS_MAX, Vault};

/// What a value is called: a table's number or one of the store's own, and which one.
pub type Name = [u8; 17];
/// Values by name.
pub type Values = BTreeMap<Name, Arc<[u8]>>;
/// What was written: values by name, `None` for one that is gone.
pub type Changes = BTreeMap<Name, Option<Arc<[u8]>>>;

/// The store's own names, above all tables'.
const HEADER: u8 = 200;
const SLOT: u8 = 201;
const DATA_KEY: u8 = 202;
const FENCE: u8 = 203;

fn name(of: u8, name: RowName) -> Name {
    let mut full = [of; 17];
    full[1..].copy_from_slice(&name.0);
    full
}

fn numbered(of: u8, number: u32) -> Name {
    let mut full = [0; 17];
    full[0] = of;
    full[1..5].copy_from_slice(&number.to_be_bytes());
    full
}

/// A value of a row: the number of the key that seals it, and the sealed bytes.
fn sealed_value(key: KeyId, sealed: &[u8]) -> Arc<[u8]> {
    [&key.0.to_be_bytes(), sealed].concat().into()
}

fn header_value(header: &Header) -> Arc<[u8]> {
    let id = ByteArray::from(header.store.0);
    let fields = (&header.magic, header.format, header.suite, id);
    let mut value = Vec::new();
    // Writing to memory can't fail.
    drop(minicbor::encode(fields, &mut value));
    value.into()
}

fn read_header(value: &[u8]) -> Result<StoreId, StoreError> {
    let fields = minicbor::decode::<(String, u32, u8, ByteArray<16>)>(value);
    let (magic, format, suite, id) = fields.map_err(|_| damaged("header"))?;
    let header = Header {
        magic,
        format,
        suite,
        store: StoreId(id.into()),
    };
    header.check()
}

#[derive(Default)]
struct Inner {
    values: Values,
    changes: Option<Changes>,
}

impl Inner {
    fn put(&mut self, name: Name, value: Option<Arc<[u8]>>) {
        match &value {
            Some(value) => drop(self.values.insert(name, value.clone())),
            None => drop(self.values.remove(&name)),
        }
        if let Some(changes) = &mut self.changes {
            changes.insert(name, value);
        }
    }

    fn fence(&self) -> Option<u64> {
        let fence = self.values.get(&numbered(FENCE, 1))?;
        Some(u64::from_be_bytes((&**fence).try_into().ok()?))
    }

    fn put_fence(&mut self, fence: u64) {
        let value = fence.to_be_bytes().as_slice().into();
        self.put(numbered(FENCE, 1), Some(value));
    }

    fn of(&self, first: Name, last: Name) -> impl Iterator<Item = (&Name, &Arc<[u8]>)> {
        self.values.range(first..=last)
    }

    fn of_table(&self, table: Table) -> impl Iterator<Item = (&Name, &Arc<[u8]>)> {
        let table = table as u8;
        self.of(
            name(table, RowName([0; 16])),
            name(table, RowName([0xff; 16])),
        )
    }
}

/// A database in memory. Clones are handles to the same one.
#[derive(Clone, Default)]
pub struct Database(Arc<Mutex<Inner>>);

impl Database {
    /// A database of these values, which remembers what is written to it.
    pub fn of(values: Values) -> Self {
        Self(Arc::new(Mutex::new(Inner {
            values,
            changes: Some(Changes::new()),
        })))
    }

    fn inner(&self) -> MutexGuard<'_, Inner> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// All values.
    pub fn values(&self) -> Values {
        self.inner().values.clone()
    }

    /// What was written since this was asked last, for a database that was made [`Database::of`] values.
    pub fn take_changes(&self) -> Changes {
        let mut inner = self.inner();
        inner
            .changes
            .as_mut()
            .map(std::mem::take)
            .unwrap_or_default()
    }

    /// Writes changes that were made in a copy of this database, if nobody has opened a store in it since
    /// `fence` was taken: all or none.
    pub fn write(&self, fence: u64, changes: Changes) -> Result<(), StoreError> {
        let mut inner = self.inner();
        if inner.fence().unwrap_or_default() != fence {
            return Err(StoreError::Fenced);
        }
        for (name, value) in changes {
            inner.put(name, value);
        }
        Ok(())
    }

    /// The fence of whoever opened a store in it last; 0 where there is no store.
    pub fn fence(&self) -> u64 {
        self.inner().fence().unwrap_or_default()
    }
}

impl std::fmt::Debug for Database {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("Database")
    }
}

/// What opens a store in memory.
pub enum Unlock {
    /// A secret, which costs what the slots say.
    Secret(Secret, KdfParams),
    /// The store's key itself, which a host has kept since it was unlocked.
    Key(Arc<StoreKey>),
}

/// The place of a store in memory.
pub struct Memory {
    database: Database,
    unlock: Unlock,
    system: Arc<dyn System>,
}

impl Memory {
    /// The store in `database`, made and opened with `unlock`.
    pub fn new(database: Database, unlock: Unlock, system: Arc<dyn System>) -> Self {
        Self {
            database,
            unlock,
            system,
        }
    }

    fn vault(&self, inner: &Inner) -> Result<Vault, StoreError> {
        let header = inner.values.get(&numbered(HEADER, 1));
        let store = read_header(header.ok_or(StoreError::NotThere)?)?;
        let mut vault = match &self.unlock {
            Unlock::Key(key) if key.id() == store => Vault::new(key.clone()),
            Unlock::Key(_) => return Err(StoreError::WrongSecret),
            Unlock::Secret(secret, _) => {
                let slots = inner.of(numbered(SLOT, 0), numbered(SLOT, SLOTS_MAX));
                let slots = slots.map(|(_, slot)| slot.to_vec());
                Vault::unlock(store, slots, secret)?
            }
        };
        for (name, wrapped) in inner.of(numbered(DATA_KEY, 0), numbered(DATA_KEY, u32::MAX)) {
            let [_, a, b, c, d, ..] = *name;
            vault.unwrap(KeyId(u32::from_be_bytes([a, b, c, d])), wrapped)?;
        }
        Ok(vault)
    }

    /// The store's key, for a host that opens it again and keeps no secret.
    pub fn key(&self) -> Result<Arc<StoreKey>, StoreError> {
        Ok(self.vault(&self.database.inner())?.key())
    }

    fn store(&self, vault: Vault, fence: u64) -> Box<dyn Store> {
        Box::new(MemoryStore {
            database: self.database.clone(),
            system: self.system.clone(),
            vault,
            fence,
        })
    }
}

impl Place for Memory {
    fn exists(&self) -> bool {
        !self.database.inner().values.is_empty()
    }

    fn create(&mut self) -> Result<Box<dyn Store>, StoreError> {
        let mut rng = Randomness(&*self.system);
        let (vault, slot) = match &self.unlock {
            Unlock::Key(key) => (Vault::new(key.clone()), None),
            Unlock::Secret(secret, kdf) => {
                let vault = Vault::generate(&mut rng);
                let slot = vault.slot(&mut rng, secret, *kdf)?;
                (vault, Some(slot))
            }
        };
        let mut inner = self.database.inner();
        if !inner.values.is_empty() {
            return Err(StoreError::Exists);
        }
        inner.put(numbered(HEADER, 1), Some(header_value(&vault.header())));
        if let Some(slot) = slot {
            inner.put(numbered(SLOT, 1), Some(slot.into()));
        }
        inner.put_fence(1);
        drop(inner);
        Ok(self.store(vault, 1))
    }

    fn open(&mut self) -> Result<Box<dyn Store>, StoreError> {
        let vault = self.vault(&self.database.inner())?;
        let mut inner = self.database.inner();
        let fence = inner.fence().ok_or(damaged("fence"))? + 1;
        inner.put_fence(fence);
        drop(inner);
        Ok(self.store(vault, fence))
    }

    fn erase(&mut self) -> Result<(), StoreError> {
        let mut inner = self.database.inner();
        let names: Vec<Name> = inner.values.keys().copied().collect();
        for name in names {
            inner.put(name, None);
        }
        Ok(())
    }

    fn replace_secret(&mut self, secret: Secret) -> Option<Secret> {
        match &mut self.unlock {
            Unlock::Secret(old, _) => Some(std::mem::replace(old, secret)),
            Unlock::Key(_) => None,
        }
    }

    fn is_strong(&self) -> bool {
        match &self.unlock {
            Unlock::Secret(secret, _) => secret.is_strong(),
            Unlock::Key(_) => true,
        }
    }
}

/// An open store in memory.
struct MemoryStore {
    database: Database,
    system: Arc<dyn System>,
    vault: Vault,
    fence: u64,
}

impl MemoryStore {
    fn opened(&self, table: Table, name: &Name, value: &[u8]) -> Result<Vec<u8>, StoreError> {
        let (key, sealed) = value.split_first_chunk().ok_or(damaged("row"))?;
        let mut row = RowName([0; 16]);
        row.0.copy_from_slice(&name[1..]);
        let key = KeyId(u32::from_be_bytes(*key));
        self.vault.open(table, row, key, sealed)
    }

    /// One transaction of the writer that holds the fence.
    fn write(&self, work: impl FnOnce(&mut Inner)) -> Result<(), StoreError> {
        let mut inner = self.database.inner();
        if inner.fence().ok_or(damaged("fence"))? != self.fence {
            return Err(StoreError::Fenced);
        }
        work(&mut inner);
        Ok(())
    }
}

impl ReadRows for MemoryStore {
    fn read(&self, table: Table, key: &[u8]) -> Result<Option<Vec<u8>>, Unreadable> {
        self.row(table, key)
            .map_err(|error| Unreadable(error.to_string()))
    }
}

impl Store for MemoryStore {
    fn row(&self, table: Table, key: &[u8]) -> Result<Option<Vec<u8>>, StoreError> {
        let name = name(table as u8, self.vault.name(table, key));
        let value = self.database.inner().values.get(&name).cloned();
        value
            .map(|value| self.opened(table, &name, &value))
            .transpose()
    }

    fn rows(&self, table: Table, each: &mut dyn FnMut(Vec<u8>)) -> Result<usize, StoreError> {
        let rows: Vec<(Name, Arc<[u8]>)> = {
            let inner = self.database.inner();
            let rows = inner.of_table(table);
            rows.map(|(name, value)| (*name, value.clone())).collect()
        };
        let mut damaged = 0;
        for (name, value) in rows {
            match self.opened(table, &name, &value) {
                Ok(value) => each(value),
                Err(_) => damaged += 1,
            }
        }
        Ok(damaged)
    }

    fn count(&self, table: Table) -> Result<u32, StoreError> {
        let rows = self.database.inner().of_table(table).count();
        Ok(u32::try_from(rows).unwrap_or(u32::MAX))
    }

    fn commit(&mut self, rows: &[Row]) -> Result<(), StoreError> {
        let sealed = self.vault.seal(&mut Randomness(&*self.system), rows)?;
        self.write(|inner| {
            for (id, wrapped) in &sealed.keys {
                let value = wrapped.as_slice().into();
                inner.put(numbered(DATA_KEY, id.0), Some(value));
            }
            for row in &sealed.rows {
                let value = row.value.as_ref();
                let value = value.map(|(key, bytes)| sealed_value(*key, bytes));
                inner.put(name(row.table as u8, row.name), value);
            }
        })?;
        self.vault.keep(sealed);
        Ok(())
    }

    fn drop_space(&mut self, space: &Space) -> Result<(), StoreError> {
        let Some(id) = self.vault.key_of(space) else {
            return Ok(());
        };
        self.write(|inner| {
            let sealed = |(name, value): (&Name, &Arc<[u8]>)| {
                (name[0] < HEADER && value.starts_with(&id.0.to_be_bytes())).then_some(*name)
            };
            let gone: Vec<Name> = inner.values.iter().filter_map(sealed).collect();
            for name in gone {
                inner.put(name, None);
            }
            inner.put(numbered(DATA_KEY, id.0), None);
        })?;
        self.vault.forget(space);
        Ok(())
    }

    fn change_secret(&mut self, secret: &Secret) -> Result<(), StoreError> {
        let mut rng = Randomness(&*self.system);
        let slot = self.vault.slot(&mut rng, secret, secret.kdf())?;
        self.write(|inner| {
            let slots = inner.of(numbered(SLOT, 0), numbered(SLOT, u32::MAX));
            let gone: Vec<Name> = slots.map(|(name, _)| *name).collect();
            for name in gone {
                inner.put(name, None);
            }
            inner.put(numbered(SLOT, 1), Some(slot.into()));
        })
    }

    /// Nothing that was overwritten is kept in memory; what a browser's database does is its own.
    fn leave_no_trace(&mut self) {}

    fn measures(&self) -> Vec<(&'static str, u64)> {
        let inner = self.database.inner();
        let bytes: usize = inner.values.values().map(|value| 17 + value.len()).sum();
        vec![
            ("store_format", crate::vault::FORMAT.into()),
            ("store_bytes", bytes as u64),
        ]
    }
}
