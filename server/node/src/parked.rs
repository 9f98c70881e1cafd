//! Parked records: those with a change that Automerge can't take, and the verdict that excludes
//! that change everywhere (R14).

use store::{Conn, StoreError, record};
use sync_core::change::Change;
use sync_core::control::{ControlEntry, Exclusion, LEFT_OUT_MAX};
use sync_core::id::{ChangeHash, DeviceId, RecordId, Space};
use sync_core::record::{DocumentError, RecordState};

use crate::app::App;
use crate::changed::ChangedRecords;
use crate::control_cache::ControlCache;
use crate::effects::apply;
use crate::error::CommandError;
use crate::quarantine::{load_effective_changes, rebuild_records, state};
use crate::transaction::{ReadTx, WriteTx};

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
    control_cache: &ControlCache,
    space: &Space,
) -> Result<Vec<ParkedRecord>, StoreError> {
    let mut parked = Vec::new();
    for (id, state) in record::of_space(conn, space).await? {
        if let Some(reason) = state?.parked() {
            parked.push(ParkedRecord {
                record: id,
                space: space.clone(),
                reason,
                change: first_bad(conn, control_cache, space, id).await?,
            });
        }
    }
    Ok(parked)
}

async fn first_bad(
    conn: &mut Conn,
    control_cache: &ControlCache,
    space: &Space,
    id: RecordId,
) -> Result<Option<(ChangeHash, DeviceId)>, StoreError> {
    let held = load_effective_changes(conn, &control_cache.control, space, id).await?;
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
    tx: &mut WriteTx<'_>,
    space: &Space,
    verdict: &Exclusion,
) -> Result<(), CommandError> {
    let network = tx.control.network();
    tx.publish(|signer| ControlEntry::exclude(network, space, verdict, signer))
        .await?;
    Ok(apply(tx).await?)
}

/// Leaves out the changes for which a record is parked, one after the other until it is not any more.
async fn unpark(
    tx: &mut WriteTx<'_>,
    id: RecordId,
) -> Result<Vec<(Space, ChangeHash)>, CommandError> {
    let mut excluded = Vec::new();
    let mut was_parked = false;
    for space in record::spaces_of(&mut tx.conn, id).await? {
        for _ in 0..LEFT_OUT_MAX {
            let state = state(&mut tx.conn, &tx.control, &space, id).await?;
            if state.parked().is_none() {
                break;
            }
            was_parked = true;
            let bad = first_bad(&mut tx.conn, &tx.control, &space, id).await?;
            let Some((change, _)) = bad else {
                // Another program could not take it.
                let mut changed_records = ChangedRecords::default();
                rebuild_records(
                    &mut tx.conn,
                    &tx.control,
                    &space,
                    [id],
                    &mut changed_records,
                )
                .await?;
                tx.note(changed_records);
                break;
            };
            let verdict = Exclusion {
                record: id,
                changes: [change].into(),
            };
            leave_out(tx, &space, &verdict).await?;
            excluded.push((space.clone(), change));
        }
    }
    match was_parked {
        true => Ok(excluded),
        false => Err(CommandError::wrong("not_parked", id)),
    }
}

impl App {
    /// The records that are parked.
    pub async fn parked(&self) -> Result<Vec<ParkedRecord>, CommandError> {
        let ReadTx { mut conn, control } = self.context().read().await?;
        let mut parked = Vec::new();
        for space in record::spaces(&mut conn).await? {
            parked.extend(of_space(&mut conn, &control, &space).await?);
        }
        Ok(parked)
    }

    /// Has everybody leave out the changes for which a record is parked, one after the other until it is
    /// not any more; returns them with their spaces.
    ///
    /// # Errors
    /// [`CommandError::Wrong`] with `not_parked`.
    pub async fn unpark(&self, id: RecordId) -> Result<Vec<(Space, ChangeHash)>, CommandError> {
        self.write(async move |tx: &mut WriteTx<'_>| unpark(tx, id).await)
            .await
    }
}
