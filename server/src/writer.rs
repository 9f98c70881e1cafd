//! The one writer: a thread with a connection of its own that stores what requests bring.
//!
//! SQLite takes one writer at a time, and what a commit costs is the disk's sync. So requests that
//! wait while a commit is under way share the next one (group commit), and every answer is released
//! when its commit is durable. A thread, because merging documents takes the processor for
//! milliseconds and must not hold up those who only read.

use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::Arc;
use std::thread;

use sync_core::control::{Control, ControlEntry};
use sync_core::enrol::EnrolRequest;
use sync_core::hub::{self, Brought, Opened, Refusal};
use tokio::runtime::{Builder, Runtime};
use tokio::sync::{mpsc, oneshot};

use crate::app::Shared;
use crate::bundle::{self, Unpacked};
use crate::copies;
use crate::enrol;
use crate::erase;
use crate::exchange;
use crate::figures::Touched;
use crate::follow::follow;
use crate::recovery;
use crate::roster::Roster;
use crate::service::{Refused, Reply, ServeError};
use crate::store::{Conn, StoreError, contact};
use crate::wipe::{self, Farewell};

/// Requests that wait for the writer; what comes on top waits where it is.
const QUEUE_MAX: usize = 256;
/// Requests that share a commit. Bounds what an answer waits for, and what is done again one by one
/// when one of them fails.
const GROUP_MAX: usize = 32;

/// What is to be stored.
pub(crate) enum Job {
    /// An exchange that brings batches: its bytes, what was checked of them, under which roster.
    Exchange {
        /// As received, should the roster have changed meanwhile.
        packed: Vec<u8>,
        incoming: Box<Brought>,
        roster: Arc<Roster>,
        now: i64,
    },
    /// An exchange that shows control entries which were lost here.
    Taught {
        /// As received.
        packed: Vec<u8>,
        now: i64,
    },
    /// A bundle, as it was checked under a roster.
    Bundle {
        unpacked: Box<Unpacked>,
        roster: Arc<Roster>,
        now: i64,
    },
    /// What a phone says that is to wipe itself.
    Farewell {
        farewell: Box<Farewell>,
        roster: Arc<Roster>,
        now: i64,
    },
    /// An enrolment.
    Enrol {
        request: Box<EnrolRequest>,
        now: i64,
    },
}

type Outcome = Result<Reply, Refused>;

struct Waiting {
    job: Job,
    answer: oneshot::Sender<Result<Reply, ServeError>>,
}

/// The way to the writer's thread, which ends when this is dropped.
#[derive(Debug)]
pub(crate) struct Writer(mpsc::Sender<Waiting>);

impl Writer {
    /// Starts the thread.
    pub(crate) fn start(shared: Arc<Shared>) -> std::io::Result<Self> {
        let (sender, receiver) = mpsc::channel(QUEUE_MAX);
        let runtime = Builder::new_current_thread().enable_all().build()?;
        thread::Builder::new()
            .name("ortoo-writer".into())
            .spawn(move || {
                Desk {
                    shared,
                    runtime,
                    conn: None,
                }
                .run(receiver)
            })?;
        Ok(Self(sender))
    }

    /// Has a job done and committed.
    pub(crate) async fn perform(&self, job: Job) -> Result<Reply, ServeError> {
        let (answer, answered) = oneshot::channel();
        self.0
            .send(Waiting { job, answer })
            .await
            .map_err(|_| ServeError::Panicked)?;
        answered.await.map_err(|_| ServeError::Panicked)?
    }
}

struct Desk {
    shared: Arc<Shared>,
    runtime: Runtime,
    conn: Option<Conn>,
}

impl Desk {
    fn run(mut self, mut receiver: mpsc::Receiver<Waiting>) {
        while let Some(first) = receiver.blocking_recv() {
            let mut group = vec![first];
            while group.len() < GROUP_MAX
                && let Ok(next) = receiver.try_recv()
            {
                group.push(next);
            }
            self.serve(group);
        }
        if let Some(conn) = self.conn.take() {
            drop(self.runtime.block_on(conn.close()));
        }
    }

