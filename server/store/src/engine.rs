//! Engine of the database: the one file that knows which one it is.
//!
//! The rest of the store sees texts, parameters, rows and connections of this file. A second engine is
//! another arm in each of its functions.

use std::path::Path;
#[cfg(any(test, feature = "testing"))]
use std::sync::{Arc, Mutex};
use std::time::Duration;

use sqlx::sqlite::{
    SqliteConnectOptions, SqliteJournalMode, SqlitePool, SqlitePoolOptions, SqliteRow,
    SqliteSynchronous,
};
use sqlx::{
    AssertSqlSafe, Connection, Row as _, SqlSafeStr, SqlStr, Sqlite, SqliteConnection, Transaction,
};

use data_encoding::HEXLOWER;
use sync_core::id::Space;

use super::decoded::Decoded;
use super::known::Known;
use super::schema;

/// Why the engine does not do it: the disk, a lock, a constraint, a column of another type.
pub(crate) type Error = sqlx::Error;

/// Connections for reading at the same time; more only queue for two cores.
const CONNECTIONS_MAX: u32 = 8;
/// How long a write waits for another process's: an administrator's command is done in moments.
const BUSY_SECONDS_MAX: u64 = 30;
/// Texts that a connection keeps prepared: those over 1 to 32 rows are many.
const PREPARED_MAX: usize = 512;
/// A transaction that will write says so first: two that find out half-way would refuse each other.
const BEGIN_WRITE: &str = "BEGIN IMMEDIATE";
const COMMIT: &str = "COMMIT";
const EMPTY_LOG: &str = "PRAGMA wal_checkpoint(TRUNCATE)";
const COPY: &str = "VACUUM INTO $1";

#[cfg(test)]
pub(super) const STATEMENTS: [&str; 2] = [EMPTY_LOG, COPY];

/// The engine on a database.
#[derive(Clone, Debug)]
pub(super) struct Engine {
    pool: SqlitePool,
    options: SqliteConnectOptions,
    /// Texts of the statements that were run, of all connections.
    #[cfg(any(test, feature = "testing"))]
    run: Noted,
}

impl Engine {
    /// Opens the database in a file that is there, and brings its schema up to date.
    pub(super) async fn open(file: &Path) -> Result<Self, super::StoreError> {
        let options = SqliteConnectOptions::new()
            .filename(file)
            .journal_mode(SqliteJournalMode::Wal)
            // Durable at every commit: an acknowledgement is a promise.
            .synchronous(SqliteSynchronous::Full)
            .foreign_keys(true)
            // What is deleted is overwritten: free pages hold nothing that was erased.
            .pragma("secure_delete", "ON")
            .statement_cache_capacity(PREPARED_MAX)
            .busy_timeout(Duration::from_secs(BUSY_SECONDS_MAX));
        let pool = SqlitePoolOptions::new()
            .max_connections(CONNECTIONS_MAX)
            .connect_with(options.clone())
            .await?;
        schema::migrator().run(&pool).await?;
        Ok(Self {
            pool,
            options,
            #[cfg(any(test, feature = "testing"))]
            run: Arc::default(),
        })
    }

    /// A transaction that reads one snapshot (R50).
    pub(super) async fn read(&self) -> Result<Conn, Error> {
        let held = Held::Lent(self.pool.begin().await?);
        Ok(self.conn(held))
    }

    /// A connection of its own, in no transaction.
    pub(super) async fn connect(&self) -> Result<Conn, Error> {
        let own = SqliteConnection::connect_with(&self.options).await?;
        Ok(self.conn(Held::Own {
            connection: Some(own),
            options: Box::new(self.options.clone()),
        }))
    }

    fn conn(&self, held: Held) -> Conn {
        Conn {
            known: matches!(held, Held::Lent(_)).then(Known::default),
            held,
            decoded: Decoded::default(),
            #[cfg(any(test, feature = "testing"))]
            run: self.run.clone(),
        }
    }

    /// The statements that were run since they were asked for the last time, of all connections. Until
    /// they are asked for none is noted.
    #[cfg(any(test, feature = "testing"))]
    pub(super) fn statements(&self) -> Vec<String> {
        noted(&self.run).replace(Vec::new()).unwrap_or_default()
    }

    /// Closes the connections of the pool.
    pub(super) async fn close(&self) {
        self.pool.close().await;
    }
}

/// Texts of statements, once somebody has asked for them.
#[cfg(any(test, feature = "testing"))]
type Noted = Arc<Mutex<Option<Vec<String>>>>;

