//! The one writer: a thread with a connection of its own that stores what requests bring and what the
//! office and administration write.
//!
//! SQLite takes one writer at a time, and what a commit costs is the disk's sync. So jobs that
//! wait while a commit is under way share the next one (group commit), and every answer is released
//! when its commit is durable. A thread, because merging documents takes the processor for
//! milliseconds and must not hold up those who only read.

use std::future::Future;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::pin::Pin;
use std::sync::Arc;
use std::thread;

use store::{Conn, StoreError};
use tokio::runtime::{Builder, Runtime};
use tokio::sync::{mpsc, oneshot};

use crate::commit;
use crate::context::NodeContext;
use crate::transaction::WriteTx;

/// Jobs that wait for the writer; what comes on top waits where it is.
const QUEUE_MAX: usize = 256;
/// Jobs that share a commit. Bounds what an answer waits for, and what is done again one by one
/// when one of them fails.
const GROUP_MAX: usize = 32;

/// What is to be stored. It may be run more than once, each time in a transaction that holds nothing of
/// the time before.
///
/// An async closure over the transaction is one too.
pub(crate) trait Job: Send + 'static {
    /// What comes of it, given when it is durable.
    type Output: Send + 'static;
    /// Why nothing of it is stored.
    type Error: From<Unwritten> + Send + 'static;

    /// Does it in a transaction, which others may share.
    async fn run(&self, tx: &mut WriteTx<'_>) -> Result<Self::Output, Self::Error>;
}

impl<F, T, E> Job for F
where
    F: AsyncFn(&mut WriteTx<'_>) -> Result<T, E> + Send + 'static,
    T: Send + 'static,
    E: From<Unwritten> + Send + 'static,
{
    type Output = T;
    type Error = E;

    async fn run(&self, tx: &mut WriteTx<'_>) -> Result<T, E> {
        self(tx).await
    }
}

/// Why what a job wrote is not stored, or not known to be.
#[derive(Debug)]
pub(crate) enum Unwritten {
    /// The store or the journal fails.
    Store(StoreError),
    /// A mistake in this program stopped the job.
    Panicked,
}

impl From<StoreError> for Unwritten {
    fn from(error: StoreError) -> Self {
        Self::Store(error)
    }
}

/// A job in the queue, whatever its type.
trait Waiting: Send {
    /// Runs the job and keeps what comes of it; returns whether it may be committed.
    fn run<'a>(
        &'a mut self,
        tx: &'a mut WriteTx<'_>,
    ) -> Pin<Box<dyn Future<Output = Result<(), Stopped>> + 'a>>;

    /// Answers with what came of it, or with why that is not stored.
    fn answer(self: Box<Self>, unwritten: Option<Unwritten>);
}

/// Why a group is not committed.
enum Stopped {
    /// One of its jobs says no, and holds why.
    ByJob,
    /// For another reason.
    Unwritten(Unwritten),
}

impl From<StoreError> for Stopped {
    fn from(error: StoreError) -> Self {
        Self::Unwritten(error.into())
    }
}

struct Queued<J: Job> {
    job: J,
    done: Option<Result<J::Output, J::Error>>,
    answer: oneshot::Sender<Result<J::Output, J::Error>>,
}

impl<J: Job> Waiting for Queued<J> {
    fn run<'a>(
        &'a mut self,
        tx: &'a mut WriteTx<'_>,
    ) -> Pin<Box<dyn Future<Output = Result<(), Stopped>> + 'a>> {
        Box::pin(async {
            let done = self.done.insert(self.job.run(tx).await);
            done.as_ref().map_or(Err(Stopped::ByJob), |_| Ok(()))
        })
    }

    fn answer(self: Box<Self>, unwritten: Option<Unwritten>) {
        let done = match unwritten {
            Some(unwritten) => Err(unwritten.into()),
            None => self.done.unwrap_or_else(|| Err(Unwritten::Panicked.into())),
        };
        // Whoever hung up meanwhile asks again and is told the same.
        drop(self.answer.send(done));
    }
}

enum Message {
    Job(Box<dyn Waiting>),
    /// Let go of the database until the next job. Dropped when that is done.
    Rest(oneshot::Sender<()>),
}

