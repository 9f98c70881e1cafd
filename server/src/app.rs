//! The server without its network: a data directory that takes requests' bytes and gives answers'.

use std::fs::File;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use plan::Package;
use plan::catalogue::Catalogue;
use plan::indicator::Indicator;
use plan::unit::Level;
use rcgen::KeyPair;
use sqlx::{Sqlite, Transaction};
use sync_core::date::date_in_china;
use sync_core::enrol::Link;
use sync_core::figure::{Asked, Tally};
use sync_core::hub::HubMe;
use sync_core::id::{DeviceId, NetworkId};
use sync_core::seal::SigningKey;
use tokio::task::spawn_blocking;

use crate::backup::{self, BackupMade, InClear};
use crate::clock::Clock;
use crate::enrol::{self, CodeWish, PendingDevice};
use crate::erase;
use crate::error::CommandError;
use crate::figures::{self, Built, KnownReads, Shown, Touched};
use crate::install::install;
use crate::journal::Journal;
use crate::keys::MatchKey;
use crate::moves;
use crate::private;
use crate::recount::{self, Recounted};
use crate::recovery::{self, RecoveryStatus};
use crate::roster::Remembered;
use crate::seal_keys::SealKeys;
use crate::service::ServeError;
use crate::store::control::{self, meta};
use crate::store::event::{self, Event};
use crate::store::journaled;
use crate::store::{FILE_NAME, Store, StoreError};
use crate::verify::{self, Verified};
use crate::writer::Writer;

/// How a data directory is served.
#[derive(Clone, Debug)]
pub struct Options {
    /// Where the time comes from.
    pub clock: Clock,
    /// Made-up data: devices are let in without an administrator, and their stores may open with a
    /// PIN alone.
    pub sample: bool,
    /// The plan to publish if the installation has an older one.
    pub package: Package,
}

impl Default for Options {
    fn default() -> Self {
        Self {
            clock: Clock::system(),
            sample: false,
            package: Package::builtin(),
        }
    }
}

/// What every request needs.
#[derive(Debug)]
pub(crate) struct Shared {
    /// The data directory.
    pub(crate) dir: PathBuf,
    pub(crate) store: Store,
    pub(crate) journal: Journal,
    pub(crate) me: Node,
    pub(crate) node: SigningKey,
    pub(crate) numbers: MatchKey,
    pub(crate) seal_keys: SealKeys,
    pub(crate) reads: KnownReads,
    pub(crate) roster: Remembered,
    pub(crate) sample: bool,
    pub(crate) clock: Clock,
}

/// An indicator's figure of an org unit in a year.
#[derive(Clone, Debug, PartialEq)]
pub struct Figure {
    /// The indicator.
    pub indicator: Indicator,
    /// The org unit's code.
    pub org: String,
    /// The year.
    pub year: u16,
    /// The figure.
    pub tally: Tally,
}

impl Shared {
    /// Commits a transaction that may have added batches or control entries.
    pub(crate) async fn commit(
        &self,
        mut tx: Transaction<'static, Sqlite>,
    ) -> Result<(), StoreError> {
        self.journal.append(&mut tx).await?;
        Ok(tx.commit().await?)
    }

    /// Commits a transaction in which [`follow`](crate::follow::follow) has erased something, or not.
    pub(crate) async fn commit_following(
        &self,
        mut tx: Transaction<'_, Sqlite>,
        erases: bool,
    ) -> Result<(), StoreError> {
        match erases {
            true => self.journal.begin_again(&mut tx).await?,
            false => self.journal.append(&mut tx).await?,
        }
        tx.commit().await?;
        if erases {
            erase::leave_no_trace(self).await?;
        }
        Ok(())
    }
}

/// Who this server is. Does not print: the nonces' key stands inside.
pub(crate) struct Node(HubMe);

impl std::ops::Deref for Node {
    type Target = HubMe;

    fn deref(&self) -> &HubMe {
        &self.0
    }
}

impl std::fmt::Debug for Node {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "Node({})", self.0.network)
    }
}

/// A data directory in use: [`App::exchange`] and [`App::enrol`] serve one request each, given and
/// answered as the bytes of message bodies. Clones serve the same directory.
///
/// All methods want a tokio runtime, of any flavour.
#[derive(Clone, Debug)]
pub struct App {
    shared: Arc<Shared>,
    writer: Arc<Writer>,
    tls: Arc<KeyPair>,
    catalogue: &'static Catalogue,
    founded: bool,
}

