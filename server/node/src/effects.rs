//! Consequences of a transaction, whatever added to it: a request, a bundle, a journal, the office.
//!
//! Control entries change the quarantine and order erasures. The quarantine changes records. Changed
//! records that have moved are carried on, and figures follow from all of it. Every commit comes
//! through here, so no way in forgets any of them. Erasures that arrive with a request run earlier,
//! because the answer must refer to the redacted batches.

use store::{StoreError, recovery};
use sync_core::control::ControlEntry;
use sync_core::facts::TIES;

use crate::changed::ChangedRecords;
use crate::transaction::{WriteTx, new_entries};
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
        let said = said_of(new_entries(&before, &tx.control));
        tx.note(said);
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

/// The records of which these entries say whether they are one person with others.
fn said_of<'e>(entries: impl Iterator<Item = &'e ControlEntry>) -> ChangedRecords {
    let mut changed = ChangedRecords::default();
    for said in entries.filter_map(ControlEntry::as_same_person) {
        for (unit, record) in &said.records {
            let ties = TIES.iter().map(|tie| (*tie).to_owned());
            changed.note(unit, *record, ties.collect());
        }
    }
    changed
}
