//! Snapshots: all that is held of some spaces in one file, for phones that a courier reaches before a
//! network does, and for this server itself when it was restored from an older backup.

use std::collections::{BTreeMap, BTreeSet};

use store::clock;
use store::{feed, recovery};
use sync_core::bundle::BUNDLE_BYTES_MAX;
use sync_core::bundle_exchange::reply;
use sync_core::id::Space;

use crate::app::App;
use crate::enrol::spaces_of;
use crate::error::CommandError;
use crate::exchange;
use crate::transaction::ReadTx;

/// A snapshot, sealed.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Snapshot {
    /// The file.
    pub bytes: Vec<u8>,
    /// What is in it: for each space, the number of batches that ever came in.
    pub counters: BTreeMap<Space, u64>,
}

impl App {
    /// All that is held of these spaces (`CODE[.class]`, as enrolment codes name them), in one file that the
    /// devices that hold them can read, and this server.
    ///
    /// # Errors
    /// [`CommandError::Wrong`] with `recovery_first` after a restore: until the roster is confirmed nothing
    /// goes out (R20); with `snapshot_too_large` if it is more than a bundle may be.
    pub async fn snapshot(&self, wished: &[String]) -> Result<Snapshot, CommandError> {
        let context = self.context();
        // Control, vectors and batches as they stood together (R50).
        let ReadTx { mut conn, control } = context.read().await?;
        if recovery::is_on(&mut conn).await? {
            return Err(CommandError::wrong("recovery_first", ""));
        }
        let package = control.package();
        let package = package.ok_or_else(|| CommandError::wrong("package_unknown", ""))?;
        let mut spaces = BTreeSet::new();
        for wished in wished {
            spaces.extend(spaces_of(package, wished)?);
        }
        let claims = exchange::nothing_asked(&mut conn, &spaces).await?;
        let (held, _) = exchange::load_all(&mut conn, &claims, &[], exchange::EVERYTHING).await?;
        let mut batches = Vec::new();
        for space in &spaces {
            batches.extend(feed::all(&mut conn, space).await?);
        }
        let held_back = recovery::returned(&mut conn).await?;
        let letters = reply::snapshot(
            &context.me,
            &context.node,
            &control,
            &held,
            &held_back,
            batches,
        );
        let bytes = reply::seal(&mut clock::rng()?, self.network(), &letters);
        if bytes.len() > BUNDLE_BYTES_MAX {
            let error = CommandError::wrong("snapshot_too_large", bytes.len());
            return Err(error.with("max", BUNDLE_BYTES_MAX));
        }
        let counters = held.into_iter().map(|(space, held)| (space, held.counter));
        Ok(Snapshot {
            bytes,
            counters: counters.collect(),
        })
    }
}
