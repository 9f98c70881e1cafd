//! The journal: every batch and control entry once more, in files on a second path, on disk there
//! before the commit that holds them is (R23). With a backup it is everything that was ever
//! acknowledged.
//!
//! What is new in a transaction is read back from it by its numbers of arrival, so nothing that any
//! part of the server stores can be forgotten here; what another program stored comes along. A
//! journal that begins is given everything that is held. What stands in it although its transaction
//! was rolled back does no harm: batches are the truth, and joining them twice changes nothing.

mod record;
mod replay;

use std::fs::{self, File};
use std::io::{self, Write};
use std::ops::RangeInclusive;
use std::path::{Path, PathBuf};
use std::sync::{Mutex, PoisonError};

use store::clock::Clock;
use store::event::{self, EventKind};
use store::owner_only;
use store::{Conn, StoreError, control, feed, journaled};
use sync_core::id::NetworkId;

pub use record::{Head, Next, Record, Records};
pub(crate) use replay::{BadJournal, Files};

/// A file that is longer is followed by another one, so that old ones can be taken away.
#[cfg(not(test))]
const FILE_BYTES_MAX: u64 = 64 * 1024 * 1024;
/// Short in tests, so that they go through several files.
#[cfg(test)]
const FILE_BYTES_MAX: u64 = 4 * 1024;
/// Batches that are read from the database at once.
const BATCHES_AT_ONCE: u32 = 256;

const PREFIX: &str = "journal-";
const SUFFIX: &str = ".ortoo";

/// The journal of an installation, if it keeps one.
#[derive(Debug)]
pub(crate) struct Journal {
    network: NetworkId,
    clock: Clock,
    state: Mutex<State>,
}

#[derive(Debug, Default)]
struct State {
    dir: Option<PathBuf>,
    /// The file that this process appends to; another one after every error, for what stands at the
    /// end of this one is not known then.
    file: Option<Current>,
    /// The numbers of the file with which this process has begun the journal, and of the newest one that
    /// it has begun.
    first: u64,
    newest: u64,
    /// The next file begins the journal, with a number after this one.
    anew: Option<u64>,
}

/// A file that is appended to.
#[derive(Debug)]
struct Current {
    file: File,
    number: u64,
    length: u64,
}

impl Current {
    /// Whether it is still the file at its path.
    fn is_at(&self, path: &Path) -> bool {
        let (Ok(here), Ok(there)) = (self.file.metadata(), fs::metadata(path)) else {
            return false;
        };
        #[cfg(unix)]
        {
            use std::os::unix::fs::MetadataExt;
            (here.dev(), here.ino()) == (there.dev(), there.ino())
        }
        #[cfg(not(unix))]
        {
            here.len() == there.len()
        }
    }
}

impl State {
    fn is_full(&self) -> bool {
        let file = self.file.as_ref();
        file.is_some_and(|current| current.length >= FILE_BYTES_MAX)
    }
}

impl Journal {
    /// The journal in `dir`; none without.
    pub(crate) fn new(network: NetworkId, clock: Clock, dir: Option<PathBuf>) -> Self {
        let state = State {
            dir,
            ..State::default()
        };
        Self {
            network,
            clock,
            state: Mutex::new(state),
        }
    }

    /// Goes on in another directory, or nowhere.
    pub(crate) fn set(&self, dir: Option<PathBuf>) {
        *self.state() = State {
            dir,
            ..State::default()
        };
    }

