//! Reading a journal again, file by file, after a restore.

use std::fs::File;
use std::io::{self, BufReader};
use std::path::{Path, PathBuf};

use sync_core::id::NetworkId;

use super::record::{Next, Record, Records};
use super::{follow_each_other, name, numbers};

/// Why a directory is no journal to go on from. Nothing was changed.
#[derive(Debug, thiserror::Error)]
pub(crate) enum BadJournal {
    /// It can't be read.
    #[error("{} can't be read", .0.display())]
    File(PathBuf, #[source] io::Error),
    /// A file of it belongs to another installation.
    #[error("{} is the journal of another installation", .0.display())]
    OtherNetwork(PathBuf),
    /// There is no file of a journal in it.
    #[error("there is no journal in {}", .0.display())]
    Empty(PathBuf),
}

/// The files of a journal, in the order in which they were begun.
pub(crate) struct Files {
    paths: Vec<PathBuf>,
    /// Nothing is known to be missing: since a moment the files follow each other without a gap,
    /// and no record of them was altered.
    pub(crate) complete: bool,
    /// Files whose last record was cut off.
    pub(crate) torn: usize,
    /// Records that were altered.
    pub(crate) altered: usize,
}

impl Files {
    /// The journal in a directory, as it must be to follow a backup made at `backup_time`.
    pub(crate) fn open(
        dir: &Path,
        network: NetworkId,
        backup_time: i64,
    ) -> Result<Self, BadJournal> {
        let failed = |error| BadJournal::File(dir.to_owned(), error);
        let numbers = numbers(dir).map_err(failed)?;
        let mut files = Self {
            paths: Vec::new(),
            complete: follow_each_other(&numbers),
            torn: 0,
            altered: 0,
        };
        for number in numbers {
            let path = dir.join(name(number));
            let Some(records) = records(&path)? else {
                // Cut off while it was begun: nothing stands in it.
                files.torn += 1;
                continue;
            };
            if records.head.network != network {
                return Err(BadJournal::OtherNetwork(path));
            }
            // What stood in files before the first one must be in the backup.
            let first = files.paths.is_empty();
            if first && !records.head.whole && records.head.begun > backup_time {
                files.complete = false;
            }
            files.paths.push(path);
        }
        match files.paths.is_empty() {
            true => Err(BadJournal::Empty(dir.to_owned())),
            false => Ok(files),
        }
    }

    /// How many files there are.
    pub(crate) fn count(&self) -> usize {
        self.paths.len()
    }

    /// The records of a file that `take` wants, in order. `noting`: what is wrong with the file is
    /// counted; once is enough.
    pub(crate) fn records<T>(
        &mut self,
        file: usize,
        noting: bool,
        take: impl Fn(Record) -> Option<T>,
    ) -> Result<Vec<T>, BadJournal> {
        let mut found = Vec::new();
        let Some(path) = self.paths.get(file) else {
            return Ok(found);
        };
        let Some(mut records) = records(path)? else {
            return Ok(found);
        };
        let (mut torn, mut altered) = (0, 0);
        loop {
            let next = records.read_next();
            match next.map_err(|error| BadJournal::File(path.clone(), error))? {
                Next::Record(record) => found.extend(take(record)),
                Next::Altered => altered += 1,
                Next::Lost => {
                    altered += 1;
                    break;
                }
                Next::Torn => {
                    torn += 1;
                    break;
                }
                Next::End => break,
            }
        }
        if noting {
            self.torn += torn;
            self.altered += altered;
            self.complete &= altered == 0;
        }
        Ok(found)
    }
}

/// Whose journal a file is of, if it is of one.
pub(super) fn network_of(path: &Path) -> Option<NetworkId> {
    Some(records(path).ok()??.head.network)
}

fn records(path: &Path) -> Result<Option<Records<BufReader<File>>>, BadJournal> {
    let opened = File::open(path).map(BufReader::new).and_then(Records::open);
    opened.map_err(|error| BadJournal::File(path.to_owned(), error))
}
