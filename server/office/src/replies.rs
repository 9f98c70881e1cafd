//! Bundles that go back with whoever brought one, until they are fetched: the last few, in memory.
//! They are sealed, and the same bundle brought again makes the same answer again.

use std::collections::VecDeque;
use std::sync::{Mutex, PoisonError};

use axum::body::Bytes;
use data_encoding::BASE64URL_NOPAD;
use store::clock::{NoRandomness, random};

/// Answers that are kept.
const KEPT_MAX: usize = 8;

/// The answers, each under a name that nobody guesses.
#[derive(Debug, Default)]
pub(super) struct Replies(Mutex<VecDeque<(String, Bytes)>>);

impl Replies {
    /// Keeps an answer in the place of the oldest; returns its name.
    pub(super) fn keep(&self, reply: Vec<u8>) -> Result<String, NoRandomness> {
        let name = BASE64URL_NOPAD.encode(&random::<16>()?);
        let mut kept = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        kept.push_back((name.clone(), reply.into()));
        if kept.len() > KEPT_MAX {
            kept.pop_front();
        }
        Ok(name)
    }

    /// The answer of this name, as often as it is asked for.
    pub(super) fn find(&self, name: &str) -> Option<Bytes> {
        let kept = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        let named = kept.iter().find(|(kept, _)| kept == name);
        named.map(|(_, reply)| reply.clone())
    }
}
