//! The phone: what an app calls.

use std::collections::HashMap;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use client::cancel::Cancel;
use client::error::{Issue, PhoneError as Inner};
use client::phone;
use client::renew;
use client::sync::{self, PhoneAccess, SyncReport};
use parking_lot::FairMutex;
use words::Words;

use crate::error::{PhoneError, internal, is_wiped, wiped};
use crate::figure::{Figure, Task, Years};
use crate::language::Language;
use crate::plan::Plan;
use crate::record::{Checked, Choice, Conflict, Draft, Event, Record, Subject, typed};
use crate::secret::Secret;
use crate::status::{Progress, Status};
use crate::work::{Exchange, Listener};

/// A phone: the registers of its org units in a sealed store.
///
/// What a call reports as saved is on the disk. One process should have a store open at a time; if
/// another opens it, the calls of both go on, each after opening it anew.
#[derive(uniffi::Object)]
pub struct Phone {
    held: Arc<SharedPhone>,
    words: Arc<Words>,
}

#[uniffi::export]
impl Phone {
    /// Opens the store in `dir`, which an enrolment made. Takes what the secret costs to try: half a
    /// second of a cheap phone and 64 MiB, or a tenth of that with a key store.
    ///
    /// # Errors
    /// [`PhoneError::Store`], such as `store_missing`, `wrong_secret`, `other_secret`,
    /// `key_store_silent`, `store_damaged`, `store_too_new`.
    #[uniffi::constructor]
    pub fn open(dir: String, secret: Secret, language: Language) -> Result<Arc<Self>, PhoneError> {
        let words = Arc::new(language.words());
        let opened = catching(|| phone::open(dir.as_ref(), secret.into_inner()?));
        let phone = opened.map_err(|error| PhoneError::of(&error, &words))?;
        let held = Arc::new(SharedPhone::new(phone));
        Ok(Arc::new(Self { held, words }))
    }

    /// The plan as it reached this device. Some hundred kilobytes: ask once, and after an exchange
    /// when its version may have changed.
    pub fn plan(&self) -> Result<Plan, PhoneError> {
        self.with(|phone| phone.package().map(Plan::from))
    }

    /// The records of a subject, a group of linked ones as one row without items: those that stand
    /// in a register, and where `search` stands somewhere in a field.
    pub fn list(
        &self,
        subject: Subject,
        register: Option<String>,
        search: Option<String>,
    ) -> Result<Vec<Record>, PhoneError> {
        let (register, search) = (register.as_deref(), search.as_deref());
        let rows = self.with(|phone| phone.list(subject.into(), register, search))?;
        let rows = rows.into_iter();
        Ok(rows
            .map(|row| Record::of(Arc::unwrap_or_clone(row), &self.words))
            .collect())
    }

    /// Everything that one record shows.
    pub fn show(&self, id: String) -> Result<Record, PhoneError> {
        let record = self.with(|phone| phone.show(&id))?;
        Ok(Record::of(record, &self.words))
    }

    /// Looks at what is typed before it is saved; with no values, at a fresh form. Nothing is
    /// written.
    pub fn check(
        &self,
        draft: Draft,
        values: HashMap<String, String>,
    ) -> Result<Checked, PhoneError> {
        let checked = self.with(|phone| phone.check(&draft.as_inner(), &typed(values)))?;
        Ok(Checked::of(checked, &self.words))
    }

    /// Registers a person or household; gives the new record's id. Fields of a repeating section
    /// make its first item.
    pub fn add(
        &self,
        subject: Subject,
        unit: Option<String>,
        values: HashMap<String, String>,
    ) -> Result<String, PhoneError> {
        let id = self.with(|phone| phone.add(subject.into(), unit.as_deref(), &typed(values)))?;
        Ok(id.to_string())
    }

    /// Writes values to a record, under `section.field` or `section#item.field`; gives the number
    /// of changes, 0 if everything stood there already.
    pub fn edit(&self, id: String, values: HashMap<String, String>) -> Result<i64, PhoneError> {
        let changes = self.with(|phone| phone.edit(&id, &typed(values)))?;
        Ok(changes as i64)
    }

    /// Adds an item to a repeating section, or writes to the one that its natural key names; gives
    /// the item's id.
    pub fn add_item(
        &self,
        id: String,
        section: String,
        values: HashMap<String, String>,
    ) -> Result<String, PhoneError> {
        self.with(|phone| phone.item(&id, &section, &typed(values)))
    }

