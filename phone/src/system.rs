//! Clock and randomness of the host: a phone has neither of its own.

use std::convert::Infallible;

use rand_core::{TryCryptoRng, TryRng};

/// What a host's system gives a phone.
pub trait System: Send + Sync {
    /// Unix seconds by the device's clock; 0 for one that is set before 1970.
    fn now(&self) -> i64;

    /// Fills `bytes` from a generator that is fit for keys. Where it can't, there is no safe way to go
    /// on: it panics.
    fn fill(&self, bytes: &mut [u8]);

    /// Whether the program lives on after a panic in a merge. Where it does not, a phone marks what it
    /// is about to merge before it does so (R15).
    fn catches_panics(&self) -> bool;
}

/// A system's randomness as the core takes it.
pub struct Randomness<'a>(pub &'a dyn System);

impl TryRng for Randomness<'_> {
    type Error = Infallible;

    fn try_next_u32(&mut self) -> Result<u32, Infallible> {
        let mut bytes = [0; 4];
        self.0.fill(&mut bytes);
        Ok(u32::from_le_bytes(bytes))
    }

    fn try_next_u64(&mut self) -> Result<u64, Infallible> {
        let mut bytes = [0; 8];
        self.0.fill(&mut bytes);
        Ok(u64::from_le_bytes(bytes))
    }

    fn try_fill_bytes(&mut self, bytes: &mut [u8]) -> Result<(), Infallible> {
        self.0.fill(bytes);
        Ok(())
    }
}

impl TryCryptoRng for Randomness<'_> {}
