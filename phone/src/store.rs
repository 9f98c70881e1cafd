//! The store that a host keeps for a phone: sealed rows with one writer, and the place where they lie.
//!
//! Which key seals which row is decided in [`crate::vault`]; a host keeps the bytes and writes those of one
//! step together or not at all. Every host's store must pass the conformance suite
//! (`crate::conformance`).
//!
//! # Two writers
//! Whoever opens a store takes its **fence**: a number that goes up by one. Every commit compares it in
//! its own transaction, so the one that opened earlier writes nothing any more (R9).
//!
//! # After an error
//! [`StoreError`] says of each error whether anything may have changed. After [`StoreError::Io`] that is
//! *unknown*: the store refuses to go on, and has to be opened again at its [`Place`] and the replica
//! loaded from it (R8).

mod error;

pub use error::{StoreError, damaged, newer};

use sync_core::id::Space;
use sync_core::row::{ReadRows, Row, Table, Unreadable};

use crate::keys::Secret;

/// An open store of sealed rows. There is one writer at a time: the one that opened last.
pub trait Store: ReadRows + Send {
    /// The value of one row, or `None` if there is none.
    fn row(&self, table: Table, key: &[u8]) -> Result<Option<Vec<u8>>, StoreError>;

    /// Hands out the values of all rows of `table`, in no meaningful order, and returns how many
    /// were damaged: those that don't open, because they were altered, swapped or their key is
    /// lost. The others are unharmed, so that is the caller's to report and no error.
    fn rows(&self, table: Table, each: &mut dyn FnMut(Vec<u8>)) -> Result<usize, StoreError>;

    /// How many rows a table has.
    fn count(&self, table: Table) -> Result<u32, StoreError>;

    /// Makes `rows` durable, all or none; a row without a value is deleted.
    ///
    /// A row of a space without a data key brings one into being, in the same transaction. "Durable" may
    /// be said by a host that writes later, if no answer leaves it before that: neither a call's outcome
    /// nor a byte to send.
    fn commit(&mut self, rows: &[Row]) -> Result<(), StoreError>;

    /// Erases a space: its data key, its rows, and what a log still holds of them.
    ///
    /// [`StoreError::Busy`] means that all is deleted but somebody keeps the log from being cut; call
    /// again, which is harmless.
    fn drop_space(&mut self, space: &Space) -> Result<(), StoreError>;

    /// Seals the store key under another secret; the old secret opens nothing any more. No row is
    /// written anew. [`StoreError::Busy`] as in [`Self::drop_space`].
    fn change_secret(&mut self, secret: &Secret) -> Result<(), StoreError>;

    /// After an erasure: nothing of what was overwritten stays anywhere. What can't be done now is done at
    /// the next opening.
    fn leave_no_trace(&mut self);

    /// Numbers for whoever helps: the store's format, its size in bytes. Names are stable.
    fn measures(&self) -> Vec<(&'static str, u64)>;
}

impl ReadRows for Box<dyn Store> {
    fn read(&self, table: Table, key: &[u8]) -> Result<Option<Vec<u8>>, Unreadable> {
        (**self).read(table, key)
    }
}

/// The place of a phone's store: where it is made, opened, and opened again after a write of unknown
/// outcome (R8).
pub trait Place: Send {
    /// Whether there is a store, or something that only [`Self::open`] can name.
    fn exists(&self) -> bool;

    /// Makes the store and opens it. [`StoreError::Exists`] if there is one.
    fn create(&mut self) -> Result<Box<dyn Store>, StoreError>;

    /// Opens the store and takes its fence from whoever had it. A wrong secret changes nothing, so it
    /// does not take the fence either.
    fn open(&mut self) -> Result<Box<dyn Store>, StoreError>;

    /// Destroys the store: its keys first. No error where there is none.
    fn erase(&mut self) -> Result<(), StoreError>;

    /// Has the store opened with `secret` from now on; returns the one before, where secrets open it.
    fn replace_secret(&mut self, secret: Secret) -> Option<Secret>;

    /// Whether the secret may guard a store of real spaces.
    fn is_strong(&self) -> bool;
}
