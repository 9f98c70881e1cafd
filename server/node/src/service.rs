//! The service of a data directory to phones and couriers: bytes of message bodies in and out.
//!
//! A request is looked at first, in a snapshot and under no lock ([`App::begin_exchange`]); what it
//! brings is stored by the writer, under the roster of that moment ([`App::finish_exchange`]).

use std::sync::Arc;

use store::clock;
use store::{StoreError, contact, recovery as held_back};
use sync_core::bundle_exchange::reply::{self, PlainEnvelope};
use sync_core::enrol::EnrolRequest;
use sync_core::hub::{self, Opened, RequestError};
use sync_core::id::DeviceId;
use sync_core::wire::{Answer, Unopened};
use tokio::runtime::Handle;
use tokio::task::spawn_blocking;

use crate::app::App;
use crate::bundle::{BundleReport, Import, Unpacked};
use crate::enrol::Redeem;
use crate::exchange;
use crate::reconcile::{Looked, Outcome, Reconcile};
use crate::reply::{Rejection, ServeError};
use crate::transaction::ReadTx;
use crate::wipe::WipeProgress;

/// A request that was looked at under the roster of that moment; nothing is stored yet.
pub struct Begun(Prepared);

/// What a request comes to before anything is written.
enum Prepared {
    Answered(Box<Answer>),
    ToWrite(Reconcile),
}

impl Begun {
    /// Whether it brings nothing, and is answered with what was held when it was looked at.
    pub fn is_answered(&self) -> bool {
        matches!(self.0, Prepared::Answered(_))
    }
}

/// A request that was read, and who it is that asks.
struct Asked {
    packed: Vec<u8>,
    unopened: Unopened,
    /// None where the roster has to be looked at.
    device: Option<DeviceId>,
}

impl std::fmt::Debug for Begun {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("Begun")
    }
}

impl App {
    /// Serves `POST /v1/exchange`: a packed request in, a packed answer out, everything that it
    /// brought durable before.
    ///
    /// [`ServeError::Busy`] where the device has two other requests under way.
    pub async fn exchange(&self, packed: Vec<u8>) -> Result<Vec<u8>, ServeError> {
        let asked = self.ask(packed).await?;
        let place = match asked.device {
            Some(device) => Some(self.lanes().enter(device).await?),
            None => None,
        };
        let begun = self.prepare(asked).await?;
        let answer = self.finish_exchange(begun).await;
        drop(place);
        answer
    }

    /// The first half of [`Self::exchange`]: who asks, whether everything is signed, and what it comes to
    /// if it brings nothing. Whatever others commit before the second half counts there.
    pub async fn begin_exchange(&self, packed: Vec<u8>) -> Result<Begun, ServeError> {
        let asked = self.ask(packed).await?;
        self.prepare(asked).await
    }

    /// Reads a request and looks who asks, as far as the roster is known without the store.
    async fn ask(&self, packed: Vec<u8>) -> Result<Asked, ServeError> {
        let place = self.lanes().read(packed.len()).await?;
        let (network, control) = (self.network(), self.context().control_cache.last());
        // Inflating and signatures take the processor: not on the runtime's threads.
        let asked = spawn_blocking(move || {
            let mut unopened = Unopened::read(network, &packed)?;
            Ok::<_, RequestError>(Asked {
                device: hub::asker(&control, &mut unopened),
                packed,
                unopened,
            })
        });
        let asked = asked.await.map_err(|_| ServeError::Panicked)?;
        drop(place);
        Ok(asked.map_err(Rejection::from)?)
    }

    async fn prepare(&self, asked: Asked) -> Result<Begun, ServeError> {
        let app = self.clone();
        let handle = Handle::current();
        let prepared = spawn_blocking(move || handle.block_on(app.prepare_exchange(asked))).await;
        Ok(Begun(prepared.map_err(|_| ServeError::Panicked)??))
    }

    /// The second half: what was brought is durable when the answer is given.
    pub async fn finish_exchange(&self, begun: Begun) -> Result<Vec<u8>, ServeError> {
        let answer = match begun.0 {
            Prepared::Answered(answer) => answer,
            Prepared::ToWrite(job) => self.reconcile(job).await??,
        };
        let network = self.network();
        pack(move || answer.encode(network)).await
    }

    /// Stores what a request brings: at once, or in slices if it is much, each of them durable before the
    /// next. The last job finds what the slices stored, as if the request had come before.
    async fn reconcile(&self, mut job: Reconcile) -> Result<Outcome, ServeError> {
        let slices = job.slices();
        if slices.is_empty() {
            return self.write(job).await;
        }
        let place = self.lanes().large().await?;
        for slice in slices {
            let taken = self.write(slice).await?;
            job.began_at(taken.before);
        }
        let outcome = self.write(job).await;
        drop(place);
        outcome
    }

