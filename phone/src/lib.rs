//! Everything of a phone that is neither database nor network nor thread nor file.
//!
//! A host hands in a [`store::Place`], where sealed rows lie, and a [`system::System`], which has clock and
//! randomness. It opens a [`phone::Phone`] and calls its verbs: [`Phone::add`](phone::Phone::add),
//! [`edit`](phone::Phone::edit), [`show`](phone::Phone::show). Conversations with the server are
//! walks ([`walk::Walk`]), which the host leads over whatever network it has.
//!
//! # The life of a call
//! Every verb lets the core prepare a step, makes its rows durable in the store, and only then applies
//! it. Errors come with a stable code ([`error::PhoneError`]), which the crate `words` says in Chinese or
//! English.
//!
//! Nothing here decides what a record means or how edits merge.

pub mod bundle;
mod diagnostics;
mod dictionary;
pub mod draft;
pub mod enrol;
pub mod error;
pub mod figures;
mod history;
pub mod keys;
pub mod links;
pub mod memory;
pub mod merging;
pub mod orphaned;
pub mod phone;
pub mod records;
mod remote_wipe;
mod renew;
pub mod store;
pub mod sync;
pub mod system;
#[cfg(any(test, feature = "testing"))]
pub mod testing;
mod typed;
pub mod vault;
pub mod walk;
mod wipe;

#[cfg(test)]
mod tests;
