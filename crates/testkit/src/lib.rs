//! What the tools share: starting the product as a process, talking to it over HTTP, watching its
//! memory and its files, and a random generator with a seed.
//!
//! Nothing of the product is linked, so what the tools measure and break is the program that ships.

mod random;
mod process;
mod step;
mod cgroup;
mod processors;
mod files;
mod http;
mod product;
mod server;
pub mod python;

pub use cgroup::Cgroup;
pub use files::{files_below, size_bytes};
pub use http::{Answer, Connection, head};
pub use process::{finish_watched, output};
pub use processors::{Apart, MISSING as NO_PROCESSOR};
pub use product::{ORG, Product};
pub use random::Random;
pub use server::Server;
pub use step::{built_beside, cargo, execute, is_ci, named, root, step};