    /// Does a group in one transaction; if that fails, each of it in one of its own, so that nobody
    /// fails for another's sake.
    fn serve(&mut self, group: Vec<Waiting>) {
        let jobs: Vec<&Job> = group.iter().map(|waiting| &waiting.job).collect();
        match self.attempt(&jobs) {
            Ok(outcomes) => {
                for (waiting, outcome) in group.into_iter().zip(outcomes) {
                    // Whoever hung up meanwhile asks again and is told the same.
                    drop(waiting.answer.send(outcome.map_err(ServeError::from)));
                }
            }
            Err(error) => {
                let mut group = group;
                match group.pop() {
                    Some(only) if group.is_empty() => drop(only.answer.send(Err(error))),
                    last => {
                        let each = group.into_iter().chain(last);
                        each.for_each(|waiting| self.serve(vec![waiting]));
                    }
                }
            }
        }
    }

    fn attempt(&mut self, jobs: &[&Job]) -> Result<Vec<Outcome>, ServeError> {
        let conn = self.conn.take();
        let shared = &self.shared;
        let runtime = &self.runtime;
        let done = catch_unwind(AssertUnwindSafe(|| {
            runtime.block_on(async {
                let mut conn = match conn {
                    Some(conn) => conn,
                    None => shared.store.connect().await?,
                };
                let outcomes = commit(shared, &mut conn, jobs).await?;
                Ok::<_, StoreError>((conn, outcomes))
            })
        }));
        match done {
            // After an error the connection is dropped with whatever it had begun.
            Ok(Ok((conn, outcomes))) => {
                self.conn = Some(conn);
                Ok(outcomes)
            }
            Ok(Err(error)) => Err(ServeError::from(error)),
            Err(_) => Err(ServeError::Panicked),
        }
    }
}

async fn commit(
    shared: &Shared,
    conn: &mut Conn,
    jobs: &[&Job],
) -> Result<Vec<Outcome>, StoreError> {
    let mut tx = shared.store.write_on(conn).await?;
    // What others have added before they have followed themselves.
    let started = shared.roster.last().current(&mut tx).await?;
    let mut roster = started.clone();
    let mut outcomes = Vec::new();
    let mut touched = Touched::default();
    for job in jobs {
        // The roster of this very transaction (R25). It may hold what a job before this one added
        // and is remembered by those who read it committed, not from here.
        roster = roster.current(&mut tx).await?;
        let (outcome, changed) = perform(shared, &mut tx, &roster, job).await?;
        outcomes.push(outcome);
        touched.join(changed);
    }
    // A revocation, a verdict, an order may have come with one of them.
    let erases = follow(&mut tx, shared, &started, touched).await?;
    shared.commit_following(tx, erases).await?;
    Ok(outcomes)
}

async fn perform(
    shared: &Shared,
    conn: &mut Conn,
    roster: &Arc<Roster>,
    job: &Job,
) -> Result<(Outcome, Touched), StoreError> {
    let nothing = Touched::default();
    match job {
        Job::Enrol { request, now } => {
            let answer = enrol::redeem(*now, conn, shared, roster, request).await?;
            Ok((answer.map(Reply::Enrol), nothing))
        }
        Job::Farewell {
            farewell,
            roster: checked,
            now,
        } => part(shared, conn, roster, farewell, checked, *now).await,
        Job::Bundle {
            unpacked,
            roster: checked,
            now,
        } => {
            let (roster, mut touched) =
                learn(shared, conn, roster, unpacked.taught(), *now).await?;
            let current = checked.arrival == roster.arrival;
            let taken = bundle::take(*now, conn, shared, &roster.control, unpacked, current);
            let (report, back, changed) = taken.await?;
            touched.join(changed);
            Ok((Ok(Reply::Bundle(report, back)), touched))
        }
        Job::Taught { packed, now } => exchange(shared, conn, roster, packed, *now).await,
        Job::Exchange {
            packed,
            incoming,
            roster: checked,
            now,
        } => {
            copies::renew(*now, conn, shared, &roster.control, &incoming.request).await?;
            let renewed = roster.current(conn).await?;
            if checked.arrival == roster.arrival {
                served(shared, conn, &renewed.control, incoming, *now).await
            } else {
                exchange(shared, conn, &renewed, packed, *now).await
            }
        }
    }
}

