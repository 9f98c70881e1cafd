//! Work that talks to the server: it runs on a thread of its own, tells a listener, and is stopped by
//! its handle.

use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::{Arc, Condvar, Mutex, PoisonError};

use client::cancel::Cancel;
use client::error::{Issue, PhoneError as Inner};
use client::sync::SyncReport;
use words::Words;

use crate::error::{HostError, PhoneError, internal};
use crate::language::Language;
use crate::secret::Secret;
use crate::status::{Enrolled, Progress};

/// What an app hears of work under way. Called from the work's thread; what the app throws is
/// dropped and stops nothing.
#[uniffi::export(foreign)]
pub trait Listener: Send + Sync {
    /// A round of an exchange came through. An enrolment has no rounds.
    fn progress(&self, progress: Progress) -> Result<(), HostError>;

    /// The work has ended, well or not; `wait` on its handle gives how, at once.
    fn ended(&self) -> Result<(), HostError>;
}

/// What an exchange moved.
#[derive(Clone, Debug, Default, PartialEq, Eq, uniffi::Record)]
pub struct ExchangeReport {
    /// Batches sent.
    pub batches_up: i64,
    /// Batches that were new here.
    pub batches_down: i64,
    /// Bytes of message bodies sent.
    pub bytes_up: i64,
    /// Bytes of message bodies received.
    pub bytes_down: i64,
    /// Rounds that were answered.
    pub round_trips: i64,
    /// Codes of batches that the server would not hold, or that were not held here. They stay on
    /// this device; the administrator must know.
    pub refused: Vec<String>,
    /// More came in than could be put in order; it comes again with the next exchange.
    pub stash_full: bool,
    /// The id of the device that this phone has become, if it goes on with new keys: because the server
    /// had noticed another phone that writes with the same ones, or because somebody asked.
    pub renewed: Option<String>,
}

impl From<SyncReport> for ExchangeReport {
    fn from(report: SyncReport) -> Self {
        Self {
            batches_up: report.batches_up as i64,
            batches_down: report.batches_down as i64,
            bytes_up: report.bytes_up as i64,
            bytes_down: report.bytes_down as i64,
            round_trips: report.round_trips as i64,
            refused: report.refused,
            stash_full: report.stash_full,
            renewed: report.renewed.map(|device| device.to_string()),
        }
    }
}

/// An exchange under way, with new keys or without. Dropping the handle cancels it, as
/// [`Exchange::cancel`] does.
#[derive(uniffi::Object)]
pub struct Exchange(Work<ExchangeReport>);

#[uniffi::export]
impl Exchange {
    /// Stops it: at once where it waits for the server, else before its next step. What was
    /// exchanged stays exchanged; the next exchange goes on from there.
    pub fn cancel(&self) {
        self.0.cancel.cancel();
    }

    /// Whether it is still under way.
    pub fn is_running(&self) -> bool {
        self.0.outcome.get().is_none()
    }

    /// Waits for its end, and gives it again whenever asked. Not for a UI thread.
    ///
    /// # Errors
    /// Those of [`client::sync::exchange`], or of [`client::renew::renew`]; [`PhoneError::Wiped`] if the
    /// office had ordered this phone wiped.
    pub fn wait(&self) -> Result<ExchangeReport, PhoneError> {
        self.0.outcome.wait()
    }
}

/// An enrolment under way. Dropping the handle cancels it.
#[derive(uniffi::Object)]
pub struct Enrolment(Work<Enrolled>);

#[uniffi::export]
impl Enrolment {
    /// Stops it. The same link may be used again.
    pub fn cancel(&self) {
        self.0.cancel.cancel();
    }

    /// Whether it is still under way.
    pub fn is_running(&self) -> bool {
        self.0.outcome.get().is_none()
    }

    /// Waits for its end, and gives it again whenever asked. Not for a UI thread.
    ///
    /// # Errors
    /// Those of [`client::enrol::enrol`].
    pub fn wait(&self) -> Result<Enrolled, PhoneError> {
        self.0.outcome.wait()
    }
}

