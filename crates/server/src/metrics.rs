//! Metrics of the server.

use std::fmt;
use std::time::Duration;

use axum::http::{Method, StatusCode};
use prometheus_client::encoding::EncodeLabelSet;
use prometheus_client::metrics::counter::Counter;
use prometheus_client::metrics::family::Family;
use prometheus_client::metrics::gauge::Gauge;
use prometheus_client::metrics::histogram::{Histogram, exponential_buckets};
use prometheus_client::registry::Registry;
use showreport_records::Rejections;

/// Metrics of the server.
#[derive(Clone)]
pub(crate) struct Metrics {
    requests: Family<RequestLabels, Counter>,
    durations: Family<RouteLabels, Histogram, fn() -> Histogram>,
    pub(crate) accepted: Counter,
    pub(crate) rejected: Counter,
    dropped_lines: Family<ReasonLabels, Counter>,
    pub(crate) journal_rows: Gauge,
    pub(crate) journal_bytes: Gauge,
    /// Age of the oldest row of the journal.
    pub(crate) journal_oldest_ms: Gauge,
    /// Jobs that are not finished.
    pub(crate) queue_depth: Gauge,
    damaged_files: Family<FileLabels, Gauge>,
}

#[derive(Debug, Clone, PartialEq, Eq, Hash, EncodeLabelSet)]
struct ReasonLabels {
    reason: &'static str,
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
    pub(crate) fn new() -> Self {
        Self {
            requests: Family::default(),
            // 1 ms to 16 s.
            durations: Family::new_with_constructor(|| {
                Histogram::new(exponential_buckets(0.001, 2.0, 15))
            }),
            accepted: Counter::default(),
            rejected: Counter::default(),
            dropped_lines: Family::default(),
            journal_rows: Gauge::default(),
            journal_bytes: Gauge::default(),
            journal_oldest_ms: Gauge::default(),
            queue_depth: Gauge::default(),
            damaged_files: Family::default(),
        }
    }

    /// Adds the metrics to a registry.
    pub(crate) fn register(&self, registry: &mut Registry) {
        registry.register(
            "showreport_http_requests",
            "Requests answered",
            self.requests.clone(),
        );
        registry.register(
            "showreport_http_request_duration_seconds",
            "Time until the response began",
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
            "showreport_cmcd_lines_dropped",
            "Lines of CMCD that became no record",
            self.dropped_lines.clone(),
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

    /// Counts lines of CMCD that became no record. Beyond those that are listed, no reason is
    /// known.
    pub(crate) fn count_dropped_lines(&self, rejections: &Rejections) {
        let count = |reason, lines: usize| {
            let labels = ReasonLabels { reason };
            let counter = self.dropped_lines.get_or_create_owned(&labels);
            counter.inc_by(lines as u64);
        };
        for rejection in &rejections.listed {
            count(rejection.reason.as_str(), 1);
        }
        let unlisted = rejections.total - rejections.listed.len();
        if unlisted > 0 {
            count("UNLISTED", unlisted);
        }
    }

    /// Replaces the list of damaged files.
    pub(crate) fn set_damaged(&self, files: impl Iterator<Item = String>) {
        self.damaged_files.clear();
        for file in files {
            self.damaged_files
                .get_or_create_owned(&FileLabels { file })
                .set(1);
        }
    }

    /// Counts a response. The route is the template of the path: the path may have secrets.
    pub(crate) fn count_response(
        &self,
        method: &Method,
        route: &str,
        status: StatusCode,
        after: Duration,
    ) {
        let method = method_label(method);
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

/// The label of a method. Each method that a client invents would be a time series of its own.
fn method_label(method: &Method) -> &'static str {
    match method.as_str() {
        "GET" => "GET",
        "HEAD" => "HEAD",
        "POST" => "POST",
        "DELETE" => "DELETE",
        "OPTIONS" => "OPTIONS",
        _ => "other",
    }
}
