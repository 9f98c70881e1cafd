//! The phone's store: one SQLite file whose rows are sealed one by one.
//!
//! The core says which rows to write and what they hold; this module makes them durable together
//! or not at all, and keeps the file closed to everybody without the secret. Sealing rows instead
//! of the file (SQLCipher) keeps one SQLite for phone and server, lets each space have a key that
//! can be dropped, and works the same in a browser's store.
//!
//! In clear stand only: that it is a store of ours, its format and suite, its random id, what the
//! key slots cost, and how many rows of which length each table has. Copies of what the server does
//! not have (the outbox) are sealed to the server, and not by this store's key.
//!
//! # Two processes
//! Whoever opens a store takes its **fence**: a number that goes up by one. Every commit compares
//! it in its own transaction, so the one that opened earlier writes nothing any more (R9).
//!
//! # After an error
//! [`StoreError`] says of each error whether anything may have changed. After
//! [`StoreError::Io`] that is *unknown*: this value refuses to go on, and the store has to be
//! opened again and the replica loaded from it (R8).

mod data_keys;
mod error;
mod format;
#[cfg(test)]
mod tests;

use std::path::{Path, PathBuf};
use std::time::Duration;

use getrandom::SysRng;
use getrandom::rand_core::UnwrapErr;
use rusqlite::{
    Connection, OpenFlags, OptionalExtension, Transaction, TransactionBehavior, params,
};
use sync_core::id::Space;
use sync_core::row::{ReadRows, Row, Table, Unreadable};
use sync_core::seal::{
    DataKey, KdfParams, KeyId, RowName, SUITE, SealError, Slot, SlotKind, StoreId, StoreKey,
};

use crate::keys::Secret;

use data_keys::DataKeys;
pub use error::StoreError;
use error::{damaged, io};

/// The file in the store's directory.
pub const FILE_NAME: &str = "ortoo.db";
/// The format that this program writes, in the header and as SQLite's `user_version`.
pub const FORMAT: u32 = 2;
/// How long a commit waits for another process before it is [`StoreError::Busy`].
pub const BUSY_WAIT: Duration = Duration::from_secs(5);
/// SQLite's `application_id`: "ORTO".
const APPLICATION_ID: u32 = 0x4f52_544f;
const MAGIC: &str = "ortoo store";
/// The number in the place of a data key's, of rows that the core has sealed.
const SEALED_BY_CORE: KeyId = KeyId(u32::MAX);
/// More slots than this are not tried: each costs half a second.
const SLOTS_MAX: u32 = 8;

const SCHEMA: &str = "
    CREATE TABLE header (
        id INTEGER PRIMARY KEY CHECK (id = 1),
        magic TEXT NOT NULL,
        format INTEGER NOT NULL,
        suite INTEGER NOT NULL,
        store BLOB NOT NULL
    ) STRICT;
    CREATE TABLE slot (id INTEGER PRIMARY KEY, slot BLOB NOT NULL) STRICT;
    CREATE TABLE fence (id INTEGER PRIMARY KEY CHECK (id = 1), value INTEGER NOT NULL) STRICT;
    CREATE TABLE dek (key_id INTEGER PRIMARY KEY, wrapped BLOB NOT NULL) STRICT;
";

/// With row ids: a table without them puts all above a quarter of a page of each value on pages of its
/// own, which were half of a store.
const ROWS: &str = "
    CREATE TABLE row (
        tbl INTEGER NOT NULL,
        name BLOB NOT NULL,
        key_id INTEGER NOT NULL,
        value BLOB NOT NULL,
        PRIMARY KEY (tbl, name)
    ) STRICT;
";

/// An open store. There is one writer at a time: the one that opened last.
pub struct Store {
    db: Connection,
    fence: i64,
    key: StoreKey,
    data_keys: DataKeys,
    /// The outcome of an earlier write is unknown.
    unknown: bool,
}

