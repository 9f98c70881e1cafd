//! The CRDT core of ortoo: records, admission of changes, and reconciliation of replicas.
//!
//! Nothing here does I/O, reads a clock or draws randomness: time and randomness are handed in,
//! rows to persist and bytes to send are handed out. The same code runs on a phone, in a browser's
//! service worker and on the server.
//!
//! # The life of an edit
//! 1. A host asks [`replica::Replica::prepare_edit`]: the values are checked against the plan
//!    package ([`check`]), the changed keys become one Automerge change ([`record`]), the change is
//!    staged. The host persists the rows, then [`replica::Replica::apply`]s: *saved*.
//! 2. At the next exchange [`replica::Replica::prepare_exchange`] signs what is staged into a
//!    [`batch`] of this device's [`feed`]; once that is durable the bytes come out ([`wire`]).
//! 3. The server checks the batch ([`hub`]), stores it, admits its changes ([`admit`]) and answers
//!    with its vector, which is the acknowledgement, and with what the phone lacks.
//! 4. Another phone takes the batch from an answer ([`exchange`]), and shows the same view.
//!
//! Batches are the truth; documents and views are caches that can be made again from them.
//!
//! # Layers
//! Modules import each other one way, a group below the ones before it; a test of the tree holds that. A host
//! finds the names that it needs at the root.

// What a host drives: one device's replica, and what it says to a server.
pub mod bundle_exchange;
pub mod erase;
pub mod exchange;
mod ingest;
pub mod merging;
mod outbox;
pub mod references;
pub mod remote_wipe;
pub mod replica;

// The server's side.
pub mod hub;

// Meaning: the plan on values.
pub mod check;
pub mod facts;
pub mod figure;
pub mod group;
pub mod history;
pub mod link;
pub mod register;
pub mod show;
pub mod task;
mod view;

// Messages, and the rows of a store.
pub mod bundle;
mod control_repair;
pub mod enrol;
pub mod renew;
pub mod row;
mod state;
mod stored;
pub mod wire;

// Logs: signed batches, and who may do what.
pub mod batch;
pub mod control;
pub mod feed;
pub mod quarantine;

// Records: which changes count, and the document that they make.
pub mod admit;
pub mod change;
mod document;
pub mod record;

// What everything stands on.
mod cbor;
pub mod date;
pub mod id;
pub mod seal;
mod shape;
pub mod value;

#[cfg(test)]
mod testing;

pub use exchange::{Arrival, Budget, ExchangeError, Outgoing, Received, Slice, Unopened, Work};
pub use replica::{
    Context, DeviceIdentity, Edit, OpenError, OpenReport, Prepared, Replica, ServerState,
};
pub use row::{ReadRows, Row, Table, Unreadable};
