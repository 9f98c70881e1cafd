//! Stores that an older program made.
//!
//! Format 1 kept rows in a table without row ids and sealed them as they are. Format 2 packs what it
//! seals ([`sync_core::seal`]) and lays the rows out so that several fit a page.

use getrandom::SysRng;
use getrandom::rand_core::UnwrapErr;
use rusqlite::{Connection, Transaction, params};
use sync_core::row::Table;
use sync_core::seal::{KeyId, RowName};

use super::data_keys::DataKeys;
use super::error::{StoreError, io};
use super::{FORMAT, ROWS, begin};

/// Makes the newest format of an older one, in one transaction: cut off, it is the older one still. Rows
/// that don't open are kept as they are.
pub(super) fn renew(db: &mut Connection, keys: &DataKeys) -> Result<(), StoreError> {
    let tx = begin(db)?;
    let now: u32 = tx.pragma_query_value(None, "user_version", |row| row.get(0))?;
    if now == FORMAT {
        // Another process was faster.
        return Ok(());
    }
    tx.execute_batch("ALTER TABLE row RENAME TO old_row")?;
    tx.execute_batch(ROWS)?;
    for table in Table::ALL {
        copy(&tx, table, keys)?;
    }
    // Tables of a newer program, of which this one knows nothing.
    tx.execute(
        "INSERT OR IGNORE INTO row (tbl, name, key_id, value)
         SELECT tbl, name, key_id, value FROM old_row",
        [],
    )?;
    tx.execute_batch("DROP TABLE old_row")?;
    tx.execute("UPDATE header SET format = ?1", [FORMAT])?;
    tx.pragma_update(None, "user_version", FORMAT)?;
    tx.commit().map_err(io)?;
    // Gives the room back. Where that can't be done now, the pages are used again.
    drop(db.execute_batch("VACUUM"));
    Ok(())
}

fn copy(tx: &Transaction<'_>, table: Table, keys: &DataKeys) -> Result<(), StoreError> {
    let mut rng = UnwrapErr(SysRng);
    let mut rows = tx.prepare("SELECT name, key_id, value FROM old_row WHERE tbl = ?1")?;
    let mut insert =
        tx.prepare("INSERT INTO row (tbl, name, key_id, value) VALUES (?1, ?2, ?3, ?4)")?;
    let mut rows = rows.query([table as u8])?;
    while let Some(row) = rows.next()? {
        let (name, key): (Vec<u8>, u32) = (row.get(0)?, row.get(1)?);
        let sealed: Vec<u8> = row.get(2)?;
        let again = keys.numbered(KeyId(key)).and_then(|key| {
            let name = RowName(name.as_slice().try_into().ok()?);
            let value = key.open(table, name, &sealed).ok()?;
            key.seal(&mut rng, table, name, &value).ok()
        });
        insert.execute(params![table as u8, name, key, again.unwrap_or(sealed)])?;
    }
    Ok(())
}