/// Redeems an enrolment link: makes the store in `dir`, or goes on with one whose enrolment was
/// broken off. The same link again after it was redeemed is no error.
///
/// # Errors
/// A secret that can't be used, at once; everything else at the handle.
#[uniffi::export]
pub fn start_enrolment(
    dir: String,
    secret: Secret,
    link: String,
    language: Language,
    listener: Option<Arc<dyn Listener>>,
) -> Result<Arc<Enrolment>, PhoneError> {
    let words = Arc::new(language.words());
    let secret = secret
        .into_inner()
        .map_err(|error| PhoneError::of(&error, &words))?;
    let run = move |cancel: &Cancel, _: &mut dyn FnMut(Progress)| {
        client::enrol::enrol(dir.as_ref(), &secret, &link, cancel).map(Enrolled::from)
    };
    let work = Work::start("ortoo-enrol", Cancel::new(), words, listener, run)?;
    Ok(Arc::new(Enrolment(work)))
}

/// Work on a thread of its own.
struct Work<T> {
    cancel: Cancel,
    outcome: Arc<Outcome<T>>,
}

impl<T> Drop for Work<T> {
    fn drop(&mut self) {
        self.cancel.cancel();
    }
}

impl<T: Clone + Send + 'static> Work<T> {
    fn start(
        name: &str,
        cancel: Cancel,
        words: Arc<Words>,
        listener: Option<Arc<dyn Listener>>,
        run: impl FnOnce(&Cancel, &mut dyn FnMut(Progress)) -> Result<T, Inner> + Send + 'static,
    ) -> Result<Self, PhoneError> {
        let outcome = Arc::new(Outcome::default());
        let (heeds, gives, say) = (cancel.clone(), outcome.clone(), words.clone());
        let thread = std::thread::Builder::new().name(name.to_owned());
        let started = thread.spawn(move || {
            let mut progress = |progress| {
                if let Some(listener) = &listener {
                    drop(listener.progress(progress));
                }
            };
            let ended = catch_unwind(AssertUnwindSafe(|| run(&heeds, &mut progress)));
            let ended = ended.unwrap_or_else(|_| Err(internal()));
            gives.set(ended.map_err(|error| PhoneError::of(&error, &say)));
            if let Some(listener) = &listener {
                drop(listener.ended());
            }
        });
        match started {
            Ok(_) => Ok(Self { cancel, outcome }),
            Err(_) => {
                let error = Inner::Store(Issue::new("no_thread"));
                Err(PhoneError::of(&error, &words))
            }
        }
    }
}

/// How work ended, once it has.
struct Outcome<T> {
    ended: Mutex<Option<Result<T, PhoneError>>>,
    told: Condvar,
}

impl<T> Default for Outcome<T> {
    fn default() -> Self {
        Self {
            ended: Mutex::new(None),
            told: Condvar::new(),
        }
    }
}

impl<T: Clone> Outcome<T> {
    fn get(&self) -> Option<Result<T, PhoneError>> {
        let ended = self.ended.lock().unwrap_or_else(PoisonError::into_inner);
        ended.clone()
    }

    fn set(&self, outcome: Result<T, PhoneError>) {
        *self.ended.lock().unwrap_or_else(PoisonError::into_inner) = Some(outcome);
        self.told.notify_all();
    }

    fn wait(&self) -> Result<T, PhoneError> {
        let mut ended = self.ended.lock().unwrap_or_else(PoisonError::into_inner);
        loop {
            if let Some(outcome) = ended.as_ref() {
                return outcome.clone();
            }
            let waited = self.told.wait(ended);
            ended = waited.unwrap_or_else(PoisonError::into_inner);
        }
    }
}

impl Exchange {
    pub(crate) fn start(
        cancel: Cancel,
        words: Arc<Words>,
        listener: Option<Arc<dyn Listener>>,
        run: impl FnOnce(&Cancel, &mut dyn FnMut(Progress)) -> Result<SyncReport, Inner>
        + Send
        + 'static,
    ) -> Result<Arc<Self>, PhoneError> {
        let run = move |cancel: &Cancel, progress: &mut dyn FnMut(Progress)| {
            run(cancel, progress).map(ExchangeReport::from)
        };
        let work = Work::start("ortoo-exchange", cancel, words, listener, run)?;
        Ok(Arc::new(Self(work)))
    }
}
