//! References in a phone's messages: batches that it shares with its server.
//!
//! A phone refers to what its server held when it was last heard of; the server refers to what the
//! phone said it holds. Either can be wrong (a restore, a store set back, a branch that one of them
//! does not know of). Then nothing is taken of the message's batches, and until the exchange is
//! over both sides refer to nothing: a round trip more, and nothing is lost.

use std::collections::{BTreeMap, BTreeSet};

use crate::batch::{Batch, Reference, ReferencedBatch, records_of};
use crate::feed::Vector;
use crate::id::{BatchHash, DeviceId, Space};
use crate::replica::{Replica, SpaceReplica};
use crate::row::{ReadRows, Table, Unreadable};
use crate::stored;

/// Batches that are read to explain one message.
pub const LOOKED_UP_MAX: usize = 512;
/// Of the batches that change a record, so many of the newest and of the oldest are looked at: an
/// edit follows the newest, and replaces what it says or what the first one said.
const NEWEST: usize = 12;
const OLDEST: usize = 4;

/// The batches to look at among those that change a record, which stand newest first.
pub fn reference_candidates<T: Clone>(newest_first: &[T]) -> Vec<T> {
    let newest = newest_first.len().min(NEWEST);
    let (newest, others) = newest_first.split_at(newest);
    let oldest = &others[others.len().saturating_sub(OLDEST)..];
    [newest, oldest].concat()
}

impl Replica {
    /// Batches of a space that may explain the batches on their way up: the server holds them too.
    pub(crate) fn known_at_server(
        &self,
        rows: &dyn ReadRows,
        upload: &[(Space, Vec<u8>)],
    ) -> Result<Vec<ReferencedBatch>, Unreadable> {
        let mut known = Vec::new();
        let spaces: BTreeSet<&Space> = upload.iter().map(|(space, _)| space).collect();
        for space in spaces {
            let Some(held) = self.spaces.get(space) else {
                continue;
            };
            let shared = SharedBatches::with(held, self.me.device, &held.base.1);
            let batches = upload.iter().filter(|(of, _)| of == space);
            let mut wanted: Vec<BatchHash> = Vec::new();
            for (_, bytes) in batches {
                let batch = Batch::from_store(self.me.network, bytes).ok();
                wanted.extend(batch.into_iter().flat_map(|batch| batch.header.prev));
                for record in records_of(bytes) {
                    wanted.extend(shared.of_record(held.touched.get(&record)));
                }
            }
            let mut seen = BTreeSet::new();
            for hash in wanted.into_iter().filter(|hash| seen.insert(*hash)) {
                if known.len() == LOOKED_UP_MAX {
                    return Ok(known);
                }
                let Some((device, seq, _)) = shared.batches.get(&hash) else {
                    continue;
                };
                let reference = Reference::to(space, *device, *seq);
                if let Some(bytes) = rows.read(Table::Batch, &stored::batch_key(space, hash))? {
                    known.push(ReferencedBatch {
                        reference,
                        hash,
                        bytes,
                    });
                }
            }
        }
        Ok(known)
    }

    /// The batch that a reference names, if it is held and the only one there.
    pub fn held_at(
        &self,
        rows: &dyn ReadRows,
        reference: &Reference,
    ) -> Result<Option<ReferencedBatch>, Unreadable> {
        let Some(held) = self.spaces.get(&reference.space) else {
            return Ok(None);
        };
        let devices = Reference::nameable(held.feeds.keys().copied());
        let feed = devices.get(&reference.feed);
        let feed = feed.and_then(|device| held.feeds.get(device));
        let Some(node) = feed.and_then(|feed| feed.only(reference.seq)) else {
            return Ok(None);
        };
        let key = stored::batch_key(&reference.space, node.hash);
        let bytes = rows.read(Table::Batch, &key)?;
        Ok(bytes.map(|bytes| ReferencedBatch {
            reference: reference.clone(),
            hash: node.hash,
            bytes,
        }))
    }

    /// Refers to nothing until an exchange is over: its messages then read without anybody's store.
    pub fn refer_to_nothing(&mut self) {
        self.plain = true;
    }
}

/// The batches of a space that both ends hold and can name.
struct SharedBatches {
    /// Device, number, and how far from the end of its feed.
    batches: BTreeMap<BatchHash, (DeviceId, u32, u32)>,
}

impl SharedBatches {
    /// What is held here and by somebody who has said `vector`. The asking device counts as one that
    /// has written, for its first batch may be in this very message.
    fn with(held: &SpaceReplica, me: DeviceId, vector: &Vector) -> Self {
        let mut batches = BTreeMap::new();
        let devices = held.feeds.keys().copied().chain([me]);
        for device in Reference::nameable(devices).into_values() {
            let Some(feed) = held.feeds.get(&device) else {
                continue;
            };
            let tips = vector.tips(device).filter_map(|tip| feed.find(tip.hash));
            let Some(highest) = tips.map(|node| node.seq).max() else {
                continue;
            };
            // From the first number that was used twice on a branch may have begun.
            for node in feed.path().take_while(|node| node.seq <= highest) {
                batches.insert(node.hash, (device, node.seq, highest - node.seq));
            }
        }
        Self { batches }
    }

    fn of_record(&self, touched: Option<&BTreeSet<BatchHash>>) -> Vec<BatchHash> {
        let touched = touched.into_iter().flatten();
        let mut known: Vec<(u32, BatchHash)> = touched
            .filter_map(|hash| Some((self.batches.get(hash)?.2, *hash)))
            .collect();
        known.sort_unstable();
        let known = reference_candidates(&known);
        known.into_iter().map(|(_, hash)| hash).collect()
    }
}

#[cfg(test)]
mod tests;
