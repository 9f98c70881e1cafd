//! Orphaned edits: changes to a record that an erasure overtook. Their author registers them anew
//! or drops them.

use std::collections::BTreeMap;

use sync_core::erase::OrphanedChanges;
use sync_core::id::RecordId;
use sync_core::replica::Context;
use sync_core::value::Value;

use crate::error::{Issue, PhoneError};
use crate::phone::Phone;
use crate::records::named;

/// Something kept, flat.
#[derive(Clone, Debug, PartialEq)]
pub struct OrphanedEdit {
    /// The erased record.
    pub record: RecordId,
    /// The org unit's code.
    pub unit: String,
    /// What was written, by key.
    pub values: BTreeMap<String, Value>,
}

impl Phone {
    /// Everything that waits for its author's decision.
    pub fn orphaned_edits(&mut self) -> Result<Vec<OrphanedEdit>, PhoneError> {
        let kept = self.opened()?.replica.orphans();
        let flat = |kept: OrphanedChanges| OrphanedEdit {
            record: kept.record,
            unit: kept.unit,
            values: (kept.values.into_iter())
                .map(|(key, value)| (key.to_string(), value))
                .collect(),
        };
        Ok(kept.into_iter().map(flat).collect())
    }

    /// Registers what is kept of an erased record as a record of its own, whose id it gives.
    pub fn register_kept(&mut self, id: &str) -> Result<RecordId, PhoneError> {
        let record = named(id)?;
        // Drawn before the first try, so that a save whose outcome was unknown is found standing there.
        let open = self.opened()?;
        let mut context = Context {
            now: open.system.now(),
            today: "",
            rng: &mut open.rng(),
        };
        let drawn_at = context.now.saturating_mul(1000);
        let anew = RecordId::draw(record.subject, drawn_at, context.random());
        self.step(&|open, context| {
            let author = open.author()?;
            let prepared = open
                .replica
                .prepare_register_kept(context, record, anew, author)?;
            let mut prepared = prepared.ok_or_else(|| nothing_kept(record))?;
            let sign = |message: &[u8]| open.keys.sign(message);
            open.replica.add_outbox(&mut prepared, context, &sign);
            Ok(prepared)
        })?;
        Ok(anew)
    }

    /// Drops what is kept of an erased record, for good.
    pub fn drop_kept(&mut self, id: &str) -> Result<(), PhoneError> {
        let record = named(id)?;
        self.step(&|open, _| {
            let prepared = open.replica.prepare_drop_kept(record);
            match prepared.rows.is_empty() {
                true => Err(nothing_kept(record)),
                false => Ok(prepared),
            }
        })
    }
}

fn nothing_kept(record: RecordId) -> PhoneError {
    PhoneError::wrong(Issue::about("nothing_kept", &record.to_string()))
}
