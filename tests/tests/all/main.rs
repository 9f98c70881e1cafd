//! The integration tests of the whole system, in one binary.

#![expect(clippy::unwrap_used, reason = "a test that can't go on fails there")]

mod browser;
mod bundles;
mod by_hand;
mod chaos;
mod compatible;
mod enrolment;
mod erasing;
mod figures;
mod fuzzing;
mod hostile;
mod links;
mod moves;
mod native;
mod ordering;
mod restore;
mod revoking;
mod sampling;
mod secrecy;
mod simulator;
mod snapshots;
mod story;
mod tidy;
mod village;
mod wiping;
