//! Transactions of a data directory: what each sees of the control feed, and what one has written.
//!
//! They begin and end elsewhere: [`NodeContext::read`] and [`crate::commit`]. A job that writes is handed a
//! [`WriteTx`] and can't end it, so nobody forgets what follows from what was written.

use std::collections::BTreeMap;
use std::mem::take;
use std::sync::Arc;

use store::{StoreError, Tx, control};
use sync_core::batch::{BadBatch, Batch};
use sync_core::control::{Control, ControlEntry, Moved, Signer};
use sync_core::hub::{Bringer, SpaceHeld, Taken};
use sync_core::id::Space;

use crate::changed::ChangedRecords;
use crate::context::NodeContext;
use crate::control_cache::ControlCache;
use crate::ingest::{self, Stashes};

/// A transaction that reads: everything it reads is one snapshot (R50).
pub struct ReadTx {
    /// The connection that is in it.
    pub conn: Tx<'static>,
    /// The control feed as it sees it (R25).
    pub control: Arc<ControlCache>,
}

impl NodeContext {
    /// Begins to read.
    pub async fn read(&self) -> Result<ReadTx, StoreError> {
        let mut conn = self.store.read().await?;
        let control = self.control_cache.current(&mut conn).await?;
        Ok(ReadTx { conn, control })
    }
}

/// A transaction that writes: what it adds to the control feed and to the batches goes through here,
/// and is remembered for what follows from it.
pub(crate) struct WriteTx<'t> {
    /// The server that writes.
    pub(crate) node: &'t NodeContext,
    /// The connection that is in it.
    pub(crate) conn: Tx<'t>,
    /// The control feed with everything that was added here (R25).
    pub(crate) control: Arc<ControlCache>,
    /// The control feed whose consequences are drawn.
    followed: Arc<ControlCache>,
    changed: ChangedRecords,
    moves: Vec<Moved>,
    erases: bool,
}

impl<'t> WriteTx<'t> {
    /// A transaction that has just begun.
    pub(crate) async fn begun(node: &'t NodeContext, mut conn: Tx<'t>) -> Result<Self, StoreError> {
        // What others have added before they have followed themselves.
        let control = node.control_cache.last().current(&mut conn).await?;
        Ok(Self {
            node,
            conn,
            followed: control.clone(),
            control,
            changed: ChangedRecords::default(),
            moves: Vec::new(),
            erases: false,
        })
    }

    /// Adds control entries that were checked.
    pub(crate) async fn add(&mut self, entries: &[ControlEntry]) -> Result<(), StoreError> {
        if entries.is_empty() {
            return Ok(());
        }
        for entry in entries {
            control::add(&mut self.conn, entry).await?;
        }
        // Not remembered from here: only what is committed is.
        self.control = self.control.current(&mut self.conn).await?;
        Ok(())
    }

    /// Adds a control entry that this server signs, through the same check as everybody's. Gives
    /// whether it says anything new.
    pub(crate) async fn publish(
        &mut self,
        entry: impl FnOnce(Signer<'_>) -> Vec<u8>,
    ) -> Result<bool, StoreError> {
        let entry = self.signed(entry)?;
        self.add(entry.as_slice()).await?;
        Ok(entry.is_some())
    }

    /// A control entry that this server signs, checked; none if it says nothing new.
    pub(crate) fn signed(
        &self,
        entry: impl FnOnce(Signer<'_>) -> Vec<u8>,
    ) -> Result<Option<ControlEntry>, StoreError> {
        let key = &self.node.node;
        let bytes = entry((key.public().bytes, &|message| key.sign(message)));
        Ok(self.control.check(&bytes)?)
    }

    /// Takes batches in; `held` and `stashes` are what was loaded of their spaces, and `held` moves
    /// along.
    pub(crate) async fn ingest(
        &mut self,
        now: i64,
        held: &mut BTreeMap<Space, SpaceHeld>,
        stashes: Stashes,
        batches: &[Result<Batch, BadBatch>],
        bringer: Bringer,
    ) -> Result<Taken, StoreError> {
        let (conn, control) = (&mut self.conn, &self.control);
        let taken = ingest::take(now, conn, control, held, stashes, batches, bringer);
        let (taken, changed) = taken.await?;
        self.changed.join(changed);
        Ok(taken)
    }

    /// Notes records that show something else now, for what follows.
    pub(crate) fn note(&mut self, changed: ChangedRecords) {
        self.changed.join(changed);
    }

    /// Notes that something was erased: the journal begins again with this commit, and afterwards no
    /// trace is left.
    pub(crate) fn note_erased(&mut self, changed: ChangedRecords) {
        self.changed.join(changed);
        self.erases = true;
    }

    /// Has moves carried on that were told in earlier transactions.
    pub(crate) fn carry(&mut self, moves: impl IntoIterator<Item = Moved>) {
        self.moves.extend(moves);
    }

    /// Whether something was erased.
    pub(crate) fn erases(&self) -> bool {
        self.erases
    }

    /// The records that show something else and have had no consequences yet.
    pub(crate) fn changed(&self) -> &ChangedRecords {
        &self.changed
    }

    /// The same, for whoever sees to their consequences.
    pub(crate) fn take_changed(&mut self) -> ChangedRecords {
        take(&mut self.changed)
    }

    /// The moves that are due, those that were told here among them.
    pub(crate) fn take_moves(&mut self) -> Vec<Moved> {
        let told = new_entries(&self.followed, &self.control);
        let told = told.filter_map(ControlEntry::moves).cloned();
        let mut moves = take(&mut self.moves);
        moves.extend(told);
        moves
    }

    /// The control feed before what was added here and has had no consequences yet; none if nothing
    /// was.
    pub(crate) fn unfollowed(&self) -> Option<Arc<ControlCache>> {
        let added = self.followed.arrival != self.control.arrival;
        added.then(|| self.followed.clone())
    }

    /// Everything that was added has had its consequences.
    pub(crate) fn set_followed(&mut self) {
        self.followed = self.control.clone();
    }
}

/// What a control feed holds that an earlier state of it did not.
pub(crate) fn new_entries<'c>(
    before: &Control,
    now: &'c Control,
) -> impl Iterator<Item = &'c ControlEntry> {
    now.entries().skip(before.entries().count())
}
