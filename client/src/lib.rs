//! The native host of a phone: SQLite store, HTTPS by listed public key, the system's clock and randomness.
//!
//! What a phone is and does is in the crate [`phone`](::phone), whose modules are handed on here. This crate
//! opens one in a directory ([`phone::open`]), makes its store there ([`enrol::enrol`]), and leads its
//! conversations with the server, on the thread that waits for them ([`sync::exchange`]).

pub use ::phone::{draft, error, figures, links, orphaned, records};

pub mod bundle;
pub mod cancel;
pub mod enrol;
pub mod keys;
pub mod phone;
pub mod renew;
pub mod store;
pub mod sync;
mod system;
pub mod transport;
pub mod wipe;

#[cfg(test)]
mod tests;
