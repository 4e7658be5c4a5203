//! Metrics of the journal.

use prometheus_client::metrics::counter::Counter;
use prometheus_client::metrics::histogram::{Histogram, exponential_buckets};
use prometheus_client::registry::Registry;

/// Metrics of the group commits. The size of the journal is read from the database instead.
#[derive(Debug, Clone)]
pub struct Metrics {
    pub(crate) records: Counter,
    pub(crate) commits: Counter,
    pub(crate) commit_seconds: Histogram,
    pub(crate) group_size: Histogram,
}

impl Metrics {
    pub(crate) fn new() -> Self {
        Self {
            records: Counter::default(),
            commits: Counter::default(),
            // From half a millisecond, on a fast disk, to sixteen seconds, on a failing one.
            commit_seconds: Histogram::new(exponential_buckets(0.000_5, 2.0, 16)),
            group_size: Histogram::new(exponential_buckets(1.0, 2.0, 11)),
        }
    }

    /// Adds the metrics to a registry.
    pub fn register(&self, registry: &mut Registry) {
        registry.register(
            "showreport_journal_records",
            "Records made durable in the journal",
            self.records.clone(),
        );
        registry.register(
            "showreport_journal_commits",
            "Group commits of the journal",
            self.commits.clone(),
        );
        registry.register(
            "showreport_journal_commit_duration_seconds",
            "How long a group commit takes, encoding included",
            self.commit_seconds.clone(),
        );
        registry.register(
            "showreport_journal_group_size",
            "Requests that share a commit",
            self.group_size.clone(),
        );
    }
}
