//! Backups: the database at one moment, while phones are served, with the keys it needs, in one
//! file that proves itself whole.
//!
//! The root key is never inside: it belongs on a stick in a safe. The file is not sealed, so of an
//! installation for real people it is made only where somebody says that he knows.

pub(crate) mod container;

use std::fs::{self, File, OpenOptions};
use std::io::{self, BufReader, BufWriter};
use std::path::{Path, PathBuf};

use store::control::{self, meta};
use store::owner_only;
use store::{Conn, FILE_NAME, copy, journaled};
use sync_core::id::{Incarnation, Space};

use self::container::{BadBackup, Part, Table, read_part};
use crate::app::App;
use crate::error::CommandError;
use crate::keys;
use crate::transaction::WriteTx;

/// Whether a backup of real people's data may lie in clear where it is written to.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum InClear {
    /// Somebody said so.
    Known,
    /// Nobody did.
    NotSaid,
}

/// A backup that was made and read again.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct BackupMade {
    /// Its size.
    pub bytes: u64,
    /// Files in it.
    pub parts: usize,
    /// Batches in it.
    pub batches: u64,
}

impl App {
    /// Writes a backup to a file and reads it again.
    pub async fn backup(&self, file: &Path, in_clear: InClear) -> Result<BackupMade, CommandError> {
        make(self, file, in_clear).await
    }
}

/// Writes a backup to `file`, which must not be there, and reads it again.
async fn make(app: &App, file: &Path, in_clear: InClear) -> Result<BackupMade, CommandError> {
    let context = app.context();
    let failed = |error: io::Error| CommandError::file_failed(file, error);
    let now = context.clock.now();
    let mut conn = context.store.connect().await?;
    let sample = control::meta(&mut conn, meta::SAMPLE).await?.is_some();
    if !sample && in_clear == InClear::NotSaid {
        return Err(CommandError::wrong("backup_in_clear", file.display()));
    }
    if file.exists() {
        return Err(CommandError::wrong("file_exists", file.display()));
    }
    // Before the copy is begun: the copy holds at least this.
    let held = journaled::counters(&mut conn).await?;
    let database = Scratch::beside(file, ".database").map_err(failed)?;
    copy::copy(&mut conn, &database.0).await?;
    let incarnation = control::meta_bytes(&mut conn, meta::INCARNATION).await?;

    // A month's private half is on disk before its public half is in the database, so the keys are
    // read after the copy was made.
    let mut paths = vec![(FILE_NAME.to_owned(), database.0.clone())];
    let months = keys::seal_months(&context.dir).map_err(anyhow::Error::from)?;
    let names = [keys::NODE, keys::MATCH, keys::TLS, keys::TLS_NEXT].map(str::to_owned);
    for name in names
        .into_iter()
        .chain(months.into_iter().map(keys::seal_name))
    {
        let path = context.dir.join(&name);
        if path.is_file() {
            paths.push((name, path));
        }
    }
    let mut parts = Vec::new();
    for (name, path) in &paths {
        parts.push(
            File::open(path)
                .and_then(|mut file| Part::of(name, &mut file))
                .map_err(failed)?,
        );
    }
    let table = Table {
        network: context.me.network,
        incarnation: Incarnation(incarnation.unwrap_or_default()),
        time: now,
        parts,
    };
    let bytes = write(file, &table, &paths).map_err(failed)?;
    let batches = held.iter().map(|(_, counter)| counter).sum();
    app.write(async move |tx: &mut WriteTx<'_>| note(&mut tx.conn, &held).await)
        .await?;
    Ok(BackupMade {
        bytes,
        parts: table.parts.len(),
        batches,
    })
}

/// What is inside a verified backup needs no phone any more (R23).
async fn note(conn: &mut Conn, held: &[(Space, u64)]) -> Result<(), CommandError> {
    for (space, counter) in held {
        journaled::set_backed_up(conn, space, *counter).await?;
    }
    Ok(())
}

/// Writes the file beside its place, reads it again, and only then puts it there.
fn write(file: &Path, table: &Table, paths: &[(String, PathBuf)]) -> io::Result<u64> {
    let beside = Scratch::beside(file, ".new")?;
    let mut out = BufWriter::new(OpenOptions::new().write(true).open(&beside.0)?);
    table.write(&mut out)?;
    for (_, path) in paths {
        io::copy(&mut File::open(path)?, &mut out)?;
    }
    let out = out.into_inner().map_err(io::IntoInnerError::into_error)?;
    out.sync_all()?;
    match verify(&beside.0) {
        Ok(read) if read == *table => {}
        Ok(_) => return Err(io::Error::other("what was written reads as something else")),
        Err(error) => return Err(io::Error::other(error)),
    }
    fs::rename(&beside.0, file)?;
    owner_only::sync_parent(file)?;
    out.metadata().map(|metadata| metadata.len())
}

/// Reads a backup to its end.
pub(crate) fn verify(file: &Path) -> Result<Table, BadBackup> {
    let mut file = BufReader::new(File::open(file)?);
    let table = Table::read(&mut file)?;
    for part in &table.parts {
        read_part(&mut file, part, &mut io::sink())?;
    }
    Ok(table)
}

/// An empty file beside another, for its owner's eyes only, which is gone in the end.
struct Scratch(PathBuf);

impl Scratch {
    fn beside(file: &Path, ending: &str) -> io::Result<Self> {
        let mut name = file.as_os_str().to_owned();
        name.push(ending);
        let path = PathBuf::from(name);
        owner_only::create_anew(&path)?;
        Ok(Self(path))
    }
}

impl Drop for Scratch {
    fn drop(&mut self) {
        // Renamed by now, or of no use to anybody.
        drop(fs::remove_file(&self.0));
    }
}
