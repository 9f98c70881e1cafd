//! An exchange as a job of the writer, from what was made of it outside.

use std::sync::Arc;

use sync_core::hub::{self, Brought, Opened, Refusal};
use sync_core::wire::Answer;

use crate::bundle::Unpacked;
use crate::recovery::learn;
use crate::reply::{Refused, ServeError};
use crate::roster::Roster;
use crate::store::{StoreError, contact};
use crate::transaction::WriteTx;
use crate::wipe::{self, Farewell};
use crate::writer::Job;
use crate::{copies, exchange};

/// A request of `POST /v1/exchange` that has something to write.
pub(crate) struct Reconcile {
    /// As received, should the roster have changed meanwhile.
    pub(crate) packed: Vec<u8>,
    /// What it was found to be.
    pub(crate) looked: Looked,
    /// When it came.
    pub(crate) now: i64,
}

/// What a request was found to be, under which roster.
pub(crate) enum Looked {
    /// It brings batches, which are checked.
    Brings(Box<Brought>, Arc<Roster>),
    /// It shows control entries which were lost here.
    Teaches,
    /// Its phone is to wipe itself.
    Parts(Box<Farewell>, Arc<Roster>),
}

/// The answer, or why the request is not served.
type Outcome = Result<Box<Answer>, Refused>;

impl Job for Reconcile {
    type Output = Outcome;
    type Error = ServeError;

    async fn run(&self, tx: &mut WriteTx<'_>) -> Result<Outcome, ServeError> {
        let now = self.now;
        Ok(match &self.looked {
            Looked::Teaches => open(now, tx, &self.packed).await?,
            Looked::Parts(farewell, checked) => part(now, tx, farewell, checked).await?,
            Looked::Brings(incoming, checked) => {
                let is_current = checked.arrival == tx.control.arrival;
                copies::renew(now, tx, &incoming.request).await?;
                match is_current {
                    true => Ok(served(now, tx, incoming).await?),
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
    farewell: &Farewell,
    checked: &Roster,
) -> Result<Outcome, StoreError> {
    let taught = farewell.unpacked.as_ref().map_or(&[][..], Unpacked::taught);
    learn(now, tx, taught).await?;
    let is_current = checked.arrival == tx.control.arrival;
    wipe::take(now, tx, farewell, is_current).await
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
            Ok(Opened::Wipe(device, parting)) => {
                let keys = &tx.node.seal_keys;
                return match Farewell::read(keys, &control, device, parting)? {
                    Ok(farewell) => part(now, tx, &farewell, &control).await,
                    Err(refused) => Ok(Err(refused)),
                };
            }
            Ok(Opened::Taught(entries)) => learn(now, tx, &entries).await?,
            Ok(Opened::Request(unopened)) => {
                return match exchange::take_apart(&mut tx.conn, me, &control, *unopened).await? {
                    Err(refusal) => Ok(Err(refusal.into())),
                    Ok(incoming) => {
                        copies::renew(now, tx, &incoming.request).await?;
                        Ok(Ok(served(now, tx, &incoming).await?))
                    }
                };
            }
        }
    }
    Ok(Err(Refusal::UnknownDevice.into()))
}

/// A checked exchange, and the note that the phone was here.
async fn served(
    now: i64,
    tx: &mut WriteTx<'_>,
    incoming: &Brought,
) -> Result<Box<Answer>, StoreError> {
    let answer = exchange::serve(now, tx, incoming).await?;
    let request = &incoming.request;
    contact::note(&mut tx.conn, request.device, now, Some(request.control)).await?;
    Ok(Box::new(answer))
}
