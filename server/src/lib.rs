//! The banner server: what phones reconcile with over HTTP and TLS, and the program's verbs.
//!
//! What is done with a data directory, whoever asks, is in the crate [`node`]; the office's pages are
//! in the crate [`office`].
//!
//! # The life of a request
//! 1. [`http`](router): routes, limits, a task of its own.
//! 2. [`App::exchange`] does all the rest ([`node`]).
//! 3. The answer goes out once it is durable.
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

pub mod command;
mod http;
mod sample;
mod serve;
mod tls;

#[cfg(test)]
mod tests;

pub use http::{BODY_BYTES_MAX, router};
pub use node::{
    App, BackupMade, Begun, BundleReport, Cell, CellDifference, Clock, CodeError, CodeRequest,
    CommandError, Difference, Dump, DumpedSpace, Erasure, Event, EventKind, Figure, Gone,
    HeldOrder, InClear, ListedDevice, Options, OrderRequest, PendingDevice, Reach, Recounted,
    RecoveryStatus, Rejection, Renewals, Replayed, Restored, RevokeRequest, ServeError, Verified,
    WaitingBatch, WipeState, formats, restore,
};
pub use serve::{Running, ServeOptions, serve};
