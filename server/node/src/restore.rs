//! `restore`: an installation out of a backup, and out of the journal where there is one.
//!
//! Everything is verified before anything is written, written into a directory beside, and renamed
//! last: killed at any moment there is a whole installation or none, and restoring again is all there
//! is to do. The restored server begins another life (R22), so that no phone takes its older counters
//! for what it knew, and serves nothing but acknowledgements until the journal was replayed or an
//! administrator confirms (R20).

use std::ffi::OsString;
use std::fs::{self, File};
use std::io::{self, BufReader, BufWriter};
use std::path::{Path, PathBuf};

use store::control::{self, meta};
use store::event::EventKind;
use store::owner_only;
use store::{Store, copy, journaled, recovery};

use crate::app::{App, erase_what_is_due};
use crate::backup::container::{BadBackup, Table, read_part};
use crate::backup::verify;
use crate::commit::write_before_serving;
use crate::context::Options;
use crate::error::CommandError;
use crate::journal::Files;
use crate::replay::{Replayed, replay};
use crate::transaction::WriteTx;
use crate::writer::Unwritten;

/// An installation that was restored.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Restored {
    /// The installation.
    pub network: sync_core::id::NetworkId,
    /// When its backup was made, Unix seconds by the server's clock.
    pub backup_time: i64,
    /// What the journal brought, if there was one.
    pub journal: Option<Replayed>,
    /// Nothing but acknowledgements is served until an administrator confirms.
    pub recovery: bool,
}

/// Makes an installation in `data`, which must be empty or not there, of the backup in `file` and the
/// journal in `journal`.
pub async fn restore(
    file: &Path,
    data: &Path,
    journal: Option<&Path>,
    options: Options,
) -> Result<Restored, CommandError> {
    let failed = |error: BadBackup| match error {
        BadBackup::File(error) => CommandError::file_failed(file, error),
        BadBackup::Shape => CommandError::wrong("not_a_backup", file.display()),
        BadBackup::Broken(part) => {
            CommandError::wrong("backup_broken", file.display()).with("part", part)
        }
    };
    let table = verify(file).map_err(failed)?;
    if !is_empty(data) {
        return Err(CommandError::wrong("restore_not_empty", data.display()));
    }
    let files = journal.map(|dir| Files::open(dir, table.network, table.time));
    let files = files
        .transpose()
        .map_err(|error| CommandError::wrong("journal_unusable", error))?;

    let beside = beside(data);
    unpack(file, &table, &beside).map_err(failed)?;
    begin_another_life(&beside, &options).await?;
    let app = App::open_existing(&beside, options).await?;
    let replayed = match files {
        Some(files) => Some(replay(&app, files).await?),
        None => None,
    };
    let recovery = !replayed.is_some_and(|replayed| replayed.complete);
    make_ready(&app, recovery).await?;
    app.close().await;
    drop(app);
    put_in_place(&beside, data).map_err(|error| failed(error.into()))?;
    Ok(Restored {
        network: table.network,
        backup_time: table.time,
        journal: replayed,
        recovery,
    })
}

fn is_empty(dir: &Path) -> bool {
    match fs::read_dir(dir) {
        Ok(mut entries) => entries.next().is_none(),
        Err(error) => error.kind() == io::ErrorKind::NotFound,
    }
}

fn beside(data: &Path) -> PathBuf {
    let mut name: OsString = data.components().as_path().as_os_str().to_owned();
    name.push(".restoring");
    PathBuf::from(name)
}

/// Writes the parts of a backup into a new directory.
fn unpack(file: &Path, table: &Table, dir: &Path) -> Result<(), BadBackup> {
    match fs::remove_dir_all(dir) {
        Err(error) if error.kind() != io::ErrorKind::NotFound => return Err(error.into()),
        _ => {}
    }
    owner_only::make_dir(dir)?;
    let mut file = BufReader::new(File::open(file)?);
    if Table::read(&mut file)? != *table {
        return Err(BadBackup::Shape);
    }
    for part in &table.parts {
        let mut out = BufWriter::new(owner_only::create(&dir.join(&part.name))?);
        read_part(&mut file, part, &mut out)?;
        let out = out.into_inner().map_err(io::IntoInnerError::into_error)?;
        out.sync_all()?;
    }
    Ok(())
}

/// Draws a new incarnation and begins the recovery, before anything is served from the directory.
async fn begin_another_life(dir: &Path, options: &Options) -> Result<(), CommandError> {
    let store = Store::open(dir).await?;
    let now = options.clock.now();
    let begun = write_before_serving(&store, async |conn| {
        // The journal's path is that of the machine that was lost; a new one is given everything.
        control::unset_meta(conn, meta::JOURNAL).await?;
        journaled::begin_anew(conn).await?;
        journaled::all_backed_up(conn).await?;
        crate::recovery::begin(now, conn, EventKind::Restored).await
    });
    begun.await?;
    store.close().await;
    Ok(())
}

/// What has to be done with everything that came out of backup and journal before any of it is
/// served. The one place where a restore forgets what must not come back.
async fn make_ready(app: &App, recovery: bool) -> Result<(), CommandError> {
    let set = async move |tx: &mut WriteTx<'_>| {
        recovery::set(&mut tx.conn, recovery).await?;
        Ok::<_, Unwritten>(())
    };
    app.write(set).await?;
    // Orders of erasure that came with the journal are done before anything is served (R31).
    erase_what_is_due(app).await?;
    app.count_figures().await?;
    let mut conn = app.context().store.connect().await?;
    copy::checkpoint(&mut conn).await?;
    Ok(())
}

/// The last step: the directory under its name.
fn put_in_place(beside: &Path, data: &Path) -> io::Result<()> {
    File::open(beside)?.sync_all()?;
    if data.is_dir() {
        // Empty, as was seen before; a directory that is not can't be removed so.
        fs::remove_dir(data)?;
    }
    fs::rename(beside, data)?;
    owner_only::sync_parent(data)
}
