//! A store that commits into memory and is made durable later, as a browser's.

use std::sync::{Arc, Mutex, PoisonError};

use sync_core::seal::StoreKey;

use crate::keys::Secret;
use crate::memory::{Changes, Database, Memory, Unlock};
use crate::store::{Place, Store, StoreError};
use crate::system::System;

/// How making changes durable goes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Flush {
    /// All is written.
    Done,
    /// Nothing is written, and the host hears of it.
    Failed,
    /// Nothing is written, and the host dies.
    DiedBefore,
    /// All is written, and the host dies.
    DiedAfter,
}

/// The place of a store that is held in memory and written through to a database in one transaction that
/// compares the fence. No answer may leave before [`Buffered::flush`] has come through; if it has not, memory
/// is worth nothing and the store is opened again.
#[derive(Clone)]
pub struct Buffered {
    durable: Database,
    key: Arc<StoreKey>,
    system: Arc<dyn System>,
    memory: Arc<Mutex<(Database, u64)>>,
}

impl Buffered {
    /// The store in `durable`, whose key the host has kept.
    pub fn new(durable: Database, key: Arc<StoreKey>, system: Arc<dyn System>) -> Self {
        Self {
            durable,
            key,
            system,
            memory: Arc::default(),
        }
    }

    /// Makes durable what was committed since, in one transaction. Whether it came through.
    pub fn flush(&self, how: Flush) -> Result<(), StoreError> {
        let (changes, fence) = self.taken();
        match how {
            Flush::Done => self.durable.write(fence, changes),
            Flush::DiedAfter => {
                self.durable.write(fence, changes)?;
                Err(StoreError::Unknown)
            }
            Flush::Failed => Err(StoreError::Full),
            Flush::DiedBefore => Err(StoreError::Unknown),
        }
    }

    fn taken(&self) -> (Changes, u64) {
        let memory = self.memory.lock().unwrap_or_else(PoisonError::into_inner);
        (memory.0.take_changes(), memory.1)
    }

    /// The store as memory has it from now on.
    fn inner(&self, database: Database) -> Memory {
        Memory::new(database, Unlock::Key(self.key.clone()), self.system.clone())
    }

    fn load(&self, make: bool) -> Result<Box<dyn Store>, StoreError> {
        let before = self.durable.fence();
        let database = Database::of(self.durable.values());
        let mut inner = self.inner(database.clone());
        let store = match make {
            true => inner.create()?,
            false => inner.open()?,
        };
        // The fence is taken in a transaction of its own, before anything else.
        self.durable.write(before, database.take_changes())?;
        let mut memory = self.memory.lock().unwrap_or_else(PoisonError::into_inner);
        *memory = (database.clone(), database.fence());
        Ok(store)
    }
}

impl Place for Buffered {
    fn exists(&self) -> bool {
        !self.durable.values().is_empty()
    }

    fn create(&mut self) -> Result<Box<dyn Store>, StoreError> {
        self.load(true)
    }

    fn open(&mut self) -> Result<Box<dyn Store>, StoreError> {
        self.load(false)
    }

    fn erase(&mut self) -> Result<(), StoreError> {
        self.inner(self.durable.clone()).erase()
    }

    fn replace_secret(&mut self, _: Secret) -> Option<Secret> {
        None
    }

    fn is_strong(&self) -> bool {
        true
    }
}