    /// Serves `POST /v1/enrol`.
    pub async fn enrol(&self, packed: Vec<u8>) -> Result<Vec<u8>, ServeError> {
        let network = self.network();
        let read = spawn_blocking(move || EnrolRequest::decode(network, &packed)).await;
        let request = read
            .map_err(|_| ServeError::Panicked)?
            .map_err(Rejection::from)?;
        let now = self.context().clock.now();
        let answer = self.write(Redeem { request, now }).await??;
        pack(move || answer.encode()).await
    }

    async fn prepare_exchange(&self, asked: Asked) -> Result<Prepared, ServeError> {
        let Asked {
            packed, unopened, ..
        } = asked;
        let now = self.context().clock.now();
        let me = &self.context().me;
        let ReadTx { mut conn, control } = self.context().read().await?;
        let opened = hub::open_read(me, &control, unopened, now).map_err(Rejection::from)?;
        let unopened = match opened {
            Opened::StaleNonce(answer) => return Ok(Prepared::Answered(answer)),
            Opened::ControlRepair(_) => return Ok(to_write(packed, Looked::Teaches, now)),
            Opened::Wipe(device, wipe_report) => {
                drop(conn);
                let keys = &self.context().seal_keys;
                let wipe_progress = WipeProgress::read(keys, &control, device, wipe_report)?;
                let looked = Looked::Parts(Box::new(wipe_progress?), control);
                return Ok(to_write(packed, looked, now));
            }
            Opened::Request(unopened) => unopened,
        };
        let incoming = exchange::take_apart(&mut conn, me, &control, *unopened).await?;
        let incoming = incoming.map_err(Rejection::from)?;
        let request = &incoming.request;
        // What brings nothing is read only, but for the note once in a while that the phone was here.
        // After a restore it is noted who came back.
        // A batch that does not open is refused where it would have been taken.
        let brings = !incoming.batches.is_empty()
            || request.renewal.is_some()
            || held_back::is_on(&mut conn).await?;
        if brings || contact::is_due(&mut conn, request.device, now, request.control).await? {
            drop(conn);
            let looked = Looked::Brings(Arc::new(incoming), control);
            return Ok(to_write(packed, looked, now));
        }
        let answer = exchange::answer(now, &mut conn, self.context(), &control, &incoming).await?;
        Ok(Prepared::Answered(Box::new(answer)))
    }

    /// Takes a bundle, whoever carried it: everything that it brought is durable before the report
    /// comes out, with the bundle to carry back.
    pub async fn import_bundle(&self, file: Vec<u8>) -> Result<BundleReport, ServeError> {
        let app = self.clone();
        let handle = Handle::current();
        let opened = spawn_blocking(move || handle.block_on(app.prepare_bundle(&file))).await;
        let job = opened.map_err(|_| ServeError::Panicked)??;
        let (report, letters) = self.import(job).await?;
        let network = self.network();
        let sealed =
            pack(move || clock::rng().map(|mut rng| reply::seal(&mut rng, network, &letters)));
        let reply = sealed.await?.map_err(StoreError::from)?;
        Ok(BundleReport { reply, ..report })
    }

    /// Stores what a file brings, like [`Self::reconcile`].
    async fn import(
        &self,
        mut job: Import,
    ) -> Result<(BundleReport, Vec<PlainEnvelope>), ServeError> {
        let slices = job.slices();
        if slices.is_empty() {
            return self.write(job).await;
        }
        let place = self.lanes().large().await?;
        for slice in slices {
            job.new += self.write(slice).await?.new;
        }
        let imported = self.write(job).await;
        drop(place);
        imported
    }

    async fn prepare_bundle(&self, file: &[u8]) -> Result<Import, ServeError> {
        let now = self.context().clock.now();
        let keys = self.context().seal_keys.read().map_err(StoreError::from)?;
        let ReadTx { conn, control } = self.context().read().await?;
        drop(conn);
        let unpacked = Unpacked::open(&control, keys.values(), file).map_err(Rejection::from)?;
        Ok(Import {
            unpacked,
            control_cache: control,
            new: 0,
            now,
        })
    }
}

fn to_write(packed: Vec<u8>, looked: Looked, now: i64) -> Prepared {
    Prepared::ToWrite(Reconcile {
        packed,
        looked,
        before: None,
        now,
    })
}

/// Packs or seals what is answered: not on the runtime's threads.
async fn pack<T: Send + 'static>(
    pack: impl FnOnce() -> T + Send + 'static,
) -> Result<T, ServeError> {
    let packed = spawn_blocking(pack).await;
    packed.map_err(|_| ServeError::Panicked)
}
