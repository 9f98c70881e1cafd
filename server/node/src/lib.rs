//! Node of the server: everything that it does with a data directory, without network and pages.
//!
//! It decides nothing about how edits merge; [`sync_core::hub`] does. It reads what that
//! needs, stores what that says, both in one transaction per request, and lets the answer go when
//! the transaction is durable. All SQL is in the crate [`store`].
//!
//! # The life of a request
//! 1. [`App::exchange`]: who asks and whether the signature holds, under the roster of this moment;
//!    then the signature of every batch. No lock is held.
//! 2. A request that brings nothing is answered from one snapshot. One that brings batches goes to
//!    the writer, the only one that stores: it may share a commit with others that wait.
//! 3. In the transaction: what the phone and the server differ in is loaded, the batches are put
//!    into their feeds, the records that they change are made anew, the answer is planned and read.
//! 4. After the commit the answer is packed.
//!
//! Nothing here logs content, names, record ids or unit codes.

mod app;
mod authored;
mod backup;
mod bundle;
mod changed;
mod clones;
mod commit;
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
mod ingest;
mod install;
mod journal;
pub mod keys;
mod lanes;
mod moves;
mod named_record;
pub mod order;
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
mod same_person;
mod seal_keys;
mod seal_renewal;
mod service;
pub mod show;
mod slices;
mod snapshot;
mod transaction;
mod unit_records;
mod verify;
mod wipe;
mod writer;

#[cfg(any(test, feature = "testing"))]
pub mod testing;

#[cfg(test)]
mod tests;

pub use app::{App, Figure};
pub use backup::{BackupMade, InClear};
pub use bundle::BundleReport;
pub use context::{NodeContext, Options};
pub use control_cache::ControlCache;
pub use dump::{Dump, DumpedSpace};
pub use enrol::{CodeRequest, PendingDevice, server_address};
pub use erasures::{Erasure, Reach};
pub use error::{CODES, CommandError};
pub use figures::FigureReader;
pub use named_record::NamedRecord;
pub use order::{HeldOrder, OrderRequest};
pub use parked::ParkedRecord;
pub use recount::{CellDifference, Recounted};
pub use recovery::RecoveryStatus;
pub use relocate::Gone;
pub use replay::Replayed;
pub use reply::{CodeError, Rejection, ServeError};
pub use restore::{Restored, restore};
pub use revoke::{ListedDevice, Renewals, RevokeRequest, WaitingBatch};
pub use same_person::Duplicate;
pub use service::Begun;
pub use store::clock::Clock;
pub use store::event::{Event, EventKind};
pub use store::figure::Cell;
pub use store::wipe::WipeState;
pub use transaction::ReadTx;
pub use unit_records::UnitRecords;
pub use verify::{Difference, Verified};
