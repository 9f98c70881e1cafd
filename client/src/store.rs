//! The phone's store in one SQLite file.
//!
//! [`phone::vault`] seals every row; this module makes rows durable together or not at all. The fence of
//! [`phone::store`] is a row of the file, compared in the transaction that writes.

mod error;
#[cfg(test)]
mod tests;

use std::path::{Path, PathBuf};
use std::time::Duration;

pub use phone::store::StoreError;
use phone::store::{Place, Store, damaged, newer};
use phone::vault::{FORMAT, Header, SLOTS_MAX, Vault};
use rusqlite::{
    Connection, OpenFlags, OptionalExtension, Transaction, TransactionBehavior, params,
};
use sync_core::id::Space;
use sync_core::row::{ReadRows, Row, Table, Unreadable};
use sync_core::seal::{KdfParams, KeyId, RowName, StoreId};

use crate::keys::Secret;
use crate::system;

use error::{Failed, io};

/// The file in the store's directory.
pub const FILE_NAME: &str = "ortoo.db";
/// How long a commit waits for another process before it is [`StoreError::Busy`].
pub const BUSY_WAIT: Duration = Duration::from_secs(5);
/// SQLite's `application_id`: "ORTO".
const APPLICATION_ID: u32 = 0x4f52_544f;

/// Rows have row ids: a table without them puts all above a quarter of a page of each value on pages of
/// its own, which were half of a store.
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
    CREATE TABLE row (
        tbl INTEGER NOT NULL,
        name BLOB NOT NULL,
        key_id INTEGER NOT NULL,
        value BLOB NOT NULL,
        PRIMARY KEY (tbl, name)
    ) STRICT;
";

/// An open store.
pub struct SqliteStore {
    db: Connection,
    file: PathBuf,
    fence: i64,
    vault: Vault,
    /// The outcome of an earlier write is unknown.
    unknown: bool,
}

impl SqliteStore {
    /// Makes the store in `dir`, which is made too if need be, and opens it.
    ///
    /// One transaction: a process that is killed in the middle leaves a file that counts as no
    /// store, and that a later call fills. [`StoreError::Exists`] if there is one.
    pub fn create(dir: &Path, secret: &Secret, kdf: KdfParams) -> Result<Self, StoreError> {
        system::check()?;
        make_dir(dir)?;
        if Self::exists(dir) {
            return Err(StoreError::Exists);
        }
        Ok(create(dir, secret, kdf)?)
    }

    /// Opens the store in `dir` and takes its fence from whoever had it.
    ///
    /// Costs what the slot's parameters say, about half a second on a cheap phone; the rest is
    /// milliseconds. A wrong secret changes nothing, so it does not take the fence either.
    pub fn open(dir: &Path, secret: &Secret) -> Result<Self, StoreError> {
        // Asked once here, so that a system without randomness is an error and not a panic later.
        system::check()?;
        if !path(dir).is_file() {
            return Err(StoreError::NotThere);
        }
        Ok(open(dir, secret)?)
    }

    /// Whether there is a store in `dir`, or something in its place that only
    /// [`Self::open`] can name.
    pub fn exists(dir: &Path) -> bool {
        path(dir).is_file()
            && !connect(dir, OpenFlags::empty())
                .is_ok_and(|db| is_empty(&db).is_ok_and(|empty| empty))
    }

