//! The server through its router: a data directory in a temporary place, a clock moved by hand, and
//! phones made of keys and bytes.

mod authoring;
mod console;
mod enrolling;
mod erasing;
mod exchanging;
mod generations;
mod installing;
mod loading;
mod moving;
mod parked;
mod phone;
mod recounting;
mod referring;
mod refusing;
mod restoring;
mod sampling;
mod sealing;
mod set_back;
mod statements;
mod verifying;
mod wiping;

use std::sync::Arc;
use std::sync::atomic::{AtomicI64, Ordering};

use axum::body::{Body, to_bytes};
use axum::http::{Request, StatusCode};
use plan::Package;
use plan::unit::{Level, OrgUnit};
use serde_json::Value;
use sync_core::bundle::{Content, Padding, seal};
use sync_core::control::{Control, SealKey};
use sync_core::seal::PublicKey;
use tempfile::TempDir;
use tower::ServiceExt;

use crate::transaction::ReadTx;
use crate::{App, Clock, CodeRequest, Options, router};

/// A day in November, at noon.
pub(super) const NOON: i64 = 1_795_000_000;
pub(super) const GACHA: &str = "152522100200";
pub(super) const OTHER_GACHA: &str = "152522100201";
pub(super) const MINE: &str = "152522100498";
pub(super) const SUMU: &str = "152522100";

/// The built-in plan with a few org units.
pub(super) fn package(version: u32) -> Package {
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

/// Numbers from a seed (Knuth's MMIX generator; the high half is random enough here).
pub(super) struct Dice(pub(super) u64);

impl Dice {
    pub(super) fn below(&mut self, limit: usize) -> usize {
        self.0 = self
            .0
            .wrapping_mul(6_364_136_223_846_793_005)
            .wrapping_add(1_442_695_040_888_963_407);
        (self.0 >> 33) as usize % limit
    }
}

/// A server on a directory.
pub(super) struct TestServer {
    pub(super) app: App,
    pub(super) clock: Arc<AtomicI64>,
    pub(super) dir: TempDir,
    sample: bool,
}

impl TestServer {
    pub(super) async fn sample() -> Self {
        Self::sample_by(package(1)).await
    }

    /// A sample server that counts by this package.
    pub(super) async fn sample_by(package: Package) -> Self {
        Self::open(tempfile::tempdir().unwrap(), true, package).await
    }

    pub(super) async fn real() -> Self {
        Self::open(tempfile::tempdir().unwrap(), false, package(1)).await
    }

    async fn open(dir: TempDir, sample: bool, package: Package) -> Self {
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
    pub(super) async fn restarted(self) -> Self {
        self.restarted_by(package(1)).await
    }

    /// The same with another plan.
    pub(super) async fn restarted_by(self, package: Package) -> Self {
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

    pub(super) fn pass(&self, seconds: i64) {
        self.clock.fetch_add(seconds, Ordering::SeqCst);
    }

    pub(super) async fn code(&self, space: &str) -> String {
        self.link(&[space]).await.unwrap().code
    }

    pub(super) async fn link(
        &self,
        spaces: &[&str],
    ) -> Result<sync_core::enrol::EnrolmentLink, crate::CommandError> {
        let spaces = spaces.iter().map(|space| (*space).to_owned()).collect();
        self.app
            .enrol_code(&CodeRequest {
                spaces,
                ..CodeRequest::default()
            })
            .await
    }

    /// Posts a body.
    pub(super) async fn post(&self, path: &str, body: Vec<u8>) -> Said {
        self.ask(Request::post(path).body(Body::from(body)).unwrap())
            .await
    }

    pub(super) async fn ask(&self, request: Request<Body>) -> Said {
        let response = router(self.app.clone()).oneshot(request).await.unwrap();
        let status = response.status();
        let kind = response.headers().get("content-type").cloned();
        let body = to_bytes(response.into_body(), usize::MAX)
            .await
            .unwrap()
            .to_vec();
        let problem = kind.is_some_and(|kind| kind == "application/problem+json");
        let code = problem.then(|| {
            let problem: Value = serde_json::from_slice(&body).unwrap();
            assert_eq!(problem["status"], status.as_u16());
            problem["code"].as_str().unwrap().to_owned()
        });
        Said { status, body, code }
    }

    /// The control feed that it holds now.
    pub(super) async fn control(&self) -> Control {
        let context = self.app.context();
        let ReadTx { control, .. } = context.read().await.unwrap();
        control.control.clone()
    }

    /// The key that bundles for the server are sealed to now.
    pub(super) async fn seal_key(&self) -> SealKey {
        self.control().await.seal_key().unwrap()
    }

    /// A bundle of this for the server.
    pub(super) async fn sealed(&self, content: &Content) -> Vec<u8> {
        self.sealed_to(self.seal_key().await.key, content)
    }

    /// The same for whoever holds this key's private half.
    pub(super) fn sealed_to(&self, key: PublicKey, content: &Content) -> Vec<u8> {
        let network = self.app.network();
        let mut rng = store::clock::rng().unwrap();
        let message = content.encode(network);
        seal(&mut rng, network, &[key], Padding::None, &message).unwrap()
    }

    /// Runs a statement that no server would.
    pub(super) async fn tamper(&self, sql: &'static str) {
        let mut conn = self.app.context().store.connect().await.unwrap();
        let rows = store::tamper(&mut conn, sql).await.unwrap();
        let makes = sql.starts_with("CREATE");
        assert!(makes || rows > 0, "{sql}");
    }
}

fn options(clock: &Arc<AtomicI64>, sample: bool) -> Options {
    let clock = clock.clone();
    let clock = Clock::of(move || clock.load(Ordering::SeqCst));
    Options {
        clock,
        sample,
        package: package(1),
    }
}

/// What the server said.
pub(super) struct Said {
    pub(super) status: StatusCode,
    pub(super) body: Vec<u8>,
    code: Option<String>,
}

impl Said {
    /// The body of a good answer.
    pub(super) fn body(self) -> Vec<u8> {
        assert_eq!((self.status, self.code), (StatusCode::OK, None));
        self.body
    }

    /// Status and code of a refusal.
    pub(super) fn refusal(&self) -> (u16, &str) {
        (
            self.status.as_u16(),
            self.code.as_deref().expect("a problem"),
        )
    }
}