    fn state(&self) -> std::sync::MutexGuard<'_, State> {
        // Whoever panicked in between left a file behind whose end is not known.
        self.state.lock().unwrap_or_else(|poisoned| {
            let mut state = PoisonError::into_inner(poisoned);
            state.file = None;
            state
        })
    }

    /// Writes what the transaction of `conn` holds and the journal lacks, and has it durable; to be
    /// called before every commit of batches or control entries. On an error nothing may be
    /// committed.
    pub(crate) async fn append(&self, conn: &mut Conn) -> Result<(), StoreError> {
        if self.state().dir.is_none() {
            return Ok(());
        }
        let known = journaled::control(conn).await?;
        let entries = control::after(conn, known).await?;
        let behind = journaled::behind(conn).await?;
        if entries.is_empty() && behind.is_empty() {
            return Ok(());
        }
        let (first, newest) = journaled::files(conn).await?;
        {
            let mut state = self.state();
            // Another process has begun the journal anew, after an erasure.
            state.file.take_if(|current| current.number < first);
            if newest == 0 {
                state.file = None;
                state.anew.get_or_insert(0);
            }
        }
        if !self.holds(first..=newest)? {
            tracing::error!("files of the journal are gone; it begins anew");
            event::add(self.clock.now(), conn, EventKind::JournalLost, None, None).await?;
            return self.begin_at(conn, newest).await;
        }
        if let Some(last) = entries.last().map(|entry| entry.arrival) {
            let records = entries
                .into_iter()
                .map(|entry| Record::Control(entry.bytes));
            self.write(&records.collect::<Vec<_>>())?;
            journaled::set_control(conn, last).await?;
        }
        for (space, mut arrival) in behind {
            loop {
                let batches = feed::whole(conn, &space, arrival, BATCHES_AT_ONCE).await?;
                let Some(last) = batches.last().map(|batch| batch.placed.arrival) else {
                    break;
                };
                let records = batches.into_iter().map(|batch| Record::Batch(batch.bytes));
                self.write(&records.collect::<Vec<_>>())?;
                arrival = last;
            }
            journaled::set_journaled(conn, &space, arrival).await?;
        }
        self.sync()?;
        let (begun, now) = {
            let state = self.state();
            (state.first, state.newest)
        };
        if now > newest {
            // What begins holds nothing of the files before it.
            let first = if newest == 0 { begun } else { first };
            journaled::set_files(conn, first, now).await?;
        }
        Ok(())
    }

    /// Begins the journal anew in the transaction of `conn`, with what is held now: its older files have
    /// what an erasure has just taken out. Once that has committed, [`Journal::drop_old`].
    pub(crate) async fn begin_again(&self, conn: &mut Conn) -> Result<(), StoreError> {
        let Some(dir) = self.state().dir.clone() else {
            return Ok(());
        };
        let (first, newest) = journaled::files(conn).await?;
        let superseded = journaled::superseded(conn).await?;
        let last = numbers(&dir).map_err(StoreError::Journal)?.pop();
        self.begin_at(conn, last.unwrap_or(0).max(newest)).await?;
        journaled::set_superseded(conn, superseded.unwrap_or(first)).await
    }

    /// Has the transaction of `conn` begin the journal with a file after this one.
    async fn begin_at(&self, conn: &mut Conn, after: u64) -> Result<(), StoreError> {
        journaled::begin_anew(conn).await?;
        {
            let mut state = self.state();
            state.file = None;
            state.anew = Some(after);
        }
        // Once more only: of a journal that begins no file can be gone.
        Box::pin(self.append(conn)).await
    }

    /// Whether the newest of these files is there, with no gap in those before it: a disk may have been
    /// taken out, or a directory emptied. The oldest ones may be taken away, by whoever has a backup.
    fn holds(&self, files: RangeInclusive<u64>) -> Result<bool, StoreError> {
        let state = self.state();
        let newest = *files.end();
        let Some(dir) = state.dir.as_deref().filter(|_| newest > 0) else {
            return Ok(true);
        };
        let mut there = match numbers(dir) {
            Err(error) if error.kind() == io::ErrorKind::NotFound => Vec::new(),
            there => there.map_err(StoreError::Journal)?,
        };
        there.retain(|number| files.contains(number));
        let current = state.file.as_ref();
        Ok(there.last() == Some(&newest)
            && follow_each_other(&there)
            && current.is_none_or(|current| current.is_at(&dir.join(name(current.number)))))
    }

    /// Removes the files from before the journal was begun anew, overwritten first.
    pub(crate) async fn drop_old(&self, conn: &mut Conn) -> Result<(), StoreError> {
        let Some(dir) = self.state().dir.clone().filter(|dir| dir.is_dir()) else {
            return Ok(());
        };
        let Some(superseded) = journaled::superseded(conn).await? else {
            return Ok(());
        };
        // Files before those, and of others, may hold what this database lacks.
        let (first, _) = journaled::files(conn).await?;
        for number in numbers(&dir).map_err(StoreError::Journal)? {
            let path = dir.join(name(number));
            if (superseded..first).contains(&number)
                && replay::network_of(&path) == Some(self.network)
            {
                owner_only::destroy(&path).map_err(StoreError::Journal)?;
            }
        }
        Ok(())
    }

    fn write(&self, records: &[Record]) -> Result<(), StoreError> {
        let mut bytes = Vec::new();
        for record in records {
            record.put(&mut bytes);
        }
        self.with_file(|current| {
            current.file.write_all(&bytes)?;
            current.length += bytes.len() as u64;
            Ok(())
        })?;
        if self.state().is_full() {
            self.sync()?;
            self.state().file = None;
        }
        Ok(())
    }

    fn sync(&self) -> Result<(), StoreError> {
        self.with_file(|current| current.file.sync_data())
    }

    fn with_file(
        &self,
        mut use_it: impl FnMut(&mut Current) -> io::Result<()>,
    ) -> Result<(), StoreError> {
        let mut state = self.state();
        let State {
            dir,
            file,
            first,
            newest,
            anew,
        } = &mut *state;
        let Some(dir) = dir.as_deref() else {
            return Ok(());
        };
        let used = match file.as_mut() {
            Some(current) => use_it(current),
            None => begin(dir, self.network, self.clock.now(), *anew).and_then(|begun| {
                if anew.take().is_some() {
                    *first = begun.number;
                }
                *newest = begun.number;
                use_it(file.insert(begun))
            }),
        };
        if used.is_err() {
            *file = None;
        }
        used.map_err(StoreError::Journal)
    }
}

