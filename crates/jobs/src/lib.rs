//! Work that outlives a request: making reports, when they are due, flushing the journal, keeping the lake in order.
//!
//! A *job* is a row that any process may take up; a *task* is this process's
//! own loop. Nothing here starts a thread: tasks are futures that the
//! executable runs and stops.

mod config;
mod metrics;
mod jobs;
mod make_report;
mod make_bulk_report;
mod started_views;
mod runner;
mod schedule;
mod flusher;
mod maintenance;

pub use config::Config;
pub use jobs::Jobs;
pub use metrics::Metrics;
