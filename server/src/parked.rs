//! Records that are parked because Automerge can't take a change of theirs, and the server's verdict on them:
//! everybody leaves that change out (R14).

use std::sync::Arc;

use sync_core::change::Change;
use sync_core::control::{ControlEntry, LEFT_OUT_MAX, LeftOut};
use sync_core::id::{ChangeHash, DeviceId, RecordId, Space};
use sync_core::record::{DocumentError, RecordState};

use crate::app::{App, Shared};
use crate::error::CommandError;
use crate::figures::Touched;
use crate::follow::follow;
use crate::revoke::take;
use crate::roster::Roster;
use crate::standing::{counting_changes, remake};
use crate::store::{Conn, StoreError, record};
use crate::transaction::ReadTx;

/// A record that shows what it said before a change that can't be taken.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ParkedRecord {
    /// The record.
    pub record: RecordId,
    /// Where it is parked.
    pub space: Space,
    /// What Automerge did.
    pub reason: DocumentError,
    /// The change, and who signed it; none if this program can take all of them: the next change, or a
    /// verdict, brings the record back.
    pub change: Option<(ChangeHash, DeviceId)>,
}

/// The records of a space that are parked.
async fn of_space(
    conn: &mut Conn,
    roster: &Roster,
    space: &Space,
) -> Result<Vec<ParkedRecord>, StoreError> {
    let mut parked = Vec::new();
    for (id, bytes) in record::of_space(conn, space).await? {
        let state = RecordState::from_cbor(&bytes).unwrap_or_default();
        if let Some(reason) = state.parked() {
            parked.push(ParkedRecord {
                record: id,
                space: space.clone(),
                reason,
                change: first_bad(conn, roster, space, id).await?,
            });
        }
    }
    Ok(parked)
}

async fn first_bad(
    conn: &mut Conn,
    roster: &Roster,
    space: &Space,
    id: RecordId,
) -> Result<Option<(ChangeHash, DeviceId)>, StoreError> {
    let held = counting_changes(conn, &roster.control, space, id).await?;
    let refs: Vec<_> = held
        .iter()
        .map(|(device, change)| (*device, change.as_slice()))
        .collect();
    let Some(bad) = RecordState::first_bad(&refs) else {
        return Ok(None);
    };
    let is_it = |raw: &[u8]| Change::parse(raw).is_ok_and(|change| change.hash == bad);
    let signed = refs.iter().find(|(_, raw)| is_it(raw));
    Ok(signed.map(|(device, _)| (bad, *device)))
}

/// Has everybody leave changes of a record out, and makes it anew.
pub(crate) async fn leave_out(
    conn: &mut Conn,
    shared: &Shared,
    roster: &Arc<Roster>,
    space: &Space,
    verdict: &LeftOut,
) -> Result<(), CommandError> {
    let sign = |message: &[u8]| shared.node.sign(message);
    let signer: sync_core::control::Signer<'_> = (shared.node.public().bytes, &sign);
    let entry = ControlEntry::left_out(shared.me.network, space, verdict, signer);
    take(conn, shared, roster, &entry).await
}

impl App {
    /// The records that are parked.
    pub async fn parked(&self) -> Result<Vec<ParkedRecord>, CommandError> {
        let ReadTx { mut conn, control } = self.shared().read().await?;
        let mut parked = Vec::new();
        for space in record::spaces(&mut conn).await? {
            parked.extend(of_space(&mut conn, &control, &space).await?);
        }
        Ok(parked)
    }

    /// Has everybody leave out the changes for which a record is parked, one after the other until it is
    /// not any more; gives them with their spaces.
    ///
    /// # Errors
    /// [`CommandError::Wrong`] with `not_parked`.
    pub async fn unpark(&self, id: RecordId) -> Result<Vec<(Space, ChangeHash)>, CommandError> {
        let shared = self.shared();
        let mut tx = shared.store.write().await?;
        let mut left_out = Vec::new();
        let mut was_parked = false;
        for space in record::spaces_of(&mut tx, id).await? {
            for _ in 0..LEFT_OUT_MAX {
                let roster = shared.roster.last().current(&mut tx).await?;
                let states = record::states(&mut tx, &space.to_string(), &[id]).await?;
                let state = states
                    .first()
                    .map(|(_, bytes)| RecordState::from_cbor(bytes));
                let Some(Ok(state)) = state else { break };
                if state.parked().is_none() {
                    break;
                }
                was_parked = true;
                let Some((change, _)) = first_bad(&mut tx, &roster, &space, id).await? else {
                    // Another program could not take it.
                    let mut touched = Touched::default();
                    remake(&mut tx, &roster.control, &space, [id], &mut touched).await?;
                    follow(&mut tx, shared, &roster, touched).await?;
                    break;
                };
                let verdict = LeftOut {
                    record: id,
                    changes: [change].into(),
                };
                leave_out(&mut tx, shared, &roster, &space, &verdict).await?;
                left_out.push((space.clone(), change));
            }
        }
        if !was_parked {
            return Err(CommandError::wrong("not_parked", id));
        }
        shared.commit(tx).await?;
        Ok(left_out)
    }
}
