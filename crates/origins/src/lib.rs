//! Where a record comes from: the system of a client hint and the region of an address.
//!
//! An address is looked up and forgotten. Nothing here keeps one, or writes one into an error.

mod error;
mod address;
mod systems;
mod region;
mod file;
mod origins;

pub use address::address;
pub use error::Error;
pub use origins::{Origin, Origins};
pub use region::Region;