/// Begins the next file of a directory, or one that begins the journal with a number after `anew`. Its
/// name is durable.
fn begin(dir: &Path, network: NetworkId, now: i64, anew: Option<u64>) -> io::Result<Current> {
    owner_only::make_dir(dir)?;
    let last = numbers(dir)?.last().copied().max(anew).unwrap_or(0);
    let mut number = last.saturating_add(1);
    loop {
        match owner_only::create(&dir.join(name(number))) {
            // Another process on the same directory was faster.
            Err(error) if error.kind() == io::ErrorKind::AlreadyExists => number += 1,
            Err(error) => return Err(error),
            Ok(mut file) => {
                let head = Head {
                    network,
                    number,
                    begun: now,
                    whole: anew.is_some(),
                };
                let head = head.to_bytes();
                file.write_all(&head)?;
                file.sync_all()?;
                File::open(dir)?.sync_all()?;
                return Ok(Current {
                    file,
                    number,
                    length: head.len() as u64,
                });
            }
        }
    }
}

fn name(number: u64) -> String {
    format!("{PREFIX}{number:06}{SUFFIX}")
}

/// Whether a file in a directory is of another installation's journal.
pub(crate) fn holds_another(dir: &Path, network: NetworkId) -> io::Result<bool> {
    let other = |number: &u64| {
        let of = replay::network_of(&dir.join(name(*number)));
        of.is_some_and(|of| of != network)
    };
    Ok(numbers(dir)?.iter().any(other))
}

/// Whether no number is missing between these, which ascend.
fn follow_each_other(numbers: &[u64]) -> bool {
    let mut pairs = numbers.windows(2);
    pairs.all(|pair| pair[0].checked_add(1) == Some(pair[1]))
}

/// The numbers of the files in a directory, ascending.
fn numbers(dir: &Path) -> io::Result<Vec<u64>> {
    let mut numbers = Vec::new();
    for file in fs::read_dir(dir)? {
        let file = file?.file_name();
        let number = file.to_str().and_then(|file| {
            let digits = file.strip_prefix(PREFIX)?.strip_suffix(SUFFIX)?;
            digits.parse::<u64>().ok()
        });
        numbers.extend(number);
    }
    numbers.sort_unstable();
    Ok(numbers)
}
