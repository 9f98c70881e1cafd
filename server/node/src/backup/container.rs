//! The file of a backup: a table of parts with their lengths and hashes, then the parts.
//!
//! ```text
//! "ortoo backup 01\n" │ network 32 │ incarnation 8 │ when it was made, Unix seconds 8 │ count 2
//! for each part: length of its name 1 │ name │ length 8 │ SHA-256 32
//! SHA-256 of everything before 32
//! the parts, in the order of the table
//! ```
//! Numbers are big-endian. The table is checked before a part is looked at, and a part's name can
//! only be one of a data directory's own.

use std::io::{self, Read, Write};

use sha2::{Digest, Sha256};
use store::FILE_NAME;
use sync_core::id::{Incarnation, NetworkId};

use crate::keys;

const MAGIC: [u8; 16] = *b"ortoo backup 01\n";
/// The database, four keys, and one a month.
const PARTS_MAX: u16 = 256;
const AT_ONCE: usize = 64 * 1024;

/// Why a file is no backup, or not a whole one.
#[derive(Debug, thiserror::Error)]
pub enum BadBackup {
    /// It can't be read, or what is read can't be written.
    #[error("the file can't be read")]
    File(#[from] io::Error),
    /// It is none, or one of a newer program.
    #[error("the file is no backup that this program reads")]
    Shape,
    /// The table or this part was altered or cut off.
    #[error("{0} of the backup is broken")]
    Broken(String),
}

/// The table's name in messages.
const TABLE: &str = "the table";

/// What a backup holds.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Table {
    /// The installation.
    pub network: NetworkId,
    /// The life of its server in which it was made.
    pub incarnation: Incarnation,
    /// When it was begun, Unix seconds by the server's clock: everything committed before is inside.
    pub time: i64,
    /// What follows the table, in its order.
    pub parts: Vec<Part>,
}

/// A file of the data directory.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Part {
    /// The file's name, one of a data directory's own.
    pub name: String,
    /// Bytes.
    pub length: u64,
    /// SHA-256 of them.
    pub hash: [u8; 32],
}

impl Part {
    /// A part that holds what `file` gives.
    ///
    /// # Errors
    /// The file can't be read.
    pub fn of(name: &str, file: &mut impl Read) -> io::Result<Self> {
        let mut hash = Sha256::new();
        let length = each_block(file, u64::MAX, |block| {
            hash.update(block);
            Ok(())
        })?;
        Ok(Self {
            name: name.to_owned(),
            length,
            hash: hash.finalize().into(),
        })
    }
}

/// Whether a backup may hold a file of this name: the database and the keys, but for the root key,
/// which stays where it was carried to.
pub(crate) fn belongs(name: &str) -> bool {
    let keys = [keys::NODE, keys::MATCH, keys::TLS, keys::TLS_NEXT];
    name == FILE_NAME || keys.contains(&name) || keys::is_seal_name(name)
}

impl Table {
    fn to_bytes(&self) -> Vec<u8> {
        let mut bytes = MAGIC.to_vec();
        bytes.extend_from_slice(self.network.as_bytes());
        bytes.extend_from_slice(&self.incarnation.0);
        bytes.extend_from_slice(&self.time.to_be_bytes());
        // Both are small: the names are those of `belongs`.
        let count = u16::try_from(self.parts.len()).unwrap_or(u16::MAX);
        bytes.extend_from_slice(&count.to_be_bytes());
        for part in &self.parts {
            bytes.push(u8::try_from(part.name.len()).unwrap_or(u8::MAX));
            bytes.extend_from_slice(part.name.as_bytes());
            bytes.extend_from_slice(&part.length.to_be_bytes());
            bytes.extend_from_slice(&part.hash);
        }
        let hash = Sha256::digest(&bytes);
        bytes.extend_from_slice(&hash);
        bytes
    }

    /// Writes the table; the parts' bytes follow in its order.
    ///
    /// # Errors
    /// The file can't be written.
    pub fn write(&self, file: &mut impl Write) -> io::Result<()> {
        file.write_all(&self.to_bytes())
    }

    /// Reads the table; the parts' bytes come next.
    ///
    /// # Errors
    /// [`BadBackup`].
    pub fn read(file: &mut impl Read) -> Result<Self, BadBackup> {
        let mut head = Head {
            file,
            hash: Sha256::new(),
        };
        if head.take::<16>().map_err(|_| BadBackup::Shape)? != MAGIC {
            return Err(BadBackup::Shape);
        }
        let network = NetworkId(head.take()?);
        let incarnation = Incarnation(head.take()?);
        let time = i64::from_be_bytes(head.take()?);
        let count = u16::from_be_bytes(head.take()?);
        if count > PARTS_MAX {
            return Err(broken(TABLE));
        }
        let mut parts: Vec<Part> = Vec::new();
        for _ in 0..count {
            let [length] = head.take()?;
            let mut name = vec![0; usize::from(length)];
            head.fill(&mut name)?;
            parts.push(Part {
                name: String::from_utf8(name).map_err(|_| broken(TABLE))?,
                length: u64::from_be_bytes(head.take()?),
                hash: head.take()?,
            });
        }
        let hash: [u8; 32] = head.hash.clone().finalize().into();
        if head.take::<32>()? != hash {
            return Err(broken(TABLE));
        }
        // The table is as it was written. A newer program may have written other files.
        let twice = |part: &Part| parts.iter().filter(|other| other.name == part.name).count() > 1;
        let fits = parts.iter().all(|part| belongs(&part.name) && !twice(part));
        match fits && parts.iter().any(|part| part.name == FILE_NAME) {
            true => Ok(Self {
                network,
                incarnation,
                time,
                parts,
            }),
            false => Err(BadBackup::Shape),
        }
    }
}

