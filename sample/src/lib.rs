//! A made-up banner: people and households, and phones in memory that record them.

pub mod people;
pub mod phone;