    /// The outbox of the store in `dir`, for whoever has no secret: copies of what the server does not
    /// have, which only the server opens.
    pub fn outbox(dir: &Path) -> Result<Vec<Vec<u8>>, StoreError> {
        if !Self::exists(dir) {
            return Err(StoreError::NotThere);
        }
        Ok(outbox(dir)?)
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

    fn read_row(&self, table: Table, key: &[u8]) -> Result<Option<Vec<u8>>, Failed> {
        let name = self.vault.name(table, key);
        let mut statement = self
            .db
            .prepare_cached("SELECT name, key_id, value FROM row WHERE tbl = ?1 AND name = ?2")?;
        let row = statement
            .query_row(params![table as u8, name.0], |row| {
                Ok(self.open_row(table, row))
            })
            .optional()?;
        Ok(row.transpose()?)
    }

    fn read_rows(&self, table: Table, each: &mut dyn FnMut(Vec<u8>)) -> Result<usize, Failed> {
        let mut statement = self
            .db
            .prepare_cached("SELECT name, key_id, value FROM row WHERE tbl = ?1")?;
        let mut rows = statement.query([table as u8])?;
        let mut damaged = 0;
        while let Some(row) = rows.next()? {
            match self.open_row(table, row) {
                Ok(value) => each(value),
                Err(_) => damaged += 1,
            }
        }
        Ok(damaged)
    }

    fn open_row(&self, table: Table, row: &rusqlite::Row<'_>) -> Result<Vec<u8>, StoreError> {
        let unreadable = |_| damaged("row");
        let name = row.get(0).map(RowName).map_err(unreadable)?;
        let key = row.get(1).map(KeyId).map_err(unreadable)?;
        let sealed = row.get_ref(2).map_err(unreadable)?;
        let sealed = sealed.as_blob().map_err(|_| damaged("row"))?;
        self.vault.open(table, name, key, sealed)
    }

    /// One transaction of the writer that holds the fence. An unknown outcome is remembered.
    fn write(
        &mut self,
        work: impl FnOnce(&Transaction<'_>) -> Result<(), Failed>,
    ) -> Result<(), StoreError> {
        if self.unknown {
            return Err(StoreError::Unknown);
        }
        let written = write(&mut self.db, self.fence, work).map_err(StoreError::from);
        self.unknown = matches!(written, Err(StoreError::Io(_)));
        written
    }

    /// Moves the write-ahead log into the database and empties it.
    fn cut_log(&mut self) -> Result<(), StoreError> {
        let cut = "PRAGMA wal_checkpoint(TRUNCATE)";
        let busy = self.db.query_row(cut, [], |row| row.get::<_, bool>(0));
        match busy.map_err(Failed::from)? {
            true => Err(StoreError::Busy),
            false => Ok(()),
        }
    }
}

impl Store for SqliteStore {
    fn row(&self, table: Table, key: &[u8]) -> Result<Option<Vec<u8>>, StoreError> {
        Ok(self.read_row(table, key)?)
    }

    fn rows(&self, table: Table, each: &mut dyn FnMut(Vec<u8>)) -> Result<usize, StoreError> {
        Ok(self.read_rows(table, each)?)
    }

    fn count(&self, table: Table) -> Result<u32, StoreError> {
        let count = "SELECT count(*) FROM row WHERE tbl = ?1";
        let count = self.db.query_row(count, [table as u8], |row| row.get(0));
        Ok(count.map_err(Failed::from)?)
    }

    /// Afterwards the rows survive a killed process and a cut supply.
    fn commit(&mut self, rows: &[Row]) -> Result<(), StoreError> {
        let sealed = self.vault.seal(&mut system::rng(), rows)?;
        self.write(|tx| {
            let mut insert =
                tx.prepare_cached("INSERT INTO dek (key_id, wrapped) VALUES (?1, ?2)")?;
            for (id, wrapped) in &sealed.keys {
                insert.execute(params![id.0, wrapped])?;
            }
            let mut delete = tx.prepare_cached("DELETE FROM row WHERE tbl = ?1 AND name = ?2")?;
            let mut put = tx.prepare_cached(
                "INSERT INTO row (tbl, name, key_id, value) VALUES (?1, ?2, ?3, ?4)
                 ON CONFLICT (tbl, name) DO UPDATE SET key_id = ?3, value = ?4",
            )?;
            for row in &sealed.rows {
                let table = row.table as u8;
                match &row.value {
                    None => delete.execute(params![table, row.name.0])?,
                    Some((key, value)) => put.execute(params![table, row.name.0, key.0, value])?,
                };
            }
            Ok(())
        })?;
        self.vault.keep(sealed);
        Ok(())
    }

    fn drop_space(&mut self, space: &Space) -> Result<(), StoreError> {
        if let Some(id) = self.vault.key_of(space) {
            self.write(|tx| {
                tx.execute("DELETE FROM row WHERE key_id = ?1", [id.0])?;
                tx.execute("DELETE FROM dek WHERE key_id = ?1", [id.0])?;
                Ok(())
            })?;
            self.vault.forget(space);
        }
        self.cut_log()
    }

    fn change_secret(&mut self, secret: &Secret) -> Result<(), StoreError> {
        let kdf = secret.kdf();
        let slot = self.vault.slot(&mut system::rng(), secret, kdf)?;
        self.write(|tx| {
            tx.execute("DELETE FROM slot", [])?;
            tx.execute("INSERT INTO slot (id, slot) VALUES (1, ?1)", [&slot])?;
            Ok(())
        })?;
        self.cut_log()
    }

    /// Empties the log, which still has what was overwritten. Free pages are overwritten by themselves
    /// (`secure_delete`). Should somebody else be reading, the next opening does it.
    fn leave_no_trace(&mut self) {
        drop(self.cut_log());
    }

    fn measures(&self) -> Vec<(&'static str, u64)> {
        let size = |suffix: &str| {
            let mut file = self.file.clone().into_os_string();
            file.push(suffix);
            std::fs::metadata(file).map_or(0, |meta| meta.len())
        };
        vec![
            ("store_format", FORMAT.into()),
            ("store_bytes", size("")),
            ("store_log_bytes", size("-wal")),
        ]
    }
}

impl ReadRows for SqliteStore {
    fn read(&self, table: Table, key: &[u8]) -> Result<Option<Vec<u8>>, Unreadable> {
        self.row(table, key)
            .map_err(|error| Unreadable(error.to_string()))
    }
}

impl std::fmt::Debug for SqliteStore {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("SqliteStore")
            .field("fence", &self.fence)
            .finish_non_exhaustive()
    }
}

/// The directory of a store, and what opens it.
pub(crate) struct Directory {
    dir: PathBuf,
    secret: Secret,
    /// What a try of the secret costs in a store that is made here.
    kdf: KdfParams,
}

impl Directory {
    pub(crate) fn new(dir: &Path, secret: Secret) -> Self {
        let (dir, kdf) = (dir.to_owned(), secret.kdf());
        Self { dir, secret, kdf }
    }

