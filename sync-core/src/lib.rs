//! The CRDT core of ortoo: what a record is, which changes count, how replicas reconcile.
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

pub mod admit;
pub mod batch;
pub mod bundle;
mod cbor;
pub mod change;
pub mod check;
pub mod control;
pub mod date;
mod document;
pub mod enrol;
pub mod erase;
pub mod exchange;
pub mod facts;
pub mod feed;
pub mod figure;
pub mod group;
pub mod history;
pub mod hub;
pub mod id;
mod incoming;
pub mod link;
pub mod merging;
mod offer;
mod outbox;
pub mod parting;
pub mod record;
pub mod refer;
pub mod register;
pub mod relay;
pub mod renew;
pub mod replica;
pub mod row;
pub mod seal;
pub mod show;
pub mod standing;
mod stored;
pub mod task;
pub mod value;
pub mod wire;

#[cfg(test)]
mod station;