    /// Withdraws an item. Nothing of it is deleted; writing `false` to `section#item.void` brings it
    /// back.
    pub fn void_item(&self, id: String, section: String, item: String) -> Result<(), PhoneError> {
        self.with(|phone| phone.void_item(&id, &section, &item))
    }

    /// Everything that somebody must settle.
    pub fn conflicts(&self) -> Result<Vec<Conflict>, PhoneError> {
        let conflicts = self.with(phone::Phone::conflicts)?;
        Ok(conflicts.into_iter().map(Conflict::from).collect())
    }

    /// Settles a key of a record for all who have seen no more than this phone has.
    pub fn resolve(&self, id: String, key: String, choice: Choice) -> Result<(), PhoneError> {
        self.with(|phone| phone.resolve(&id, &key, &choice.into()))
    }

    /// Every value ever written to a record, oldest first.
    pub fn history(&self, id: String) -> Result<Vec<Event>, PhoneError> {
        let events = self.with(|phone| phone.history(&id))?;
        Ok(events.into_iter().map(Event::from).collect())
    }

    /// What is due today, or within so many days from now; the most urgent first.
    pub fn tasks(&self, days: i32) -> Result<Vec<Task>, PhoneError> {
        let tasks =
            self.with(|phone| phone.tasks(u16::try_from(days.max(0)).unwrap_or(u16::MAX)))?;
        Ok(tasks.into_iter().map(Task::from).collect())
    }

    /// The plan's figures of every unit held.
    pub fn indicators(&self, years: Years) -> Result<Vec<Figure>, PhoneError> {
        let figures = self.with(|phone| phone.indicators(years.into()))?;
        Ok(figures.into_iter().map(Figure::from).collect())
    }

    /// Where the phone stands.
    pub fn status(&self) -> Result<Status, PhoneError> {
        self.with(phone::Phone::status).map(Status::from)
    }

    /// `name: value` lines for whoever helps: versions, sizes, counts; no personal data.
    pub fn diagnostics(&self) -> Result<String, PhoneError> {
        self.with(phone::Phone::diagnostics)
    }

    /// Starts an exchange with the server on a thread of its own. Every other call goes on meanwhile:
    /// the exchange has the phone for its steps only, never while it waits for the server.
    ///
    /// If the server asks this phone for new keys it makes them ([`ExchangeReport::renewed`]).
    ///
    /// # Errors
    /// `exchange_running` while another one is, at once; everything else at the handle.
    ///
    /// [`ExchangeReport::renewed`]: crate::work::ExchangeReport::renewed
    pub fn start_exchange(
        &self,
        listener: Option<Arc<dyn Listener>>,
    ) -> Result<Arc<Exchange>, PhoneError> {
        self.start(listener, sync::exchange)
    }

    /// Starts an exchange that makes new keys for this phone, as another device: for whoever fears that
    /// somebody has a copy of the old ones. Nothing that is held or unsent is lost.
    ///
    /// Whoever cancels it, or has no connection, has new keys that wait: every later exchange asks for
    /// them again.
    ///
    /// # Errors
    /// Those of [`Phone::start_exchange`]; at the handle also `renewal_waits` while the server does not
    /// let the new keys in.
    pub fn start_renewal(
        &self,
        listener: Option<Arc<dyn Listener>>,
    ) -> Result<Arc<Exchange>, PhoneError> {
        self.start(listener, renew::renew)
    }

    /// Remembers another address of the server, `https://host[:port]`. Nothing is trusted by it: the
    /// server must show a key that the network lists.
    pub fn set_server(&self, url: String) -> Result<(), PhoneError> {
        self.with(|phone| phone.set_server(&url))
    }

    /// Has the store opened with another secret from now on; the old one opens nothing any more.
    pub fn change_secret(&self, secret: Secret) -> Result<(), PhoneError> {
        self.with(|phone| phone.change_secret(secret.into_inner()?))
    }

    /// Locks the phone: an exchange under way is stopped, secret, keys and records leave memory, and
    /// every later call fails with `phone_locked`; open another one. Waits at most for the step that
    /// another call is in.
    pub fn lock(&self) {
        self.held.lock();
    }

    /// Erases the store for good.
    ///
    /// # Errors
    /// `unsent_changes` while not everything is known to be on the server, unless `lose_unsent`.
    pub fn wipe(&self, lose_unsent: bool) -> Result<(), PhoneError> {
        self.with(|phone| phone.wipe(lose_unsent))?;
        self.held.lock();
        Ok(())
    }
}

/// What talks to the server in turns.
type Talk = fn(&mut Turn, &Cancel, &mut dyn FnMut(&sync::Progress)) -> Result<SyncReport, Inner>;

