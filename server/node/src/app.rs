//! The server without its network: a data directory that takes requests' bytes and gives answers'.

use std::fs::File;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use plan::catalogue::Catalogue;
use plan::indicator::Indicator;
use plan::unit::Level;
use rcgen::KeyPair;
use recount::Recounted;
use store::control::{self, meta};
use store::event::{self, Event};
use store::owner_only;
use store::{FILE_NAME, Store, StoreError};
use store::{erasure, feed, journaled};
use sync_core::date::date_in_china;
use sync_core::figure::{Tally, YearSelection};
use sync_core::id::NetworkId;
use tokio::task::spawn_blocking;

use crate::context::{Node, NodeContext, Options};
use crate::control_cache::LatestControl;
use crate::erase;
use crate::error::CommandError;
use crate::figures::{self, Built, FigureReader, build_next};
use crate::install::{install, make_current};
use crate::journal::{Journal, holds_another};
use crate::lanes::Lanes;
use crate::reads::KnownReads;
use crate::recovery::{self, RecoveryStatus};
use crate::reply::ServeError;
use crate::seal_renewal;
use crate::transaction::{ReadTx, WriteTx};
use crate::verify::{self, Verified};
use crate::writer::{Job, Unwritten, Writer};

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

/// A data directory in use: [`App::exchange`] and [`App::enrol`] serve one request each, given and
/// answered as the bytes of message bodies. Clones serve the same directory.
///
/// All methods want a tokio runtime, of any flavour.
#[derive(Clone, Debug)]
pub struct App {
    context: Arc<NodeContext>,
    writer: Arc<Writer>,
    lanes: Arc<Lanes>,
    tls: Arc<KeyPair>,
    catalogue: &'static Catalogue,
    founded: bool,
}

impl App {
    /// Opens a data directory; an empty one, or none, becomes a new installation.
    pub async fn open(dir: &Path, options: Options) -> Result<Self, anyhow::Error> {
        owner_only::make_dir(dir)?;
        let opening = opening(dir).await?;
        let store = Store::open(dir).await?;
        recovery::notice_set_back(options.clock.now(), &store).await?;
        let installed = install(dir, &store, &options).await?;
        let network = installed.me.network;
        let kept = kept_journal(&store).await?;
        let context = Arc::new(NodeContext {
            dir: dir.to_owned(),
            journal: Journal::new(network, options.clock.clone(), kept.clone()),
            store,
            me: Node(installed.me),
            node: installed.node,
            numbers: installed.numbers,
            seal_keys: installed.seal_keys,
            reads: KnownReads::default(),
            control_cache: LatestControl::new(installed.control_cache),
            sample: options.sample,
            clock: options.clock,
        });
        let writer = Writer::start(context.clone())?;
        let app = Self {
            context,
            writer: Arc::new(writer),
            lanes: Arc::new(Lanes::default()),
            tls: Arc::new(installed.tls),
            catalogue: Catalogue::builtin(),
            founded: installed.founded,
        };
        erase_what_is_due(&app).await?;
        // The plan and the keys don't wait for a journal that can't be written.
        app.context.journal.set(None);
        let package = options.package;
        app.write(async move |tx: &mut WriteTx<'_>| make_current(tx, &package).await)
            .await?;
        app.context.journal.set(kept.clone());
        drop(opening);
        if kept.is_some()
            && let Err(error) = app.catch_up().await
        {
            // What brings something is refused until it can be written.
            tracing::error!(error = format!("{error:#}"), "the journal lacks something");
        }
        Ok(app)
    }

    /// Has a job done by the writer and committed, with all that follows from it.
    pub(crate) async fn write<J: Job>(&self, job: J) -> Result<J::Output, J::Error> {
        self.writer.perform(job).await
    }

    /// How much of the server one device can have at a time.
    pub(crate) fn lanes(&self) -> &Lanes {
        &self.lanes
    }

    /// The targets of the plan, counted from the registers or not.
    pub fn catalogue(&self) -> &Catalogue {
        self.catalogue
    }

    /// Writes into the journal what it lacks, whoever stored it.
    async fn catch_up(&self) -> Result<(), ServeError> {
        self.write(async |_: &mut WriteTx<'_>| Ok(())).await
    }

    /// Keeps the journal in `dir` from now on, in every program on this data directory. One that
    /// begins is given everything that is held.
    pub async fn keep_journal(&self, dir: &Path) -> Result<(), CommandError> {
        let unusable = |error: std::io::Error| {
            CommandError::wrong("journal_failed", dir.display()).with("detail", error)
        };
        owner_only::make_dir(dir).map_err(unusable)?;
        let dir = dir.canonicalize().map_err(unusable)?;
        if holds_another(&dir, self.network()).map_err(unusable)? {
            return Err(CommandError::wrong("journal_of_another", dir.display()));
        }
        let name = dir.to_str().ok_or_else(|| {
            let kind = std::io::ErrorKind::InvalidFilename;
            unusable(std::io::Error::from(kind))
        })?;
        let (name, kept) = (name.to_owned(), dir.clone());
        let keep = async move |tx: &mut WriteTx<'_>| {
            let conn = &mut tx.conn;
            if control::meta(conn, meta::JOURNAL).await?.as_deref() != Some(name.as_bytes()) {
                journaled::begin_anew(conn).await?;
                control::set_meta(conn, meta::JOURNAL, name.as_bytes()).await?;
            }
            tx.node.journal.set(Some(kept.clone()));
            Ok(())
        };
        match self.write(keep).await {
            Err(Unwritten::Store(StoreError::Journal(error))) => Err(unusable(error)),
            other => Ok(other?),
        }
    }

    /// Keeps no journal from now on. What is in one stays there.
    pub async fn keep_no_journal(&self) -> Result<(), CommandError> {
        let keep_none = async |tx: &mut WriteTx<'_>| {
            control::unset_meta(&mut tx.conn, meta::JOURNAL).await?;
            tx.node.journal.set(None);
            Ok(())
        };
        self.write(keep_none).await
    }

