//! What the data means: the plan as a checked package.
//!
//! Subjects with their sections, fields and code lists ([`dictionary`]), registers with computed
//! statuses and dated settings ([`register`]), the org units ([`unit`]), and the expressions that
//! tie them together ([`expression`], the only user of CEL). With the feature `load` also the loader
//! of the YAML in this directory, and the plan that is built in.
//!
//! This crate knows nothing about how data travels.

pub mod dictionary;
pub mod expression;
#[cfg(feature = "load")]
pub mod load;
mod package;
pub mod register;
pub mod unit;

pub use package::{BadPackage, Package};
