//! Metrics of the lake.

use prometheus_client::metrics::counter::Counter;
use prometheus_client::metrics::histogram::{Histogram, exponential_buckets};
use prometheus_client::registry::Registry;

/// Metrics of the lake.
#[derive(Debug, Clone)]
pub struct Metrics {
    pub(crate) flush_seconds: Histogram,
    pub(crate) rows_flushed: Counter,
    pub(crate) rows_written: Counter,
    pub(crate) files_compacted: Counter,
    pub(crate) files_removed: Counter,
}

impl Default for Metrics {
    fn default() -> Self {
        Self {
            // 5 ms to 40 s.
            flush_seconds: Histogram::new(exponential_buckets(0.005, 2.0, 14)),
            rows_flushed: Counter::default(),
            rows_written: Counter::default(),
            files_compacted: Counter::default(),
            files_removed: Counter::default(),
        }
    }
}

impl Metrics {
    /// Registers the metrics.
    pub fn register(&self, registry: &mut Registry) {
        let registry = registry.sub_registry_with_prefix("showreport_lake");
        registry.register(
            "flush_duration_seconds",
            "How long a flush of the journal took",
            self.flush_seconds.clone(),
        );
        registry.register(
            "rows_flushed",
            "Facts taken from the journal",
            self.rows_flushed.clone(),
        );
        registry.register(
            "rows_written",
            "Rows written to the tables, after coalescing",
            self.rows_written.clone(),
        );
        registry.register(
            "files_compacted",
            "Data files merged into larger ones",
            self.files_compacted.clone(),
        );
        registry.register(
            "files_removed",
            "Data files removed because nothing needs them",
            self.files_removed.clone(),
        );
    }
}
