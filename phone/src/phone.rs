//! The phone: store, replica and keys held together, so that every step is durable before it
//! counts.
//!
//! A write is prepared by the core, committed to the store, and only then applied. If a commit's
//! outcome is unknown, or another process has opened the store meanwhile, memory is worth nothing
//! any more: the replica is dropped, opened again, and the step prepared anew (R8, R9). A record's
//! id is drawn before the first try, so that a save whose outcome was unknown and that did land
//! finds its values standing there: saving twice is one record (R41).

use std::sync::Arc;

use minicbor::{Decode, Encode};
use plan::Package;
use sync_core::date::date_in_china;
use sync_core::enrol::{EnrolmentLink, six_digits};
use sync_core::id::{AuthorId, DeviceId};
use sync_core::replica::{Context, Edit, OpenError, OpenReport, Prepared, Replica};
use sync_core::row::{Row, Table, Unreadable};

use crate::error::{Issue, PhoneError};
use crate::keys::{DeviceKeys, Secret};
use crate::merging;
use crate::renew;
use crate::store::{Place, Store, StoreError};
use crate::system::{Randomness, System};

/// How often a step is prepared anew after the store was lost to another process or is busy.
pub const COMMIT_TRIES_MAX: usize = 5;
/// A clock that is further off than this is told to its user, in seconds.
pub const CLOCK_OFF_SECONDS_MAX: i64 = 3600;

/// A day.
const DAY_SECONDS: i64 = 86_400;
/// The logical key of the row in which this host remembers what the core does not need.
const HOST: &[u8] = b"host";
/// First in the row's value, apart from the numbers of the core's own meta rows.
const HOST_KIND: u8 = 128;

/// What the host remembers: where the server is and how this device came in.
#[derive(Clone, Debug, Encode, Decode)]
pub(crate) struct HostRow {
    #[n(0)]
    kind: u8,
    #[n(1)]
    pub(crate) server: String,
    /// The enrolment link: for as long as the enrolment is pending, and to know a repetition.
    #[n(2)]
    pub(crate) link: String,
}

impl HostRow {
    pub(crate) fn new(server: &str, link: &EnrolmentLink) -> Self {
        Self {
            kind: HOST_KIND,
            server: server.to_owned(),
            link: link.to_string(),
        }
    }

    /// Of a store that lost this row.
    fn lost() -> Self {
        Self {
            kind: HOST_KIND,
            server: String::new(),
            link: String::new(),
        }
    }

    pub(crate) fn to_row(&self) -> Row {
        let mut value = Vec::new();
        // Writing to memory can't fail.
        drop(minicbor::encode(self, &mut value));
        Row {
            table: Table::Meta,
            key: HOST.to_vec(),
            space: None,
            value: Some(value),
        }
    }

    pub(crate) fn read(store: &dyn Store) -> Result<Option<Self>, StoreError> {
        let bytes = store.row(Table::Meta, HOST)?;
        let row = bytes
            .map(|bytes| minicbor::decode::<Self>(&bytes))
            .transpose();
        let row = row.map_err(|_| StoreError::Damaged {
            what: "server address",
        })?;
        Ok(row.filter(|row| row.kind == HOST_KIND))
    }
}

/// An open store with everything in it.
pub(crate) struct Open {
    pub(crate) system: Arc<dyn System>,
    pub(crate) store: Box<dyn Store>,
    pub(crate) replica: Replica,
    pub(crate) keys: DeviceKeys,
    /// Keys that the server is asked to let in.
    pub(crate) next: Option<DeviceKeys>,
    pub(crate) host: HostRow,
    pub(crate) report: OpenReport,
}

impl Open {
    /// The person who writes on this device: the first that it was enrolled for, until a phone asks
    /// who holds it.
    pub(crate) fn author(&self) -> Result<AuthorId, PhoneError> {
        let enrolment = self.replica.control().enrolment(self.replica.me().device);
        let author = enrolment.and_then(|enrolment| enrolment.authors.first().copied());
        author.ok_or_else(|| PhoneError::Store(Issue::new("not_enrolled")))
    }

    pub(crate) fn package(&self) -> Result<&Package, PhoneError> {
        self.replica
            .package()
            .ok_or_else(|| PhoneError::wrong(Issue::new("no_package")))
    }

    /// The system's randomness.
    pub(crate) fn rng(&self) -> Randomness<'_> {
        Randomness(&*self.system)
    }

    /// Now for the core, and the last day that is not in the future (R27).
    fn time(&self) -> (i64, String) {
        let now = self.system.now();
        (
            now,
            date_in_china(self.replica.hub().not_future_before(now)),
        )
    }

    /// Today, as far as it is known.
    pub(crate) fn today(&self) -> String {
        self.day_in(0)
    }

    /// The day so many days from today.
    pub(crate) fn day_in(&self, days: u16) -> String {
        let now = self.replica.hub().true_time(self.system.now());
        date_in_china(now.saturating_add(i64::from(days) * DAY_SECONDS))
    }
}