/// The texts that were noted; whoever panicked meanwhile left them whole.
#[cfg(any(test, feature = "testing"))]
fn noted(run: &Noted) -> std::sync::MutexGuard<'_, Option<Vec<String>>> {
    run.lock()
        .unwrap_or_else(std::sync::PoisonError::into_inner)
}

/// A connection: every function of the store takes one first, and runs in whatever transaction it is
/// in.
#[derive(Debug)]
pub struct Conn {
    held: Held,
    /// Of the transaction that it is in.
    known: Option<Known>,
    /// Of the rows that it wrote.
    decoded: Decoded,
    #[cfg(any(test, feature = "testing"))]
    run: Noted,
}

#[derive(Debug)]
enum Held {
    /// A connection of its own, whose transactions are begun and ended here.
    Own {
        /// None after a transaction was given up: the next one begins with another connection.
        connection: Option<SqliteConnection>,
        options: Box<SqliteConnectOptions>,
    },
    /// A transaction on one of the pool's, rolled back when it is dropped.
    Lent(Transaction<'static, Sqlite>),
}

impl Conn {
    /// The engine's connection, for a statement.
    fn run(&mut self, text: &SqlStr) -> Result<&mut SqliteConnection, Error> {
        tracing::trace!(statement = text.as_str());
        #[cfg(any(test, feature = "testing"))]
        if let Some(run) = noted(&self.run).as_mut() {
            run.push(text.as_str().to_owned());
        }
        match &mut self.held {
            Held::Own { connection, .. } => connection.as_mut().ok_or(Error::WorkerCrashed),
            Held::Lent(transaction) => Ok(transaction),
        }
    }

    /// What is known of the transaction's rows; nothing outside of one, where others write.
    pub(super) fn known(&mut self) -> Option<&mut Known> {
        self.known.as_mut()
    }

    /// The record states that it wrote, in whatever transaction.
    pub(super) fn decoded(&mut self) -> &mut Decoded {
        &mut self.decoded
    }

    /// Begins a transaction that writes on a connection of its own.
    pub(super) async fn begin(&mut self) -> Result<(), Error> {
        // One that was left half-way by whoever waited for it.
        self.give_up();
        let Held::Own {
            connection,
            options,
        } = &mut self.held
        else {
            return Ok(());
        };
        let connection = match connection {
            Some(connection) => connection,
            None => connection.insert(SqliteConnection::connect_with(options).await?),
        };
        self.known = Some(Known::default());
        let begun = sqlx::query(BEGIN_WRITE).execute(connection).await;
        if begun.is_err() {
            self.known = None;
        }
        begun.map(drop)
    }

    /// Commits the transaction of a connection of its own.
    pub(super) async fn end(&mut self) -> Result<(), Error> {
        if let Held::Own {
            connection: Some(connection),
            ..
        } = &mut self.held
        {
            sqlx::query(COMMIT).execute(connection).await?;
            self.known = None;
        }
        Ok(())
    }

    /// Gives up the transaction of a connection of its own, if it is in one: the engine rolls back what
    /// somebody begins and hangs up.
    pub(super) fn give_up(&mut self) {
        if let Held::Own { connection, .. } = &mut self.held
            && self.known.take().is_some()
        {
            drop(connection.take());
        }
    }

    /// Closes a connection of its own; what was not committed is rolled back.
    pub async fn close(self) -> Result<(), Error> {
        match self.held {
            Held::Own {
                connection: Some(own),
                ..
            } => own.close().await,
            Held::Own { .. } => Ok(()),
            Held::Lent(transaction) => transaction.rollback().await,
        }
    }

    /// Has everything stand in the database's file and nothing in its log, so that nothing of what was
    /// overwritten is left. Returns whether that was possible: somebody may be reading.
    pub(super) async fn empty_log(&mut self) -> Result<bool, Error> {
        let row = query(EMPTY_LOG).fetch_one(self).await?;
        Ok(row.int("busy")? == Some(0))
    }

