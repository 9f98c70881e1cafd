//! Formats of the files beside the database, for other programs: journal and backup.
//! `docs/protocol.md` has their bytes.
//!
//! Nothing in them is taken on its word: whoever uses what a journal holds verifies the signatures,
//! as the server does when it restores.

pub use crate::backup::container::{BadBackup, Part, Table, read_part};
pub use crate::journal::{Head, Next, Record, Records};
