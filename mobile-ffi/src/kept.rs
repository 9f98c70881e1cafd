//! Orphaned edits: changes to a record that an erasure overtook. Their author registers them anew
//! or drops them.

use std::collections::HashMap;

use client::orphaned;
use sync_core::show::ShownValue;

use crate::error::PhoneError;
use crate::phone::Phone;
use crate::record::Value;

/// What was written here on a record before this device heard that the office had it erased, and the
/// office never saw. It is applied nowhere and goes to nobody until its author decides.
#[derive(Clone, Debug, PartialEq, Eq, uniffi::Record)]
pub struct KeptEdit {
    /// The erased record's id.
    pub record: String,
    /// The code of the org unit that held it.
    pub unit: String,
    /// What was written, the last value of each key: `section.field` or `section#item.field`, of a
    /// multi-choice one yes or no per code.
    pub values: HashMap<String, Value>,
}

impl From<orphaned::OrphanedEdit> for KeptEdit {
    fn from(kept: orphaned::OrphanedEdit) -> Self {
        let values = kept.values.iter();
        Self {
            record: kept.record.to_string(),
            unit: kept.unit,
            values: values
                .map(|(key, value)| (key.clone(), ShownValue::from(value).into()))
                .collect(),
        }
    }
}

#[uniffi::export]
impl Phone {
    /// Everything that waits for its author's decision; [`crate::status::Status::kept`] counts it.
    pub fn kept(&self) -> Result<Vec<KeptEdit>, PhoneError> {
        let kept = self.with(client::phone::Phone::orphaned_edits)?;
        Ok(kept.into_iter().map(KeptEdit::from).collect())
    }

    /// Registers what is kept of an erased record as a record of its own; gives the new record's id.
    /// Only what was kept stands in it.
    ///
    /// # Errors
    /// [`PhoneError::Wrong`]: `nothing_kept`, and those of [`Phone::add`].
    pub fn register_kept(&self, record: String) -> Result<String, PhoneError> {
        let id = self.with(|phone| phone.register_kept(&record))?;
        Ok(id.to_string())
    }

    /// Drops what is kept of an erased record, for good.
    ///
    /// # Errors
    /// [`PhoneError::Wrong`]: `nothing_kept`.
    pub fn drop_kept(&self, record: String) -> Result<(), PhoneError> {
        self.with(|phone| phone.drop_kept(&record))
    }
}