impl Store {
    /// Makes the store in `dir`, which is made too if need be, and opens it.
    ///
    /// One transaction: a process that is killed in the middle leaves a file that counts as no
    /// store, and that a later call fills. [`StoreError::Exists`] if there is one.
    pub fn create(dir: &Path, secret: &Secret, kdf: KdfParams) -> Result<Self, StoreError> {
        let mut rng = system_rng()?;
        make_dir(dir)?;
        if Self::exists(dir) {
            return Err(StoreError::Exists);
        }
        let mut db = connect(dir, OpenFlags::SQLITE_OPEN_CREATE)?;
        let key = StoreKey::generate(&mut rng);
        let slot = slot_of(&key, secret, kdf)?;
        let tx = begin(&mut db)?;
        if !is_empty(&tx)? {
            return Err(StoreError::Exists);
        }
        tx.execute_batch(SCHEMA)?;
        tx.execute_batch(ROWS)?;
        tx.execute(
            "INSERT INTO header (id, magic, format, suite, store) VALUES (1, ?1, ?2, ?3, ?4)",
            params![MAGIC, FORMAT, SUITE, key.id().0],
        )?;
        tx.execute(
            "INSERT INTO slot (id, slot) VALUES (1, ?1)",
            [slot.to_bytes()],
        )?;
        tx.execute("INSERT INTO fence (id, value) VALUES (1, 1)", [])?;
        tx.pragma_update(None, "application_id", APPLICATION_ID)?;
        tx.pragma_update(None, "user_version", FORMAT)?;
        tx.commit().map_err(io)?;
        let data_keys = DataKeys::new(&key);
        Ok(Self {
            db,
            fence: 1,
            key,
            data_keys,
            unknown: false,
        })
    }

    /// Opens the store in `dir` and takes its fence from whoever had it.
    ///
    /// Costs what the slot's parameters say, about half a second on a cheap phone; the rest is
    /// milliseconds. A wrong secret changes nothing, so it does not take the fence either.
    pub fn open(dir: &Path, secret: &Secret) -> Result<Self, StoreError> {
        // Asked once here, so that a system without randomness is an error and not a panic later.
        system_rng()?;
        if !path(dir).is_file() {
            return Err(StoreError::NotThere);
        }
        // Left by a process that was killed, perhaps between an erasure and the end of its log.
        let log = std::fs::metadata(dir.join(format!("{FILE_NAME}-wal")));
        let log_left = log.is_ok_and(|log| log.len() > 0);
        let mut db = connect(dir, OpenFlags::empty())?;
        if is_empty(&db)? {
            return Err(StoreError::NotThere);
        }
        let (store, format) = read_header(&db)?;
        let key = unlock(&db, store, secret)?;
        let data_keys = read_data_keys(&db, &key)?;
        if format < FORMAT {
            format::renew(&mut db, &data_keys)?;
        }
        let tx = begin(&mut db)?;
        let fence = tx
            .query_row(
                "UPDATE fence SET value = value + 1 WHERE id = 1 RETURNING value",
                [],
                |row| row.get(0),
            )
            .optional()?
            .ok_or(damaged("fence"))?;
        tx.commit().map_err(io)?;
        let mut store = Self {
            db,
            fence,
            key,
            data_keys,
            unknown: false,
        };
        if log_left {
            store.leave_no_trace();
        }
        Ok(store)
    }

    /// Whether there is a store in `dir`, or something in its place that only
    /// [`Self::open`] can name.
    pub fn exists(dir: &Path) -> bool {
        path(dir).is_file()
            && !connect(dir, OpenFlags::empty()).is_ok_and(|db| is_empty(&db) == Ok(true))
    }

