//! Questions to the lake: one plan a dimension, run by an engine, rendered to files.
//!
//! The audience algebra comes from `model`; sorting, grouping, spilling,
//! pruning and Parquet are the engine's. Where a question runs is known here
//! and nowhere else.

pub mod error;
pub mod config;
mod functions;
mod facts;
mod pool;
mod single_pass;
mod embedded;
mod unfold;
mod plans;
mod render;
pub mod query;
#[cfg(any(test, fuzzing))]
pub mod fuzzing;

pub use config::Config;
pub use error::Error;
pub use plans::audience::{Audience, Viewers};
pub use plans::figures::Figures;
pub use plans::touched_days::{Interval, Reach};
pub use query::{Progress, Query};
pub use render::{Edition, Output, Rendered, Sink};
