//! A journal's file: a head, then records, each with its length and hash.
//!
//! ```text
//! "ortoo journal 1\n" │ network 32 │ number 8 │ when it was begun, Unix seconds 8 │ whole 1
//! length 4 │ SHA-256 of what follows 32 │ kind 1 │ a batch (1) or a control entry (2), as signed
//! ```
//! Numbers are big-endian; the length is that of kind and bytes.

use std::io::{self, Read};

use sha2::{Digest, Sha256};
use sync_core::control::CONTROL_ENTRY_BYTES_MAX;
use sync_core::id::NetworkId;

const MAGIC: [u8; 16] = *b"ortoo journal 1\n";
const HEAD_BYTES: usize = 16 + 32 + 8 + 8 + 1;
/// The largest that is ever written is a control entry.
const RECORD_BYTES_MAX: usize = CONTROL_ENTRY_BYTES_MAX + 1;
const BATCH: u8 = 1;
const CONTROL: u8 = 2;

/// How a file begins.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Head {
    /// The installation.
    pub network: NetworkId,
    /// 1, 2, … over the files of a directory.
    pub number: u64,
    /// When it was begun, Unix seconds by the server's clock.
    pub begun: i64,
    /// Everything that was held when it was begun follows: nothing of the files before it is missed.
    pub whole: bool,
}

impl Head {
    /// The bytes of it.
    pub fn to_bytes(self) -> Vec<u8> {
        [
            MAGIC.as_slice(),
            self.network.as_bytes(),
            &self.number.to_be_bytes(),
            &self.begun.to_be_bytes(),
            &[u8::from(self.whole)],
        ]
        .concat()
    }

    /// `None` if the file is none of ours, or was cut off before its first record.
    fn read(file: &mut impl Read) -> io::Result<Option<Self>> {
        let mut head = [0; HEAD_BYTES];
        if !fill(file, &mut head)? {
            return Ok(None);
        }
        let mut network = [0; 32];
        let mut numbers = [[0; 8]; 2];
        network.copy_from_slice(&head[16..48]);
        numbers[0].copy_from_slice(&head[48..56]);
        numbers[1].copy_from_slice(&head[56..64]);
        Ok((head[..16] == MAGIC).then_some(Self {
            network: NetworkId(network),
            number: u64::from_be_bytes(numbers[0]),
            begun: i64::from_be_bytes(numbers[1]),
            whole: head[64] == 1,
        }))
    }
}

/// What a record holds.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Record {
    /// A batch, as it was signed and is stored.
    Batch(Vec<u8>),
    /// A control entry, as it was signed.
    Control(Vec<u8>),
}

impl Record {
    /// Adds it to a file.
    pub fn put(&self, out: &mut Vec<u8>) {
        let (kind, bytes) = match self {
            Self::Batch(bytes) => (BATCH, bytes),
            Self::Control(bytes) => (CONTROL, bytes),
        };
        let hash = Sha256::new()
            .chain_update([kind])
            .chain_update(bytes)
            .finalize();
        // Batches and entries are far below 4 GiB.
        let length = u32::try_from(bytes.len() + 1).unwrap_or(u32::MAX);
        out.extend_from_slice(&length.to_be_bytes());
        out.extend_from_slice(&hash);
        out.push(kind);
        out.extend_from_slice(bytes);
    }
}

/// What comes next in a file.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Next {
    /// A whole record.
    Record(Record),
    /// A record of which the hash is another: altered. Others may follow.
    Altered,
    /// A length that no record has: where the next one begins is not known any more.
    Lost,
    /// The file ends, as it should.
    End,
    /// The file ends within a record, whose writing was cut off: nobody was told that it is held.
    Torn,
}

/// Reads a file from its beginning to its end.
#[derive(Debug)]
pub struct Records<R> {
    file: R,
    /// How the file begins.
    pub head: Head,
}

impl<R: Read> Records<R> {
    /// `None` if the file is no journal, or was cut off before its first record.
    ///
    /// # Errors
    /// The file can't be read.
    pub fn open(mut file: R) -> io::Result<Option<Self>> {
        let head = Head::read(&mut file)?;
        Ok(head.map(|head| Self { file, head }))
    }