    /// Makes `rows` durable, all or none; a row without a value is deleted.
    ///
    /// Afterwards they survive a killed process and a cut supply. A row of a space without a data
    /// key brings one into being, in the same transaction.
    pub fn commit(&mut self, rows: &[Row]) -> Result<(), StoreError> {
        let Self { key, data_keys, .. } = self;
        // Borrowed apart from `self.db`, which the transaction holds.
        let (key, data_keys): (&StoreKey, &DataKeys) = (key, data_keys);
        let mut rng = UnwrapErr(SysRng);
        let new_keys = write(&mut self.db, &mut self.unknown, self.fence, |tx| {
            let mut new_keys: Vec<(Space, DataKey)> = Vec::new();
            for row in rows {
                let name = key.row_name(row.table, &row.key);
                let Some(value) = &row.value else {
                    tx.prepare_cached("DELETE FROM row WHERE tbl = ?1 AND name = ?2")?
                        .execute(params![row.table as u8, name.0])?;
                    continue;
                };
                if let Some(space) = data_keys.lacks(row.space.as_ref())
                    && !new_keys.iter().any(|(other, _)| other == space)
                {
                    new_keys.push((space.clone(), add_data_key(tx, key, space)?));
                }
                let data_key = match &row.space {
                    // Sealed by the core, to the server.
                    None if row.table == Table::Outbox => None,
                    None => Some(&data_keys.own),
                    Some(space) => {
                        let new = new_keys.iter().find(|(other, _)| other == space);
                        let key = data_keys.of(space).or(new.map(|(_, key)| key));
                        Some(key.ok_or(damaged("data keys"))?)
                    }
                };
                let (key_id, sealed) = match data_key {
                    None => (SEALED_BY_CORE, value.clone()),
                    Some(key) => {
                        let sealed = key.seal(&mut rng, row.table, name, value);
                        (key.id(), sealed.map_err(|_| damaged("row to write"))?)
                    }
                };
                tx.prepare_cached(
                    "INSERT INTO row (tbl, name, key_id, value) VALUES (?1, ?2, ?3, ?4)
                     ON CONFLICT (tbl, name) DO UPDATE SET key_id = ?3, value = ?4",
                )?
                .execute(params![row.table as u8, name.0, key_id.0, sealed])?;
            }
            Ok(new_keys)
        })?;
        new_keys
            .into_iter()
            .for_each(|(space, key)| self.data_keys.add(space, key));
        Ok(())
    }

    /// Hands out the values of all rows of `table`, in no meaningful order, and returns how many
    /// were damaged: those that don't open, because they were altered, swapped or their key is
    /// lost. The others are unharmed, so that is the caller's to report and no error.
    pub fn rows(&self, table: Table, mut each: impl FnMut(Vec<u8>)) -> Result<usize, StoreError> {
        let mut statement = self
            .db
            .prepare_cached("SELECT name, key_id, value FROM row WHERE tbl = ?1")?;
        let mut rows = statement.query([table as u8])?;
        let mut damaged = 0;
        while let Some(row) = rows.next()? {
            match self.open_row(table, row) {
                Ok(value) => each(value),
                Err(()) => damaged += 1,
            }
        }
        Ok(damaged)
    }

    /// The outbox of the store in `dir`, for whoever has no secret: copies of what the server does not
    /// have, which only the server opens.
    pub fn outbox(dir: &Path) -> Result<Vec<Vec<u8>>, StoreError> {
        if !Self::exists(dir) {
            return Err(StoreError::NotThere);
        }
        let db = connect(dir, OpenFlags::empty())?;
        read_header(&db)?;
        let mut statement = db.prepare("SELECT value FROM row WHERE tbl = ?1")?;
        let rows = statement.query_map([Table::Outbox as u8], |row| row.get(0))?;
        rows.map(|row| Ok(row?)).collect()
    }

    /// The value of one row, or `None` if there is none.
    pub fn row(&self, table: Table, key: &[u8]) -> Result<Option<Vec<u8>>, StoreError> {
        let name = self.key.row_name(table, key);
        let mut statement = self
            .db
            .prepare_cached("SELECT name, key_id, value FROM row WHERE tbl = ?1 AND name = ?2")?;
        statement
            .query_row(params![table as u8, name.0], |row| {
                Ok(self.open_row(table, row))
            })
            .optional()?
            .transpose()
            .map_err(|()| damaged("row"))
    }

    fn open_row(&self, table: Table, row: &rusqlite::Row<'_>) -> Result<Vec<u8>, ()> {
        let name = row.get(0).map(RowName).map_err(drop)?;
        let key = row.get(1).map(KeyId).map_err(drop)?;
        let sealed = row.get_ref(2).map_err(drop)?.as_blob().map_err(drop)?;
        if table == Table::Outbox && key == SEALED_BY_CORE {
            return Ok(sealed.to_vec());
        }
        self.data_keys
            .numbered(key)
            .ok_or(())?
            .open(table, name, sealed)
            .map_err(drop)
    }

