//! What the doors count, and the registry that `/metrics` shows.

use std::fmt;
use std::time::Duration;

use axum::http::{Method, StatusCode};
use prometheus_client::encoding::EncodeLabelSet;
use prometheus_client::metrics::counter::Counter;
use prometheus_client::metrics::family::Family;
use prometheus_client::metrics::gauge::Gauge;
use prometheus_client::metrics::histogram::{Histogram, exponential_buckets};
use prometheus_client::registry::Registry;

/// What the doors count.
#[derive(Clone)]
pub(crate) struct Metrics {
    requests: Family<RequestLabels, Counter>,
    durations: Family<RouteLabels, Histogram, fn() -> Histogram>,
    /// Records that were made durable.
    pub(crate) accepted: Counter,
    /// Records that were refused.
    pub(crate) rejected: Counter,
    /// Rows that wait in the journal.
    pub(crate) journal_rows: Gauge,
    /// Bytes that wait in the journal.
    pub(crate) journal_bytes: Gauge,
    /// How long the oldest of them has waited, in milliseconds.
    pub(crate) journal_oldest_ms: Gauge,
    /// Jobs that are not finished.
    pub(crate) queue_depth: Gauge,
    damaged_files: Family<FileLabels, Gauge>,
}

#[derive(Debug, Clone, PartialEq, Eq, Hash, EncodeLabelSet)]
struct FileLabels {
    file: String,
}

#[derive(Debug, Clone, PartialEq, Eq, Hash, EncodeLabelSet)]
struct RequestLabels {
    method: &'static str,
    route: String,
    status: u16,
}

#[derive(Debug, Clone, PartialEq, Eq, Hash, EncodeLabelSet)]
struct RouteLabels {
    method: &'static str,
    route: String,
}

impl Metrics {
    /// All at zero.
    pub(crate) fn new() -> Self {
        Self {
            requests: Family::default(),
            // From a millisecond to half a minute.
            durations: Family::new_with_constructor(|| {
                Histogram::new(exponential_buckets(0.001, 2.0, 15))
            }),
            accepted: Counter::default(),
            rejected: Counter::default(),
            journal_rows: Gauge::default(),
            journal_bytes: Gauge::default(),
            journal_oldest_ms: Gauge::default(),
            queue_depth: Gauge::default(),
            damaged_files: Family::default(),
        }
    }

    /// Puts the families into a registry.
    pub(crate) fn register(&self, registry: &mut Registry) {
        registry.register(
            "showreport_http_requests",
            "Requests answered",
            self.requests.clone(),
        );
        registry.register(
            "showreport_http_request_duration_seconds",
            "Time until an answer began",
            self.durations.clone(),
        );
        registry.register(
            "showreport_records_accepted",
            "Records collected and made durable",
            self.accepted.clone(),
        );
        registry.register(
            "showreport_records_rejected",
            "Records refused",
            self.rejected.clone(),
        );
        registry.register(
            "showreport_journal_waiting_rows",
            "Group commits that wait for the flush",
            self.journal_rows.clone(),
        );
        registry.register(
            "showreport_journal_waiting_bytes",
            "Bytes that wait for the flush",
            self.journal_bytes.clone(),
        );
        registry.register(
            "showreport_journal_oldest_age_milliseconds",
            "Age of what has waited longest for the flush",
            self.journal_oldest_ms.clone(),
        );
        registry.register(
            "showreport_queue_depth",
            "Jobs that are not finished",
            self.queue_depth.clone(),
        );
        registry.register(
            "showreport_damaged_file",
            "1 for each file that was found damaged and not put right since",
            self.damaged_files.clone(),
        );
    }

    /// Names the files that are damaged at present.
    pub(crate) fn name_damaged(&self, files: impl Iterator<Item = String>) {
        self.damaged_files.clear();
        for file in files {
            self.damaged_files
                .get_or_create_owned(&FileLabels { file })
                .set(1);
        }
    }

    /// Counts an answer. The route is the template, never the path, which may hold secrets.
    pub(crate) fn answered(
        &self,
        method: &Method,
        route: &str,
        status: StatusCode,
        after: Duration,
    ) {
        let method = known_method(method);
        let route = route.to_owned();
        self.durations
            .get_or_create_owned(&RouteLabels {
                method,
                route: route.clone(),
            })
            .observe(after.as_secs_f64());
        self.requests
            .get_or_create_owned(&RequestLabels {
                method,
                route,
                status: status.as_u16(),
            })
            .inc();
    }
}

impl fmt::Debug for Metrics {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Metrics").finish_non_exhaustive()
    }
}

/// A client may invent methods; each would be a series of its own.
fn known_method(method: &Method) -> &'static str {
    match method.as_str() {
        "GET" => "GET",
        "HEAD" => "HEAD",
        "POST" => "POST",
        "DELETE" => "DELETE",
        "OPTIONS" => "OPTIONS",
        _ => "other",
    }
}
