//! What the background work tells of itself.

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

/// Metric families of the background work.
#[derive(Debug, Clone)]
pub struct Metrics {
    reports: Family<Outcome, Histogram>,
    bulk: Family<BulkOutcome, Counter>,
    bulk_failures: Counter,
    newest_day_end: Family<OfType, Gauge>,
    lag: Arc<BulkLag>,
    chore_failures: Family<OfChore, Counter>,
}

#[derive(Debug, Clone, PartialEq, Eq, Hash, EncodeLabelSet)]
struct OfChore {
    chore: &'static str,
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
    pub(crate) fn new(clock: Arc<dyn Clock>) -> Self {
        // From 5 ms to about 3 minutes.
        let buckets = || Histogram::new(exponential_buckets(0.005, 2.0, 16));
        Self {
            reports: Family::new_with_constructor(buckets),
            bulk: Family::default(),
            bulk_failures: Counter::default(),
            newest_day_end: Family::default(),
            lag: Arc::new(BulkLag::new(clock)),
            chore_failures: Family::default(),
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
        registry.register_collector(Box::new(self.lag.clone()));
        registry.register(
            "showreport_maintenance_failures",
            "Parts of chores of maintenance that failed; each is tried again",
            self.chore_failures.clone(),
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

    pub(crate) fn chore_failed(&self, chore: &'static str) {
        self.chore_failures.get_or_create(&OfChore { chore }).inc();
    }

    /// How long the oldest bulk report is overdue, in milliseconds.
    pub fn bulk_lag_ms(&self) -> i64 {
        self.lag.millis()
    }

    /// A look begins. One that failed before it ended counts as still going on.
    pub(crate) fn look_begins(&self, now: Timestamp) {
        let began = &self.lag.look_began;
        let began_first = began.load(Ordering::Relaxed).min(now.as_millis());
        began.store(began_first, Ordering::Relaxed);
    }

    pub(crate) fn look_ends(&self, overdue_since: Option<Timestamp>) {
        let since = overdue_since.map_or(NEVER, Timestamp::as_millis);
        self.lag.overdue_since.store(since, Ordering::Relaxed);
        self.lag.look_began.store(NEVER, Ordering::Relaxed);
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

/// Later than every instant.
const NEVER: i64 = i64::MAX;

/// How long the oldest bulk report is overdue, worked out when it is asked for: it grows while the
/// schedule is busy, too. What a look has not yet found counts from the beginning of that look.
#[derive(Debug)]
struct BulkLag {
    clock: Arc<dyn Clock>,
    overdue_since: AtomicI64,
    look_began: AtomicI64,
}

impl BulkLag {
    fn new(clock: Arc<dyn Clock>) -> Self {
        Self {
            clock,
            overdue_since: AtomicI64::new(NEVER),
            look_began: AtomicI64::new(NEVER),
        }
    }

    fn millis(&self) -> i64 {
        let now = self.clock.now().as_millis();
        let since = [&self.overdue_since, &self.look_began].map(|it| it.load(Ordering::Relaxed));
        now.saturating_sub(since[0].min(since[1])).max(0)
    }
}

impl Collector for BulkLag {
    fn encode(&self, mut encoder: DescriptorEncoder<'_>) -> fmt::Result {
        let gauge = ConstGauge::new(self.millis());
        let metric = encoder.encode_descriptor(
            "showreport_bulk_lag_milliseconds",
            "How long the oldest bulk report is overdue: one that was never made, one to be made \
             again, or late records that were not looked at yet",
            None,
            gauge.metric_type(),
        )?;
        gauge.encode(metric)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// When the test begins.
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
        metrics.look_begins(at(0));
        clock.0.store(BEGIN + 160_000, Ordering::Relaxed);
        assert_eq!(metrics.lag.millis(), 160_000);
        metrics.look_ends(Some(at(150_000)));
        assert_eq!(metrics.lag.millis(), 10_000);
        clock.0.store(BEGIN + 161_000, Ordering::Relaxed);
        assert_eq!(metrics.lag.millis(), 11_000);
        metrics.look_begins(at(161_000));
        metrics.look_ends(None);
        assert_eq!(metrics.lag.millis(), 0);
    }
}
