//! The big facts: Delta tables of spans, chat, polls and votes in an object
//! store, and the files of reports beside them.
//!
//! What always holds: only versions up to the heads are read; whatever changes
//! a table holds the flush lock and moves the heads in the metadata database;
//! what has a name in the store is whole and survives a power cut; no byte is
//! given that was not written. Facts are sets, so doing any of this twice changes nothing.

mod error;
mod config;
mod metrics;
mod durable;
mod damaged;
mod checked;
mod schema;
mod tables;
mod coalesce;
mod log;
mod delta;
mod write;
mod exclusive;
mod flush;
mod compact;
mod vacuum;
mod files;
mod report_files;
mod lake;
#[cfg(test)]
mod testing;

use checked::CheckedStore;
pub use compact::Compacted;
pub use config::Config;
pub use damaged::DamagedFiles;
use durable::DurableStore;
pub use error::Error;
pub use files::{DataFile, Sought};
pub use flush::Flushed;
pub use lake::Lake;
pub use metrics::Metrics;
pub use report_files::{ReportFiles, ReportPath, ReportWriter, Variant};
pub use schema::table_schema;

/// The object store of the lake: durable, and checked when it is read.
type Store = CheckedStore<DurableStore>;
