//! The first start: keys, root statement, network, plan; and what every start checks again.
//!
//! Killed at any moment the next start goes on: keys are files that are made once, everything that the
//! database says of a new installation is written in one transaction, and what [`make_current`] lacks
//! each start makes up for.

use std::path::Path;
use std::sync::Arc;

use plan::Package;
use rcgen::KeyPair;
use store::clock::random;
use store::control::{self, meta};
use store::{Conn, KeyError, Store, StoreError};
use sync_core::control::{Control, ControlEntry, RootStatement};
use sync_core::hub::NodeIdentity;
use sync_core::id::{Incarnation, NetworkId};
use sync_core::seal::SigningKey;

use crate::commit::write_before_serving;
use crate::context::Options;
use crate::control_cache::ControlCache;
use crate::error::CommandError;
use crate::figures;
use crate::keys::{self, MATCH, MatchKey, NODE, ORDER, ROOT, TLS, TLS_NEXT};
use crate::seal_keys::SealKeys;
use crate::seal_renewal;
use crate::transaction::WriteTx;

/// An installation that may serve.
pub(crate) struct Installed {
    pub(crate) me: NodeIdentity,
    pub(crate) node: SigningKey,
    pub(crate) tls: KeyPair,
    pub(crate) numbers: MatchKey,
    pub(crate) seal_keys: SealKeys,
    pub(crate) control_cache: Arc<ControlCache>,
    /// This start was the first one.
    pub(crate) founded: bool,
}

/// Why a data directory does not make a server.
#[derive(Debug, thiserror::Error)]
pub(crate) enum InstallError {
    #[error(transparent)]
    Store(#[from] StoreError),
    #[error(transparent)]
    Key(#[from] KeyError),
    /// A key file is not there, though the database refers to it.
    #[error("{0} is missing: put it back from a backup of this installation")]
    Missing(&'static str),
    /// The key files belong to another installation.
    #[error("{0} does not belong to this installation")]
    OtherKey(&'static str),
    /// The database is gone and the root key carried away: what would be founded is another network.
    #[error(
        "the database of this installation is gone: restore a backup into another directory, or put \
         root.key back, so that the phones bring back what they hold"
    )]
    Lost,
}

/// Makes what is missing and reads what is there; then [`make_current`] is left to do.
pub(crate) async fn install(
    dir: &Path,
    store: &Store,
    options: &Options,
) -> Result<Installed, InstallError> {
    let mut tx = store.read().await?;
    let held = control::meta_bytes(&mut tx, meta::NETWORK).await?;
    drop(tx);
    let (network, founded) = match held.map(NetworkId) {
        Some(network) => (network, false),
        None => {
            let sample = options.sample;
            let found = write_before_serving(store, async |conn| found(dir, conn, sample).await);
            (found.await?, true)
        }
    };
    let mut tx = store.read().await?;
    let control_cache = Arc::new(ControlCache::empty(network))
        .current(&mut tx)
        .await?;
    let node = keys::signing_key(dir, NODE)?.ok_or(InstallError::Missing(NODE))?;
    let tls = keys::tls_key(dir, TLS)?.ok_or(InstallError::Missing(TLS))?;
    let numbers = keys::match_key(dir)?.ok_or(InstallError::Missing(MATCH))?;
    let root = control_cache.control.root();
    if !root.is_some_and(|root| root.node_keys.contains(&node.public().bytes)) {
        return Err(InstallError::OtherKey(NODE));
    }
    if !root.is_some_and(|root| root.tls_keys.contains(&keys::tls_key_hash(&tls))) {
        return Err(InstallError::OtherKey(TLS));
    }
    let life = |value: Option<[u8; 8]>| value.map(Incarnation);
    let incarnation = life(control::meta_bytes(&mut tx, meta::INCARNATION).await?);
    let nonce_key = control::meta_bytes(&mut tx, meta::NONCE_KEY).await?;
    let unreadable = StoreError::Unreadable {
        table: "meta",
        column: "value",
    };
    let (Some(incarnation), Some(nonce_key)) = (incarnation, nonce_key) else {
        return Err(unreadable.into());
    };
    let me = NodeIdentity {
        network,
        incarnation,
        nonce_key,
    };
    Ok(Installed {
        me,
        node,
        tls,
        numbers,
        seal_keys: SealKeys::new(dir),
        control_cache,
        founded,
    })
}

/// Publishes the package if it is newer than what the installation has, and this month's key for
/// bundles; has the figures counted by that package.
pub(crate) async fn make_current(
    tx: &mut WriteTx<'_>,
    package: &Package,
) -> Result<(), CommandError> {
    let held = tx.control.package();
    if held.is_none_or(|held| held.version < package.version) {
        let network = tx.control.network();
        tx.publish(|signer| ControlEntry::package(network, package, signer))
            .await?;
    }
    let now = tx.node.clock.now();
    seal_renewal::renew(now, tx).await?;
    Ok(figures::begin(&mut tx.conn, &tx.control).await?)
}

/// Founds a network. The statement follows from the keys alone, so that a start which is repeated
/// founds the same one.
async fn found(dir: &Path, conn: &mut Conn, sample: bool) -> Result<NetworkId, InstallError> {
    // The root key is made first, so that no start which was killed leaves the others without it.
    if keys::signing_key(dir, ROOT)?.is_none() && keys::signing_key(dir, NODE)?.is_some() {
        return Err(InstallError::Lost);
    }
    let root = keys::signing_key_or_new(dir, ROOT)?;
    let node = keys::signing_key_or_new(dir, NODE)?;
    let now = keys::tls_key_or_new(dir, TLS)?;
    let next = keys::tls_key_or_new(dir, TLS_NEXT)?;
    keys::match_key_or_new(dir)?;
    // Real orders are persons': whoever takes the server must not have them with it.
    let order_keys = match sample {
        true => vec![keys::signing_key_or_new(dir, ORDER)?.public().bytes],
        false => Vec::new(),
    };
    let statement = RootStatement {
        version: 1,
        root_keys: vec![root.public().bytes],
        threshold: 1,
        node_keys: vec![node.public().bytes],
        order_keys,
        tls_keys: vec![keys::tls_key_hash(&now), keys::tls_key_hash(&next)],
    };
    let network = statement.network();
    let sign = |message: &[u8]| root.sign(message);
    let entry = ControlEntry::root(network, &statement, (root.public().bytes, &sign));
    if let Some(entry) = Control::new(network)
        .check(&entry)
        .map_err(StoreError::from)?
    {
        control::add(conn, &entry).await?;
    }
    control::set_meta(conn, meta::NETWORK, network.as_bytes()).await?;
    if sample {
        control::set_meta(conn, meta::SAMPLE, &[1]).await?;
    }
    let incarnation = random::<8>().map_err(KeyError::from)?;
    control::set_meta(conn, meta::INCARNATION, &incarnation).await?;
    let nonce_key = random::<32>().map_err(KeyError::from)?;
    control::set_meta(conn, meta::NONCE_KEY, &nonce_key).await?;
    Ok(network)
}