/// Joins control entries that were lost here, and does what they ask for before anything is taken or
/// answered. What they name is erased: an answer refers to batches as they stand afterwards. Where
/// they tell a key whose private half was lost with them, the next one is told at once: somebody may
/// be about to seal to the lost one what is nowhere else.
async fn learn(
    shared: &Shared,
    conn: &mut Conn,
    roster: &Arc<Roster>,
    taught: &[ControlEntry],
    now: i64,
) -> Result<(Arc<Roster>, Touched), StoreError> {
    recovery::learn(now, conn, &roster.control, taught).await?;
    let learned = roster.current(conn).await?;
    if learned.arrival == roster.arrival {
        return Ok((learned, Touched::default()));
    }
    let touched = erase::execute(now, conn, &learned.control).await?;
    if learned.control.seal_key() != roster.control.seal_key() {
        let Shared {
            seal_keys, node, ..
        } = shared;
        seal_keys.renew(now, conn, &learned.control, node).await?;
    }
    let learned = learned.current(conn).await?;
    Ok((learned, touched.unwrap_or_default()))
}

/// What a phone says that is to wipe itself, as it was checked under a roster, and the answer.
async fn part(
    shared: &Shared,
    conn: &mut Conn,
    roster: &Arc<Roster>,
    farewell: &Farewell,
    checked: &Arc<Roster>,
    now: i64,
) -> Result<(Outcome, Touched), StoreError> {
    let taught = farewell.unpacked.as_ref().map_or(&[][..], Unpacked::taught);
    let (roster, mut touched) = learn(shared, conn, roster, taught, now).await?;
    let current = checked.arrival == roster.arrival;
    let taken = wipe::take(now, conn, shared, &roster.control, farewell, current);
    let (outcome, changed) = taken.await?;
    touched.join(changed);
    Ok((outcome, touched))
}

/// An exchange from its bytes, under the roster of this transaction and what the request adds to it.
async fn exchange(
    shared: &Shared,
    conn: &mut Conn,
    roster: &Arc<Roster>,
    packed: &[u8],
    now: i64,
) -> Result<(Outcome, Touched), StoreError> {
    let mut touched = Touched::default();
    let me = &shared.me;
    let mut roster = roster.clone();
    // Opened again after what it teaches was joined; it teaches nothing then.
    for _ in 0..2 {
        let control = &roster.control;
        match hub::open(me, control, packed, now) {
            Err(refusal) => return Ok((Err(refusal.into()), touched)),
            Ok(Opened::StaleNonce(answer)) => return Ok((Ok(Reply::Exchange(answer)), touched)),
            // Ordered in this very moment, or it taught something.
            Ok(Opened::Wipe(device, parting)) => {
                let read = Farewell::read(&shared.seal_keys, control, device, parting)?;
                let farewell = match read {
                    Ok(farewell) => farewell,
                    Err(refused) => return Ok((Err(refused), touched)),
                };
                let (outcome, changed) =
                    part(shared, conn, &roster, &farewell, &roster, now).await?;
                touched.join(changed);
                return Ok((outcome, touched));
            }
            Ok(Opened::Taught(entries)) => {
                let (learned, changed) = learn(shared, conn, &roster, &entries, now).await?;
                roster = learned;
                touched.join(changed);
            }
            Ok(Opened::Request(unopened)) => {
                return match exchange::take_apart(conn, me, control, *unopened).await? {
                    Err(refusal) => Ok((Err(refusal.into()), touched)),
                    Ok(incoming) => {
                        copies::renew(now, conn, shared, control, &incoming.request).await?;
                        let renewed = roster.current(conn).await?;
                        let served = served(shared, conn, &renewed.control, &incoming, now);
                        let (outcome, changed) = served.await?;
                        touched.join(changed);
                        Ok((outcome, touched))
                    }
                };
            }
        }
    }
    Ok((Err(Refusal::UnknownDevice.into()), touched))
}

/// A checked exchange, and the note that the phone was here.
async fn served(
    shared: &Shared,
    conn: &mut Conn,
    control: &Control,
    incoming: &Brought,
    now: i64,
) -> Result<(Outcome, Touched), StoreError> {
    let (me, node) = (&shared.me, &shared.node);
    let (answer, touched) = exchange::serve(now, conn, me, node, control, incoming).await?;
    let request = &incoming.request;
    contact::note(conn, request.device, now, Some(request.control)).await?;
    Ok((Ok(Reply::Exchange(Box::new(answer))), touched))
}
