//! The installation's single values, and the control feed.

use std::collections::BTreeMap;

use sync_core::control::ControlEntry;
use sync_core::id::EntryHash;

use super::{Conn, Read, StoreError, one_row, query, statements, stored};

statements! {
    META = "SELECT key, value FROM meta";
    SET_META = "INSERT INTO meta (key, value) VALUES ($1, $2)
        ON CONFLICT (key) DO UPDATE SET value = excluded.value";
    COUNT = "SELECT control FROM turn";
    NUMBER = "UPDATE turn SET control = control + 1";
    AFTER = "SELECT arrival, hash, bytes FROM control WHERE arrival > $1 ORDER BY arrival";
    FIRST = "SELECT bytes FROM control ORDER BY arrival LIMIT 1";
    UNSET_META = "DELETE FROM meta WHERE key = $1";
    ADD = "INSERT INTO control (arrival, hash, bytes)
        SELECT control, $1, $2 FROM turn";
}

/// The keys of `meta`.
pub mod meta {
    /// The installation's id.
    pub const NETWORK: &str = "network";
    /// Which life of the database this is: a restore begins another one.
    pub const INCARNATION: &str = "incarnation";
    /// The key that the nonces of exchanges are made with.
    pub const NONCE_KEY: &str = "nonce_key";
    /// The address that enrolment links carry.
    pub const URL: &str = "url";
    /// There in an installation of made-up data.
    pub const SAMPLE: &str = "sample";
    /// The directory of the journal, if one is kept.
    pub const JOURNAL: &str = "journal";
    /// The arrival up to which the journal has the control feed.
    pub(crate) const CONTROL_JOURNALED: &str = "control_journaled";
    /// The number of the file with which the journal begins; 0 while nothing of it was written.
    pub(crate) const JOURNAL_FROM: &str = "journal_from";
    /// The number of the journal's newest file; 0 while nothing of it was written.
    pub(crate) const JOURNAL_TO: &str = "journal_to";
    /// The first of the files before the journal's that an erasure has superseded; 0 if there is none.
    pub(crate) const JOURNAL_SUPERSEDED: &str = "journal_superseded";
    /// Whether phones are still to bring back what a restored database lacks.
    pub(crate) const RECOVERY: &str = "recovery";
}

/// A value of `meta`.
pub async fn meta(conn: &mut Conn, key: &str) -> Result<Option<Vec<u8>>, StoreError> {
    let known = conn.known().and_then(|known| known.meta.take());
    let all = match known {
        Some(all) => all,
        None => all_meta(conn).await?,
    };
    let value = all.get(key).cloned();
    if let Some(known) = conn.known() {
        known.meta = Some(all);
    }
    Ok(value)
}

async fn all_meta(conn: &mut Conn) -> Result<BTreeMap<String, Vec<u8>>, StoreError> {
    let rows = query(META).fetch_all(conn).await?;
    let pair = |row| {
        let read = Read::of("meta", row);
        Ok((read.text("key")?.to_owned(), read.blob("value")?.to_vec()))
    };
    rows.iter().map(pair).collect()
}

/// The table as this transaction has changed it, if it was read.
fn known_meta(conn: &mut Conn) -> Option<&mut BTreeMap<String, Vec<u8>>> {
    conn.known().and_then(|known| known.meta.as_mut())
}

/// A value of `meta` that is `N` bytes long.
pub async fn meta_bytes<const N: usize>(
    conn: &mut Conn,
    key: &str,
) -> Result<Option<[u8; N]>, StoreError> {
    let unreadable = StoreError::Unreadable {
        table: "meta",
        column: "value",
    };
    match meta(conn, key).await? {
        Some(value) => Ok(Some(value.try_into().map_err(|_| unreadable)?)),
        None => Ok(None),
    }
}

/// Sets a value of `meta`.
pub async fn set_meta(conn: &mut Conn, key: &str, value: &[u8]) -> Result<(), StoreError> {
    one_row(
        "meta",
        query(SET_META).bind(key).bind(value).execute(conn).await?,
    )?;
    if let Some(known) = known_meta(conn) {
        known.insert(key.to_owned(), value.to_vec());
    }
    Ok(())
}

/// Takes a value out of `meta`, if it is there.
pub async fn unset_meta(conn: &mut Conn, key: &str) -> Result<(), StoreError> {
    query(UNSET_META).bind(key).execute(&mut *conn).await?;
    if let Some(known) = known_meta(conn) {
        known.remove(key);
    }
    Ok(())
}

/// The number of the newest control entry.
pub async fn count(conn: &mut Conn) -> Result<u64, StoreError> {
    if let Some(count) = conn.known().and_then(|known| known.control) {
        return Ok(count);
    }
    let row = query(COUNT).fetch_one(&mut *conn).await?;
    let count = Read::of("turn", &row).number("control")?;
    if let Some(known) = conn.known() {
        known.control = Some(count);
    }
    Ok(count)
}

/// A control entry as it is stored; its signatures are checked by who applies it.
pub struct StoredEntry {
    /// Its place in the order in which entries arrived here.
    pub arrival: u64,
    /// Its hash.
    pub hash: EntryHash,
    /// Its bytes.
    pub bytes: Vec<u8>,
}

/// The entries that came in after the one with this number, in order.
pub async fn after(conn: &mut Conn, arrival: u64) -> Result<Vec<StoredEntry>, StoreError> {
    let rows = query(AFTER).bind(stored(arrival)).fetch_all(conn).await?;
    let entry = |row| {
        let read = Read::of("control", row);
        Ok(StoredEntry {
            arrival: read.number("arrival")?,
            hash: read.id("hash", EntryHash::from_slice)?,
            bytes: read.blob("bytes")?.to_vec(),
        })
    };
    rows.iter().map(entry).collect()
}

/// The first entry: the root statement that founded the network.
pub async fn first(conn: &mut Conn) -> Result<Option<Vec<u8>>, StoreError> {
    let row = query(FIRST).fetch_optional(conn).await?;
    row.map(|row| Ok(Read::of("control", &row).blob("bytes")?.to_vec()))
        .transpose()
}

/// Adds a checked entry behind all others.
pub async fn add(conn: &mut Conn, entry: &ControlEntry) -> Result<(), StoreError> {
    one_row("turn", query(NUMBER).execute(&mut *conn).await?)?;
    if let Some(count) = conn.known().and_then(|known| known.control.as_mut()) {
        *count += 1;
    }
    let add = query(ADD).bind(entry.hash.as_bytes()).bind(entry.bytes());
    one_row("control", add.execute(conn).await?)
}
