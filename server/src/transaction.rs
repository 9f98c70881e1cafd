//! Transactions of a data directory, and the roster that each of them sees.

use std::sync::Arc;

use sqlx::{Sqlite, Transaction};

use crate::app::Shared;
use crate::roster::Roster;
use crate::store::StoreError;

/// A transaction that reads: everything it reads is one snapshot (R50).
pub(crate) struct ReadTx {
    /// The connection that is in it.
    pub(crate) conn: Transaction<'static, Sqlite>,
    /// The control feed as it sees it (R25).
    pub(crate) control: Arc<Roster>,
}

impl Shared {
    /// Begins to read.
    pub(crate) async fn read(&self) -> Result<ReadTx, StoreError> {
        let mut conn = self.store.read().await?;
        let control = self.roster.current(&mut conn).await?;
        Ok(ReadTx { conn, control })
    }
}
