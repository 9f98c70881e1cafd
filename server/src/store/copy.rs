//! A copy of the whole database, made while it is used.

use std::path::Path;

use super::{Conn, StoreError, statements};

statements! {
    COPY = "VACUUM INTO $1";
    CHECKPOINT = "PRAGMA wal_checkpoint(TRUNCATE)";
}

/// Writes everything that is committed at this moment into a new file, without its free pages.
pub(crate) async fn copy(conn: &mut Conn, to: &Path) -> Result<(), StoreError> {
    let to = to.to_str().ok_or_else(|| {
        let kind = std::io::ErrorKind::InvalidFilename;
        sqlx::Error::Io(std::io::Error::from(kind))
    })?;
    sqlx::query(COPY).bind(to).execute(conn).await?;
    Ok(())
}

/// Has everything stand in the database's file and nothing in its log.
pub(crate) async fn checkpoint(conn: &mut Conn) -> Result<(), StoreError> {
    sqlx::query(CHECKPOINT).execute(conn).await?;
    Ok(())
}
