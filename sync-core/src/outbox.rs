//! The outbox: a copy of everything that the server does not have yet, sealed to the server alone.
//!
//! The copies lie in the store unsealed by its own key, so whoever has the phone's files can bring
//! them to the server without the secret: a forgotten PIN, a revoked or a dying phone loses nothing
//! that was saved. Only the server reads them; it takes them as it takes any bundle.
//!
//! A copy is of a signed batch. What is staged is signed for it as the batch that it would be now; the
//! exchange signs anew when it comes. Should both reach the server they are a fork of two batches with
//! the same changes, which heals like every fork.

use std::collections::BTreeSet;

use crate::batch::{self, Batch, Header};
use crate::bundle::{self, Content, Padding};
use crate::feed::{Feed, Vector};
use crate::id::{BatchHash, Space};
use crate::replica::{Context, Prepared, Replica, Step};
use crate::row::{ReadRows, Row, Table, Unreadable};
use crate::state::Staged;
use crate::stored;

/// A batch made of staged edits, and their numbers.
pub(crate) struct Sealed {
    pub(crate) batch: Batch,
    pub(crate) numbers: Vec<u64>,
}

impl Replica {
    /// Adds the outbox copy of what an edit stages to the edit's own rows, so that both are durable
    /// together. Staged edits that fill a batch become one, so that a copy never holds more than one:
    /// what saving costs does not grow with the days since the last exchange.
    ///
    /// Without a key of the server there is no copy, and the edit is saved all the same.
    pub fn add_outbox<T>(
        &self,
        prepared: &mut Prepared<T>,
        context: &mut Context<'_>,
        sign: &dyn Fn(&[u8]) -> [u8; 64],
    ) {
        let mut fresh: Vec<(Space, u64, Staged)> = Vec::new();
        for step in &prepared.steps {
            if let Step::Stage(space, number, staged) = step {
                fresh.push((space.clone(), *number, staged.clone()));
            }
        }
        let spaces: BTreeSet<Space> = fresh.iter().map(|(space, _, _)| space.clone()).collect();
        for space in spaces {
            let held = self.spaces.get(&space).into_iter();
            let before = held.flat_map(|held| &held.staged);
            let added = fresh.iter().filter(|(of, _, _)| *of == space);
            let staged: Vec<(u64, &Staged)> = before
                .map(|(number, staged)| (*number, staged))
                .chain(added.map(|(_, number, staged)| (*number, staged)))
                .collect();
            let mut sealed = self.sign_staged(context, &space, &staged, sign);
            let last = sealed.pop();
            for full in sealed {
                self.close_batch(context, &space, full, prepared);
            }
            if let Some(last) = last {
                let key = stored::staged_copy_key(&space);
                prepared.rows.extend(self.copy(context, key, &last.batch));
            }
        }
    }

    /// Signs staged edits into batches that follow everything held of our feed, in their order.
    pub(crate) fn sign_staged(
        &self,
        context: &mut Context<'_>,
        space: &Space,
        staged: &[(u64, &Staged)],
        sign: &dyn Fn(&[u8]) -> [u8; 64],
    ) -> Vec<Sealed> {
        let feed = self
            .spaces
            .get(space)
            .and_then(|held| held.feeds.get(&self.me.device));
        let (mut seq, mut prev) = feed.map_or((1, vec![]), Feed::next);
        let mut sealed = Vec::new();
        for run in runs_of_one_author(staged) {
            let Some((_, first)) = run.first() else {
                continue;
            };
            let (author, dictionary) = (first.author, first.dictionary);
            let entries = run.iter().map(|(_, staged)| staged.entry.clone()).collect();
            let mut numbers = run.iter().map(|(number, _)| *number);
            for entries in batch::split_for_batches(entries) {
                let numbers = numbers.by_ref().take(entries.len()).collect();
                let header = Header {
                    space: space.clone(),
                    device: self.me.device,
                    author,
                    seq,
                    prev,
                    dictionary,
                    time: context.now,
                };
                let seed = context.random();
                let batch = Batch::sign(self.me.network, header, entries, seed, sign);
                seq += 1;
                prev = vec![batch.hash];
                sealed.push(Sealed { batch, numbers });
            }
        }
        sealed
    }

    /// Makes a signed batch of staged edits the one that counts.
    pub(crate) fn close_batch<T>(
        &self,
        context: &mut Context<'_>,
        space: &Space,
        sealed: Sealed,
        out: &mut Prepared<T>,
    ) -> Batch {
        let Sealed { batch, numbers } = sealed;
        out.put(
            stored::batch_row(Table::Batch, space, batch.hash, Some(batch.bytes())),
            Step::hold(&batch),
        );
        for number in numbers {
            out.put(
                stored::unstaged_row(space, number),
                Step::Unstage(space.clone(), number),
            );
        }
        let key = stored::copy_key(space, batch.hash);
        out.rows.extend(self.copy(context, key, &batch));
        batch
    }

    /// The row of a batch's copy; none without a key of the server.
    pub(crate) fn copy(
        &self,
        context: &mut Context<'_>,
        key: Vec<u8>,
        batch: &Batch,
    ) -> Option<Row> {
        let server = self.control.seal_key()?.key;
        let network = self.me.network;
        let content = Content {
            batches: vec![batch.bytes().to_vec()],
            ..Content::default()
        };
        let message = content.encode(network);
        let sealed = bundle::seal(context.rng, network, &[server], Padding::Rounded, &message);
        Some(stored::outbox_row(key, Some(sealed.ok()?)))
    }

    /// Deletes the copies of what the server is known to have with `vector`, and makes those again of
    /// what it turns out to have lost.
    pub(crate) fn reconcile_outbox<T>(
        &self,
        context: &mut Context<'_>,
        rows: &dyn ReadRows,
        space: &Space,
        vector: &Vector,
        out: &mut Prepared<T>,
    ) -> Result<(), Unreadable> {
        let Some(held) = self.spaces.get(space) else {
            return Ok(());
        };
        let Some(feed) = held.feeds.get(&self.me.device) else {
            return Ok(());
        };
        let missing = |vector: &Vector| -> BTreeSet<BatchHash> {
            let missing = feed.missing(vector.tips(self.me.device));
            missing.into_iter().map(|node| node.hash).collect()
        };
        let (before, after) = (missing(&held.base.1), missing(vector));
        for hash in before.difference(&after) {
            let key = stored::copy_key(space, *hash);
            out.rows.push(stored::outbox_row(key, None));
        }
        for hash in after.difference(&before) {
            let bytes = rows.read(Table::Batch, &stored::batch_key(space, *hash))?;
            let batch = bytes.and_then(|b| Batch::from_store(self.me.network, &b).ok());
            if let Some(batch) = batch {
                let key = stored::copy_key(space, *hash);
                out.rows.extend(self.copy(context, key, &batch));
            }
        }
        Ok(())
    }
}

/// Staged edits in order, cut where the author or the dictionary changes: a batch names one.
fn runs_of_one_author<'a>(staged: &[(u64, &'a Staged)]) -> Vec<Vec<(u64, &'a Staged)>> {
    let one = |(_, a): &(u64, &Staged), (_, b): &(u64, &Staged)| {
        (a.author, a.dictionary) == (b.author, b.dictionary)
    };
    staged.chunk_by(one).map(<[_]>::to_vec).collect()
}