/// Copies the next part of a file to `out`.
///
/// # Errors
/// [`BadBackup::Broken`] if it is not what the table says; then `out` has what stands there instead.
pub fn read_part(file: &mut impl Read, part: &Part, out: &mut impl Write) -> Result<(), BadBackup> {
    let mut hash = Sha256::new();
    let length = each_block(file, part.length, |block| {
        hash.update(block);
        out.write_all(block)
    })?;
    let whole = length == part.length && <[u8; 32]>::from(hash.finalize()) == part.hash;
    whole.then_some(()).ok_or_else(|| broken(&part.name))
}

fn broken(what: &str) -> BadBackup {
    BadBackup::Broken(what.to_owned())
}

/// Gives at most `limit` bytes of a file in blocks; how many there were.
fn each_block(
    file: &mut impl Read,
    limit: u64,
    mut take: impl FnMut(&[u8]) -> io::Result<()>,
) -> io::Result<u64> {
    let mut block = vec![0; AT_ONCE];
    let mut done = 0;
    while done < limit {
        let room = usize::try_from(limit - done)
            .unwrap_or(AT_ONCE)
            .min(AT_ONCE);
        let read = match file.read(&mut block[..room]) {
            Ok(0) => break,
            Ok(read) => read,
            Err(error) if error.kind() == io::ErrorKind::Interrupted => continue,
            Err(error) => return Err(error),
        };
        take(&block[..read])?;
        done += read as u64;
    }
    Ok(done)
}

struct Head<'a, R> {
    file: &'a mut R,
    hash: Sha256,
}

impl<R: Read> Head<'_, R> {
    fn fill(&mut self, bytes: &mut [u8]) -> Result<(), BadBackup> {
        self.file
            .read_exact(bytes)
            .map_err(|error| match error.kind() {
                io::ErrorKind::UnexpectedEof => broken(TABLE),
                _ => error.into(),
            })?;
        self.hash.update(bytes);
        Ok(())
    }

    fn take<const N: usize>(&mut self) -> Result<[u8; N], BadBackup> {
        let mut bytes = [0; N];
        self.fill(&mut bytes)?;
        Ok(bytes)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn backup() -> (Table, Vec<u8>) {
        let files = [(FILE_NAME, vec![1; 200_000]), (keys::NODE, vec![2; 67])];
        let parts = files
            .iter()
            .map(|(name, bytes)| Part::of(name, &mut bytes.as_slice()).unwrap());
        let table = Table {
            network: NetworkId([3; 32]),
            incarnation: Incarnation([4; 8]),
            time: 1_795_000_000,
            parts: parts.collect(),
        };
        let mut file = Vec::new();
        table.write(&mut file).unwrap();
        files
            .iter()
            .for_each(|(_, bytes)| file.extend_from_slice(bytes));
        (table, file)
    }

    fn read(mut file: &[u8]) -> Result<(Table, Vec<Vec<u8>>), BadBackup> {
        let table = Table::read(&mut file)?;
        let mut parts = Vec::new();
        for part in &table.parts {
            let mut bytes = Vec::new();
            read_part(&mut file, part, &mut bytes)?;
            parts.push(bytes);
        }
        Ok((table, parts))
    }

    #[test]
    fn a_backup_is_read_as_it_was_written() {
        let (table, file) = backup();
        let (read, parts) = read(&file).unwrap();
        assert_eq!(read, table);
        assert_eq!(parts, [vec![1; 200_000], vec![2; 67]]);
    }

    #[test]
    fn whatever_byte_is_altered_or_missing_the_broken_part_is_named() {
        let (table, file) = backup();
        let head = table.to_bytes().len();
        let node = file.len() - 67;
        for at in (0..head).chain([head, node - 1, node, file.len() - 1]) {
            let mut altered = file.clone();
            altered[at] ^= 0x20;
            let name = match at {
                _ if at < head => TABLE,
                _ if at < node => FILE_NAME,
                _ => keys::NODE,
            };
            match read(&altered).unwrap_err() {
                BadBackup::Broken(what) => assert_eq!(what, name, "{at}"),
                BadBackup::Shape => assert!(at < 16, "{at}"),
                BadBackup::File(error) => panic!("{error}"),
            }
            match read(&file[..at]).unwrap_err() {
                BadBackup::Broken(what) => assert_eq!(what, name, "cut at {at}"),
                BadBackup::Shape => assert!(at < 16, "cut at {at}"),
                BadBackup::File(error) => panic!("{error}"),
            }
        }
    }

    #[test]
    fn a_part_that_is_no_file_of_ours_is_refused() {
        for name in ["../ortoo.db", "root.key", "ortoo.db", "seal-x.key"] {
            let (mut table, _) = backup();
            table.parts[1].name = name.to_owned();
            let mut file = Vec::new();
            table.write(&mut file).unwrap();
            let refused = Table::read(&mut file.as_slice());
            assert!(matches!(refused, Err(BadBackup::Shape)), "{name}");
        }
    }
}
