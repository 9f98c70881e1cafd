//! What follows from what a transaction has added, whoever had it added: a request, a bundle, the office.
//! A journal that is replayed sees to it itself: nothing is carried before all of it is there.
//!
//! Control entries change what counts and what is to be erased; what counts changes records; changed
//! records that have moved are carried on, and figures follow from all of it. One place, so that no way
//! in forgets any of them. One thing is earlier: what a request shows to be erased, the writer erases
//! where it learns it, since the answer refers to batches as they stand afterwards.

use sync_core::control::ControlEntry;

use crate::app::Shared;
use crate::figures::{self, Touched};
use crate::roster::Roster;
use crate::store::{Conn, StoreError, recovery};
use crate::{erase, moves, standing};

/// Brings everything up to date with what was added in the transaction of `conn`, whose roster was
/// `before`; `touched` are the records that show something else already. Gives whether something was
/// erased: then the journal begins again, and afterwards no trace is left
/// ([`Shared::commit_following`]).
pub(crate) async fn follow(
    conn: &mut Conn,
    shared: &Shared,
    before: &Roster,
    mut touched: Touched,
) -> Result<bool, StoreError> {
    let roster = shared.roster.last().current(conn).await?;
    let control = &roster.control;
    let mut erases = false;
    let mut told = Vec::new();
    if roster.arrival != before.arrival {
        touched.join(standing::follow(conn, &before.control, control).await?);
        let erased = erase::execute(shared.clock.now(), conn, control).await?;
        // Some of it may be done already, where the order was learned.
        erases = erased.is_some() || control.erased().count() > before.control.erased().count();
        touched.join(erased.unwrap_or_default());
        let new = control.entries().skip(before.control.entries().count());
        told.extend(new.filter_map(ControlEntry::moves).cloned());
    }
    // In recovery the phones may still bring back what this node itself has written.
    if control.has_moves() && !recovery::is_on(conn).await? {
        moves::carry(conn, shared, control, told, &mut touched).await?;
    }
    // Once for all of them: a record that several requests change is counted once.
    figures::update(conn, shared, control, touched).await?;
    Ok(erases)
}