/// How a step is made from what is open; made again for each try.
pub(crate) type Prepare<'a, T> =
    dyn Fn(&Open, &mut Context<'_>) -> Result<Prepared<T>, PhoneError> + 'a;

/// What `status` tells.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Status {
    /// Saved changes that the server is not known to hold.
    pub unsent: usize,
    /// What is held and waits for something that has not come yet.
    pub waiting: usize,
    /// When an exchange last came through, Unix seconds by the device's clock.
    pub last_exchange: Option<i64>,
    /// This device.
    pub device: DeviceId,
    /// The spaces held, as `CODE.class`.
    pub spaces: Vec<String>,
    /// The server's address.
    pub server: String,
    /// How many seconds the device's clock is ahead of the server's, as last seen.
    pub clock_ahead: i64,
    /// Rows of the store that did not read when it was opened.
    pub unreadable_rows: usize,
    /// Erased records of which something that was written here waits for its author's decision.
    pub kept: usize,
}

impl Status {
    /// Whether the clock is so far off that its user must know.
    pub fn clock_is_off(&self) -> bool {
        self.clock_ahead.saturating_abs() > CLOCK_OFF_SECONDS_MAX
    }
}

/// A phone. See the module for what holds of every write.
pub struct Phone {
    pub(crate) place: Box<dyn Place>,
    pub(crate) system: Arc<dyn System>,
    open: Option<Open>,
}

impl Phone {
    /// Opens the phone whose store is at `place`.
    ///
    /// A device whose enrolment is pending opens too, and says so at the first use; an exchange
    /// ([`crate::sync::ExchangeSession`]) then asks again.
    pub fn open(place: Box<dyn Place>, system: Arc<dyn System>) -> Result<Self, PhoneError> {
        let mut phone = Self::unopened(place, system);
        match phone.opened() {
            Ok(_) => Ok(phone),
            Err(error) if is_pending(&error) => Ok(phone),
            Err(error) => Err(error),
        }
    }

    /// The phone whose store is at `place`, which the first call that needs it opens.
    pub fn unopened(place: Box<dyn Place>, system: Arc<dyn System>) -> Self {
        Self {
            place,
            system,
            open: None,
        }
    }

    /// The network and address of this phone if the row with the root statement is lost, which lists
    /// the server's keys: then no server could be trusted any more, and the root is asked for again.
    pub(crate) fn lost_root(&mut self) -> Result<Option<(EnrolmentLink, String)>, PhoneError> {
        let open = self.opened()?;
        let lost = open.replica.control().root().is_none();
        let link = open
            .host
            .link
            .parse::<EnrolmentLink>()
            .ok()
            .filter(|_| lost);
        Ok(link.map(|link| (link, open.host.server.clone())))
    }

    /// Lets go of everything in memory. The next call opens the store again, so nothing is lost and
    /// nothing that went wrong in memory stays.
    pub fn close(&mut self) {
        self.open = None;
    }

    /// Has the store opened with another secret from now on; the old one opens nothing any more. On an
    /// error the old one still does.
    pub fn change_secret(&mut self, secret: Secret) -> Result<(), PhoneError> {
        let changed = self.opened()?.store.change_secret(&secret);
        let before = self.place.replace_secret(secret);
        let Err(error) = changed else {
            return Ok(());
        };
        // Written or not, which the error does not always tell: whichever secret opens the store is the
        // one. What its log may still hold of the old slot goes when the last process lets go of it.
        self.close();
        if self.opened().is_err() {
            if let Some(before) = before {
                self.place.replace_secret(before);
            }
            return Err(error.into());
        }
        Ok(())
    }

    /// The plan as it reached this device.
    pub fn package(&mut self) -> Result<&Package, PhoneError> {
        self.opened()?.package()
    }

    /// Whether this device still waits for an administrator to let it in.
    pub fn is_pending(&mut self) -> Result<bool, PhoneError> {
        match self.opened() {
            Err(error) if is_pending(&error) => Ok(true),
            Err(error) => Err(error),
            Ok(_) => Ok(false),
        }
    }

    /// What is open; opened again if it was dropped.
    pub(crate) fn opened(&mut self) -> Result<&mut Open, PhoneError> {
        let open = match self.open.take() {
            Some(open) => open,
            None => open(&mut *self.place, &self.system)?,
        };
        Ok(self.open.insert(open))
    }

