//! Slices of what a request or a file brings, each stored in a transaction of its own, so that others need
//! not wait for all of it.

use std::collections::BTreeMap;
use std::ops::Range;
use std::sync::Arc;

use sync_core::batch::{BadBatch, Batch};
use sync_core::hub::{Bringer, SpaceHeld};
use sync_core::id::Space;

use crate::control_cache::ControlCache;
use crate::exchange;
use crate::reply::ServeError;
use crate::transaction::WriteTx;
use crate::writer::Job;

/// How many batches have come into each space.
pub(crate) type Counters = BTreeMap<Space, u64>;

/// Batches and changes that are stored at a time: some 0.02 s.
const SLICE_WORK_MAX: usize = 64;

/// A part of what a request or a file brings, to be stored ahead of the rest.
pub(crate) struct TakeSlice<B> {
    /// What holds the batches.
    pub(crate) of: Arc<B>,
    /// Which of them.
    pub(crate) range: Range<usize>,
    /// Under which they were checked. Under another nothing is stored.
    pub(crate) checked: Arc<ControlCache>,
    /// Who brings them.
    pub(crate) bringer: Bringer,
    /// When they came.
    pub(crate) now: i64,
}

/// The places of slices of a bounded work each; none where one is enough.
pub(crate) fn slices(batches: &[Result<Batch, BadBatch>]) -> Vec<Range<usize>> {
    let (mut slices, mut from, mut work) = (Vec::new(), 0, 0);
    for (at, batch) in batches.iter().enumerate() {
        let more = 1 + batch.as_ref().map_or(0, |batch| batch.entries.len());
        if work + more > SLICE_WORK_MAX && at > from {
            slices.push(from..at);
            (from, work) = (at, 0);
        }
        work += more;
    }
    slices
}

/// What became of a slice.
#[derive(Debug, Default)]
pub(crate) struct SliceTaken {
    /// The counter of each space before.
    pub(crate) before: Counters,
    /// How many of its batches are new.
    pub(crate) new: u64,
}

impl<B: AsRef<[Result<Batch, BadBatch>]> + Send + Sync + 'static> Job for TakeSlice<B> {
    type Output = SliceTaken;
    type Error = ServeError;

    async fn run(&self, tx: &mut WriteTx<'_>) -> Result<SliceTaken, ServeError> {
        if self.checked.arrival != tx.control.arrival {
            return Ok(SliceTaken::default());
        }
        let batches = self.of.as_ref().as_ref().get(self.range.clone());
        let batches = batches.unwrap_or_default();
        let claims = exchange::with_unclaimed(&mut tx.conn, &[], batches).await?;
        let (mut held, stashes) =
            exchange::load_all(&mut tx.conn, &claims, batches, exchange::EVERYTHING).await?;
        let counters = |held: &BTreeMap<Space, SpaceHeld>| {
            let each = held.iter();
            each.map(|(space, held)| (space.clone(), held.counter))
                .collect::<Counters>()
        };
        let before = counters(&held);
        let taken = tx.ingest(self.now, &mut held, stashes, batches, self.bringer);
        taken.await?;
        let came = |counters: &Counters| counters.values().sum::<u64>();
        let new = came(&counters(&held)).saturating_sub(came(&before));
        Ok(SliceTaken { before, new })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_little_is_not_cut_up_and_what_is_much_is_cut_up_whole() {
        let nothing = |count| vec![Err(BadBatch::Envelope); count];
        assert_eq!(slices(&nothing(0)), []);
        assert_eq!(slices(&nothing(SLICE_WORK_MAX)), []);
        let many = slices(&nothing(3 * SLICE_WORK_MAX + 1));
        let ends: Vec<usize> = many.iter().map(|slice| slice.end).collect();
        assert_eq!(ends, [1, 2, 3].map(|n| n * SLICE_WORK_MAX));
        assert!(many.windows(2).all(|two| two[0].end == two[1].start));
    }
}
