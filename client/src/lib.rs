//! The native phone: SQLite store of sealed rows, HTTPS by listed public key, keys made on the
//! device; a thin shell around [`sync_core::replica::Replica`].
//!
//! # The life of a call
//! [`enrol::enrol`] makes the store once. Afterwards a host opens a [`phone::Phone`] and calls its
//! verbs: [`Phone::add`](phone::Phone::add), [`edit`](phone::Phone::edit),
//! [`show`](phone::Phone::show), [`sync`](phone::Phone::sync). Every verb reads the clock and the
//! randomness of the system in `clock`, lets the core prepare a step, makes its rows durable in
//! the [`store`], and only then applies it. Errors come with a stable code
//! ([`error::PhoneError`]), which the crate `words` says in Chinese or English.
//!
//! Nothing here decides what a record means or how edits merge.

pub mod bundle;
pub mod cancel;
mod clock;
pub mod diagnostics;
mod dictionary;
pub mod draft;
pub mod enrol;
pub mod error;
pub mod figures;
pub mod history;
pub mod kept;
pub mod keys;
pub mod links;
mod parting;
pub mod phone;
pub mod records;
pub mod renew;
pub mod store;
pub mod sync;
pub mod transport;
mod typed;
pub mod wipe;

#[cfg(test)]
mod tests;
