//! Progress of the journal and of verified backups over batches and control entries.

use sync_core::id::Space;

use super::control::{self, meta};
use super::{Conn, Read, StoreError, one_row, query, space, statements, stored};

statements! {
    BEHIND = "SELECT unit, class, journaled FROM space
        WHERE journaled < counter ORDER BY unit, class";
    SET_JOURNALED = "UPDATE space SET journaled = $3 WHERE unit = $1 AND class = $2";
    BACKED_UP = "SELECT unit, class, counter FROM space ORDER BY unit, class";
    SET_BACKED_UP = "UPDATE space SET backed_up = $3
        WHERE unit = $1 AND class = $2 AND backed_up < $3";
    NOT_JOURNALED = "UPDATE space SET journaled = 0";
    ALL_RESTORED = "UPDATE space SET restored = counter";
    ALL_BACKED_UP = "UPDATE space SET backed_up = counter";
}

/// The spaces of which the journal lacks something, with the newest arrival that it holds.
pub async fn behind(conn: &mut Conn) -> Result<Vec<(Space, u64)>, StoreError> {
    let rows = query(BEHIND).fetch_all(conn).await?;
    let behind = |row| {
        let read = Read::of("space", row);
        Ok((read.space()?, read.number("journaled")?))
    };
    rows.iter().map(behind).collect()
}

/// Notes that the journal holds a space up to this arrival.
pub async fn set_journaled(conn: &mut Conn, space: &Space, arrival: u64) -> Result<(), StoreError> {
    let query = query(SET_JOURNALED).space(space).bind(stored(arrival));
    one_row("space", query.execute(&mut *conn).await?)?;
    forget(conn);
    Ok(())
}

/// The number of the newest control entry that the journal holds.
pub async fn control(conn: &mut Conn) -> Result<u64, StoreError> {
    let arrival = control::meta_bytes(conn, meta::CONTROL_JOURNALED).await?;
    Ok(u64::from_be_bytes(arrival.unwrap_or_default()))
}

/// Notes that the journal holds the control entries up to this number.
pub async fn set_control(conn: &mut Conn, arrival: u64) -> Result<(), StoreError> {
    control::set_meta(conn, meta::CONTROL_JOURNALED, &arrival.to_be_bytes()).await
}

/// The numbers of the file with which the journal begins, and of its newest one; 0 while nothing of it
/// was written. What else is in its directory is nothing of it.
pub async fn files(conn: &mut Conn) -> Result<(u64, u64), StoreError> {
    let first = number(conn, meta::JOURNAL_FROM).await?;
    Ok((first, number(conn, meta::JOURNAL_TO).await?))
}

/// Sets them.
pub async fn set_files(conn: &mut Conn, first: u64, newest: u64) -> Result<(), StoreError> {
    control::set_meta(conn, meta::JOURNAL_FROM, &first.to_be_bytes()).await?;
    control::set_meta(conn, meta::JOURNAL_TO, &newest.to_be_bytes()).await
}

/// The first of the files before the journal's that an erasure has superseded, and that go.
pub async fn superseded(conn: &mut Conn) -> Result<Option<u64>, StoreError> {
    let number = number(conn, meta::JOURNAL_SUPERSEDED).await?;
    Ok(Some(number).filter(|number| *number > 0))
}

/// Sets it.
pub async fn set_superseded(conn: &mut Conn, first: u64) -> Result<(), StoreError> {
    control::set_meta(conn, meta::JOURNAL_SUPERSEDED, &first.to_be_bytes()).await
}

async fn number(conn: &mut Conn, key: &str) -> Result<u64, StoreError> {
    let number = control::meta_bytes(conn, key).await?;
    Ok(u64::from_be_bytes(number.unwrap_or_default()))
}

/// A journal begins that holds nothing yet. What another one holds stays there.
pub async fn begin_anew(conn: &mut Conn) -> Result<(), StoreError> {
    query(NOT_JOURNALED).execute(&mut *conn).await?;
    forget(conn);
    set_files(conn, 0, 0).await?;
    set_superseded(conn, 0).await?;
    set_control(conn, 0).await
}

/// How many batches each space has: of a backup's own database, what the backup holds.
pub async fn counters(conn: &mut Conn) -> Result<Vec<(Space, u64)>, StoreError> {
    let rows = query(BACKED_UP).fetch_all(conn).await?;
    let counter = |row| {
        let read = Read::of("space", row);
        Ok((read.space()?, read.number("counter")?))
    };
    rows.iter().map(counter).collect()
}

/// Notes that a verified backup holds a space up to this arrival.
pub async fn set_backed_up(conn: &mut Conn, space: &Space, arrival: u64) -> Result<(), StoreError> {
    let query = query(SET_BACKED_UP).space(space).bind(stored(arrival));
    query.execute(&mut *conn).await?;
    forget(conn);
    Ok(())
}

/// Up to which arrival a space stands in a verified backup or in the journal.
pub async fn safe(conn: &mut Conn, space: &Space) -> Result<u64, StoreError> {
    let numbers = space::row(conn, space).await?;
    Ok(numbers.journaled.max(numbers.backed_up))
}

/// Up to which arrival a space was here when this server's life began.
pub async fn restored(conn: &mut Conn, space: &Space) -> Result<u64, StoreError> {
    Ok(space::row(conn, space).await?.restored)
}

/// The rows are asked for again: they were changed.
fn forget(conn: &mut Conn) {
    if let Some(known) = conn.known() {
        known.spaces.clear();
    }
}

/// Notes that this server's life begins with what is here.
pub async fn begin_life(conn: &mut Conn) -> Result<(), StoreError> {
    query(ALL_RESTORED).execute(&mut *conn).await?;
    forget(conn);
    Ok(())
}

/// Notes that everything here came out of a verified backup.
pub async fn all_backed_up(conn: &mut Conn) -> Result<(), StoreError> {
    query(ALL_BACKED_UP).execute(&mut *conn).await?;
    forget(conn);
    Ok(())
}