    /// Erases a space: its data key, its rows, and what the write-ahead log still holds of them.
    ///
    /// [`StoreError::Busy`] means that all is deleted but another process keeps the log from being
    /// cut; call again, which is harmless.
    pub fn drop_space(&mut self, space: &Space) -> Result<(), StoreError> {
        if let Some(id) = self.data_keys.spaces.get(space).copied() {
            write(&mut self.db, &mut self.unknown, self.fence, |tx| {
                tx.execute("DELETE FROM row WHERE key_id = ?1", [id.0])?;
                tx.execute("DELETE FROM dek WHERE key_id = ?1", [id.0])?;
                Ok(())
            })?;
            self.data_keys.spaces.remove(space);
            self.data_keys.keys.remove(&id);
        }
        self.cut_log()
    }

    /// Seals the store key under another secret; the old secret opens nothing any more. No row is
    /// written anew. [`StoreError::Busy`] as in [`Self::drop_space`].
    pub fn change_secret(&mut self, secret: &Secret, kdf: KdfParams) -> Result<(), StoreError> {
        let slot = slot_of(&self.key, secret, kdf)?;
        write(&mut self.db, &mut self.unknown, self.fence, |tx| {
            tx.execute("DELETE FROM slot", [])?;
            tx.execute(
                "INSERT INTO slot (id, slot) VALUES (1, ?1)",
                [slot.to_bytes()],
            )?;
            Ok(())
        })?;
        self.cut_log()
    }

    /// How many rows a table has.
    pub fn count(&self, table: Table) -> Result<u32, StoreError> {
        let mut statement = self
            .db
            .prepare_cached("SELECT count(*) FROM row WHERE tbl = ?1")?;
        Ok(statement.query_row([table as u8], |row| row.get(0))?)
    }

    /// Whether a table has any.
    pub fn has_rows(&self, table: Table) -> Result<bool, StoreError> {
        let mut statement = self
            .db
            .prepare_cached("SELECT EXISTS (SELECT 1 FROM row WHERE tbl = ?1)")?;
        Ok(statement.query_row([table as u8], |row| row.get(0))?)
    }

    /// Destroys the store in `dir`: overwrites its sealed keys where the file can still be read, and
    /// deletes its files. No error where there is none.
    pub fn erase(dir: &Path) -> Result<(), StoreError> {
        if path(dir).is_file()
            && let Ok(db) = connect(dir, OpenFlags::empty())
        {
            // Deleted rows are overwritten (`secure_delete`). What can't be read has no keys to lose.
            drop(db.execute_batch("DELETE FROM slot; DELETE FROM dek; DELETE FROM row;"));
            drop(db.query_row("PRAGMA wal_checkpoint(TRUNCATE)", [], |_| Ok(())));
        }
        for suffix in ["", "-wal", "-shm", "-journal"] {
            let file = dir.join(format!("{FILE_NAME}{suffix}"));
            match std::fs::remove_file(file) {
                Err(error) if error.kind() != std::io::ErrorKind::NotFound => {
                    return Err(StoreError::Io(Box::new(error)));
                }
                _ => {}
            }
        }
        Ok(())
    }

    /// After an erasure: empties the log, which still has what was overwritten. Free pages are
    /// overwritten by themselves (`secure_delete`). Should somebody else be reading, the next opening
    /// does it.
    pub(crate) fn leave_no_trace(&mut self) {
        drop(self.cut_log());
    }

    /// Moves the write-ahead log into the database and empties it.
    fn cut_log(&mut self) -> Result<(), StoreError> {
        let busy: bool = self
            .db
            .query_row("PRAGMA wal_checkpoint(TRUNCATE)", [], |row| row.get(0))?;
        if busy { Err(StoreError::Busy) } else { Ok(()) }
    }
}