impl Phone {
    fn start(
        &self,
        listener: Option<Arc<dyn Listener>>,
        talk: Talk,
    ) -> Result<Arc<Exchange>, PhoneError> {
        let cancel = Cancel::new();
        let mut turns = Turn::begin(&self.held, &cancel)
            .map_err(|error| PhoneError::of(&error, &self.words))?;
        Exchange::start(cancel, self.words.clone(), listener, move |cancel, tell| {
            let done = talk(&mut turns, cancel, &mut |so_far| {
                tell(Progress::from(so_far));
            });
            if done.as_ref().is_err_and(is_wiped) {
                turns.0.leave(Gone::Wiped);
            }
            done
        })
    }

    pub(crate) fn with<T>(
        &self,
        step: impl FnOnce(&mut phone::Phone) -> Result<T, Inner>,
    ) -> Result<T, PhoneError> {
        let done = self.held.turn(step);
        done.map_err(|error| PhoneError::of(&error, &self.words))
    }
}

/// Erases the store in `dir` for good, also one that nobody can open any more. Nobody is asked
/// whether something in it was never sent. No error where there is none.
#[uniffi::export]
pub fn wipe(dir: String, language: Language) -> Result<(), PhoneError> {
    catching(|| client::wipe::wipe(dir.as_ref()))
        .map_err(|error| PhoneError::of(&error, &language.words()))
}

/// Runs a call; a panic in it is an error.
pub(crate) fn catching<T>(call: impl FnOnce() -> Result<T, Inner>) -> Result<T, Inner> {
    catch_unwind(AssertUnwindSafe(call)).unwrap_or_else(|_| Err(internal()))
}

/// Why there is no phone any more.
#[derive(Clone, Copy)]
enum Gone {
    Locked,
    /// By an order of the office.
    Wiped,
}

impl From<Gone> for Inner {
    fn from(gone: Gone) -> Self {
        match gone {
            Gone::Locked => Self::Store(Issue::new("phone_locked")),
            Gone::Wiped => wiped(),
        }
    }
}

/// The phone, given to one call at a time, as long as there is one.
pub(crate) struct SharedPhone {
    /// Fair: between two slices of an exchange whoever has waited gets it.
    phone: FairMutex<Result<phone::Phone, Gone>>,
    /// What stops the exchange that is under way.
    exchange: Mutex<Option<Cancel>>,
}

impl SharedPhone {
    pub(crate) fn new(phone: phone::Phone) -> Self {
        Self {
            phone: FairMutex::new(Ok(phone)),
            exchange: Mutex::new(None),
        }
    }

    /// Gives the phone to a step. After a panic its memory is dropped, whatever state that is in,
    /// and the next step finds the store as it is on the disk.
    pub(crate) fn turn<T>(
        &self,
        step: impl FnOnce(&mut phone::Phone) -> Result<T, Inner>,
    ) -> Result<T, Inner> {
        let mut phone = self.phone.lock();
        let phone = phone.as_mut().map_err(|gone| *gone)?;
        let mut finished = false;
        let done = catching(|| {
            let done = step(phone);
            finished = true;
            done
        });
        if !finished {
            phone.close();
        }
        done
    }

    fn exchange(&self) -> MutexGuard<'_, Option<Cancel>> {
        self.exchange.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn lock(&self) {
        if let Some(exchange) = self.exchange().as_ref() {
            exchange.cancel();
        }
        self.leave(Gone::Locked);
    }

    /// Lets go of the phone.
    fn leave(&self, gone: Gone) {
        let mut phone = self.phone.lock();
        *phone = Err(gone);
    }
}

/// The turns of an exchange, and that one is under way.
struct Turn(Arc<SharedPhone>);

impl Turn {
    fn begin(held: &Arc<SharedPhone>, cancel: &Cancel) -> Result<Self, Inner> {
        let mut exchange = held.exchange();
        if exchange.is_some() {
            return Err(Inner::wrong(Issue::new("exchange_running")));
        }
        *exchange = Some(cancel.clone());
        drop(exchange);
        Ok(Self(held.clone()))
    }
}

impl PhoneAccess for Turn {
    fn turn<T>(
        &mut self,
        step: impl FnOnce(&mut phone::Phone) -> Result<T, Inner>,
    ) -> Result<T, Inner> {
        self.0.turn(step)
    }
}

impl Drop for Turn {
    fn drop(&mut self) {
        *self.0.exchange() = None;
    }
}