    /// Writes everything that is committed at this moment into a new file, without its free pages.
    pub(super) async fn copy(&mut self, to: &str) -> Result<(), Error> {
        query(COPY).bind(to).execute(self).await?;
        Ok(())
    }
}

/// A parameter of a statement.
#[derive(Debug)]
pub(super) enum Param {
    Int(Option<i64>),
    Text(Option<String>),
    Bytes(Option<Vec<u8>>),
}

macro_rules! param {
    ($($kind:ident: $from:ty, $value:ident => $made:expr;)*) => {
        $(impl From<$from> for Param {
            fn from($value: $from) -> Self {
                Param::$kind($made)
            }
        })*
    };
}
param! {
    Int: i64, value => Some(value);
    Int: Option<i64>, value => value;
    Text: &str, value => Some(value.to_owned());
    Text: String, value => Some(value);
    Text: Option<String>, value => value;
    Bytes: &[u8], value => Some(value.to_vec());
    Bytes: Vec<u8>, value => Some(value);
    Bytes: Option<Vec<u8>>, value => value;
}

/// A statement on its way to the engine.
pub(super) struct Query {
    text: SqlStr,
    params: Vec<Param>,
}

/// A statement whose text is a constant.
pub(super) fn query(text: &'static str) -> Query {
    Query {
        text: text.into_sql_str(),
        params: Vec::new(),
    }
}

/// A statement whose text was put together of constants and counted parameters alone.
pub(super) fn assembled(text: String) -> Query {
    Query {
        text: AssertSqlSafe(text).into_sql_str(),
        params: Vec::new(),
    }
}

impl Query {
    /// Gives it the next parameter.
    pub(super) fn bind(mut self, param: impl Into<Param>) -> Self {
        self.params.push(param.into());
        self
    }

    /// Gives it the next two parameters, which are a space's columns.
    pub(super) fn space(self, space: &Space) -> Self {
        self.bind(space.unit()).bind(i64::from(space.class as u8))
    }

    /// Hands it to the engine's library.
    fn given(self) -> sqlx::query::Query<'static, Sqlite, sqlx::sqlite::SqliteArguments> {
        let mut query = sqlx::query(self.text);
        for param in self.params {
            query = match param {
                Param::Int(value) => query.bind(value),
                Param::Text(value) => query.bind(value),
                Param::Bytes(value) => query.bind(value),
            };
        }
        query
    }

    /// Runs it.
    pub(super) async fn execute(self, conn: &mut Conn) -> Result<Done, Error> {
        let on = conn.run(&self.text)?;
        let done = self.given().execute(on).await?;
        Ok(Done(done.rows_affected()))
    }

    /// Runs it and gives all its rows.
    pub(super) async fn fetch_all(self, conn: &mut Conn) -> Result<Vec<Row>, Error> {
        let on = conn.run(&self.text)?;
        let rows = self.given().fetch_all(on).await?;
        Ok(rows.into_iter().map(Row).collect())
    }

    /// Runs it and gives its row, if there is one.
    pub(super) async fn fetch_optional(self, conn: &mut Conn) -> Result<Option<Row>, Error> {
        let on = conn.run(&self.text)?;
        let row = self.given().fetch_optional(on).await?;
        Ok(row.map(Row))
    }

    /// Runs it and gives its row.
    pub(super) async fn fetch_one(self, conn: &mut Conn) -> Result<Row, Error> {
        let on = conn.run(&self.text)?;
        Ok(Row(self.given().fetch_one(on).await?))
    }

    /// Has the engine read its text and look up what it names.
    #[cfg(test)]
    pub(super) async fn prepare(self, conn: &mut Conn) -> Result<(), Error> {
        use sqlx::Executor;
        let on = conn.run(&self.text)?;
        on.prepare(self.text).await.map(drop)
    }
}

/// What a statement did.
#[derive(Clone, Copy, Debug)]
pub(super) struct Done(u64);

impl Done {
    /// The rows that it touched.
    pub(super) fn rows_affected(self) -> u64 {
        self.0
    }
}

/// A row that was read.
#[derive(Debug)]
pub(super) struct Row(SqliteRow);

impl Row {
    /// A column of numbers.
    pub(super) fn int(&self, column: &str) -> Result<Option<i64>, Error> {
        self.0.try_get(column)
    }

    /// A column of texts.
    pub(super) fn text(&self, column: &str) -> Result<Option<&str>, Error> {
        self.0.try_get(column)
    }

    /// A column for people to read, if there is one and it holds something.
    pub(super) fn shown(&self, column: &str) -> Option<String> {
        let int = || Some(self.int(column).ok()??.to_string());
        let text = || Some(self.text(column).ok()??.to_owned());
        let bytes = || Some(HEXLOWER.encode(self.bytes(column).ok()??));
        int().or_else(text).or_else(bytes)
    }

    /// A column of bytes.
    pub(super) fn bytes(&self, column: &str) -> Result<Option<&[u8]>, Error> {
        self.0.try_get(column)
    }
}
