//! All SQL, a file per aggregate: statements as constants, queries, conversion of rows.
//!
//! The text is the subset that SQLite and PostgreSQL share: `$1` parameters, `ON CONFLICT … DO
//! UPDATE`, no functions of one engine. What differs (types of columns, pragmas) is in the
//! migrations and in [`Store::open`].
//!
//! To add a query: a constant inside `statements!` (a test prepares them all, since a misspelt
//! column is otherwise found by the first user), a function that takes the connection first, and a
//! check of how many rows a write touched. Functions take a connection, never the pool: the caller
//! decides on the transaction.

pub(crate) mod contact;
pub(crate) mod control;
pub(crate) mod copied;
pub(crate) mod copy;
pub(crate) mod device;
pub(crate) mod erasure;
pub(crate) mod event;
pub(crate) mod feed;
pub(crate) mod figure;
pub(crate) mod journaled;
pub(crate) mod link;
pub(crate) mod record;
pub(crate) mod recovery;
mod schema;
pub(crate) mod uncounted;
pub(crate) mod wipe;

use std::path::Path;
use std::time::Duration;

use sqlx::sqlite::{
    SqliteConnectOptions, SqliteJournalMode, SqlitePool, SqlitePoolOptions, SqliteQueryResult,
    SqliteRow, SqliteSynchronous,
};
use sqlx::{AssertSqlSafe, Connection, Row, Sqlite, SqliteConnection, Transaction};
use sync_core::id::BadId;

use crate::private;

/// The database's file in the data directory.
pub(crate) const FILE_NAME: &str = "ortoo.db";
/// Connections for reading at the same time; more only queue for two cores.
const CONNECTIONS_MAX: u32 = 8;
/// How long a write waits for another process's: an administrator's command is done in moments.
const BUSY_SECONDS_MAX: u64 = 30;
/// A transaction that will write says so first: two that find out half-way would refuse each other.
const BEGIN_WRITE: &str = "BEGIN IMMEDIATE";

const EMPTY_LOG: &str = "PRAGMA wal_checkpoint(TRUNCATE)";

