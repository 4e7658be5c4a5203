//! Queries on the lake: plans for each kind of report, run by an SQL engine and rendered to files.
//!
//! The span algebra comes from `model`; sorting, grouping, spilling, pruning and Parquet are the
//! engine's. No other crate uses the engine.

pub mod error;
pub mod config;
mod functions;
mod single_pass;
mod dictionary_rows;
mod facts;
mod pool;
mod embedded;
mod unfold;
mod cells;
mod plans;
mod render;
mod changes;
mod preview;
pub mod query;
#[cfg(any(test, fuzzing))]
pub mod fuzzing;

pub use changes::{ChangedRow, Changes};
pub use config::Config;
pub use error::Error;
pub use plans::dirty_times::{DirtyTimes, Interval};
pub use plans::event_facts::EventRows;
pub use preview::Preview;
pub use query::{Progress, Query};
pub use render::{CsvVariant, Output, Rendered, Sink, csv_of, json_of_row, json_of_rows};