    /// Prepares a step, makes its rows durable, applies it. Prepared anew, a bounded number of
    /// times, whenever the store had to be opened again.
    pub(crate) fn step<T>(&mut self, prepare: &Prepare<'_, T>) -> Result<T, PhoneError> {
        let mut last = StoreError::Busy;
        for _ in 0..COMMIT_TRIES_MAX {
            match self.try_step(prepare)? {
                Ok(outcome) => return Ok(outcome),
                Err(error) => last = error,
            }
        }
        Err(last.into())
    }

    /// One try of a step. The inner error is one after which another try makes sense; memory is
    /// dropped where it has to be.
    pub(crate) fn try_step<T>(
        &mut self,
        prepare: &Prepare<'_, T>,
    ) -> Result<Result<T, StoreError>, PhoneError> {
        let open = self.opened()?;
        let (now, today) = open.time();
        let mut rng = open.rng();
        let mut context = Context {
            now,
            today: &today,
            rng: &mut rng,
        };
        let prepared = prepare(open, &mut context)?;
        let erases = prepared.erases();
        let written = if prepared.rows.is_empty() {
            Ok(())
        } else {
            open.store.commit(&prepared.rows)
        };
        match written {
            Ok(()) => {
                if erases {
                    open.store.leave_no_trace();
                }
                Ok(Ok(open.replica.apply(prepared)))
            }
            Err(StoreError::Busy) => Ok(Err(StoreError::Busy)),
            Err(error @ (StoreError::Fenced | StoreError::Io(_) | StoreError::Unknown)) => {
                self.open = None;
                Ok(Err(error))
            }
            Err(error) => Err(error.into()),
        }
    }

    /// Erases the spaces that were taken from this device: their rows and their keys. What of them
    /// the server did not have stays in the outbox, sealed to the server.
    pub(crate) fn drop_lost_spaces(&mut self) -> Result<(), PhoneError> {
        let open = self.opened()?;
        Ok(drop_lost(&mut *open.store, &mut open.replica)?)
    }

    /// Saves an edit; returns how many changes it made, 0 when everything stood there already.
    pub(crate) fn save(&mut self, edit: &Edit) -> Result<usize, PhoneError> {
        if edit.puts.is_empty() {
            return Err(PhoneError::wrong(Issue::new("nothing_set")));
        }
        let saved = self.step(&|open, context| {
            let mut prepared = open.replica.prepare_edit(context, edit)?;
            let sign = |message: &[u8]| open.keys.sign(message);
            open.replica.add_outbox(&mut prepared, context, &sign);
            Ok(prepared)
        })?;
        Ok(saved.changes)
    }

    /// Prepares an edit as [`Self::save`] would, and lets it go.
    pub(crate) fn try_edit(&mut self, edit: &Edit) -> Result<(), PhoneError> {
        let open = self.opened()?;
        let (now, today) = open.time();
        let mut context = Context {
            now,
            today: &today,
            rng: &mut open.rng(),
        };
        open.replica.prepare_edit(&mut context, edit).map(drop)?;
        Ok(())
    }

    /// Remembers another address of the server. It is asked for its key at the next exchange, so
    /// nothing is trusted by it.
    pub fn set_server(&mut self, url: &str) -> Result<(), PhoneError> {
        let url = crate::enrol::server_address(url)?;
        let open = self.opened()?;
        let host = HostRow {
            server: url,
            ..open.host.clone()
        };
        self.commit_row(&host.to_row())?;
        self.opened()?.host = host;
        Ok(())
    }

    /// Writes a row that the core does not know of.
    pub(crate) fn commit_row(&mut self, row: &Row) -> Result<(), PhoneError> {
        for _ in 0..COMMIT_TRIES_MAX {
            let open = self.opened()?;
            match open.store.commit(std::slice::from_ref(row)) {
                Ok(()) => return Ok(()),
                Err(StoreError::Busy) => {}
                Err(StoreError::Fenced | StoreError::Io(_) | StoreError::Unknown) => {
                    self.open = None
                }
                Err(error) => return Err(error.into()),
            }
        }
        Err(StoreError::Busy.into())
    }

    /// Where the phone stands.
    pub fn status(&mut self) -> Result<Status, PhoneError> {
        let open = self.opened()?;
        let hub = open.replica.hub();
        Ok(Status {
            unsent: open.replica.unsent(),
            waiting: open.replica.waiting(),
            last_exchange: hub.last_exchange,
            device: open.replica.me().device,
            spaces: open.replica.spaces().map(ToString::to_string).collect(),
            server: open.host.server.clone(),
            clock_ahead: hub.clock_ahead,
            unreadable_rows: open.report.unreadable_rows,
            kept: open.replica.orphans().len(),
        })
    }
}