impl App {
    /// Opens a data directory; an empty one, or none, becomes a new installation.
    pub async fn open(dir: &Path, options: Options) -> Result<Self, anyhow::Error> {
        private::make_dir(dir)?;
        let opening = opening(dir).await?;
        let store = Store::open(dir).await?;
        let installed = install(dir, &store, &options).await?;
        let network = installed.me.network;
        let kept = kept_journal(&store).await?;
        let shared = Arc::new(Shared {
            dir: dir.to_owned(),
            journal: Journal::new(network, options.clock.clone(), kept.clone()),
            store,
            me: Node(installed.me),
            node: installed.node,
            numbers: installed.numbers,
            seal_keys: installed.seal_keys,
            reads: KnownReads::default(),
            roster: Remembered::new(installed.roster),
            sample: options.sample,
            clock: options.clock,
        });
        erase::finish(&shared).await?;
        drop(opening);
        let writer = Writer::start(shared.clone())?;
        let app = Self {
            shared,
            writer: Arc::new(writer),
            tls: Arc::new(installed.tls),
            catalogue: Catalogue::builtin(),
            founded: installed.founded,
        };
        if kept.is_some()
            && let Err(error) = app.catch_up().await
        {
            // What brings something is refused until it can be written.
            tracing::error!(error = format!("{error:#}"), "the journal lacks something");
        }
        Ok(app)
    }

    /// The targets of the plan, counted from the registers or not.
    pub fn catalogue(&self) -> &Catalogue {
        self.catalogue
    }

    /// Writes into the journal what it lacks, whoever stored it.
    async fn catch_up(&self) -> Result<(), StoreError> {
        let tx = self.shared.store.write().await?;
        self.shared.commit(tx).await
    }

    /// Keeps the journal in `dir` from now on, in every program on this data directory. One that
    /// begins is given everything that is held.
    pub async fn keep_journal(&self, dir: &Path) -> Result<(), CommandError> {
        let unusable = |error: std::io::Error| {
            CommandError::wrong("journal_failed", dir.display()).with("detail", error)
        };
        private::make_dir(dir).map_err(unusable)?;
        let dir = dir.canonicalize().map_err(unusable)?;
        let name = dir.to_str().ok_or_else(|| {
            let kind = std::io::ErrorKind::InvalidFilename;
            unusable(std::io::Error::from(kind))
        })?;
        let mut tx = self.shared.store.write().await?;
        if control::meta(&mut tx, meta::JOURNAL).await?.as_deref() != Some(name.as_bytes()) {
            journaled::begin_anew(&mut tx).await?;
            control::set_meta(&mut tx, meta::JOURNAL, name.as_bytes()).await?;
        }
        self.shared.journal.set(Some(dir.clone()));
        match self.shared.commit(tx).await {
            Err(StoreError::Journal(error)) => Err(unusable(error)),
            other => Ok(other?),
        }
    }

    /// Keeps no journal from now on. What is in one stays there.
    pub async fn keep_no_journal(&self) -> Result<(), CommandError> {
        let mut tx = self.shared.store.write().await?;
        control::unset_meta(&mut tx, meta::JOURNAL).await?;
        self.shared.journal.set(None);
        tx.commit().await.map_err(StoreError::from)?;
        Ok(())
    }

    /// Writes a backup to a file and reads it again.
    pub async fn backup(&self, file: &Path, in_clear: InClear) -> Result<BackupMade, CommandError> {
        backup::make(&self.shared, file, in_clear).await
    }

    /// Where a restored server stands.
    pub async fn recovery_status(&self) -> Result<RecoveryStatus, CommandError> {
        let mut tx = self.shared.store.read().await?;
        let roster = self.shared.roster.current(&mut tx).await?;
        Ok(recovery::status(&mut tx, &roster.control).await?)
    }

    /// Has everybody on the roster served again; gives where the server stood before.
    pub async fn confirm_recovery(&self) -> Result<RecoveryStatus, CommandError> {
        let now = self.shared.clock.now();
        let mut tx = self.shared.store.write().await?;
        let roster = self.shared.roster.last().current(&mut tx).await?;
        let before = recovery::confirm(now, &mut tx, &roster.control).await?;
        // What came back waited for this: the phones have brought what they had.
        let told = roster.control.moves().cloned().collect();
        let mut touched = Touched::default();
        moves::carry(&mut tx, &self.shared, &roster.control, told, &mut touched).await?;
        figures::update(&mut tx, &self.shared, &roster.control, touched).await?;
        self.shared.commit(tx).await?;
        Ok(before)
    }

