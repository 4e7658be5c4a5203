//! What the background work tells of itself.

use prometheus_client::encoding::EncodeLabelSet;
use prometheus_client::metrics::counter::Counter;
use prometheus_client::metrics::family::Family;
use prometheus_client::metrics::gauge::Gauge;
use prometheus_client::metrics::histogram::{Histogram, exponential_buckets};
use prometheus_client::registry::Registry;
use showreport_model::Timestamp;
use showreport_model::bulk::ReportType;

/// Metric families of the background work.
#[derive(Debug, Clone)]
pub struct Metrics {
    reports: Family<Outcome, Histogram>,
    bulk: Family<BulkOutcome, Counter>,
    bulk_failures: Counter,
    newest_day_end: Family<OfType, Gauge>,
    lag_ms: Gauge,
}

#[derive(Debug, Clone, PartialEq, Eq, Hash, EncodeLabelSet)]
struct Outcome {
    dimension: &'static str,
    outcome: &'static str,
}

#[derive(Debug, Clone, PartialEq, Eq, Hash, EncodeLabelSet)]
struct BulkOutcome {
    report_type: &'static str,
    outcome: &'static str,
}

#[derive(Debug, Clone, PartialEq, Eq, Hash, EncodeLabelSet)]
struct OfType {
    report_type: &'static str,
}

impl Metrics {
    pub(crate) fn new() -> Self {
        // From 5 ms to about 3 minutes.
        let buckets = || Histogram::new(exponential_buckets(0.005, 2.0, 16));
        Self {
            reports: Family::new_with_constructor(buckets),
            bulk: Family::default(),
            bulk_failures: Counter::default(),
            newest_day_end: Family::default(),
            lag_ms: Gauge::default(),
        }
    }

    /// Makes the families known to a registry.
    pub fn register(&self, registry: &mut Registry) {
        registry.register(
            "showreport_report_duration_seconds",
            "Time from taking up a report to its end, by dimension and outcome",
            self.reports.clone(),
        );
        registry.register(
            "showreport_bulk_reports",
            "Days whose file was made, by type and by what came of it: new, restated, unchanged",
            self.bulk.clone(),
        );
        registry.register(
            "showreport_bulk_failures",
            "Attempts at a bulk report that failed; each is tried again",
            self.bulk_failures.clone(),
        );
        registry.register(
            "showreport_bulk_newest_period_end_timestamp_seconds",
            "End of the newest day of which there is a bulk report, by type",
            self.newest_day_end.clone(),
        );
        registry.register(
            "showreport_bulk_lag_milliseconds",
            "How long the first report of a day has been due that is due for longest",
            self.lag_ms.clone(),
        );
    }

    pub(crate) fn bulk_made(&self, report_type: ReportType, outcome: &'static str) {
        let report_type = report_type.name();
        self.bulk
            .get_or_create(&BulkOutcome {
                report_type,
                outcome,
            })
            .inc();
    }

    pub(crate) fn bulk_failed(&self) {
        self.bulk_failures.inc();
    }

    pub(crate) fn newest_day_ends(&self, report_type: ReportType, at: Timestamp) {
        let report_type = report_type.name();
        self.newest_day_end
            .get_or_create(&OfType { report_type })
            .set(at.as_millis() / 1000);
    }

    pub(crate) fn bulk_lags(&self, millis: i64) {
        self.lag_ms.set(millis);
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
