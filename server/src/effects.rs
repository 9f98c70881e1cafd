//! What follows from what a transaction has added, whoever had it added: a request, a bundle, a journal,
//! the office.
//!
//! Control entries change what counts and what is to be erased; what counts changes records; changed
//! records that have moved are carried on, and figures follow from all of it. One place, so that no way
//! in forgets any of them. One thing is earlier: what a request shows to be erased, the writer erases
//! where it learns it, since the answer refers to batches as they stand afterwards.

use crate::store::{StoreError, recovery};
use crate::transaction::WriteTx;
use crate::{erase, figures, moves, quarantine};

/// Brings everything up to date with what the transaction has added. A commit begins with it; who must
/// see the outcome before asks for it himself.
pub(crate) async fn apply(tx: &mut WriteTx<'_>) -> Result<(), StoreError> {
    if let Some(before) = tx.unfollowed() {
        let (conn, control) = (&mut tx.conn, &tx.control);
        let changed = quarantine::apply(conn, &before, control).await?;
        if control.package_entry() != before.package_entry() {
            figures::begin(conn, control).await?;
        }
        tx.note(changed);
        erase::execute(tx).await?;
    }
    let due = tx.take_moves();
    // In recovery the phones may still bring back what this node itself has written.
    if tx.control.has_moves() && !recovery::is_on(&mut tx.conn).await? {
        moves::carry(tx, due).await?;
    }
    // Once for all of them: a record that several requests change is counted once.
    figures::update(tx).await?;
    tx.set_followed();
    Ok(())
}
