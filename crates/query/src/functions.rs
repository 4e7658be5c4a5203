//! The audience algebra of `model`, given to the engine.
//!
//! Aggregates have mergeable state (a list of integers), so one plan runs in
//! one process and on many. A set of spans travels as a list of integers:
//! from, to, from, to, ascending and disjoint.

pub(crate) mod lists;
pub(crate) mod slots;
pub(crate) mod aggregate;
pub(crate) mod least;
pub(crate) mod union;
pub(crate) mod sets;
pub(crate) mod people;
pub(crate) mod curves;
pub(crate) mod peak;
pub(crate) mod spans;
pub(crate) mod ballots;
pub(crate) mod lookup;
pub(crate) mod among;
pub(crate) mod versions;
pub(crate) mod owned;
