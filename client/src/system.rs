//! The operating system's clock and randomness.

use std::time::{SystemTime, UNIX_EPOCH};

use getrandom::SysRng;
use phone::store::StoreError;
use phone::system::System;
use rand_core::{Rng, UnwrapErr};

/// The operating system.
pub(crate) struct Native;

impl System for Native {
    fn now(&self) -> i64 {
        let since = SystemTime::now()
            .duration_since(UNIX_EPOCH)
            .unwrap_or_default();
        i64::try_from(since.as_secs()).unwrap_or(i64::MAX)
    }

    fn fill(&self, bytes: &mut [u8]) {
        rng().fill_bytes(bytes);
    }

    fn catches_panics(&self) -> bool {
        true
    }
}

/// The operating system's randomness. It fails only where there is no safe way to go on.
pub(crate) fn rng() -> UnwrapErr<SysRng> {
    UnwrapErr(SysRng)
}

/// Asks once whether there is any, so that a system without is an error and not a panic later.
pub(crate) fn check() -> Result<(), StoreError> {
    getrandom::fill(&mut [0; 1]).map_err(|error| StoreError::Io(Box::new(error)))
}
