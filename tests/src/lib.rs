//! Whole-system scenarios: the deterministic simulator, the fuzzer and the golden files.
//!
//! Two levels, and the lowest that fails for the right reason is the one to write a test on:
//! - [`sim`]: phones, a server and a bad link in one process, from one seed. No I/O, no real time;
//!   what goes wrong can be played again step by step (`ortoo-simulate SEED --trace`).
//! - the flows in `tests/all`, over the crate `harness`: the built programs as a user runs them,
//!   killed and cut for real.

pub mod cbor;
pub mod fuzz;
pub mod golden;
pub mod hostile_device;
pub mod sim;