    /// The next record. Nothing is allocated for a length that no record has.
    ///
    /// # Errors
    /// The file can't be read.
    pub fn read_next(&mut self) -> io::Result<Next> {
        let mut length = [0; 4];
        match fill_some(&mut self.file, &mut length)? {
            0 => return Ok(Next::End),
            4 => {}
            _ => return Ok(Next::Torn),
        }
        let length = u32::from_be_bytes(length) as usize;
        match length {
            // After a power cut a file may end in zeros that were never written.
            0 => return Ok(Next::Torn),
            1..=RECORD_BYTES_MAX => {}
            _ => return Ok(Next::Lost),
        }
        let mut hash = [0; 32];
        let mut bytes = vec![0; length];
        if !fill(&mut self.file, &mut hash)? || !fill(&mut self.file, &mut bytes)? {
            return Ok(Next::Torn);
        }
        if <[u8; 32]>::from(Sha256::digest(&bytes)) != hash {
            return Ok(Next::Altered);
        }
        let kind = bytes.remove(0);
        Ok(match kind {
            BATCH => Next::Record(Record::Batch(bytes)),
            CONTROL => Next::Record(Record::Control(bytes)),
            _ => Next::Altered,
        })
    }
}

/// Fills `bytes`, unless the file ends before.
fn fill(file: &mut impl Read, bytes: &mut [u8]) -> io::Result<bool> {
    Ok(fill_some(file, bytes)? == bytes.len())
}

fn fill_some(file: &mut impl Read, bytes: &mut [u8]) -> io::Result<usize> {
    let mut filled = 0;
    while filled < bytes.len() {
        match file.read(&mut bytes[filled..]) {
            Ok(0) => break,
            Ok(read) => filled += read,
            Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
            Err(error) => return Err(error),
        }
    }
    Ok(filled)
}

#[cfg(test)]
mod tests {
    use super::*;

    const HEAD: Head = Head {
        network: NetworkId([7; 32]),
        number: 3,
        begun: 1_795_000_000,
        whole: false,
    };

    fn file(records: &[Record]) -> Vec<u8> {
        let mut bytes = HEAD.to_bytes();
        records.iter().for_each(|record| record.put(&mut bytes));
        bytes
    }

    fn all(bytes: &[u8]) -> Vec<Next> {
        let mut records = Records::open(bytes).unwrap().unwrap();
        let mut all = Vec::new();
        loop {
            let next = records.read_next().unwrap();
            let ended = matches!(next, Next::End | Next::Torn | Next::Lost);
            all.push(next);
            if ended {
                return all;
            }
        }
    }

    #[test]
    fn what_was_put_into_a_file_is_read_from_it() {
        let records = [
            Record::Control(vec![1, 2, 3]),
            Record::Batch(vec![4; 1000]),
            Record::Batch(Vec::new()),
        ];
        let bytes = file(&records);
        assert_eq!(Records::open(&*bytes).unwrap().unwrap().head, HEAD);
        let read = all(&bytes);
        let whole = records.into_iter().map(Next::Record);
        assert_eq!(read, whole.chain([Next::End]).collect::<Vec<_>>());
    }

    #[test]
    fn a_file_cut_at_any_byte_gives_the_records_before_the_cut() {
        let first = file(&[Record::Batch(vec![1; 50])]).len();
        let bytes = file(&[Record::Batch(vec![1; 50]), Record::Control(vec![2; 50])]);
        for end in HEAD_BYTES..bytes.len() {
            let read = all(&bytes[..end]);
            let whole = read.iter().filter(|next| matches!(next, Next::Record(_)));
            assert_eq!(whole.count(), usize::from(end >= first), "{end}");
            let clean = end == HEAD_BYTES || end == first;
            let last = if clean { Next::End } else { Next::Torn };
            assert_eq!(read.last(), Some(&last), "{end}");
        }
        for end in 0..HEAD_BYTES {
            assert!(Records::open(&bytes[..end]).unwrap().is_none());
        }
    }

    #[test]
    fn an_altered_record_is_told_and_the_next_one_read() {
        let mut bytes = file(&[Record::Batch(vec![1; 50]), Record::Batch(vec![2; 50])]);
        bytes[HEAD_BYTES + 40] ^= 1;
        let read = all(&bytes);
        assert_eq!(
            read,
            [
                Next::Altered,
                Next::Record(Record::Batch(vec![2; 50])),
                Next::End
            ]
        );
        // A length that no record has allocates nothing.
        bytes[HEAD_BYTES] = 0xff;
        assert_eq!(all(&bytes), [Next::Lost]);
    }
}
