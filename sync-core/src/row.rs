//! Rows that a replica asks its host to persist: a handful of tables, opaque to the host.

use crate::id::Space;

/// The tables of a replica's store. The numbers are on disk.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Table {
    /// Single values: identity, settings, positions of exchanges.
    Meta = 0,
    /// Control entries under their hash.
    Control = 1,
    /// Batches under space and hash: the truth.
    Batch = 2,
    /// Records under space and id: saved document and view, a cache of the batches.
    Record = 3,
    /// Saved edits that no batch holds yet, under space and number.
    Staged = 4,
    /// Batches whose parents or author are not known yet (R6).
    Stash = 5,
    /// Private keys; the host's own, never read by the core.
    Key = 6,
    /// Copies of what the server does not have yet, sealed to the server by the core: stored as they
    /// are, so that they can be brought to the server by whoever has no secret of the store.
    Outbox = 7,
    /// Edits of erased records that the office never saw, for their author to decide on (R32).
    Orphaned = 8,
}

impl Table {
    /// All tables, in the order of their numbers.
    pub const ALL: [Table; 9] = [
        Table::Meta,
        Table::Control,
        Table::Batch,
        Table::Record,
        Table::Staged,
        Table::Stash,
        Table::Key,
        Table::Outbox,
        Table::Orphaned,
    ];

    /// The table's name, for people who look for a fault.
    pub fn name(self) -> &'static str {
        match self {
            Table::Meta => "meta",
            Table::Control => "control",
            Table::Batch => "batch",
            Table::Record => "record",
            Table::Staged => "staged",
            Table::Stash => "stash",
            Table::Key => "key",
            Table::Outbox => "outbox",
            Table::Orphaned => "kept",
        }
    }
}

/// One row to write or, with no value, to delete.
///
/// All rows of one step are persisted in one transaction, in which the host also compares its
/// writer fence (R9); if that fails the result is unknown and the replica must be reopened (R8).
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Row {
    /// Where the row stands.
    pub table: Table,
    /// The logical key; the host seals it, so a value repeats what it needs of its key.
    pub key: Vec<u8>,
    /// The space whose key seals the value, or `None` for the store's own.
    pub space: Option<Space>,
    /// The bytes to keep, or `None` to delete the row.
    pub value: Option<Vec<u8>>,
}

/// The host could not read a row: its disk, not the caller.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("the store can't be read: {0}")]
pub struct Unreadable(pub String);

/// How the core reads a single row back from its host.
pub trait ReadRows {
    /// The value of a row, or `None` if there is none.
    fn read(&self, table: Table, key: &[u8]) -> Result<Option<Vec<u8>>, Unreadable>;
}
