//! Redacted batches: an order of erasure took an entry's bytes, and the signature still verifies.
//!
//! Of such an entry the record and what binds its change are left. The seed is gone, for it would tell
//! the salt; the other entries of the batch show their own salts instead.

use super::*;

/// No stored form with something blotted out is above this size: as many entries as there may be, each
/// with its salt.
pub const BLOTTED_BYTES_MAX: usize = BATCH_BYTES_MAX + 64 * BATCH_ENTRIES_MAX;

/// The entries of an envelope.
#[derive(Default)]
pub(super) struct Read {
    pub(super) entries: Vec<Entry>,
    pub(super) redacted: BTreeSet<RecordId>,
    pub(super) commitments: Vec<[u8; 32]>,
}

impl Read {
    fn live(&mut self, salt: &[u8; 16], record: RecordId, change: Vec<u8>) {
        let id = record.to_bytes();
        let bound = bound(salt, &change);
        self.commitments.push(bound_to(&id, bound));
        self.entries.push(Entry { record, change });
    }
}

/// Reads the entries of a batch of which nothing was blotted out.
pub(super) fn whole(seed: &[u8; 16], entries: Vec<EntryWire>) -> Result<Read, BadBatch> {
    let mut read = Read::default();
    for (entry, index) in entries.into_iter().zip(0u32..) {
        let record = entry.record()?;
        match (entry.change, entry.salt, entry.bound) {
            (Some(change), None, None) => {
                read.live(&salt(seed, index), record, change.into());
            }
            (None, ..) => return Err(BadBatch::Redacted),
            _ => return Err(BadBatch::Envelope),
        }
    }
    Ok(read)
}

/// Reads the entries of a batch of which something was blotted out.
pub(super) fn parts(entries: Vec<EntryWire>) -> Result<Read, BadBatch> {
    let mut read = Read::default();
    for entry in entries {
        let record = entry.record()?;
        match (entry.change, entry.salt, entry.bound) {
            (Some(change), Some(salt), None) => read.live(&salt, record, change.into()),
            (None, None, Some(bound)) => {
                let commitment = bound_to(&record.to_bytes(), bound.into());
                read.commitments.push(commitment);
                read.redacted.insert(record);
            }
            // Neither its salt nor what is left of it: nothing that could be checked.
            (None, ..) | (Some(_), None, None) => return Err(BadBatch::Redacted),
            _ => return Err(BadBatch::Envelope),
        }
    }
    match read.redacted.is_empty() {
        true => Err(BadBatch::Redacted),
        false => Ok(read),
    }
}

impl EntryWire {
    fn record(&self) -> Result<RecordId, BadBatch> {
        let record = self.record.as_ref().ok_or(BadBatch::Redacted)?;
        RecordId::from_slice(record).map_err(|_| BadBatch::Envelope)
    }

    /// What the entry at this place of a batch becomes beside one that is blotted out.
    fn without_seed(self, seed: Option<&[u8; 16]>, index: u32) -> Self {
        let shown = seed.map(|seed| salt(seed, index).into());
        Self {
            salt: self.salt.or(shown),
            ..self
        }
    }

    fn redacted(self) -> Self {
        let (Some(change), Some(salt)) = (&self.change, &self.salt) else {
            return self;
        };
        let bound = bound(salt, change);
        Self {
            record: self.record,
            change: None,
            salt: None,
            bound: Some(bound.into()),
        }
    }
}

impl Batch {
    /// The same batch, by name and signature, without the bytes of its entries of these records; the
    /// batch as it is if it has none.
    ///
    /// # Errors
    /// None for a batch that was read or signed here.
    pub fn redact(self, erased: impl Fn(RecordId) -> bool) -> Result<Self, BadBatch> {
        if !self.entries.iter().any(|entry| erased(entry.record)) {
            return Ok(self);
        }
        let envelope: Envelope = cbor::decode(&self.bytes).map_err(unfit)?;
        let seed = envelope.seed.map(<[u8; 16]>::from);
        let mut entries = Vec::new();
        let mut read = envelope.entries.0.into_iter().zip(0u32..);
        read.try_for_each(|(entry, index)| {
            let record = entry.record()?;
            let entry = match entry.change {
                Some(_) => entry.without_seed(seed.as_ref(), index),
                None => entry,
            };
            entries.push(match erased(record) {
                true => entry.redacted(),
                false => entry,
            });
            Ok(())
        })?;
        let bytes = cbor::encode(&Envelope {
            seed: None,
            entries: List(entries),
            ..envelope
        });
        let (gone, left): (Vec<Entry>, Vec<Entry>) =
            (self.entries.into_iter()).partition(|entry| erased(entry.record));
        let mut redacted = self.redacted;
        redacted.extend(gone.into_iter().map(|entry| entry.record));
        Ok(Self {
            entries: left,
            redacted,
            bytes,
            ..self
        })
    }
}

#[cfg(test)]
mod tests;
