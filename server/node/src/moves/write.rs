//! Values that a move brings from one record into another.

use std::collections::BTreeMap;

use store::StoreError;
use sync_core::id::{AuthorId, ChangeHash, Class, DeviceId, RecordId, Space};
use sync_core::record::RecordState;
use sync_core::replica::Edit;
use sync_core::value::{Key, Value};

use crate::authored::{Unauthored, author, copy};
use crate::quarantine;
use crate::transaction::WriteTx;

/// A record in a space.
pub(crate) struct RecordInSpace {
    pub(super) space: Space,
    pub(super) record: RecordId,
}

impl RecordInSpace {
    pub(crate) fn new(unit: &str, class: Class, record: RecordId) -> Result<Self, StoreError> {
        Ok(Self {
            space: super::space(unit, class)?,
            record,
        })
    }

    /// What is stored of it.
    pub(super) async fn state(&self, tx: &mut WriteTx<'_>) -> Result<RecordState, StoreError> {
        quarantine::state(&mut tx.conn, &tx.control, &self.space, self.record).await
    }
}

/// Brings values to a record as somebody who has seen `seen` of it, or all of it. What can't be written
/// stays where it was, and the log says so.
pub(super) async fn write(
    tx: &mut WriteTx<'_>,
    place: &RecordInSpace,
    seen: Option<Vec<ChangeHash>>,
    puts: Vec<(Key, Value)>,
) -> Result<(), StoreError> {
    let edit = edit(tx, place, seen, puts);
    written(copy(tx, &[edit]).await)
}

/// Says something new of a record, as the office would.
pub(crate) async fn say(
    tx: &mut WriteTx<'_>,
    place: &RecordInSpace,
    puts: Vec<(Key, Value)>,
) -> Result<(), StoreError> {
    let edit = edit(tx, place, None, puts);
    written(author(tx, &[edit]).await)
}

fn edit(
    tx: &WriteTx<'_>,
    place: &RecordInSpace,
    seen: Option<Vec<ChangeHash>>,
    puts: Vec<(Key, Value)>,
) -> Edit {
    let seen = seen.map(|seen| (place.space.class, seen));
    Edit {
        record: place.record,
        unit: place.space.unit().to_owned(),
        // Nobody's but the node's: people have said it elsewhere.
        author: AuthorId(DeviceId::of_key(&tx.node.node.public().bytes).0),
        puts,
        seen: BTreeMap::from_iter(seen),
    }
}

fn written(done: Result<(), Unauthored>) -> Result<(), StoreError> {
    match done {
        Err(Unauthored::Refused(error)) => {
            tracing::error!(%error, "a moved record is not written");
            Ok(())
        }
        Err(Unauthored::Store(error)) => Err(error),
        Ok(()) => Ok(()),
    }
}
