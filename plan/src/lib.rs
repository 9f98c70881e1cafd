//! The meaning of the data: the plan as a checked package.
//!
//! Subjects with their sections, fields and code lists ([`dictionary`]), registers with computed
//! statuses and dated settings ([`register`]), the targets and how they are counted
//! ([`indicator`]), the org units ([`mod@unit`]), and the expressions that
//! tie them together ([`expression`], the only user of CEL). With the feature `load`, which no phone
//! has, also the loader of the YAML in this directory, the plan that is built in, and the catalogue of
//! all targets. Whatever a newer plan says that this program does not know is kept ([`Unknown`]).
//!
//! A typical call: somebody holds a [`Package`] and the facts of a record, makes a
//! [`Scope`](expression::Scope) of them as of a date, and asks it for statuses, for the rows of a
//! register, or whether a field is asked; for a figure the scope is made
//! [`for_period`](expression::Scope::for_period):
//!
//! ```
//! # #[cfg(feature = "load")] {
//! use plan::Package;
//! use plan::expression::{Datum, Facts, Fields, Scope};
//!
//! let plan = Package::builtin();
//! let identity = Fields::from([
//!     ("sex".to_owned(), Datum::Text("2".to_owned())),
//!     ("birth_date".to_owned(), Datum::Text("1985-05-20".to_owned())),
//! ]);
//! let mut facts = Facts::default();
//! facts.single.insert("identity".to_owned(), identity);
//!
//! let scope = Scope::new(&plan, "person", &facts, None, "2026-06-30").unwrap();
//! assert_eq!(scope.computed("years_old"), Ok(Datum::Int(41)));
//! assert_eq!(scope.holds("woman && screening_age"), Ok(true));
//! # }
//! ```
//!
//! This crate knows nothing about how data travels.

#[cfg(feature = "load")]
pub mod catalogue;
pub mod dictionary;
pub mod expression;
pub mod indicator;
#[cfg(feature = "load")]
pub mod load;
mod open;
mod package;
pub mod register;
pub mod unit;

pub use open::Unknown;
pub use package::{BadPackage, Package};