/// The way to the writer's thread, which ends when this is dropped.
#[derive(Debug)]
pub(crate) struct Writer(mpsc::Sender<Message>);

impl Writer {
    /// Starts the thread.
    pub(crate) fn start(context: Arc<NodeContext>) -> std::io::Result<Self> {
        let (sender, receiver) = mpsc::channel(QUEUE_MAX);
        let runtime = Builder::new_current_thread().enable_all().build()?;
        thread::Builder::new()
            .name("ortoo-writer".into())
            .spawn(move || {
                WriterThread {
                    context,
                    runtime,
                    conn: None,
                }
                .run(receiver)
            })?;
        Ok(Self(sender))
    }

    /// Has a job done and committed.
    pub(crate) async fn perform<J: Job>(&self, job: J) -> Result<J::Output, J::Error> {
        let (answer, answered) = oneshot::channel();
        let waiting = Box::new(Queued {
            job,
            done: None,
            answer,
        });
        let stopped = || J::Error::from(Unwritten::Panicked);
        let sent = self.0.send(Message::Job(waiting)).await;
        sent.map_err(|_| stopped())?;
        answered.await.unwrap_or_else(|_| Err(stopped()))
    }

    /// Has the connection closed once the jobs before are done. A later job opens another.
    pub(crate) async fn rest(&self) {
        let (done, rests) = oneshot::channel();
        if self.0.send(Message::Rest(done)).await.is_ok() {
            drop(rests.await);
        }
    }
}

struct WriterThread {
    context: Arc<NodeContext>,
    runtime: Runtime,
    conn: Option<Conn>,
}

impl WriterThread {
    fn run(mut self, mut receiver: mpsc::Receiver<Message>) {
        while let Some(first) = receiver.blocking_recv() {
            let mut group = Vec::new();
            let mut next = Some(first);
            let mut rests = None;
            while let Some(message) = next.take() {
                match message {
                    Message::Job(job) => group.push(job),
                    Message::Rest(done) => rests = Some(done),
                }
                if group.len() < GROUP_MAX && rests.is_none() {
                    next = receiver.try_recv().ok();
                }
            }
            self.serve(group);
            if let Some(done) = rests {
                self.close();
                drop(done);
            }
        }
        self.close();
    }

    fn close(&mut self) {
        if let Some(conn) = self.conn.take() {
            drop(self.runtime.block_on(conn.close()));
        }
    }

    /// Does a group in one transaction; if that fails, each of it in one of its own, so that nobody
    /// fails for another's sake.
    fn serve(&mut self, mut group: Vec<Box<dyn Waiting>>) {
        if group.is_empty() {
            return;
        }
        let stopped = self.attempt(&mut group).err();
        if stopped.is_some() && group.len() > 1 {
            group.into_iter().for_each(|one| self.serve(vec![one]));
            return;
        }
        let mut unwritten = match stopped {
            Some(Stopped::Unwritten(unwritten)) => Some(unwritten),
            Some(Stopped::ByJob) | None => None,
        };
        for waiting in group {
            waiting.answer(unwritten.take());
        }
    }

    fn attempt(&mut self, group: &mut [Box<dyn Waiting>]) -> Result<(), Stopped> {
        let conn = self.conn.take();
        let context = &self.context;
        let runtime = &self.runtime;
        let done = catch_unwind(AssertUnwindSafe(|| {
            runtime.block_on(async {
                let mut conn = match conn {
                    Some(conn) => conn,
                    None => context.store.connect().await?,
                };
                commit::write(context, &mut conn, async |tx| {
                    for waiting in group {
                        waiting.run(tx).await?;
                    }
                    Ok::<_, Stopped>(())
                })
                .await?;
                Ok(conn)
            })
        }));
        match done {
            // After an error the connection is dropped with whatever it had begun.
            Ok(Ok(conn)) => {
                self.conn = Some(conn);
                Ok(())
            }
            Ok(Err(stopped)) => Err(stopped),
            Err(_) => Err(Stopped::Unwritten(Unwritten::Panicked)),
        }
    }
}
