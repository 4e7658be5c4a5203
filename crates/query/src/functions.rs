//! SQL functions of the engine for the span algebra of `model`.
//!
//! The state of an aggregate is a list of integers that can be merged, so a plan may run on several
//! machines. A set of spans is a list of integers too: from, to, from, to, ascending and disjoint.

pub(crate) mod lists;
pub(crate) mod per_group;
pub(crate) mod aggregate;
pub(crate) mod least;
pub(crate) mod union;
pub(crate) mod claims;
pub(crate) mod coverage;
pub(crate) mod sets;
pub(crate) mod edges;
pub(crate) mod identities;
pub(crate) mod curves;
pub(crate) mod peak;
pub(crate) mod spans;
pub(crate) mod ballots;
pub(crate) mod lookup;
pub(crate) mod among;
pub(crate) mod part_of;
pub(crate) mod versions;
pub(crate) mod owned;