/// Why the store could not do what it was asked. The transaction is rolled back.
#[derive(Debug, thiserror::Error)]
pub(crate) enum StoreError {
    /// The engine says no: the disk, a lock, a constraint.
    #[error("the database does not do it")]
    Database(#[from] sqlx::Error),
    /// The schema is of a newer program, or can't be brought up to date.
    #[error("the database's schema does not fit")]
    Migration(#[from] sqlx::migrate::MigrateError),
    /// A row breaks the rules of its table: somebody else wrote it.
    #[error("a row of {table} has a {column} that does not read")]
    Unreadable {
        /// The table.
        table: &'static str,
        /// The column.
        column: &'static str,
    },
    /// What was to be written needs a key that can't be drawn.
    #[error(transparent)]
    Randomness(#[from] crate::clock::NoRandomness),
    /// The private halves of keys can't be read or made.
    #[error(transparent)]
    Key(#[from] crate::keys::KeyError),
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

/// A connection: every function of this folder takes one first, and runs in whatever transaction it
/// is in.
pub(crate) type Conn = SqliteConnection;

/// A transaction. One that is dropped is rolled back.
pub(crate) type Tx<'c> = Transaction<'c, Sqlite>;

/// The database.
#[derive(Clone, Debug)]
pub(crate) struct Store {
    pool: SqlitePool,
    options: SqliteConnectOptions,
}

impl Store {
    /// Opens the database in `dir`, made if need be, and brings its schema up to date.
    pub(crate) async fn open(dir: &Path) -> Result<Self, StoreError> {
        let path = dir.join(FILE_NAME);
        make_file(&path).map_err(sqlx::Error::Io)?;
        let options = SqliteConnectOptions::new()
            .filename(path)
            .journal_mode(SqliteJournalMode::Wal)
            // Durable at every commit: an acknowledgement is a promise.
            .synchronous(SqliteSynchronous::Full)
            .foreign_keys(true)
            // What is deleted is overwritten: free pages hold nothing that was erased.
            .pragma("secure_delete", "ON")
            .busy_timeout(Duration::from_secs(BUSY_SECONDS_MAX));
        let pool = SqlitePoolOptions::new()
            .max_connections(CONNECTIONS_MAX)
            .connect_with(options.clone())
            .await?;
        schema::migrator().run(&pool).await?;
        Ok(Self { pool, options })
    }

    /// A transaction that reads: everything it reads is one snapshot (R50).
    pub(crate) async fn read(&self) -> Result<Tx<'static>, StoreError> {
        Ok(self.pool.begin().await?)
    }

    /// A transaction that writes, on a connection of [`Self::connect`]; waits for its turn.
    pub(crate) async fn write_on<'c>(&self, conn: &'c mut Conn) -> Result<Tx<'c>, StoreError> {
        Ok(conn.begin_with(BEGIN_WRITE).await?)
    }

    /// A connection of its own, for the writer's thread.
    pub(crate) async fn connect(&self) -> Result<Conn, StoreError> {
        Ok(SqliteConnection::connect_with(&self.options).await?)
    }

    /// Moves the write-ahead log into the database and empties it, so that nothing of what was
    /// overwritten is left in it. Gives whether that was possible: somebody may be reading.
    pub(crate) async fn empty_log(&self) -> Result<bool, StoreError> {
        let mut conn = self.connect().await?;
        let row = sqlx::query(EMPTY_LOG).fetch_one(&mut conn).await?;
        let busy: i64 = row.try_get("busy")?;
        conn.close().await?;
        Ok(busy == 0)
    }

    /// Closes all connections of the pool.
    pub(crate) async fn close(&self) {
        self.pool.close().await;
    }
}

/// Makes an empty database for its owner's eyes only; SQLite gives its other files the same rights.
fn make_file(path: &Path) -> std::io::Result<()> {
    match private::create(path) {
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
fn over_rows(
    (head, tail): (&'static str, &'static str),
    columns: usize,
    count: usize,
) -> AssertSqlSafe<String> {
    let row = |row: usize| {
        let parameters: Vec<String> = (1..=columns)
            .map(|column| format!("${}", row * columns + column))
            .collect();
        format!("({})", parameters.join(", "))
    };
    let rows: Vec<String> = (0..count).map(row).collect();
    AssertSqlSafe(format!("{head} {} {tail}", rows.join(", ")))
}

/// A statement over a list of `count` parameters that follow `before` others.
fn over_list(head: &'static str, before: usize, count: usize) -> AssertSqlSafe<String> {
    let list: Vec<String> = (1..=count)
        .map(|item| format!("${}", before + item))
        .collect();
    AssertSqlSafe(format!("{head} ({})", list.join(", ")))
}

/// A row on its way into our types: what does not read is named by table and column.
struct Read<'r> {
    table: &'static str,
    row: &'r SqliteRow,
}

impl<'r> Read<'r> {
    fn of(table: &'static str, row: &'r SqliteRow) -> Self {
        Self { table, row }
    }

    fn unreadable(&self, column: &'static str) -> StoreError {
        StoreError::Unreadable {
            table: self.table,
            column,
        }
    }

    fn blob(&self, column: &'static str) -> Result<&'r [u8], StoreError> {
        self.row
            .try_get(column)
            .map_err(|_| self.unreadable(column))
    }

    fn text(&self, column: &'static str) -> Result<&'r str, StoreError> {
        self.row
            .try_get(column)
            .map_err(|_| self.unreadable(column))
    }

    fn text_if_any(&self, column: &'static str) -> Result<Option<&'r str>, StoreError> {
        self.row
            .try_get(column)
            .map_err(|_| self.unreadable(column))
    }

    fn time(&self, column: &'static str) -> Result<i64, StoreError> {
        self.row
            .try_get(column)
            .map_err(|_| self.unreadable(column))
    }

    fn number(&self, column: &'static str) -> Result<u64, StoreError> {
        u64::try_from(self.time(column)?).map_err(|_| self.unreadable(column))
    }

    fn seq(&self, column: &'static str) -> Result<u32, StoreError> {
        u32::try_from(self.time(column)?).map_err(|_| self.unreadable(column))
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
        let bytes: Option<&[u8]> = self
            .row
            .try_get(column)
            .map_err(|_| self.unreadable(column))?;
        let id = bytes.map(read).transpose();
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

fn one_row(table: &'static str, done: &SqliteQueryResult) -> Result<(), StoreError> {
    rows(table, done, 1)
}

fn rows(table: &'static str, done: &SqliteQueryResult, expected: usize) -> Result<(), StoreError> {
    match done.rows_affected() {
        rows if rows == expected as u64 => Ok(()),
        rows => Err(StoreError::Rows { table, rows }),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use sqlx::{Executor, SqlSafeStr};

    #[tokio::test]
    async fn every_statement_prepares_on_the_schema_that_the_migrations_make() {
        let dir = tempfile::tempdir().unwrap();
        let store = Store::open(dir.path()).await.unwrap();
        let mut connection = store.connect().await.unwrap();
        let all = [
            contact::STATEMENTS,
            control::STATEMENTS,
            copied::STATEMENTS,
            copy::STATEMENTS,
            uncounted::STATEMENTS,
            wipe::STATEMENTS,
            device::STATEMENTS,
            erasure::STATEMENTS,
            event::STATEMENTS,
            feed::STATEMENTS,
            figure::STATEMENTS,
            journaled::STATEMENTS,
            link::STATEMENTS,
            record::STATEMENTS,
            recovery::STATEMENTS,
        ];
        for statement in all.into_iter().flatten() {
            let prepared = connection.prepare(statement.into_sql_str()).await;
            assert!(prepared.is_ok(), "{statement}: {:?}", prepared.err());
        }
        let built = record::built(2).into_iter().chain(feed::built(2));
        let built = built.chain(figure::built(2)).chain(link::built(2));
        for statement in built {
            let statement = statement.into_sql_str();
            let prepared = connection.prepare(statement.clone()).await;
            assert!(prepared.is_ok(), "{statement:?}: {:?}", prepared.err());
        }
    }

    #[test]
    fn parameters_are_counted_row_by_row() {
        let text = over_rows(("INSERT INTO a (b, c) VALUES", "ON CONFLICT"), 2, 3).0;
        assert_eq!(
            text,
            "INSERT INTO a (b, c) VALUES ($1, $2), ($3, $4), ($5, $6) ON CONFLICT"
        );
        assert_eq!(over_list("b IN", 1, 2).0, "b IN ($2, $3)");
    }

    #[tokio::test]
    async fn a_database_is_durable_at_every_commit_and_checks_its_references() {
        let dir = tempfile::tempdir().unwrap();
        let store = Store::open(dir.path()).await.unwrap();
        let mut connection = store.connect().await.unwrap();
        for (pragma, expected) in [("PRAGMA synchronous", 2), ("PRAGMA foreign_keys", 1)] {
            let value: i64 = sqlx::query_scalar(pragma)
                .fetch_one(&mut connection)
                .await
                .unwrap();
            assert_eq!(value, expected, "{pragma}");
        }
        let mode: String = sqlx::query_scalar("PRAGMA journal_mode")
            .fetch_one(&mut connection)
            .await
            .unwrap();
        assert_eq!(mode, "wal");
    }
}