impl ReadRows for Store {
    fn read(&self, table: Table, key: &[u8]) -> Result<Option<Vec<u8>>, Unreadable> {
        self.row(table, key)
            .map_err(|error| Unreadable(error.to_string()))
    }
}

impl std::fmt::Debug for Store {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Store")
            .field("fence", &self.fence)
            .finish_non_exhaustive()
    }
}

/// One transaction of the writer that holds `fence`; `unknown` is set when its outcome is.
fn write<T>(
    db: &mut Connection,
    unknown: &mut bool,
    fence: i64,
    work: impl FnOnce(&Transaction<'_>) -> Result<T, StoreError>,
) -> Result<T, StoreError> {
    if *unknown {
        return Err(StoreError::Unknown);
    }
    let result = (|| {
        let tx = begin(db)?;
        let current: Option<i64> = tx
            .query_row("SELECT value FROM fence WHERE id = 1", [], |row| row.get(0))
            .optional()?;
        if current.ok_or(damaged("fence"))? != fence {
            return Err(StoreError::Fenced);
        }
        let done = work(&tx)?;
        tx.commit().map_err(io)?;
        Ok(done)
    })();
    *unknown = matches!(result, Err(StoreError::Io(_)));
    result
}

/// Begins by taking the write lock, so that nothing read in the transaction is stale.
fn begin(db: &mut Connection) -> Result<Transaction<'_>, StoreError> {
    Ok(db.transaction_with_behavior(TransactionBehavior::Immediate)?)
}

/// Draws a key for `space` and stores it wrapped, under the next free number.
fn add_data_key(
    tx: &Transaction<'_>,
    key: &StoreKey,
    space: &Space,
) -> Result<DataKey, StoreError> {
    let mut rng = UnwrapErr(SysRng);
    let id = tx.query_row("SELECT coalesce(max(key_id), 0) + 1 FROM dek", [], |row| {
        row.get(0)
    })?;
    let data_key = key.new_data_key(&mut rng, KeyId(id));
    let wrapped = key
        .wrap(&mut rng, &data_key, space)
        .map_err(|_| damaged("data key"))?;
    tx.execute(
        "INSERT INTO dek (key_id, wrapped) VALUES (?1, ?2)",
        params![id, wrapped],
    )?;
    Ok(data_key)
}

/// All keys that open.
fn read_data_keys(db: &Connection, key: &StoreKey) -> Result<DataKeys, StoreError> {
    let mut all = DataKeys::new(key);
    let mut statement = db.prepare("SELECT key_id, wrapped FROM dek ORDER BY key_id")?;
    let mut rows = statement.query([])?;
    while let Some(row) = rows.next()? {
        if let (Ok(id), Ok(wrapped)) = (row.get(0).map(KeyId), row.get::<_, Vec<u8>>(1)) {
            all.unwrap(key, id, &wrapped)?;
        }
    }
    Ok(all)
}

/// Checks that the file is a store of ours that this program can read; which one, in which format.
fn read_header(db: &Connection) -> Result<(StoreId, u32), StoreError> {
    let pragma = |name| db.pragma_query_value(None, name, |row| row.get::<_, u32>(0));
    if pragma("application_id")? != APPLICATION_ID {
        return Err(damaged("application id"));
    }
    match pragma("user_version")? {
        1..=FORMAT => {}
        0 => return Err(damaged("format")),
        version => return Err(newer("format", version)),
    }
    let header = db
        .query_row(
            "SELECT magic, format, suite, store FROM header WHERE id = 1",
            [],
            |row| {
                Ok((
                    row.get::<_, String>(0)?,
                    row.get::<_, u32>(1)?,
                    row.get::<_, u8>(2)?,
                    row.get(3)?,
                ))
            },
        )
        .optional()?;
    match header.ok_or(damaged("header"))? {
        (magic, ..) if magic != MAGIC => Err(damaged("header")),
        (_, version, ..) if version > FORMAT => Err(newer("format", version)),
        (_, _, suite, _) if suite != SUITE => Err(newer("suite", suite.into())),
        (_, format, _, store) => Ok((StoreId(store), format)),
    }
}

