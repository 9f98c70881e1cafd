//! Server for tests, here and in the crates above: a data directory in a temporary place, a clock moved
//! by hand, and phones made of keys and bytes.

#![allow(clippy::unwrap_used)]

mod cadre;
mod phone;

use std::sync::Arc;
use std::sync::atomic::{AtomicI64, Ordering};

use plan::Package;
use plan::unit::{Level, OrgUnit};
use sync_core::bundle::{Content, Padding, seal};
use sync_core::control::{Control, SealKey};
use sync_core::seal::PublicKey;
use tempfile::TempDir;

use crate::ingest;
use crate::transaction::ReadTx;
use crate::{App, Clock, CodeRequest, CommandError, Options, ServeError};

pub use cadre::{Cadre, household, id_number, person, woman};
pub use phone::{Phone, record_id};

/// Batches without their parents that a space keeps.
pub const STASH_MAX: usize = ingest::STASH_MAX;
/// A day in November, at noon.
pub const NOON: i64 = 1_795_000_000;
/// A 嘎查 with cadres.
pub const GACHA: &str = "152522100200";
/// Another one, in the same Sumu.
pub const OTHER_GACHA: &str = "152522100201";
/// A community without cadres.
pub const MINE: &str = "152522100498";
/// The Sumu of both 嘎查.
pub const SUMU: &str = "152522100";

/// The built-in plan with a few org units.
pub fn package(version: u32) -> Package {
    let unit = |code: &str, level, cadres| OrgUnit {
        code: code.into(),
        level,
        name: code.into(),
        cadres,
    };
    let mut package = Package::builtin();
    package.version = version;
    package.units = vec![
        unit("152522", Level::Banner, false),
        unit(SUMU, Level::Sumu, false),
        unit(GACHA, Level::Gacha, true),
        unit(OTHER_GACHA, Level::Gacha, true),
        unit(MINE, Level::Community, false),
    ];
    package
}

/// A server on a directory.
pub struct TestServer {
    /// The server.
    pub app: App,
    /// Its clock.
    pub clock: Arc<AtomicI64>,
    /// Its data directory.
    pub dir: TempDir,
    /// Whether its data are made up.
    pub sample: bool,
}

impl TestServer {
    /// A sample server, which lets everybody in.
    pub async fn sample() -> Self {
        Self::sample_by(package(1)).await
    }

    /// A sample server that counts by this package.
    pub async fn sample_by(package: Package) -> Self {
        Self::open(tempfile::tempdir().unwrap(), true, package).await
    }

    /// A server for real people's data.
    pub async fn real() -> Self {
        Self::open(tempfile::tempdir().unwrap(), false, package(1)).await
    }

    /// A server on this directory.
    pub(crate) async fn open(dir: TempDir, sample: bool, package: Package) -> Self {
        let clock = Arc::new(AtomicI64::new(NOON));
        let options = Options {
            package,
            ..options(&clock, sample)
        };
        let app = App::open(dir.path(), options).await.unwrap();
        app.remember_address("https://127.0.0.1:4443")
            .await
            .unwrap();
        Self {
            app,
            clock,
            dir,
            sample,
        }
    }

    /// Ends this server and starts another one on the same directory.
    pub async fn restarted(self) -> Self {
        self.restarted_by(package(1)).await
    }

    /// The same with another plan.
    pub async fn restarted_by(self, package: Package) -> Self {
        let Self {
            app,
            clock,
            dir,
            sample,
        } = self;
        app.close().await;
        drop(app);
        let options = Options {
            package,
            ..options(&clock, sample)
        };
        let app = App::open(dir.path(), options).await.unwrap();
        Self {
            app,
            clock,
            dir,
            sample,
        }
    }

    /// Lets time pass.
    pub fn pass(&self, seconds: i64) {
        self.clock.fetch_add(seconds, Ordering::SeqCst);
    }

    /// A code for a space.
    pub async fn code(&self, space: &str) -> String {
        self.link(&[space]).await.unwrap().code
    }

    /// A link for spaces.
    pub async fn link(
        &self,
        spaces: &[&str],
    ) -> Result<sync_core::enrol::EnrolmentLink, CommandError> {
        let spaces = spaces.iter().map(|space| (*space).to_owned()).collect();
        self.app
            .enrol_code(&CodeRequest {
                spaces,
                ..CodeRequest::default()
            })
            .await
    }

    /// Serves the body of an enrolment.
    pub async fn enrol(&self, body: Vec<u8>) -> Said {
        Said(self.app.enrol(body).await)
    }

    /// Serves the body of an exchange.
    pub async fn exchange(&self, body: Vec<u8>) -> Said {
        Said(self.app.exchange(body).await)
    }

    /// The control feed that it holds now.
    pub async fn control(&self) -> Control {
        let context = self.app.context();
        let ReadTx { control, .. } = context.read().await.unwrap();
        control.control.clone()
    }

    /// The key that bundles for the server are sealed to now.
    pub async fn seal_key(&self) -> SealKey {
        self.control().await.seal_key().unwrap()
    }

    /// A bundle of this for the server.
    pub async fn sealed(&self, content: &Content) -> Vec<u8> {
        self.sealed_to(self.seal_key().await.key, content)
    }

    /// The same for whoever holds this key's private half.
    pub fn sealed_to(&self, key: PublicKey, content: &Content) -> Vec<u8> {
        let network = self.app.network();
        let mut rng = store::clock::rng().unwrap();
        let message = content.encode(network);
        seal(&mut rng, network, &[key], Padding::None, &message).unwrap()
    }

    /// Runs a statement that no server would.
    pub async fn tamper(&self, sql: &'static str) {
        let mut conn = self.app.context().store.connect().await.unwrap();
        let rows = store::tamper(&mut conn, sql).await.unwrap();
        let makes = sql.starts_with("CREATE");
        assert!(makes || rows > 0, "{sql}");
    }
}

/// The options of a server whose clock is moved by hand.
pub(crate) fn options(clock: &Arc<AtomicI64>, sample: bool) -> Options {
    let clock = clock.clone();
    let clock = Clock::of(move || clock.load(Ordering::SeqCst));
    Options {
        clock,
        sample,
        package: package(1),
    }
}

/// What the server said.
#[derive(Debug)]
pub struct Said(pub Result<Vec<u8>, ServeError>);

impl Said {
    /// The body of a good answer.
    pub fn body(self) -> Vec<u8> {
        self.0.unwrap()
    }

    /// The code of a refusal.
    pub fn refusal(&self) -> &'static str {
        match &self.0 {
            Err(ServeError::Refused(refused)) => refused.code(),
            other => panic!("{other:?}"),
        }
    }
}
