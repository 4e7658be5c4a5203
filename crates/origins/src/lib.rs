//! Where a record comes from: the system of a user agent and the region of an address.
//!
//! Both are looked up and forgotten. Nothing here keeps an address or a user agent, or writes one
//! into an error; the cache of systems holds keyed hashes.

mod error;
mod address;
mod cache;
mod systems;
mod region;
mod countries;
mod file;
mod origins;

pub use address::address;
pub use error::Error;
pub use origins::{Origin, Origins};
pub use region::Region;
pub use systems::NAMES;