impl std::fmt::Debug for Phone {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Phone")
            .field("open", &self.open.is_some())
            .finish_non_exhaustive()
    }
}

/// Whether the device waits for an administrator to let it in.
pub(crate) fn is_pending(error: &PhoneError) -> bool {
    error
        .issues()
        .first()
        .is_some_and(|issue| issue.code == "enrolment_pending")
}

/// Whether nothing was ever taken in or saved: an enrolment that has not come through.
fn is_bare(store: &dyn Store) -> Result<bool, StoreError> {
    for table in [Table::Control, Table::Batch, Table::Record, Table::Staged] {
        if store.count(table)? > 0 {
            return Ok(false);
        }
    }
    Ok(true)
}

/// Erases the spaces that were taken from this device. Done again at the next opening if it was cut.
fn drop_lost(store: &mut dyn Store, replica: &mut Replica) -> Result<(), StoreError> {
    for space in replica.lost_spaces() {
        store.drop_space(&space)?;
        replica.forget(&space);
    }
    Ok(())
}

/// Opens store and replica.
fn open(place: &mut dyn Place, system: &Arc<dyn System>) -> Result<Open, PhoneError> {
    let mut store = place.open()?;
    let bare = is_bare(&*store)?;
    let not_enrolled = || match bare {
        true => PhoneError::Store(Issue::new("not_enrolled")),
        // It was, and what says so is lost. No enrolment may go over what is left.
        false => StoreError::Damaged { what: "device" }.into(),
    };
    let keys = DeviceKeys::load(&*store)?.ok_or_else(not_enrolled)?;
    let host = match HostRow::read(&*store) {
        Ok(Some(host)) => host,
        // The address is lost: everything shows all the same, and `set_server` mends it.
        Ok(None) | Err(StoreError::Damaged { .. }) if !bare => HostRow::lost(),
        Ok(None) => return Err(not_enrolled()),
        Err(error) => return Err(error.into()),
    };
    let mut damaged = 0;
    let mut each = |table, each: &mut dyn FnMut(Vec<u8>)| {
        damaged += store
            .rows(table, each)
            .map_err(|e| Unreadable(e.to_string()))?;
        Ok(())
    };
    let opened = match system.catches_panics() {
        true => Replica::open(&store, &mut each),
        false => Replica::open_marking(&store, &mut each),
    };
    match opened {
        Ok((mut replica, mut report)) => {
            report.unreadable_rows += damaged;
            merging::recover(&mut *store, &mut replica)?;
            // What can't be read may say that a space was given back: the next exchange brings that.
            if report.unreadable_rows == 0 {
                drop_lost(&mut *store, &mut replica)?;
            }
            let next = DeviceKeys::load_next(&*store)?;
            if let Some(next) = &next {
                renew::ask(&mut replica, next);
            }
            Ok(Open {
                system: system.clone(),
                store,
                replica,
                keys,
                next,
                host,
                report,
            })
        }
        Err(OpenError::NotEnrolled) if !bare => Err(not_enrolled()),
        Err(OpenError::NotEnrolled) => {
            let digits = host.link.parse::<EnrolmentLink>().map(|link| {
                let (signing, sealing) = (keys.signing_public(), keys.sealing_public());
                six_digits(link.network, &signing.bytes, &sealing.bytes)
            });
            let digits = digits.unwrap_or_default();
            Err(PhoneError::wrong(
                Issue::new("enrolment_pending").with("digits", digits),
            ))
        }
        Err(OpenError::Unreadable(_)) => Err(PhoneError::Store(Issue::new("store_unreadable"))),
    }
}

impl From<StoreError> for PhoneError {
    fn from(error: StoreError) -> Self {
        let issue = match &error {
            StoreError::NotThere => Issue::new("store_missing"),
            StoreError::Exists => Issue::new("store_exists"),
            StoreError::WrongSecret => Issue::new("wrong_secret"),
            StoreError::OtherSecret => Issue::new("other_secret"),
            StoreError::KeyStoreSilent => Issue::new("key_store_silent"),
            StoreError::Damaged { what } => Issue::new("store_damaged").with("what", what),
            StoreError::TooNew { .. } => Issue::new("store_too_new"),
            StoreError::Fenced => Issue::new("store_fenced"),
            StoreError::Full => Issue::new("disk_full"),
            StoreError::Busy => Issue::new("store_busy"),
            StoreError::Io(_) | StoreError::Unknown => Issue::new("disk_failed"),
        };
        Self::Store(issue)
    }
}
