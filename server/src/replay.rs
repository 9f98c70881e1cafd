//! What a journal brings back: control entries first, since they say whose batches are taken.

use std::collections::BTreeSet;

use sync_core::hub;
use sync_core::id::Space;
use sync_core::wire::SpaceClaim;

use crate::app::Shared;
use crate::error::CommandError;
use crate::journal::{BadJournal, Files, Record};
use crate::store::{Conn, StoreError, control, feed};
use crate::{exchange, figures, ingest, standing};

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
pub(crate) async fn replay(shared: &Shared, mut files: Files) -> Result<Replayed, CommandError> {
    let bad = |error: BadJournal| CommandError::wrong("journal_unusable", error);
    let mut conn = shared.store.connect().await?;
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
    done.control = join(shared, &mut conn, &entries).await?;

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
            let batches = files.records(file, false, batch).map_err(bad)?;
            for group in batches.chunks(BATCHES_AT_ONCE) {
                let taken = take(shared, &mut conn, group).await?;
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

async fn join(shared: &Shared, conn: &mut Conn, entries: &[Vec<u8>]) -> Result<usize, StoreError> {
    let mut tx = shared.store.write_on(conn).await?;
    let before = shared.roster.last().current(&mut tx).await?;
    let (_, new) = hub::join(&before.control, entries);
    for entry in &new {
        control::add(&mut tx, entry).await?;
    }
    let roster = before.current(&mut tx).await?;
    let touched = standing::follow(&mut tx, &before.control, &roster.control).await?;
    figures::update(&mut tx, shared, &roster.control, touched).await?;
    figures::begin(&mut tx, &roster.control).await?;
    tx.commit().await?;
    Ok(new.len())
}

struct Taken {
    new: u64,
    refused: usize,
    waiting: bool,
}

async fn take(shared: &Shared, conn: &mut Conn, group: &[Vec<u8>]) -> Result<Taken, StoreError> {
    let mut tx = shared.store.write_on(conn).await?;
    let roster = shared.roster.last().current(&mut tx).await?;
    let receive = |bytes: &Vec<u8>| roster.control.receive(bytes);
    let batches: Vec<_> = group.iter().map(receive).collect();
    let brought = batches.iter().flatten();
    let spaces: BTreeSet<&Space> = brought.map(|batch| &batch.header.space).collect();
    let mut claims = Vec::new();
    for space in spaces {
        claims.push(SpaceClaim {
            space: space.clone(),
            counter: feed::counter(&mut tx, space).await?,
            changes: Vec::new(),
            ladders: Vec::new(),
        });
    }
    let now = shared.clock.now();
    let (mut held, stashes) = exchange::load_all(&mut tx, &claims, &batches).await?;
    let before: u64 = held.values().map(|held| held.counter).sum();
    let (taken, touched) =
        ingest::take(now, &mut tx, &roster.control, &mut held, stashes, &batches).await?;
    let after: u64 = held.values().map(|held| held.counter).sum();
    figures::update(&mut tx, shared, &roster.control, touched).await?;
    tx.commit().await?;
    Ok(Taken {
        new: after.saturating_sub(before),
        refused: taken.refused.len(),
        waiting: taken.sent.len() + taken.refused.len() < batches.len(),
    })
}
