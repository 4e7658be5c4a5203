//! The product as its users have it: a program in a process of its own, spoken to over HTTP.
//!
//! Nothing of it is linked here, so what is measured or tormented is what is shipped.

mod random;
mod process;
mod cgroup;
mod processors;
mod files;
mod http;
mod product;
mod server;

pub(crate) use cgroup::Cgroup;
pub(crate) use files::{files_below, size_bytes};
pub(crate) use http::{Answer, Connection, head};
pub(crate) use process::{finish_watched, output};
pub(crate) use processors::{Apart, MISSING as NO_PROCESSOR};
pub(crate) use product::{ORG, Product};
pub(crate) use random::Random;
pub(crate) use server::Server;
