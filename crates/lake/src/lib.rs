//! The big facts: Delta tables of spans, chat, polls and votes in an object
//! store, and the files of reports beside them.
//!
//! What always holds: only versions up to the heads are read; whatever changes
//! a table holds the flush lock and moves the heads in the metadata database;
//! what has a name in the store is whole and survives a power cut. Facts are
//! sets, so doing any of this twice changes nothing.

pub mod error;
pub mod config;
pub mod metrics;
pub mod durable;
pub mod schema;
mod tables;
mod coalesce;
mod delta;
mod write;
mod exclusive;
mod flush;
mod compact;
mod vacuum;
pub mod files;
pub mod report_files;
pub mod lake;
#[cfg(test)]
mod testing;

pub use config::Config;
pub use durable::DurableStore;
pub use error::Error;
pub use files::DataFile;
pub use lake::{Compacted, Flushed, Lake};
pub use metrics::Metrics;
pub use report_files::{ReportFiles, ReportPath, ReportWriter, Variant};
pub use schema::table_schema;