    /// The newest events, newest first.
    pub async fn events(&self, limit: u64) -> Result<Vec<Event>, CommandError> {
        let mut tx = self.shared.store.read().await?;
        Ok(event::newest(&mut tx, limit).await?)
    }

    /// Opens a data directory that a server was started in before.
    pub async fn open_existing(dir: &Path, options: Options) -> Result<Self, anyhow::Error> {
        if !dir.join(FILE_NAME).is_file() {
            anyhow::bail!(
                "there is no installation in {}: start the server first",
                dir.display()
            );
        }
        Self::open(dir, options).await
    }

    /// The installation's id.
    pub fn network(&self) -> NetworkId {
        self.shared.me.network
    }

    /// Whether this opening made the installation.
    pub fn founded(&self) -> bool {
        self.founded
    }

    /// The control entry that founded the network: what a phone asks for before it trusts anything.
    pub async fn root_entry(&self) -> Result<Vec<u8>, ServeError> {
        let mut tx = self.shared.store.read().await?;
        let entry = control::first(&mut tx).await?;
        Ok(entry.ok_or(StoreError::Unreadable {
            table: "control",
            column: "bytes",
        })?)
    }

    /// Holds an installation to what it was founded as: one for real data never becomes a sample,
    /// which lets devices in without anybody's look.
    pub async fn keep_sample_apart(&self) -> Result<(), CommandError> {
        if !self.shared.sample {
            return Ok(());
        }
        let mut tx = self.shared.store.read().await?;
        match control::meta(&mut tx, meta::SAMPLE).await? {
            Some(_) => Ok(()),
            None => Err(CommandError::wrong("not_a_sample", "--sample")),
        }
    }

    /// Remembers the address that enrolment links carry.
    pub async fn remember_address(&self, url: &str) -> Result<(), CommandError> {
        let mut tx = self.shared.store.write().await?;
        control::set_meta(&mut tx, meta::URL, url.as_bytes()).await?;
        tx.commit().await.map_err(StoreError::from)?;
        Ok(())
    }

    /// Makes a single-use enrolment link.
    pub async fn enrol_code(&self, wish: &CodeWish) -> Result<Link, CommandError> {
        let now = self.shared.clock.now();
        let mut tx = self.shared.store.write().await?;
        let link = enrol::make_code(now, &mut tx, &self.shared, wish).await?;
        self.shared.commit(tx).await?;
        Ok(link)
    }

    /// Makes this month's key for bundles if there is none, and destroys those that are too old. A
    /// server that runs does so every hour.
    pub async fn renew_seal_keys(&self) -> Result<(), CommandError> {
        let mut tx = self.shared.store.write().await?;
        let roster = self.shared.roster.last().current(&mut tx).await?;
        let Shared {
            seal_keys,
            node,
            clock,
            ..
        } = &*self.shared;
        let renewed = seal_keys.renew(clock.now(), &mut tx, &roster.control, node);
        renewed.await.map_err(anyhow::Error::from)?;
        self.shared.commit(tx).await?;
        Ok(())
    }

    /// Empties the database's log of what an erasure overwrote. A server that runs does so every hour,
    /// should somebody have been reading when it was due.
    pub async fn empty_log(&self) -> Result<(), CommandError> {
        erase::leave_no_trace(&self.shared).await?;
        Ok(())
    }

    /// The devices that wait for an administrator.
    pub async fn pending(&self) -> Result<Vec<PendingDevice>, CommandError> {
        let mut tx = self.shared.store.read().await?;
        Ok(enrol::pending(&mut tx, &self.shared).await?)
    }

    /// Lets a waiting device in.
    pub async fn approve(&self, device: DeviceId) -> Result<(), CommandError> {
        let mut tx = self.shared.store.write().await?;
        enrol::approve(&mut tx, &self.shared, device).await?;
        self.shared.commit(tx).await?;
        Ok(())
    }

    /// Makes everything that follows from the batches again and compares it with what is stored.
    pub async fn verify(&self) -> Result<Verified, CommandError> {
        let mut tx = self.shared.store.read().await?;
        let roster = self.shared.roster.current(&mut tx).await?;
        Ok(verify::verify(&mut tx, self.network(), &roster.control).await?)
    }

