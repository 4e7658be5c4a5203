//! Background work: making reports, deciding which are due, flushing the journal, maintenance.
//!
//! A *job* is a row of the queue that any process may claim; a *task* is a loop of this process.
//! Nothing here starts a thread: tasks are futures that the executable runs and stops.

mod error;
mod config;
mod metrics;
mod jobs;
mod job;
mod make_report;
mod make_bulk_report;
mod started_views;
mod restatement;
mod registry;
mod runner;
mod schedule;
mod flusher;
mod maintenance;

pub use config::Config;
pub use error::Error;
pub use jobs::Jobs;
pub use metrics::Metrics;
pub use registry::priorities;
pub use schedule::ReportJobProgress;
