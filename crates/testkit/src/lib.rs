//! What the tools share: starting the product as a process, an HTTP client, the memory and the
//! files of a process, random numbers that a seed repeats, and the clock.
//!
//! No crate of the product is linked: the tools drive the program that ships.

mod clock;
mod files;
mod mmdb;
mod process;
mod step;
mod shared_data;
pub mod python;
mod cgroup;
mod processors;
mod product;
mod server;
#[cfg(feature = "http")]
mod http;

pub use cgroup::Cgroup;
pub use clock::{DAY_MS, now, now_ms};
pub use fastrand::Rng as Random;
pub use files::{files_below, size_bytes};
#[cfg(feature = "http")]
pub use http::{Connection, Response, path_of, request};
pub use mmdb::mmdb;
pub use process::{finish_watched, output};
pub use processors::{Apart, MISSING as NO_PROCESSOR};
pub use product::{ORG, Product};
pub use server::{Client, Launch, Server};
pub use shared_data::shared_data;
pub use step::{built_beside, cargo, execute, is_ci, leave_out, named, root, step};