    /// Counts the figures by the newest plan where that is not done yet, a unit at a time; phones are
    /// served in between. Returns when everything is counted, with the number of units that were.
    pub async fn count_figures(&self) -> Result<usize, CommandError> {
        let mut units = 0;
        loop {
            let mut tx = self.shared.store.write().await?;
            let roster = self.shared.roster.last().current(&mut tx).await?;
            let built = figures::build_next(&mut tx, &self.shared, &roster.control).await?;
            self.shared.commit(tx).await?;
            match built {
                Built::Done => return Ok(units),
                Built::More => units += 1,
            }
        }
    }

    /// The figures of an org unit, the banner if none is named, once they are counted.
    pub async fn indicators(
        &self,
        org: Option<&str>,
        asked: Asked,
    ) -> Result<Vec<Figure>, CommandError> {
        self.count_figures().await?;
        let mut tx = self.shared.store.read().await?;
        let roster = self.shared.roster.current(&mut tx).await?;
        let shown = Shown::current(&mut tx, &roster.control).await?;
        let shown = shown.ok_or_else(|| CommandError::wrong("package_unknown", ""))?;
        let package = shown.package();
        let banner = package
            .units
            .iter()
            .find(|unit| unit.level == Level::Banner);
        let org = match org {
            Some(org) => org,
            None => banner.map_or("", |unit| unit.code.as_str()),
        };
        if package.unit(org).is_none() {
            return Err(CommandError::wrong("unknown_org", org));
        }
        let today = date_in_china(self.shared.clock.now());
        let years = asked.years(package.years, &today).map_err(|unknown| {
            let error = CommandError::wrong("unknown_year", unknown.year);
            let error = error.with("from", unknown.years.from);
            error.with("to", unknown.years.to)
        })?;
        let mut figures = Vec::new();
        for year in years {
            let totals = shown.totals(&mut tx, org, year).await?;
            figures.extend(package.counted().map(|(_, indicator)| Figure {
                tally: totals.get(&indicator.key).copied().unwrap_or_default(),
                indicator: indicator.clone(),
                org: org.to_owned(),
                year,
            }));
        }
        Ok(figures)
    }

    /// Counts every figure from the records by other code and compares it with those that are shown,
    /// once they are counted. Nothing is changed.
    pub async fn verify_cells(&self) -> Result<Recounted, CommandError> {
        self.count_figures().await?;
        let mut tx = self.shared.store.read().await?;
        let roster = self.shared.roster.current(&mut tx).await?;
        let shown = Shown::current(&mut tx, &roster.control).await?;
        let shown = shown.ok_or_else(|| CommandError::wrong("package_unknown", ""))?;
        Ok(recount::recount(&mut tx, &shown, &roster.control).await?)
    }

    /// Counts every figure anew beside those that are shown, which the new ones then replace; gives
    /// the number of units.
    pub async fn recount(&self) -> Result<usize, CommandError> {
        self.count_figures().await?;
        let mut tx = self.shared.store.write().await?;
        let roster = self.shared.roster.last().current(&mut tx).await?;
        figures::begin_again(&mut tx, &roster.control).await?;
        tx.commit().await.map_err(StoreError::from)?;
        self.count_figures().await
    }

    /// Closes the database's connections for reading; the writer's is closed with the last clone.
    pub async fn close(&self) {
        self.shared.store.close().await;
    }

    pub(crate) fn shared(&self) -> &Shared {
        &self.shared
    }

    pub(crate) fn writer(&self) -> &Writer {
        &self.writer
    }

    pub(crate) fn tls_key(&self) -> &KeyPair {
        &self.tls
    }
}

/// Where the journal is kept, if it is.
async fn kept_journal(store: &Store) -> Result<Option<PathBuf>, StoreError> {
    let mut tx = store.read().await?;
    let kept = control::meta(&mut tx, meta::JOURNAL).await?;
    let unreadable = StoreError::Unreadable {
        table: "meta",
        column: "value",
    };
    match kept.map(String::from_utf8) {
        None => Ok(None),
        Some(Ok(dir)) => Ok(Some(PathBuf::from(dir))),
        Some(Err(_)) => Err(unreadable),
    }
}

/// The name of the file that is locked while a process opens the directory.
const OPENING: &str = "opening.lock";

/// One process at a time brings the schema up to date and makes keys. The system takes the lock
/// back from whoever is killed.
async fn opening(dir: &Path) -> anyhow::Result<File> {
    let file = File::create(dir.join(OPENING))?;
    Ok(spawn_blocking(move || file.lock().map(|()| file)).await??)
}
