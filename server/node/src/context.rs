//! Context of everything that is served from a data directory: store, keys, clock.

use std::path::PathBuf;
use std::time::Duration;

use plan::Package;
use store::clock::Clock;
use store::{Store, StoreError};
use sync_core::hub::NodeIdentity;
use sync_core::seal::SigningKey;

use crate::control_cache::LatestControl;
use crate::journal::Journal;
use crate::keys::MatchKey;
use crate::reads::KnownReads;
use crate::seal_keys::SealKeys;

/// How long an erasure waits for readers to let go of the log, a try at a time.
const LOG_TRIES: u32 = 40;
const LOG_TRY: Duration = Duration::from_millis(50);

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
pub struct NodeContext {
    /// The data directory.
    pub(crate) dir: PathBuf,
    pub(crate) store: Store,
    pub(crate) journal: Journal,
    pub(crate) me: Node,
    pub(crate) node: SigningKey,
    pub(crate) numbers: MatchKey,
    pub(crate) seal_keys: SealKeys,
    pub(crate) reads: KnownReads,
    pub(crate) control_cache: LatestControl,
    /// Whether the data are made up.
    pub sample: bool,
    /// Where the time comes from.
    pub clock: Clock,
}

impl NodeContext {
    /// Removes the journal's files from before an erasure and empties the database's log, which still has
    /// what was overwritten; waits a moment for those who read.
    /// Returns whether it is empty: if not, the server's hourly round and its stop do it.
    pub(crate) async fn scrub(&self) -> Result<bool, StoreError> {
        let mut tx = self.store.read().await?;
        self.journal.drop_old(&mut tx).await?;
        drop(tx);
        for _ in 0..LOG_TRIES {
            if self.store.empty_log().await? {
                return Ok(true);
            }
            tokio::time::sleep(LOG_TRY).await;
        }
        tracing::warn!("the database's log is in use and is emptied later");
        Ok(false)
    }
}

/// Who this server is. Does not print: the nonces' key stands inside.
pub(crate) struct Node(pub(crate) NodeIdentity);

impl std::ops::Deref for Node {
    type Target = NodeIdentity;

    fn deref(&self) -> &NodeIdentity {
        &self.0
    }
}

impl std::fmt::Debug for Node {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "Node({})", self.0.network)
    }
}
