//! The integration tests of the whole system, in one binary.

mod hostile;
mod simulator;
mod tidy;
