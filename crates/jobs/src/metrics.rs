//! The metrics of the background work.

use std::fmt;
use std::sync::Arc;
use std::sync::atomic::{AtomicI64, Ordering};

use prometheus_client::collector::Collector;
use prometheus_client::encoding::{DescriptorEncoder, EncodeLabelSet, EncodeMetric};
use prometheus_client::metrics::counter::Counter;
use prometheus_client::metrics::family::Family;
use prometheus_client::metrics::gauge::{ConstGauge, Gauge};
use prometheus_client::metrics::histogram::{Histogram, exponential_buckets};
use prometheus_client::registry::Registry;
use showreport_model::bulk::ReportType;
use showreport_model::{Clock, Timestamp};

/// The metrics of the background work. Clones share them.
#[derive(Debug, Clone)]
pub struct Metrics {
    reports: Family<ReportLabels, Histogram>,
    bulk: Family<BulkLabels, Counter>,
    bulk_failures: Counter,
    newest_day_end: Family<TypeLabels, Gauge>,
    lag: Arc<BulkLag>,
    maintenance_failures: Family<StepLabels, Counter>,
}

#[derive(Debug, Clone, PartialEq, Eq, Hash, EncodeLabelSet)]
struct StepLabels {
    /// The step of maintenance. The label had this name from the first release on.
    chore: &'static str,
}

#[derive(Debug, Clone, PartialEq, Eq, Hash, EncodeLabelSet)]
struct ReportLabels {
    dimension: &'static str,
    outcome: &'static str,
}

#[derive(Debug, Clone, PartialEq, Eq, Hash, EncodeLabelSet)]
struct BulkLabels {
    report_type: &'static str,
    outcome: &'static str,
}

#[derive(Debug, Clone, PartialEq, Eq, Hash, EncodeLabelSet)]
struct TypeLabels {
    report_type: &'static str,
}

impl Metrics {
    pub(crate) fn new(clock: Arc<dyn Clock>) -> Self {
        // From 5 ms to about 3 minutes.
        let buckets = || Histogram::new(exponential_buckets(0.005, 2.0, 16));
        Self {
            reports: Family::new_with_constructor(buckets),
            bulk: Family::default(),
            bulk_failures: Counter::default(),
            newest_day_end: Family::default(),
            lag: Arc::new(BulkLag::new(clock)),
            maintenance_failures: Family::default(),
        }
    }

    /// Adds them to a registry.
    pub fn register(&self, registry: &mut Registry) {
        registry.register(
            "showreport_report_duration_seconds",
            "Time from the claim of a report to its end, by dimension and outcome",
            self.reports.clone(),
        );
        registry.register(
            "showreport_bulk_reports",
            "Days whose file was made, by type and outcome: new, restated, unchanged, unwanted",
            self.bulk.clone(),
        );
        registry.register(
            "showreport_bulk_failures",
            "Attempts at a bulk report that failed; each is tried again",
            self.bulk_failures.clone(),
        );
        registry.register(
            "showreport_bulk_newest_period_end_timestamp_seconds",
            "End of the newest day with a bulk report, by type",
            self.newest_day_end.clone(),
        );
        registry.register_collector(Box::new(self.lag.clone()));
        registry.register(
            "showreport_maintenance_failures",
            "Steps of maintenance that failed; each is tried again",
            self.maintenance_failures.clone(),
        );
    }

    pub(crate) fn bulk_made(&self, report_type: ReportType, outcome: &'static str) {
        let report_type = report_type.name();
        self.bulk
            .get_or_create(&BulkLabels {
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
            .get_or_create(&TypeLabels { report_type })
            .set(at.as_millis() / 1000);
    }

    pub(crate) fn maintenance_failed(&self, step: &'static str) {
        let labels = StepLabels { chore: step };
        self.maintenance_failures.get_or_create(&labels).inc();
    }

    /// How long the oldest bulk report is overdue, in milliseconds.
    pub fn bulk_lag_ms(&self) -> i64 {
        self.lag.millis()
    }

    /// A round of the schedule begins. One that failed counts until a later one has ended.
    pub(crate) fn round_begins(&self, now: Timestamp) {
        let began = &self.lag.round_began;
        let began_first = began.load(Ordering::Relaxed).min(now.as_millis());
        began.store(began_first, Ordering::Relaxed);
    }

    pub(crate) fn round_ends(&self, overdue_since: Option<Timestamp>) {
        let since = overdue_since.map_or(NEVER, Timestamp::as_millis);
        self.lag.overdue_since.store(since, Ordering::Relaxed);
        self.lag.round_began.store(NEVER, Ordering::Relaxed);
    }

    pub(crate) fn report_ended(
        &self,
        dimension: &'static str,
        outcome: &'static str,
        seconds: f64,
    ) {
        self.reports
            .get_or_create(&ReportLabels { dimension, outcome })
            .observe(seconds);
    }
}

/// Later than every instant.
const NEVER: i64 = i64::MAX;

/// How long the oldest bulk report is overdue, computed when it is read, so that it grows while the
/// schedule is busy. What a round has not found yet counts from the beginning of that round.
#[derive(Debug)]
struct BulkLag {
    clock: Arc<dyn Clock>,
    overdue_since: AtomicI64,
    round_began: AtomicI64,
}

impl BulkLag {
    fn new(clock: Arc<dyn Clock>) -> Self {
        Self {
            clock,
            overdue_since: AtomicI64::new(NEVER),
            round_began: AtomicI64::new(NEVER),
        }
    }

    fn millis(&self) -> i64 {
        let now = self.clock.now().as_millis();
        let since = [&self.overdue_since, &self.round_began].map(|it| it.load(Ordering::Relaxed));
        now.saturating_sub(since[0].min(since[1])).max(0)
    }
}

impl Collector for BulkLag {
    fn encode(&self, mut encoder: DescriptorEncoder<'_>) -> fmt::Result {
        let gauge = ConstGauge::new(self.millis());
        let metric = encoder.encode_descriptor(
            "showreport_bulk_lag_milliseconds",
            "How long the oldest bulk report is overdue: one that was never made, one to be made \
             again, or late records whose days are not found yet",
            None,
            gauge.metric_type(),
        )?;
        gauge.encode(metric)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const BEGIN: i64 = 1_800_000_000_000;

    #[derive(Debug)]
    struct At(AtomicI64);

    impl Clock for At {
        fn now(&self) -> Timestamp {
            Timestamp::from_millis(self.0.load(Ordering::Relaxed)).unwrap()
        }
    }

    #[test]
    fn the_lag_grows_while_the_schedule_is_busy() {
        let clock = Arc::new(At(AtomicI64::new(BEGIN)));
        let metrics = Metrics::new(clock.clone());
        let at = |millis| Timestamp::from_millis(BEGIN + millis).unwrap();
        assert_eq!(metrics.lag.millis(), 0);
        metrics.round_begins(at(0));
        clock.0.store(BEGIN + 160_000, Ordering::Relaxed);
        assert_eq!(metrics.lag.millis(), 160_000);
        metrics.round_ends(Some(at(150_000)));
        assert_eq!(metrics.lag.millis(), 10_000);
        clock.0.store(BEGIN + 161_000, Ordering::Relaxed);
        assert_eq!(metrics.lag.millis(), 11_000);
        metrics.round_begins(at(161_000));
        metrics.round_ends(None);
        assert_eq!(metrics.lag.millis(), 0);
    }
}