    /// The same, where stores are made and opened often.
    #[cfg(test)]
    pub(crate) fn cheap(dir: &Path, secret: Secret) -> Self {
        Self {
            kdf: KdfParams::FLOOR,
            ..Self::new(dir, secret)
        }
    }
}

impl Place for Directory {
    fn exists(&self) -> bool {
        SqliteStore::exists(&self.dir)
    }

    fn create(&mut self) -> Result<Box<dyn Store>, StoreError> {
        let store = SqliteStore::create(&self.dir, &self.secret, self.kdf)?;
        Ok(Box::new(store))
    }

    fn open(&mut self) -> Result<Box<dyn Store>, StoreError> {
        Ok(Box::new(SqliteStore::open(&self.dir, &self.secret)?))
    }

    fn erase(&mut self) -> Result<(), StoreError> {
        SqliteStore::erase(&self.dir)
    }

    fn replace_secret(&mut self, secret: Secret) -> Option<Secret> {
        Some(std::mem::replace(&mut self.secret, secret))
    }

    fn is_strong(&self) -> bool {
        self.secret.is_strong()
    }
}

/// Makes the store's tables and opens it.
fn create(dir: &Path, secret: &Secret, kdf: KdfParams) -> Result<SqliteStore, Failed> {
    let mut db = connect(dir, OpenFlags::SQLITE_OPEN_CREATE)?;
    let vault = Vault::generate(&mut system::rng());
    let slot = vault.slot(&mut system::rng(), secret, kdf)?;
    let header = vault.header();
    let tx = begin(&mut db)?;
    if !is_empty(&tx)? {
        return Err(StoreError::Exists.into());
    }
    tx.execute_batch(SCHEMA)?;
    tx.execute(
        "INSERT INTO header (id, magic, format, suite, store) VALUES (1, ?1, ?2, ?3, ?4)",
        params![header.magic, header.format, header.suite, header.store.0],
    )?;
    tx.execute("INSERT INTO slot (id, slot) VALUES (1, ?1)", [slot])?;
    tx.execute("INSERT INTO fence (id, value) VALUES (1, 1)", [])?;
    tx.pragma_update(None, "application_id", APPLICATION_ID)?;
    tx.pragma_update(None, "user_version", FORMAT)?;
    tx.commit().map_err(io)?;
    Ok(SqliteStore {
        db,
        file: path(dir),
        fence: 1,
        vault,
        unknown: false,
    })
}

/// Opens the file, which is there.
fn open(dir: &Path, secret: &Secret) -> Result<SqliteStore, Failed> {
    // Left by a process that was killed, perhaps between an erasure and the end of its log.
    let log = std::fs::metadata(dir.join(format!("{FILE_NAME}-wal")));
    let log_left = log.is_ok_and(|log| log.len() > 0);
    let mut db = connect(dir, OpenFlags::empty())?;
    if is_empty(&db)? {
        return Err(StoreError::NotThere.into());
    }
    let store = read_header(&db)?;
    let vault = unlock(&db, store, secret)?;
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
    let mut store = SqliteStore {
        db,
        file: path(dir),
        fence,
        vault,
        unknown: false,
    };
    if log_left {
        store.leave_no_trace();
    }
    Ok(store)
}

fn outbox(dir: &Path) -> Result<Vec<Vec<u8>>, Failed> {
    let db = connect(dir, OpenFlags::empty())?;
    read_header(&db)?;
    let mut statement = db.prepare("SELECT value FROM row WHERE tbl = ?1")?;
    let rows = statement.query_map([Table::Outbox as u8], |row| row.get(0))?;
    rows.map(|row| Ok(row?)).collect()
}

/// One transaction of the writer that holds `fence`.
fn write(
    db: &mut Connection,
    fence: i64,
    work: impl FnOnce(&Transaction<'_>) -> Result<(), Failed>,
) -> Result<(), Failed> {
    let tx = begin(db)?;
    let current: Option<i64> = tx
        .query_row("SELECT value FROM fence WHERE id = 1", [], |row| row.get(0))
        .optional()?;
    if current.ok_or(damaged("fence"))? != fence {
        return Err(StoreError::Fenced.into());
    }
    work(&tx)?;
    tx.commit().map_err(io)
}

/// Begins by taking the write lock, so that nothing read in the transaction is stale.
fn begin(db: &mut Connection) -> Result<Transaction<'_>, Failed> {
    Ok(db.transaction_with_behavior(TransactionBehavior::Immediate)?)
}

/// Unlocks the store's key, and all data keys that it opens.
fn unlock(db: &Connection, store: StoreId, secret: &Secret) -> Result<Vault, Failed> {
    let mut slots = db.prepare("SELECT slot FROM slot ORDER BY id LIMIT ?1")?;
    let slots = slots
        .query_map([SLOTS_MAX], |row| row.get::<_, Vec<u8>>(0))?
        .collect::<Result<Vec<_>, _>>()?;
    let mut vault = Vault::unlock(store, slots, secret)?;
    let mut keys = db.prepare("SELECT key_id, wrapped FROM dek ORDER BY key_id")?;
    let mut rows = keys.query([])?;
    while let Some(row) = rows.next()? {
        if let (Ok(id), Ok(wrapped)) = (row.get(0).map(KeyId), row.get::<_, Vec<u8>>(1)) {
            vault.unwrap(id, &wrapped)?;
        }
    }
    Ok(vault)
}

/// Checks that the file is a store of ours that this program can read; which one.
fn read_header(db: &Connection) -> Result<StoreId, Failed> {
    let pragma = |name| db.pragma_query_value(None, name, |row| row.get::<_, u32>(0));
    if pragma("application_id")? != APPLICATION_ID {
        return Err(damaged("application id").into());
    }
    match pragma("user_version")? {
        FORMAT => {}
        0 => return Err(damaged("format").into()),
        version => return Err(newer("format", version).into()),
    }
    let header = "SELECT magic, format, suite, store FROM header WHERE id = 1";
    let header = db.query_row(header, [], |row| {
        Ok(Header {
            magic: row.get(0)?,
            format: row.get(1)?,
            suite: row.get(2)?,
            store: StoreId(row.get(3)?),
        })
    });
    let header = header.optional()?.ok_or(damaged("header"))?;
    Ok(header.check()?)
}

fn path(dir: &Path) -> PathBuf {
    dir.join(FILE_NAME)
}

/// Whether the file has no tables: a store whose making was cut off.
fn is_empty(db: &Connection) -> Result<bool, Failed> {
    Ok(
        db.query_row("SELECT count(*) FROM sqlite_schema", [], |row| {
            row.get::<_, u32>(0)
        })? == 0,
    )
}

fn connect(dir: &Path, more: OpenFlags) -> Result<Connection, Failed> {
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
