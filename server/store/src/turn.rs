//! Turn of whoever writes, and what a node remembers of the last one it saw.
//!
//! Every writing transaction takes the turn first, so that it is alone whatever the engine isolates.
//! The turn's number counts the commits. A node keeps the highest in a file beside its keys: a database
//! that says less was set back, by a copied file or a standby that lagged behind.

use std::fs::{File, OpenOptions};
use std::io::{self, ErrorKind, Read as _, Seek, SeekFrom, Write};
use std::path::Path;
use std::sync::{Mutex, PoisonError};

use super::{Conn, Read, StoreError, one_row, query, statements, stored};
use crate::owner_only;

statements! {
    TAKE = "UPDATE turn SET number = number + 1 RETURNING number, control";
    NUMBER = "SELECT number FROM turn";
    RAISE = "UPDATE turn SET number = $1 WHERE number < $1";
}

/// The file in the data directory.
const FILE_NAME: &str = "turn";
/// Commits after which the file is on disk for certain. After each of them the system has it, which is
/// enough unless the machine itself stops.
const SYNC_EACH: u64 = 256;

/// Takes the turn; returns its number.
pub(super) async fn take(conn: &mut Conn) -> Result<u64, StoreError> {
    let row = query(TAKE).fetch_one(conn).await?;
    let read = Read::of("turn", &row);
    let control = read.number("control")?;
    if let Some(known) = conn.known() {
        known.control = Some(control);
    }
    read.number("number")
}

/// The number of the last turn.
pub(super) async fn number(conn: &mut Conn) -> Result<u64, StoreError> {
    let row = query(NUMBER).fetch_one(conn).await?;
    Read::of("turn", &row).number("number")
}

/// Goes on from this number, which is above that of the transaction's turn.
pub(super) async fn raise(conn: &mut Conn, number: u64) -> Result<(), StoreError> {
    one_row(
        "turn",
        query(RAISE).bind(stored(number)).execute(conn).await?,
    )
}

/// The highest turn that a node saw. Only what is committed gets in, so it is never ahead of a database
/// that lost nothing.
#[derive(Debug)]
pub(super) struct Seen(Mutex<State>);

#[derive(Debug)]
struct State {
    file: File,
    highest: u64,
}

impl Seen {
    /// What stands in the data directory `dir`; nothing at the first start.
    pub(super) fn open(dir: &Path) -> io::Result<Self> {
        let path = dir.join(FILE_NAME);
        match owner_only::create(&path) {
            Ok(_) => owner_only::sync_parent(&path)?,
            Err(error) if error.kind() == ErrorKind::AlreadyExists => {}
            Err(error) => return Err(error),
        }
        let mut file = OpenOptions::new().read(true).write(true).open(path)?;
        let mut bytes = Vec::new();
        (&mut file)
            .take(RECORD_LEN as u64)
            .read_to_end(&mut bytes)?;
        let highest = number_of(&bytes).unwrap_or_else(|| {
            if !bytes.is_empty() {
                tracing::error!(file = FILE_NAME, "does not read and is begun again");
            }
            0
        });
        Ok(Self(Mutex::new(State { file, highest })))
    }

    fn state(&self) -> std::sync::MutexGuard<'_, State> {
        // A record that was cut off by a panic does not read, or is the one before.
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// The highest turn.
    pub(super) fn highest(&self) -> u64 {
        self.state().highest
    }

    /// Notes the turn of a transaction that has committed. A failure is only told: the commit stands,
    /// and the next one notes more.
    pub(super) fn note(&self, number: u64) {
        let mut state = self.state();
        if number <= state.highest {
            return;
        }
        state.highest = number;
        let written = write(&mut state.file, number);
        if let Err(error) = written {
            tracing::error!(%error, file = FILE_NAME, "can't be written");
        }
    }
}

/// A number and its complement, so that a torn record does not read.
const RECORD_LEN: usize = 16;

fn record(number: u64) -> [u8; RECORD_LEN] {
    let mut record = [0; RECORD_LEN];
    let (first, second) = record.split_at_mut(8);
    first.copy_from_slice(&number.to_be_bytes());
    second.copy_from_slice(&(!number).to_be_bytes());
    record
}

fn number_of(bytes: &[u8]) -> Option<u64> {
    let number = u64::from_be_bytes(bytes.get(..8)?.try_into().ok()?);
    (record(number) == bytes).then_some(number)
}

fn write(file: &mut File, number: u64) -> io::Result<()> {
    file.seek(SeekFrom::Start(0))?;
    file.write_all(&record(number))?;
    match number % SYNC_EACH {
        0 => file.sync_data(),
        _ => Ok(()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_highest_turn_is_remembered_and_a_torn_record_is_none() {
        let dir = tempfile::tempdir().unwrap();
        for (number, highest) in [(1, 1), (SYNC_EACH, SYNC_EACH), (7, SYNC_EACH)] {
            Seen::open(dir.path()).unwrap().note(number);
            assert_eq!(Seen::open(dir.path()).unwrap().highest(), highest);
        }
        let path = dir.path().join(FILE_NAME);
        let whole = std::fs::read(&path).unwrap();
        for torn in [&whole[..15], &[0; RECORD_LEN], &[]] {
            std::fs::write(&path, torn).unwrap();
            assert_eq!(Seen::open(dir.path()).unwrap().highest(), 0);
        }
    }
}
