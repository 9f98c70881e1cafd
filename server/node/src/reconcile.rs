//! An exchange as a job of the writer, from what was made of it outside.

use std::sync::Arc;

use store::{StoreError, contact};
use sync_core::hub::{self, Bringer, Brought, Opened, RequestError};
use sync_core::wire::Answer;

use crate::bundle::Unpacked;
use crate::control_cache::ControlCache;
use crate::recovery::absorb;
use crate::reply::{Rejection, ServeError};
use crate::slices::{Counters, TakeSlice, slices};
use crate::transaction::WriteTx;
use crate::wipe::{self, WipeProgress};
use crate::writer::Job;
use crate::{clones, exchange};

/// A request of `POST /v1/exchange` that has something to write.
pub(crate) struct Reconcile {
    /// As received, should the roster have changed meanwhile.
    pub(crate) packed: Vec<u8>,
    /// What it was found to be.
    pub(crate) looked: Looked,
    /// The counter of each space before its slices were stored.
    pub(crate) before: Option<Counters>,
    /// When it came.
    pub(crate) now: i64,
}

/// What a request was found to be, under which roster.
pub(crate) enum Looked {
    /// It brings batches, which are checked.
    Brings(Arc<Brought>, Arc<ControlCache>),
    /// It shows control entries which were lost here.
    Teaches,
    /// Its phone is to wipe itself.
    Parts(Box<WipeProgress>, Arc<ControlCache>),
}

/// The answer, or why the request is not served.
pub(crate) type Outcome = Result<Box<Answer>, Rejection>;

impl Reconcile {
    /// What is to be stored ahead of this job, in this order. What is left is small enough for it.
    pub(crate) fn slices(&self) -> Vec<TakeSlice<Brought>> {
        let Looked::Brings(incoming, checked) = &self.looked else {
            return Vec::new();
        };
        let slice = |range| TakeSlice {
            of: incoming.clone(),
            range,
            checked: checked.clone(),
            bringer: Bringer::Device(incoming.request.device),
            now: self.now,
        };
        slices(&incoming.batches).into_iter().map(slice).collect()
    }

    /// Notes how much stood in spaces before a slice was stored. What an earlier slice said counts.
    pub(crate) fn began_at(&mut self, before: Counters) {
        let began = self.before.get_or_insert_default();
        for (space, counter) in before {
            began.entry(space).or_insert(counter);
        }
    }
}

impl Job for Reconcile {
    type Output = Outcome;
    type Error = ServeError;

    async fn run(&self, tx: &mut WriteTx<'_>) -> Result<Outcome, ServeError> {
        let now = self.now;
        Ok(match &self.looked {
            Looked::Teaches => open(now, tx, &self.packed).await?,
            Looked::Parts(wipe_progress, checked) => part(now, tx, wipe_progress, checked).await?,
            Looked::Brings(incoming, checked) => {
                let is_current = checked.arrival == tx.control.arrival;
                clones::renew(now, tx, &incoming.request).await?;
                match is_current {
                    true => Ok(served(now, tx, incoming, self.before.as_ref()).await?),
                    false => open(now, tx, &self.packed).await?,
                }
            }
        })
    }
}

/// What a phone says that is to wipe itself, as it was checked under a roster, and the answer.
async fn part(
    now: i64,
    tx: &mut WriteTx<'_>,
    wipe_progress: &WipeProgress,
    checked: &ControlCache,
) -> Result<Outcome, StoreError> {
    let repair = wipe_progress
        .unpacked
        .as_ref()
        .map_or(&[][..], Unpacked::repair);
    absorb(now, tx, repair).await?;
    let is_current = checked.arrival == tx.control.arrival;
    wipe::take_report(now, tx, wipe_progress, is_current).await
}

/// An exchange from its bytes, under the roster of this transaction and what the request adds to it.
async fn open(now: i64, tx: &mut WriteTx<'_>, packed: &[u8]) -> Result<Outcome, StoreError> {
    let me = &tx.node.me;
    // Opened again after what it teaches was joined; it teaches nothing then.
    for _ in 0..2 {
        let control = tx.control.clone();
        match hub::open(me, &control, packed, now) {
            Err(refusal) => return Ok(Err(refusal.into())),
            Ok(Opened::StaleNonce(answer)) => return Ok(Ok(answer)),
            // Ordered in this very moment, or it taught something.
            Ok(Opened::Wipe(device, wipe_report)) => {
                let keys = &tx.node.seal_keys;
                return match WipeProgress::read(keys, &control, device, wipe_report)? {
                    Ok(wipe_progress) => part(now, tx, &wipe_progress, &control).await,
                    Err(refused) => Ok(Err(refused)),
                };
            }
            Ok(Opened::ControlRepair(entries)) => absorb(now, tx, &entries).await?,
            Ok(Opened::Request(unopened)) => {
                return match exchange::take_apart(&mut tx.conn, me, &control, *unopened).await? {
                    Err(refusal) => Ok(Err(refusal.into())),
                    Ok(incoming) => {
                        clones::renew(now, tx, &incoming.request).await?;
                        Ok(Ok(served(now, tx, &incoming, None).await?))
                    }
                };
            }
        }
    }
    Ok(Err(RequestError::UnknownDevice.into()))
}

/// A checked exchange, and the note that the phone was here.
async fn served(
    now: i64,
    tx: &mut WriteTx<'_>,
    incoming: &Brought,
    began: Option<&Counters>,
) -> Result<Box<Answer>, StoreError> {
    let answer = exchange::serve(now, tx, incoming, began).await?;
    let request = &incoming.request;
    contact::note(&mut tx.conn, request.device, now, Some(request.control)).await?;
    Ok(Box::new(answer))
}
