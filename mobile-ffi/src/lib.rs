//! The phone for native apps: a thin face for Kotlin, Swift and Python over [`client`].
//!
//! Nothing is decided here. Types are flat copies of what `client` gives, errors are narrowed to
//! what an app acts on, and one lock makes a [`phone::Phone`] usable from every thread. The
//! languages' own idioms (suspending functions, flows, context managers) are written by hand in
//! `kotlin/`, `swift/` and `python/`.
//!
//! # Threads
//! Every call may come from any thread, several at once. A call that talks to the server starts a
//! thread of its own and returns a handle ([`work::Exchange`], [`work::Enrolment`]); a listener is
//! called from that thread. No other call waits for the network: it waits for the step that another
//! call is in, for the disk, and at most [`client::store::BUSY_WAIT`] for another process that
//! writes to the same store. `bench/RESULTS.md` says how long that is; apps stay off their UI thread
//! all the same.
//!
//! # Errors
//! [`error::PhoneError`] says who has to act, with codes that are the command line's
//! (`words/en.ftl` lists all). A panic below becomes [`error::PhoneError::Internal`]: what was in
//! memory is dropped and the next call opens the store again, so the library must be built with
//! `panic = "unwind"`.
//!
//! # Numbers
//! Counts are signed and never negative, since unsigned numbers are clumsy in Kotlin.
//!
//! # What is to come
//! Photos will stand in [`record`], live nudges in [`work`], the screens inside a WebView in a module
//! of their own.

pub mod bundle;
pub mod error;
pub mod figure;
pub mod kept;
pub mod language;
pub mod link;
pub mod phone;
pub mod plan;
pub mod record;
pub mod secret;
pub mod status;
pub mod work;

#[cfg(test)]
mod tests;

uniffi::setup_scaffolding!("ortoo_ffi");

/// The version of this library.
#[uniffi::export]
pub fn version() -> String {
    env!("CARGO_PKG_VERSION").to_owned()
}
