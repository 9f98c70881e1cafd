//! Store of the server: all SQL, a file per aggregate, with statements as constants, queries, and
//! conversion of rows.
//!
//! It decides nothing and knows no HTTP. Beside the database stand what is kept with it: the files
//! for their owner only ([`owner_only`]), clock and randomness ([`clock`]).
//!
//! The text is the subset that SQLite and PostgreSQL share: `$1` parameters, `ON CONFLICT … DO
//! UPDATE`, no functions of one engine. What differs (types of columns, pragmas) is in the
//! migrations and in [`Store::open`].
//!
//! Whoever writes takes the installation's turn first, which [`Store::write_on`] does and nobody else.
//!
//! To add a query: a constant inside `statements!` (a test prepares them all, since a misspelt
//! column is otherwise found by the first user), a function that takes the connection first, and a
//! check of how many rows a write touched. Functions take a connection, never the pool: the caller
//! decides on the transaction.

pub mod clock;
pub mod cloned_devices;
pub mod contact;
pub mod control;
pub mod copy;
mod decoded;
pub mod device;
mod engine;
pub mod erasure;
pub mod event;
pub mod feed;
pub mod figure;
mod flags;
pub mod journaled;
mod key_error;
mod known;
pub mod link;
pub mod owner_only;
pub mod quarantined;
pub mod record;
pub mod recovery;
mod schema;
pub mod space;
mod turn;
pub mod wipe;

use std::ops::{Deref, DerefMut};
use std::path::Path;
use std::sync::Arc;

use sync_core::id::{BadId, Class, Space};

pub use engine::Conn;
use engine::{Done, Engine, Row, assembled, query};
pub use key_error::KeyError;
use turn::Seen;

/// The database's file in the data directory.
pub const FILE_NAME: &str = "ortoo.db";

/// Why the store could not do what it was asked. The transaction is rolled back.
#[derive(Debug, thiserror::Error)]
pub enum StoreError {
    /// The engine says no: the disk, a lock, a constraint.
    #[error("the database does not do it")]
    Database(#[from] engine::Error),
    /// The schema is of a newer program, or can't be brought up to date.
    #[error("the database's schema does not fit")]
    Migration(#[from] schema::MigrateError),
    /// A row breaks the rules of its table: somebody else wrote it.
    #[error("a row of {table} has a {column} that does not read")]
    Unreadable {
        /// The table.
        table: &'static str,
        /// The column.
        column: &'static str,
    },
    /// The same of a row that was just read.
    #[error("a row of {table} ({key}) has a {column} that does not read")]
    UnreadableRow {
        /// The table.
        table: &'static str,
        /// The column.
        column: &'static str,
        /// Which row: the columns of its key that were read with it, never what it says of anybody.
        key: String,
    },
    /// What was to be written needs a key that can't be drawn.
    #[error(transparent)]
    Randomness(#[from] crate::clock::NoRandomness),
    /// The private halves of keys can't be read or made.
    #[error(transparent)]
    Key(#[from] KeyError),
    /// What was just made for the control feed does not check: a mistake in this program.
    #[error("the control entry made here does not check")]
    Entry(#[from] sync_core::control::BadEntry),
    /// The journal can't be written, so nothing may be acknowledged (R23).
    #[error("the journal can't be written")]
    Journal(#[source] std::io::Error),
    /// A write touched another number of rows than it must.
    #[error("a write to {table} touched {rows} rows, which is another number than it must")]
    Rows {
        /// The table.
        table: &'static str,
        /// How many it touched.
        rows: u64,
    },
}

/// The database.
#[derive(Clone, Debug)]
pub struct Store {
    engine: Engine,
    seen: Arc<Seen>,
    is_set_back: bool,
}

impl Store {
    /// Opens the database in `dir`, made if need be, and brings its schema up to date.
    pub async fn open(dir: &Path) -> Result<Self, StoreError> {
        // Before the database, which may move on in between and then says more.
        let seen = Seen::open(dir).map_err(engine::Error::Io)?;
        let path = dir.join(FILE_NAME);
        make_file(&path).map_err(engine::Error::Io)?;
        let engine = Engine::open(&path).await?;
        let number = turn::number(&mut engine.read().await?).await?;
        Ok(Self {
            engine,
            is_set_back: number < seen.highest(),
            seen: Arc::new(seen),
        })
    }

    /// Whether the database that was opened had lost turns which this node has seen: an older copy
    /// was put in its place.
    pub fn is_set_back(&self) -> bool {
        self.is_set_back
    }

    /// Has the turns of the transaction go on above all that this node has seen, once the loss is known.
    pub async fn go_on_above(&self, tx: &mut Tx<'_>) -> Result<(), StoreError> {
        let number = self.seen.highest().saturating_add(1);
        turn::raise(tx, number).await?;
        tx.turn = Some((number, self.seen.clone()));
        Ok(())
    }

    /// A transaction that reads: everything it reads is one snapshot (R50).
    pub async fn read(&self) -> Result<Tx<'static>, StoreError> {
        let on = On::Whole(Box::new(self.engine.read().await?));
        Ok(Tx { on, turn: None })
    }

    /// A transaction that writes, on a connection of [`Self::connect`]; waits for its turn.
    pub async fn write_on<'c>(&self, conn: &'c mut Conn) -> Result<Tx<'c>, StoreError> {
        conn.begin().await?;
        let on = On::Part(Part(conn));
        let mut tx = Tx { on, turn: None };
        let number = turn::take(&mut tx).await?;
        tx.turn = Some((number, self.seen.clone()));
        Ok(tx)
    }

    /// A connection of its own, for the writer's thread.
    pub async fn connect(&self) -> Result<Conn, StoreError> {
        Ok(self.engine.connect().await?)
    }

    /// Moves the write-ahead log into the database and empties it, so that nothing of what was
    /// overwritten is left in it. Returns whether that was possible: somebody may be reading.
    pub async fn empty_log(&self) -> Result<bool, StoreError> {
        let mut conn = self.connect().await?;
        let emptied = conn.empty_log().await?;
        conn.close().await?;
        Ok(emptied)
    }

    /// Closes all connections of the pool.
    pub async fn close(&self) {
        self.engine.close().await;
    }

    /// The statements that were run since they were asked for the last time.
    #[cfg(any(test, feature = "testing"))]
    pub fn statements(&self) -> Vec<String> {
        self.engine.statements()
    }
}

/// A transaction, rolled back unless it is committed.
#[derive(Debug)]
pub struct Tx<'c> {
    on: On<'c>,
    /// Of one that writes: the number of its turn, and where it is noted.
    turn: Option<(u64, Arc<Seen>)>,
}

#[derive(Debug)]
enum On<'c> {
    Whole(Box<Conn>),
    Part(Part<'c>),
}

/// A connection in a transaction of its own making, which is given up unless that is committed.
#[derive(Debug)]
struct Part<'c>(&'c mut Conn);

impl Drop for Part<'_> {
    fn drop(&mut self) {
        self.0.give_up();
    }
}

