//! The banner server: what phones reconcile with, over HTTP and SQL.
//!
//! The server decides nothing about how edits merge; [`sync_core::hub`] does. It reads what that
//! needs, stores what that says, both in one transaction per request, and lets the answer go when
//! the transaction is durable.
//!
//! # The life of a request
//! 1. [`http`](router): routes, limits, a task of its own.
//! 2. [`App::exchange`]: who asks and whether the signature holds, under the roster of this moment;
//!    then the signature of every batch. No lock is held.
//! 3. A request that brings nothing is answered from one snapshot. One that brings batches goes to
//!    the writer, the only one that stores: it may share a commit with others that wait.
//! 4. In the transaction: what the phone and the server differ in is loaded, the batches are put
//!    into their feeds, the records that they change are made anew, the answer is planned and read.
//! 5. After the commit the answer is packed and sent.
//!
//! Nothing here logs content, names, record ids or unit codes.
//!
//! # In another program
//! [`App`] is the server without a network:
//!
//! ```
//! # tokio::runtime::Builder::new_current_thread().enable_all().build()?.block_on(async {
//! # let dir = std::env::temp_dir().join(format!("ortoo-doc-{}", std::process::id()));
//! use ortoo_server::{App, Options};
//!
//! let app = App::open(&dir, Options { sample: true, ..Options::default() }).await?;
//! let refused = app.exchange(b"no request".to_vec()).await;
//! assert!(refused.is_err());
//! # app.close().await;
//! # std::fs::remove_dir_all(&dir)?;
//! # anyhow::Ok(())
//! # })?;
//! # anyhow::Ok(())
//! ```

mod app;
mod authored;
mod backup;
mod bundle;
mod changed;
mod clones;
pub mod command;
mod commit;
mod console;
mod context;
mod control_cache;
mod dump;
mod effects;
mod enrol;
mod erase;
mod erasures;
mod error;
mod exchange;
mod figures;
pub mod formats;
mod http;
mod ingest;
mod install;
mod journal;
mod keys;
mod moves;
mod order;
mod parked;
mod quarantine;
mod reads;
mod reconcile;
mod recovery;
mod references;
mod relocate;
mod replay;
mod reply;
mod restore;
mod revoke;
mod sample;
mod seal_keys;
mod seal_renewal;
mod serve;
mod service;
mod show;
mod snapshot;
mod tls;
mod transaction;
mod unit_records;
mod verify;
mod wipe;
mod writer;

#[cfg(test)]
mod tests;

pub use app::{App, Figure};
pub use backup::{BackupMade, InClear};
pub use bundle::BundleReport;
pub use context::Options;
pub use dump::{Dump, DumpedSpace};
pub use enrol::{CodeRequest, PendingDevice};
pub use erasures::Erasure;
pub use error::CommandError;
pub use http::{BODY_BYTES_MAX, router};
pub use order::{HeldOrder, OrderRequest};
pub use recount::{CellDifference, Recounted};
pub use recovery::RecoveryStatus;
pub use relocate::Gone;
pub use replay::Replayed;
pub use reply::{CodeError, Rejection, ServeError};
pub use restore::{Restored, restore};
pub use revoke::{ListedDevice, RevokeRequest, WaitingBatch};
pub use serve::{Running, ServeOptions, serve};
pub use service::Begun;
pub use store::clock::Clock;
pub use store::event::{Event, EventKind};
pub use store::figure::Cell;
pub use store::wipe::WipeState;
pub use verify::{Difference, Verified};
