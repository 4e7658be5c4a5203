//! The reports that the demo requests, and how existing reports match these requests.

use serde::Deserialize;
use serde_json::{Value, json};
use showreport_model::Timestamp;

use crate::simulation::Program;

/// A report that the demo requests.
#[derive(Debug)]
pub(super) struct ReportRequest {
    pub(super) program: Program,
    dimension: &'static str,
    group_by: &'static [&'static str],
    granularity_seconds: u32,
    pub(super) format: &'static str,
}

const fn csv(dimension: &'static str, group_by: &'static [&'static str]) -> ReportRequest {
    ReportRequest {
        program: Program::Live,
        dimension,
        group_by,
        granularity_seconds: 60,
        format: "csv",
    }
}

const fn of_recording(group_by: &'static [&'static str]) -> ReportRequest {
    ReportRequest {
        program: Program::Recording,
        ..csv("WATCH_TIME", group_by)
    }
}

/// Every dimension with and without grouping, most of them as CSV.
pub(super) static REQUESTS: [ReportRequest; 19] = [
    csv("WATCH_TIME", &[]),
    csv("WATCH_TIME", &["DEVICE_OS"]),
    csv("WATCH_TIME", &["GEO_REGION"]),
    csv("WATCH_TIME", &["CUSTOMER_ID"]),
    csv("WATCH_TIME", &["WATCH_TIMESTAMP"]),
    ReportRequest {
        granularity_seconds: 300,
        ..csv("WATCH_TIME", &["WATCH_TIMESTAMP", "DEVICE_OS"])
    },
    csv("ATTENDANCE", &[]),
    csv("CHAT_HISTORIES", &[]),
    csv("CHAT_HISTORIES", &["WATCH_TIMESTAMP"]),
    csv("POLL_SUMMARIES", &[]),
    csv("POLL_SUMMARIES", &["DEVICE_OS"]),
    csv("POLL_VOTES", &[]),
    csv("POLL_VOTES", &["GEO_REGION"]),
    ReportRequest {
        format: "parquet",
        ..csv("WATCH_TIME", &[])
    },
    ReportRequest {
        format: "xlsx",
        ..csv("POLL_SUMMARIES", &[])
    },
    of_recording(&[]),
    of_recording(&["DEVICE_OS"]),
    of_recording(&["WATCH_TIMESTAMP"]),
    ReportRequest {
        program: Program::Recording,
        granularity_seconds: 900,
        ..csv("RETENTION", &[])
    },
];

/// A report in a response of the server.
#[derive(Debug, Clone, Deserialize)]
pub(super) struct Report {
    pub(super) id: String,
    status: String,
    #[serde(default)]
    pub(super) uri: Option<String>,
    #[serde(default)]
    pub(super) error_info: Option<Value>,
    dimension_with_condition: Condition,
    #[serde(default)]
    pub(super) row_count: Option<u64>,
    #[serde(default)]
    pub(super) sha256: Option<String>,
    created_at: String,
    #[serde(default)]
    expires_at: Option<String>,
    #[serde(default)]
    progress_percent: Option<u64>,
}

#[derive(Debug, Clone, Deserialize)]
struct Condition {
    dimension: String,
    group_by_fields: Vec<String>,
    #[serde(default)]
    filter: Option<Filter>,
    #[serde(default)]
    granularity_seconds: Option<u32>,
    #[serde(default)]
    format: Option<String>,
}

#[derive(Debug, Clone, Deserialize)]
struct Filter {
    #[serde(default)]
    start_time: Option<String>,
    #[serde(default)]
    end_time: Option<String>,
}

impl ReportRequest {
    /// The entry of `dimension_with_conditions` in the request.
    pub(super) fn entry(&self) -> Value {
        json!({
            "dimension": self.dimension(),
            "group_by_fields": self.group_by_fields(),
            "granularity_seconds": self.granularity_seconds,
            "format": self.format,
        })
    }

    fn dimension(&self) -> String {
        format!("REPORT_DIMENSION_{}", self.dimension)
    }

    fn group_by_fields(&self) -> Vec<String> {
        let fields = self.group_by.iter();
        fields
            .map(|field| format!("GROUP_BY_FIELD_{field}"))
            .collect()
    }

    /// Whether it is the CSV file with every option of every poll.
    pub(super) fn has_poll_results(&self) -> bool {
        self.dimension == "POLL_SUMMARIES" && self.group_by.is_empty() && self.format == "csv"
    }

    /// Whether it is the drop-off curve of the recording.
    pub(super) fn is_retention(&self) -> bool {
        self.dimension == "RETENTION"
    }

    pub(super) fn file_name(&self) -> String {
        let mut name = self.dimension.to_owned();
        for (index, field) in self.group_by.iter().enumerate() {
            name.push_str(if index == 0 { "-by-" } else { "-" });
            name.push_str(field);
        }
        let name = name.to_lowercase().replace('_', "-");
        format!("{name}.{}", self.format)
    }

    /// Whether the report has the same conditions and covers the whole event.
    pub(super) fn matches(&self, report: &Report) -> bool {
        let condition = &report.dimension_with_condition;
        condition.dimension == self.dimension()
            && condition.group_by_fields == self.group_by_fields()
            && condition.granularity_seconds == Some(self.granularity_seconds)
            && condition.format.as_deref() == Some(self.format)
            && condition.filter.as_ref().is_none_or(Filter::is_empty)
    }
}

impl Report {
    /// Whether it holds everything that was sent, and its file exists or is being made.
    pub(super) fn is_usable(&self, since: Timestamp, now: Timestamp) -> bool {
        let holds_all = self
            .created_at
            .parse::<Timestamp>()
            .is_ok_and(|created_at| created_at >= since);
        // A file that is about to expire could be deleted before it is downloaded.
        let soon = now.saturating_add_millis(60_000);
        let is_kept = self.uri.as_deref().is_some_and(|uri| !uri.is_empty())
            && self
                .expires_at
                .as_deref()
                .and_then(|at| at.parse::<Timestamp>().ok())
                .is_some_and(|at| at > soon);
        holds_all && (self.is("RUNNING") || (self.is("SUCCEEDED") && is_kept))
    }

    pub(super) fn is(&self, status: &str) -> bool {
        self.status.strip_prefix("EVENT_REPORT_STATUS_") == Some(status)
    }

    /// Progress in percent.
    pub(super) fn percent(&self) -> u64 {
        if self.is("SUCCEEDED") {
            100
        } else {
            self.progress_percent.unwrap_or(0)
        }
    }
}

impl Filter {
    fn is_empty(&self) -> bool {
        let is_absent = |time: &Option<String>| time.as_deref().unwrap_or_default().is_empty();
        is_absent(&self.start_time) && is_absent(&self.end_time)
    }
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;

    use super::*;

    #[test]
    fn every_report_has_its_own_file_name() {
        let files = REQUESTS.iter().map(|request| {
            let is_live = request.program == Program::Live;
            (is_live, request.file_name())
        });
        let files: BTreeSet<_> = files.collect();
        assert_eq!(files.len(), REQUESTS.len());
        assert!(files.contains(&(
            true,
            "watch-time-by-watch-timestamp-device-os.csv".to_owned()
        )));
    }
}