impl Tx<'_> {
    /// Makes what it wrote durable.
    pub async fn commit(self) -> Result<(), StoreError> {
        // One that only reads has nothing to make durable.
        if let On::Part(part) = self.on {
            part.0.end().await?;
        }
        if let Some((number, seen)) = self.turn {
            seen.note(number);
        }
        Ok(())
    }
}

impl Deref for Tx<'_> {
    type Target = Conn;

    fn deref(&self) -> &Conn {
        match &self.on {
            On::Whole(conn) => conn,
            On::Part(part) => part.0,
        }
    }
}

impl DerefMut for Tx<'_> {
    fn deref_mut(&mut self) -> &mut Conn {
        match &mut self.on {
            On::Whole(conn) => conn,
            On::Part(part) => part.0,
        }
    }
}

/// Makes an empty database for its owner's eyes only; SQLite gives its other files the same rights.
fn make_file(path: &Path) -> std::io::Result<()> {
    match owner_only::create(path) {
        Err(error) if error.kind() != std::io::ErrorKind::AlreadyExists => Err(error),
        _ => Ok(()),
    }
}

/// Declares the statements of a file as constants, and the list of them for the test.
macro_rules! statements {
    ($($(#[$doc:meta])* $name:ident = $sql:literal;)*) => {
        $($(#[$doc])* const $name: &str = $sql;)*
        #[cfg(test)]
        pub(crate) const STATEMENTS: &[&str] = &[$($name),*];
    };
}
use statements;

/// Rows that one statement reads or writes. A statement costs a turn of two threads, about 0.1 ms,
/// which for a batch of 20 edits is more than everything else; the texts of 1 to 32 rows fit the
/// cache of prepared statements.
const ROWS_MAX: usize = 32;

/// A statement over `count` rows of `columns` parameters: `($1, $2), ($3, $4)` between its two
/// halves. The halves are constants and the rest is counted, so no text of anybody's gets in.
fn over_rows((head, tail): (&'static str, &'static str), columns: usize, count: usize) -> String {
    let row = |row: usize| {
        let parameters: Vec<String> = (1..=columns)
            .map(|column| format!("${}", row * columns + column))
            .collect();
        format!("({})", parameters.join(", "))
    };
    let rows: Vec<String> = (0..count).map(row).collect();
    format!("{head} {} {tail}", rows.join(", "))
}

/// A statement over a list of `count` parameters that follow `before` others.
fn over_list(head: &'static str, before: usize, count: usize) -> String {
    let list: Vec<String> = (1..=count)
        .map(|item| format!("${}", before + item))
        .collect();
    format!("{head} ({})", list.join(", "))
}

/// Columns that say which row is meant, whatever the table.
const KEY_COLUMNS: [&str; 9] = [
    "unit",
    "class",
    "arrival",
    "hash",
    "device",
    "seq",
    "record",
    "key",
    "generation",
];

/// A row on its way into our types: what does not read is named by table, column
/// and key.
struct Read<'r> {
    table: &'static str,
    row: &'r Row,
}

impl<'r> Read<'r> {
    fn of(table: &'static str, row: &'r Row) -> Self {
        Self { table, row }
    }

    fn unreadable(&self, column: &'static str) -> StoreError {
        let parts = KEY_COLUMNS.iter().filter(|part| **part != column);
        let parts = parts.filter_map(|part| Some(format!("{part} {}", self.row.shown(part)?)));
        StoreError::UnreadableRow {
            table: self.table,
            column,
            key: parts.collect::<Vec<_>>().join(", "),
        }
    }

    fn blob(&self, column: &'static str) -> Result<&'r [u8], StoreError> {
        self.blob_if_any(column)?
            .ok_or_else(|| self.unreadable(column))
    }

    fn blob_if_any(&self, column: &'static str) -> Result<Option<&'r [u8]>, StoreError> {
        self.row.bytes(column).map_err(|_| self.unreadable(column))
    }

    fn text(&self, column: &'static str) -> Result<&'r str, StoreError> {
        self.text_if_any(column)?
            .ok_or_else(|| self.unreadable(column))
    }

    fn text_if_any(&self, column: &'static str) -> Result<Option<&'r str>, StoreError> {
        self.row.text(column).map_err(|_| self.unreadable(column))
    }

    fn time(&self, column: &'static str) -> Result<i64, StoreError> {
        self.time_if_any(column)?
            .ok_or_else(|| self.unreadable(column))
    }

    fn time_if_any(&self, column: &'static str) -> Result<Option<i64>, StoreError> {
        self.row.int(column).map_err(|_| self.unreadable(column))
    }

    fn number(&self, column: &'static str) -> Result<u64, StoreError> {
        u64::try_from(self.time(column)?).map_err(|_| self.unreadable(column))
    }

    fn seq(&self, column: &'static str) -> Result<u32, StoreError> {
        u32::try_from(self.time(column)?).map_err(|_| self.unreadable(column))
    }

    fn class(&self) -> Result<Class, StoreError> {
        let class = u8::try_from(self.time("class")?).ok();
        let class = class.and_then(Class::from_number);
        class.ok_or_else(|| self.unreadable("class"))
    }

    fn space(&self) -> Result<Space, StoreError> {
        Space::new(self.text("unit")?, self.class()?).map_err(|_| self.unreadable("unit"))
    }

    fn id<T>(
        &self,
        column: &'static str,
        read: impl Fn(&[u8]) -> Result<T, BadId>,
    ) -> Result<T, StoreError> {
        read(self.blob(column)?).map_err(|_| self.unreadable(column))
    }

    fn bytes<const N: usize>(&self, column: &'static str) -> Result<[u8; N], StoreError> {
        self.blob(column)?
            .try_into()
            .map_err(|_| self.unreadable(column))
    }

    fn id_if_any<T>(
        &self,
        column: &'static str,
        read: impl Fn(&[u8]) -> Result<T, BadId>,
    ) -> Result<Option<T>, StoreError> {
        let id = self.blob_if_any(column)?.map(read).transpose();
        id.map_err(|_| self.unreadable(column))
    }

    /// Ids end to end.
    fn ids<T>(
        &self,
        column: &'static str,
        len: usize,
        read: impl Fn(&[u8]) -> Result<T, BadId>,
    ) -> Result<Vec<T>, StoreError> {
        let ids: Result<Vec<T>, BadId> = self.blob(column)?.chunks(len).map(read).collect();
        ids.map_err(|_| self.unreadable(column))
    }
}

/// A number as the database keeps it. Ours count what was stored and stay far below its limit.
fn stored(number: u64) -> i64 {
    i64::try_from(number).unwrap_or(i64::MAX)
}

fn one_row(table: &'static str, done: Done) -> Result<(), StoreError> {
    rows(table, done, 1)
}

fn rows(table: &'static str, done: Done, expected: usize) -> Result<(), StoreError> {
    match done.rows_affected() {
        rows if rows == expected as u64 => Ok(()),
        rows => Err(StoreError::Rows { table, rows }),
    }
}

/// Runs a statement that no server would; returns the rows that it touched.
#[cfg(any(test, feature = "testing"))]
pub async fn tamper(conn: &mut Conn, sql: &'static str) -> Result<u64, StoreError> {
    Ok(query(sql).execute(conn).await?.rows_affected())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn every_statement_prepares_on_the_schema_that_the_migrations_make() {
        let dir = tempfile::tempdir().unwrap();
        let store = Store::open(dir.path()).await.unwrap();
        let mut connection = store.connect().await.unwrap();
        let all = [
            contact::STATEMENTS,
            control::STATEMENTS,
            cloned_devices::STATEMENTS,
            &engine::STATEMENTS,
            quarantined::STATEMENTS,
            wipe::STATEMENTS,
            device::STATEMENTS,
            erasure::STATEMENTS,
            event::STATEMENTS,
            feed::STATEMENTS,
            figure::STATEMENTS,
            flags::STATEMENTS,
            journaled::STATEMENTS,
            link::STATEMENTS,
            record::STATEMENTS,
            recovery::STATEMENTS,
            turn::STATEMENTS,
        ];
        for statement in all.into_iter().flatten() {
            let numbers = statement.starts_with("INSERT") && statement.contains("MAX(");
            assert!(
                !numbers,
                "{statement}: two nodes would draw the same number"
            );
            let prepared = query(statement).prepare(&mut connection).await;
            assert!(prepared.is_ok(), "{statement}: {:?}", prepared.err());
        }
        let built = record::built(2).into_iter().chain(feed::built(2));
        let built = built.chain(space::built(2));
        let built = built.chain(figure::built(2)).chain(link::built(2));
        for statement in built {
            let prepared = assembled(statement.clone()).prepare(&mut connection).await;
            assert!(prepared.is_ok(), "{statement}: {:?}", prepared.err());
        }
    }

    #[tokio::test]
    async fn every_statement_is_counted_and_a_dropped_transaction_is_rolled_back() {
        let dir = tempfile::tempdir().unwrap();
        let store = Store::open(dir.path()).await.unwrap();
        let mut own = store.connect().await.unwrap();
        for commits in [false, true] {
            let mut tx = store.write_on(&mut own).await.unwrap();
            store.statements();
            assert_eq!(control::meta(&mut tx, "key").await.unwrap(), None);
            control::set_meta(&mut tx, "key", b"value").await.unwrap();
            assert_eq!(store.statements().len(), 2);
            // Asked for again it is what was written, at no cost.
            let value = control::meta(&mut tx, "key").await.unwrap();
            assert_eq!(value.as_deref(), Some(&b"value"[..]));
            assert_eq!(store.statements().len(), 0);
            if commits {
                tx.commit().await.unwrap();
            }
        }
        let mut tx = store.read().await.unwrap();
        let value = control::meta(&mut tx, "key").await.unwrap();
        assert_eq!(value.as_deref(), Some(&b"value"[..]));
    }

    #[test]
    fn parameters_are_counted_row_by_row() {
        let text = over_rows(("INSERT INTO a (b, c) VALUES", "ON CONFLICT"), 2, 3);
        assert_eq!(
            text,
            "INSERT INTO a (b, c) VALUES ($1, $2), ($3, $4), ($5, $6) ON CONFLICT"
        );
        assert_eq!(over_list("b IN", 1, 2), "b IN ($2, $3)");
    }

    #[tokio::test]
    async fn a_database_is_durable_at_every_commit_and_checks_its_references() {
        let dir = tempfile::tempdir().unwrap();
        let store = Store::open(dir.path()).await.unwrap();
        let mut connection = store.connect().await.unwrap();
        let pragmas = [
            ("PRAGMA synchronous", "synchronous", 2),
            ("PRAGMA foreign_keys", "foreign_keys", 1),
        ];
        for (pragma, column, expected) in pragmas {
            let row = query(pragma).fetch_one(&mut connection).await.unwrap();
            assert_eq!(row.int(column).unwrap(), Some(expected), "{pragma}");
        }
        let mode = query("PRAGMA journal_mode").fetch_one(&mut connection);
        let mode = mode.await.unwrap();
        assert_eq!(mode.text("journal_mode").unwrap(), Some("wal"));
    }
}
