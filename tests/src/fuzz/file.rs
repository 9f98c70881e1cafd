//! Files that the server writes beside its database: journal and backup.

use std::io;

use ortoo_server::formats::{BadBackup, Head, Next, Part, Record, Records, Table, read_part};
use sha2::{Digest, Sha256};

use super::{Checked, Ground, Input, about, broken, require};

/// A journal's head.
const HEAD_BYTES: usize = 65;
/// Length and hash before a record.
const BEFORE_RECORD: usize = 36;

/// What a journal's file holds.
#[derive(Debug, PartialEq, Eq)]
pub(crate) struct Journal {
    pub(crate) head: Head,
    pub(crate) records: Vec<Record>,
    /// How many records are not what their hash says.
    pub(crate) altered: usize,
    /// How the file ends.
    pub(crate) end: Next,
}

impl Journal {
    /// Reads a file to its end; `None` if it is no journal.
    pub(crate) fn read(bytes: &[u8]) -> io::Result<Option<Self>> {
        let Some(mut file) = Records::open(bytes)? else {
            return Ok(None);
        };
        let (head, mut records, mut altered) = (file.head, Vec::new(), 0);
        let end = loop {
            match file.read_next()? {
                Next::Record(record) => records.push(record),
                Next::Altered => altered += 1,
                end => break end,
            }
        };
        Ok(Some(Self {
            head,
            records,
            altered,
            end,
        }))
    }

    /// Head and records as the server writes them.
    pub(crate) fn write(&self) -> Vec<u8> {
        let mut file = self.head.to_bytes();
        self.records.iter().for_each(|record| record.put(&mut file));
        file
    }
}

/// What is read of a journal stands in it with its hash, and reads back from another one.
pub(super) fn journal(_: &Ground, input: Input<'_>) -> Checked {
    let read = Journal::read(input.bytes).map_err(|error| error.to_string())?;
    let Some(read) = read else {
        return Ok("none".into());
    };
    let mut rest = input.bytes;
    for record in &read.records {
        let mut written = Vec::new();
        record.put(&mut written);
        let at = rest.windows(written.len()).position(|at| at == written);
        require(at.is_some(), "a record is read that does not stand there")?;
        rest = &rest[at.unwrap_or_default() + written.len()..];
    }
    let counts = [read.records.len(), read.altered].map(about);
    let word = format!("{counts:?} {:?}", read.end);
    let whole = Journal {
        altered: 0,
        end: Next::End,
        ..read
    };
    match Journal::read(&whole.write()) {
        Ok(Some(again)) if again == whole => Ok(word),
        other => broken(format!("written again it reads as {other:?}")),
    }
}

/// Returns each record of a journal the hash of what it is now.
pub(super) fn rehashed(_: &Ground, mut file: Vec<u8>) -> Vec<u8> {
    let mut rest = file.get_mut(HEAD_BYTES..).unwrap_or_default();
    while let Some((before, after)) = rest.split_at_mut_checked(BEFORE_RECORD) {
        let (length, hash) = before.split_at_mut(4);
        let length = length
            .iter()
            .fold(0, |sum, byte| sum << 8 | usize::from(*byte));
        let Some((record, next)) = after.split_at_mut_checked(length) else {
            break;
        };
        hash.copy_from_slice(&Sha256::digest(record));
        rest = next;
    }
    file
}

/// A backup's table is written as it was read, names nothing twice, and gives only what has its hash.
pub(super) fn backup(_: &Ground, input: Input<'_>) -> Checked {
    let mut rest = input.bytes;
    let table = match Table::read(&mut rest) {
        Ok(table) => table,
        Err(BadBackup::File(error)) => return broken(error.to_string()),
        Err(bad) => return Ok(bad.to_string()),
    };
    let mut again = Vec::new();
    table.write(&mut again).map_err(|error| error.to_string())?;
    let same = input.bytes.strip_suffix(rest) == Some(&again);
    require(same, "the table is written otherwise")?;
    let mut names: Vec<&str> = table.parts.iter().map(|part| part.name.as_str()).collect();
    names.sort_unstable();
    names.dedup();
    require(
        names.len() == table.parts.len(),
        "a part stands there twice",
    )?;
    let plain = |name: &&str| !name.contains(['/', '\\']) && !name.starts_with('.');
    require(names.iter().all(plain), "a name leads out of the directory")?;
    for (part, number) in table.parts.iter().zip(1..) {
        let mut out = Vec::new();
        match read_part(&mut rest, part, &mut out) {
            Ok(()) => {
                let held = Part::of(&part.name, &mut out.as_slice());
                let is_it = held.is_ok_and(|held| held == *part);
                require(is_it, "a part is taken that is another one")?;
            }
            Err(BadBackup::File(error)) => return broken(error.to_string()),
            Err(_) => return Ok(format!("{} {number}", names.len())),
        }
    }
    Ok(format!("whole {} {}", names.len(), about(rest.len())))
}

/// Returns a backup's table the hash of what it is now, and its parts theirs.
pub(super) fn rehashed_backup(_: &Ground, mut file: Vec<u8>) -> Vec<u8> {
    /// Where the table says how many parts there are.
    const COUNT: usize = 16 + 32 + 8 + 8;
    /// Of a part: where its hash stands, and how long it is.
    type Place = (usize, usize);
    let places = |file: &[u8]| -> Option<(Vec<Place>, usize)> {
        let count = file.get(COUNT..COUNT + 2)?;
        let count = u16::from_be_bytes([count[0], count[1]]);
        let (mut places, mut at) = (Vec::new(), COUNT + 2);
        for _ in 0..count {
            let length = at + 1 + usize::from(*file.get(at)?);
            let bytes = file.get(length..length + 8)?;
            let fold = |sum: usize, byte: &u8| sum << 8 | usize::from(*byte);
            places.push((length + 8, bytes.iter().fold(0, fold)));
            at = length + 8 + 32;
        }
        Some((places, at))
    };
    let Some((places, end)) = places(&file) else {
        return file;
    };
    let mut at = end + 32;
    for (hash, length) in places {
        let Some(part) = at.checked_add(length).and_then(|end| file.get(at..end)) else {
            break;
        };
        let digest = Sha256::digest(part);
        file[hash..hash + 32].copy_from_slice(&digest);
        at += length;
    }
    if file.len() >= end + 32 {
        let digest = Sha256::digest(&file[..end]);
        file[end..end + 32].copy_from_slice(&digest);
    }
    file
}
