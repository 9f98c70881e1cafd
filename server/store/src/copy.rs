//! A copy of the whole database, made while it is used.

use std::path::Path;

use super::{Conn, StoreError, engine};

/// Writes everything that is committed at this moment into a new file, without its free pages.
pub async fn copy(conn: &mut Conn, to: &Path) -> Result<(), StoreError> {
    let to = to.to_str().ok_or_else(|| {
        let kind = std::io::ErrorKind::InvalidFilename;
        engine::Error::Io(std::io::Error::from(kind))
    })?;
    Ok(conn.copy(to).await?)
}

/// Has everything stand in the database's file and nothing in its log.
pub async fn checkpoint(conn: &mut Conn) -> Result<(), StoreError> {
    conn.empty_log().await?;
    Ok(())
}
