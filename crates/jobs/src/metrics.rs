//! What the background work tells of itself.

use prometheus_client::encoding::EncodeLabelSet;
use prometheus_client::metrics::family::Family;
use prometheus_client::metrics::histogram::{Histogram, exponential_buckets};
use prometheus_client::registry::Registry;

/// Metric families of the background work.
#[derive(Debug, Clone)]
pub struct Metrics {
    reports: Family<Outcome, Histogram>,
}

#[derive(Debug, Clone, PartialEq, Eq, Hash, EncodeLabelSet)]
struct Outcome {
    dimension: &'static str,
    outcome: &'static str,
}

impl Metrics {
    pub(crate) fn new() -> Self {
        // From 5 ms to about 3 minutes.
        let buckets = || Histogram::new(exponential_buckets(0.005, 2.0, 16));
        Self {
            reports: Family::new_with_constructor(buckets),
        }
    }

    /// Makes the families known to a registry.
    pub fn register(&self, registry: &mut Registry) {
        registry.register(
            "showreport_report_duration_seconds",
            "Time from taking up a report to its end, by dimension and outcome",
            self.reports.clone(),
        );
    }

    pub(crate) fn report_ended(
        &self,
        dimension: &'static str,
        outcome: &'static str,
        seconds: f64,
    ) {
        self.reports
            .get_or_create(&Outcome { dimension, outcome })
            .observe(seconds);
    }
}