/// The store's key, sealed for `secret`.
fn slot_of(key: &StoreKey, secret: &Secret, kdf: KdfParams) -> Result<Slot, StoreError> {
    let slot = secret.opens(|opener| key.to_slot(&mut UnwrapErr(SysRng), opener, kdf));
    slot.map_err(|error| match error {
        SealError::KeyStoreSilent => StoreError::KeyStoreSilent,
        _ => damaged("key slot"),
    })
}

/// Tries `secret` on the slots. What keeps a slot from being tried is only told if no other opens.
fn unlock(db: &Connection, store: StoreId, secret: &Secret) -> Result<StoreKey, StoreError> {
    let mut statement = db.prepare("SELECT slot FROM slot ORDER BY id LIMIT ?1")?;
    let slots = statement
        .query_map([SLOTS_MAX], |row| row.get::<_, Vec<u8>>(0))?
        .collect::<Result<Vec<_>, _>>()?;
    let mut refusal = damaged("key slots");
    for bytes in slots {
        let opened = Slot::from_bytes(&bytes)
            .and_then(|slot| secret.opens(|opener| StoreKey::from_slot(store, &slot, opener)));
        match opened {
            Ok(key) => return Ok(key),
            Err(SealError::DoesNotOpen) => refusal = StoreError::WrongSecret,
            Err(SealError::KeyStoreSilent) => refusal = StoreError::KeyStoreSilent,
            Err(_)
                if matches!(
                    refusal,
                    StoreError::WrongSecret | StoreError::KeyStoreSilent
                ) => {}
            Err(SealError::SlotKind(kind)) if SlotKind::is_used(kind) => {
                refusal = StoreError::OtherSecret;
            }
            Err(SealError::SlotKind(kind)) => refusal = newer("key slot", kind.into()),
            Err(SealError::UnknownSuite(suite)) => refusal = newer("suite", suite.into()),
            Err(_) => refusal = damaged("key slot"),
        }
    }
    Err(refusal)
}

fn path(dir: &Path) -> PathBuf {
    dir.join(FILE_NAME)
}

/// Whether the file has no tables: a store whose making was cut off.
fn is_empty(db: &Connection) -> Result<bool, StoreError> {
    Ok(
        db.query_row("SELECT count(*) FROM sqlite_schema", [], |row| {
            row.get::<_, u32>(0)
        })? == 0,
    )
}

fn connect(dir: &Path, more: OpenFlags) -> Result<Connection, StoreError> {
    let flags = OpenFlags::SQLITE_OPEN_READ_WRITE | OpenFlags::SQLITE_OPEN_NO_MUTEX | more;
    let db = Connection::open_with_flags(path(dir), flags)?;
    db.busy_timeout(BUSY_WAIT)?;
    db.pragma_update(None, "journal_mode", "WAL")?;
    // FULL also waits for the log after each commit: "saved" means on disk.
    db.pragma_update(None, "synchronous", "FULL")?;
    db.pragma_update(None, "secure_delete", true)?;
    db.pragma_update(None, "foreign_keys", true)?;
    // The file may have been written by somebody else: no functions of its schema are run, and
    // damaged pages are looked for.
    db.pragma_update(None, "trusted_schema", false)?;
    db.pragma_update(None, "cell_size_check", true)?;
    Ok(db)
}

/// Makes the directory, for the user alone where the system knows users.
fn make_dir(dir: &Path) -> Result<(), StoreError> {
    let mut builder = std::fs::DirBuilder::new();
    builder.recursive(true);
    #[cfg(unix)]
    std::os::unix::fs::DirBuilderExt::mode(&mut builder, 0o700);
    builder
        .create(dir)
        .map_err(|error| StoreError::Io(Box::new(error)))
}

/// The operating system's randomness, asked once to see that it is there.
fn system_rng() -> Result<UnwrapErr<SysRng>, StoreError> {
    getrandom::fill(&mut [0; 1]).map_err(|error| StoreError::Io(Box::new(error)))?;
    Ok(UnwrapErr(SysRng))
}

fn newer(what: &'static str, version: u32) -> StoreError {
    StoreError::TooNew { what, version }
}
