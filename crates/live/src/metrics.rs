//! Metrics of the states in memory.

use prometheus_client::metrics::counter::Counter;
use prometheus_client::metrics::gauge::Gauge;
use prometheus_client::metrics::histogram::{Histogram, exponential_buckets};
use prometheus_client::registry::Registry;

/// How many states there are, and what they cost.
#[derive(Debug, Clone)]
pub struct Metrics {
    pub(crate) states: Gauge,
    pub(crate) bytes: Gauge,
    pub(crate) load_seconds: Histogram,
    pub(crate) figures: Counter,
}

impl Metrics {
    pub(crate) fn new() -> Self {
        Self {
            states: Gauge::default(),
            bytes: Gauge::default(),
            // From a millisecond to a minute.
            load_seconds: Histogram::new(exponential_buckets(0.001, 2.0, 17)),
            figures: Counter::default(),
        }
    }

    /// Adds the metrics to a registry.
    pub fn register(&self, registry: &mut Registry) {
        registry.register(
            "showreport_live_events",
            "Events whose facts are in memory for live figures",
            self.states.clone(),
        );
        registry.register(
            "showreport_live_bytes",
            "Memory of the facts of these events",
            self.bytes.clone(),
        );
        registry.register(
            "showreport_live_load_duration_seconds",
            "How long reading the facts of an event into memory takes",
            self.load_seconds.clone(),
        );
        registry.register(
            "showreport_live_figures",
            "Live figures that were worked out",
            self.figures.clone(),
        );
    }
}
