//! Replay of a journal: control entries first, since they decide whose batches are taken.

use std::collections::BTreeSet;

use store::StoreError;
use sync_core::hub::{self, Bringer};
use sync_core::id::Space;

use crate::app::App;
use crate::error::CommandError;
use crate::exchange;
use crate::journal::{BadJournal, Files, Record};
use crate::transaction::WriteTx;
use crate::writer::Unwritten;

/// Batches that share a transaction.
const BATCHES_AT_ONCE: usize = 256;

/// What a journal brought.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Replayed {
    /// Files of the journal.
    pub files: usize,
    /// Control entries that the backup lacked.
    pub control: usize,
    /// Batches that the backup lacked.
    pub batches: u64,
    /// Files that end in a record whose writing was cut off: nobody was told that it is held.
    pub torn: usize,
    /// Records that were altered, or do not check.
    pub bad: usize,
    /// Nothing of the journal is known to be missing or altered: what was acknowledged is here.
    pub complete: bool,
}

/// Replays a journal into an installation that nobody else uses yet.
pub(crate) async fn replay(app: &App, mut files: Files) -> Result<Replayed, CommandError> {
    let bad = |error: BadJournal| CommandError::wrong("journal_unusable", error);
    let mut done = Replayed {
        files: files.count(),
        ..Replayed::default()
    };
    let mut entries = Vec::new();
    for file in 0..files.count() {
        let control = |record| match record {
            Record::Control(bytes) => Some(bytes),
            Record::Batch(_) => None,
        };
        entries.extend(files.records(file, true, control).map_err(bad)?);
    }
    let joined = async move |tx: &mut WriteTx<'_>| Ok::<_, Unwritten>(join(tx, &entries).await?);
    done.control = app.write(joined).await?;

    // Files of several processes may hold a batch before its parent; what found no room to wait for
    // it fits the next time.
    let mut left = true;
    while left {
        let before = done.batches;
        (left, done.bad) = (false, 0);
        for file in 0..files.count() {
            let batch = |record| match record {
                Record::Batch(bytes) => Some(bytes),
                Record::Control(_) => None,
            };
            let mut batches = files.records(file, false, batch).map_err(bad)?;
            while !batches.is_empty() {
                let rest = batches.split_off(BATCHES_AT_ONCE.min(batches.len()));
                let group = std::mem::replace(&mut batches, rest);
                let take =
                    async move |tx: &mut WriteTx<'_>| Ok::<_, Unwritten>(take(tx, &group).await?);
                let taken = app.write(take).await?;
                done.batches += taken.new;
                done.bad += taken.refused;
                left |= taken.waiting;
            }
        }
        left &= done.batches > before;
    }
    done.torn = files.torn;
    done.bad += files.altered;
    done.complete = files.complete && done.bad == 0;
    Ok(done)
}

/// Control entries of a journal.
async fn join(tx: &mut WriteTx<'_>, entries: &[Vec<u8>]) -> Result<usize, StoreError> {
    let (_, new) = hub::join(&tx.control, entries);
    tx.add(&new).await?;
    Ok(new.len())
}

struct Taken {
    new: u64,
    refused: usize,
    waiting: bool,
}

/// Batches of a journal.
async fn take(tx: &mut WriteTx<'_>, group: &[Vec<u8>]) -> Result<Taken, StoreError> {
    let now = tx.node.clock.now();
    let receive = |bytes: &Vec<u8>| tx.control.receive(bytes);
    let batches: Vec<_> = group.iter().map(receive).collect();
    let brought = batches.iter().flatten();
    let spaces: BTreeSet<Space> = brought.map(|batch| batch.header.space.clone()).collect();
    let claims = exchange::nothing_asked(&mut tx.conn, &spaces).await?;
    let (mut held, stashes) =
        exchange::load_all(&mut tx.conn, &claims, &batches, exchange::EVERYTHING).await?;
    let before: u64 = held.values().map(|held| held.counter).sum();
    let taken = tx
        .ingest(now, &mut held, stashes, &batches, Bringer::Server)
        .await?;
    let after: u64 = held.values().map(|held| held.counter).sum();
    Ok(Taken {
        new: after.saturating_sub(before),
        refused: taken.refused.len(),
        waiting: taken.sent.len() + taken.refused.len() < batches.len(),
    })
}