    /// Where a restored server stands.
    pub async fn recovery_status(&self) -> Result<RecoveryStatus, CommandError> {
        let ReadTx { mut conn, control } = self.context.read().await?;
        Ok(recovery::status(&mut conn, &control).await?)
    }

    /// Has everybody on the roster served again; returns where the server stood before.
    pub async fn confirm_recovery(&self) -> Result<RecoveryStatus, CommandError> {
        let confirm = async |tx: &mut WriteTx<'_>| {
            let (now, control) = (tx.node.clock.now(), tx.control.clone());
            let before = recovery::confirm(now, &mut tx.conn, &control).await?;
            // What came back waited for this: the phones have brought what they had.
            tx.carry(control.moves().cloned());
            Ok(before)
        };
        self.write(confirm).await
    }

    /// The newest events, newest first.
    pub async fn events(&self, limit: u64) -> Result<Vec<Event>, CommandError> {
        let mut tx = self.context.store.read().await?;
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
        self.context.me.network
    }

    /// Whether this opening made the installation.
    pub fn founded(&self) -> bool {
        self.founded
    }

    /// The control entry that founded the network: what a phone asks for before it trusts anything.
    pub async fn root_entry(&self) -> Result<Vec<u8>, ServeError> {
        let mut tx = self.context.store.read().await?;
        let entry = control::first(&mut tx).await?;
        Ok(entry.ok_or(StoreError::Unreadable {
            table: "control",
            column: "bytes",
        })?)
    }

    /// Holds an installation to what it was founded as: one for real data never becomes a sample,
    /// which lets devices in without anybody's look.
    pub async fn keep_sample_apart(&self) -> Result<(), CommandError> {
        if !self.context.sample {
            return Ok(());
        }
        let mut tx = self.context.store.read().await?;
        match control::meta(&mut tx, meta::SAMPLE).await? {
            Some(_) => Ok(()),
            None => Err(CommandError::wrong("not_a_sample", "--sample")),
        }
    }

    /// Whether nobody has written anything into the installation.
    pub async fn is_empty(&self) -> Result<bool, CommandError> {
        let mut tx = self.context.store.read().await?;
        Ok(feed::spaces(&mut tx).await?.is_empty())
    }

    /// Remembers the address that enrolment links carry.
    pub async fn remember_address(&self, url: &str) -> Result<(), CommandError> {
        let url = url.to_owned();
        let remember = async move |tx: &mut WriteTx<'_>| {
            Ok(control::set_meta(&mut tx.conn, meta::URL, url.as_bytes()).await?)
        };
        self.write(remember).await
    }

    /// Makes this month's key for bundles if there is none, and destroys those that are too old. A
    /// server that runs does so every hour.
    pub async fn renew_seal_keys(&self) -> Result<(), CommandError> {
        let renew = async |tx: &mut WriteTx<'_>| {
            let now = tx.node.clock.now();
            Ok(seal_renewal::renew(now, tx).await?)
        };
        self.write(renew).await
    }

    /// Empties the database's log of what an erasure overwrote. A server that runs does so every hour,
    /// should somebody have been reading when it was due.
    pub async fn empty_log(&self) -> Result<(), CommandError> {
        self.context.scrub().await?;
        Ok(())
    }

    /// Makes everything that follows from the batches again and compares it with what is stored.
    pub async fn verify(&self) -> Result<Verified, CommandError> {
        let ReadTx { mut conn, control } = self.context.read().await?;
        Ok(verify::verify(&mut conn, self.network(), &control).await?)
    }

    /// Counts the figures by the newest plan where that is not done yet, a unit at a time; phones are
    /// served in between. Returns when everything is counted, with the number of units that were.
    pub async fn count_figures(&self) -> Result<usize, CommandError> {
        let mut units = 0;
        loop {
            let next = async |tx: &mut WriteTx<'_>| Ok::<_, CommandError>(build_next(tx).await?);
            match self.write(next).await? {
                Built::Done => return Ok(units),
                Built::More => units += 1,
            }
        }
    }

    /// The figures of an org unit, the banner if none is named, once they are counted.
    pub async fn indicators(
        &self,
        org: Option<&str>,
        query: YearSelection,
    ) -> Result<Vec<Figure>, CommandError> {
        self.count_figures().await?;
        let ReadTx { mut conn, control } = self.context.read().await?;
        let shown = FigureReader::current(&mut conn, &control).await?;
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
        let today = date_in_china(self.context.clock.now());
        let years = query.years(package.years, &today).map_err(|unknown| {
            let error = CommandError::wrong("unknown_year", unknown.year);
            let error = error.with("from", unknown.years.from);
            error.with("to", unknown.years.to)
        })?;
        let mut figures = Vec::new();
        for year in years {
            let totals = shown.totals(&mut conn, org, year).await?;
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
        let ReadTx { mut conn, control } = self.context.read().await?;
        let shown = FigureReader::current(&mut conn, &control).await?;
        let shown = shown.ok_or_else(|| CommandError::wrong("package_unknown", ""))?;
        let stored = shown.all_cells(&mut conn).await?;
        Ok(recount::recount(&mut conn, shown.package(), stored, &control).await?)
    }

    /// Recounts every figure beside those that are shown, which the new ones then replace; gives
    /// the number of units.
    pub async fn recount(&self) -> Result<usize, CommandError> {
        self.count_figures().await?;
        let begin = async |tx: &mut WriteTx<'_>| {
            figures::begin_again(&mut tx.conn, &tx.control).await?;
            Ok::<_, CommandError>(())
        };
        self.write(begin).await?;
        self.count_figures().await
    }

    /// Closes the connections to the database. What is asked of a clone later opens the writer's again.
    pub async fn close(&self) {
        self.writer.rest().await;
        self.context.store.close().await;
    }

    /// What the requests need.
    pub fn context(&self) -> &NodeContext {
        &self.context
    }

    /// The key of the phones' TLS.
    pub fn tls_key(&self) -> &KeyPair {
        &self.tls
    }
}

/// Does what is left to do when a data directory is opened: orders may have come into it with a backup,
/// and a process may have been killed before it emptied its log.
pub(crate) async fn erase_what_is_due(app: &App) -> Result<(), CommandError> {
    let context = app.context();
    let ReadTx { mut conn, control } = context.read().await?;
    let gone = erasure::erased(&mut conn).await?;
    drop(conn);
    if control.erased().all(|record| gone.contains_key(&record)) {
        let mut tx = context.store.read().await?;
        return Ok(context.journal.drop_old(&mut tx).await?);
    }
    app.write(async |tx: &mut WriteTx<'_>| Ok(erase::execute(tx).await?))
        .await
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
