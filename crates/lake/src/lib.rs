//! The lake: Delta tables of spans, chat, polls, votes, beats and coverage in an object store, and
//! the files of reports beside them.
//!
//! Always true: only versions up to the heads are read. A table is changed under the flush lock,
//! and the change counts once the heads are moved in the metadata database. A file that has a name
//! in the store is complete and survives a power cut. Bytes that are read are compared with
//! checksums. Facts are sets, so repeating any operation changes nothing.

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
mod new_columns;
mod exclusive;
mod flush;
mod pin;
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
pub use damaged::{DamagedFiles, FoundDamage};
use durable::DurableStore;
pub use error::Error;
pub use files::{DataFile, Sought};
pub use flush::Flushed;
pub use lake::Lake;
pub use metrics::Metrics;
pub use report_files::{ReportFiles, ReportPath, ReportWriter, Variant};
pub use schema::table_schema;

/// The object store of the lake: writes are durable, reads are checked.
type Store = CheckedStore<DurableStore>;
