//! The integration tests of the whole system, in one binary.

#![expect(clippy::unwrap_used, reason = "a test that can't go on fails there")]

mod browser;
mod bundles;
mod by_hand;
mod chaos;
mod compatible;
mod enrolment;
mod figures;
mod fuzzing;
mod hostile;
mod links;
mod moves;
mod native;
mod ordering;
mod restore;
mod sampling;
mod secrecy;
mod simulator;
mod story;
mod tidy;
mod village;
