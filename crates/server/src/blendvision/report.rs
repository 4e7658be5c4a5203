//! An event report as JSON, the same in `BlendVision`'s API and our own.

use std::collections::BTreeMap;

use serde::Serialize;
use serde_json::Number;
use showreport_model::report::{GroupBy, Report, ReportFailure, ReportOrder, ReportStatus};
use showreport_model::{EventId, OrgId};
use utoipa::ToSchema;

use super::enums::WireEnum;
use crate::app::App;
use crate::downloads::{FileName, signed_url, title};
use crate::error::ApiError;

/// A report: the request and its result.
///
/// Every field is present; one that has no value yet is `""`, `null` or `[]`.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, ToSchema)]
pub(crate) struct EventReport {
    id: String,
    event_id: String,
    /// The same as in `dimension_with_condition`.
    #[schema(example = "REPORT_DIMENSION_WATCH_TIME")]
    dimension: String,
    /// `EVENT_REPORT_STATUS_RUNNING`, `…_SUCCEEDED` or `…_FAILED`.
    #[schema(example = "EVENT_REPORT_STATUS_SUCCEEDED")]
    status: String,
    /// The address of the file: opens without a token for one hour, and is signed anew in each
    /// response. Empty unless there is a file.
    uri: String,
    /// Why the report failed; `null` unless it did.
    error_info: Option<ErrorInfo>,
    dimension_with_condition: Condition,
    /// Rows of the file without the header.
    row_count: Option<u64>,
    size_bytes: Option<u64>,
    /// SHA-256 of the file, in lower-case hexadecimal.
    sha256: String,
    created_at: String,
    /// When it succeeded or failed.
    finished_at: Option<String>,
    /// When the file is deleted.
    expires_at: Option<String>,
    /// 0 to 100.
    progress_percent: u8,
}

/// Why a report failed (google.rpc.ErrorInfo).
#[derive(Debug, Clone, PartialEq, Eq, Serialize, ToSchema)]
struct ErrorInfo {
    /// `UPPER_SNAKE_CASE`.
    reason: String,
    /// Always `showreport`.
    domain: &'static str,
    /// `message`: what happened and what would help.
    metadata: BTreeMap<&'static str, String>,
}

/// The dimension of a report, its grouping, its filter and the format of its file.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, ToSchema)]
struct Condition {
    dimension: String,
    /// The group columns in their order; empty for one row a view, message, option or vote.
    group_by_fields: Vec<String>,
    /// `null` for all facts of the event.
    filter: Option<Filter>,
    /// The width of a bucket of `GROUP_BY_FIELD_WATCH_TIMESTAMP`.
    granularity_seconds: u32,
    /// The least `live_ratio` of a row of attendance, as it was asked for; `null` for none.
    #[schema(value_type = Option<f64>)]
    minimum_live_ratio: Option<Number>,
    /// `csv`, `ndjson`, `parquet` or `xlsx`.
    format: String,
}

/// A half-open range of times.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, ToSchema)]
struct Filter {
    /// Inclusive; `null` for no bound.
    start_time: Option<String>,
    /// Exclusive; `null` for no bound.
    end_time: Option<String>,
}

/// The JSON of reports, with links that are signed now.
pub(crate) async fn describe(
    app: &App,
    org: &OrgId,
    reports: Vec<Report>,
) -> Result<Vec<EventReport>, ApiError> {
    // Most responses have many reports of one event. Its title is looked up once.
    let mut titles: BTreeMap<EventId, Option<String>> = BTreeMap::new();
    let mut described = Vec::with_capacity(reports.len());
    for report in reports {
        let event = &report.order.event;
        if !titles.contains_key(event) {
            titles.insert(event.clone(), title(app, org, event).await?);
        }
        let title = titles.get(event).and_then(Option::as_deref);
        let uri = uri(app, &report, title).await?;
        described.push(EventReport::new(&report, uri));
    }
    Ok(described)
}

/// The JSON of one report, with a link that is signed now.
pub(crate) async fn describe_one(
    app: &App,
    org: &OrgId,
    report: Report,
) -> Result<EventReport, ApiError> {
    let title = title(app, org, &report.order.event).await?;
    let uri = uri(app, &report, title.as_deref()).await?;
    Ok(EventReport::new(&report, uri))
}

async fn uri(app: &App, report: &Report, title: Option<&str>) -> Result<String, ApiError> {
    if report.status != ReportStatus::Succeeded || report.file.is_none() {
        return Ok(String::new());
    }
    signed_url(app, report.id, FileName::of_link(&report.order, title)).await
}

impl EventReport {
    /// The address of the file; empty unless there is one.
    pub(crate) fn uri(&self) -> &str {
        &self.uri
    }

    fn new(report: &Report, uri: String) -> Self {
        let file = report.file.as_ref();
        Self {
            id: report.id.to_string(),
            event_id: report.order.event.to_string(),
            dimension: report.order.dimension.wire_name(),
            status: report.status.wire_name(),
            uri,
            error_info: report.failure.as_ref().map(ErrorInfo::new),
            dimension_with_condition: Condition::new(&report.order),
            row_count: file.map(|file| file.row_count),
            size_bytes: file.map(|file| file.size_bytes),
            sha256: file.map(|file| file.sha256.clone()).unwrap_or_default(),
            created_at: report.created_at.to_string(),
            finished_at: report.finished_at.map(|at| at.to_string()),
            expires_at: report.expires_at.map(|at| at.to_string()),
            progress_percent: report.progress_percent,
        }
    }
}

impl ErrorInfo {
    fn new(failure: &ReportFailure) -> Self {
        Self {
            reason: failure.reason.clone(),
            domain: "showreport",
            metadata: BTreeMap::from([("message", failure.message.clone())]),
        }
    }
}

impl Condition {
    fn new(order: &ReportOrder) -> Self {
        let window = order.window;
        let is_filtered = window.start.is_some() || window.end.is_some();
        Self {
            dimension: order.dimension.wire_name(),
            group_by_fields: order
                .group_by
                .iter()
                .map(|field| GroupBy::wire_name(*field))
                .collect(),
            filter: is_filtered.then(|| Filter {
                start_time: window.start.map(|at| at.to_string()),
                end_time: window.end.map(|at| at.to_string()),
            }),
            granularity_seconds: order.granularity.seconds(),
            minimum_live_ratio: order
                .minimum_live_ratio
                .and_then(|ratio| Number::from_f64(ratio.as_f64())),
            format: order.format.to_string(),
        }
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;
    use showreport_model::buckets::Granularity;
    use showreport_model::report::{Dimension, Format, ReportFile};
    use showreport_model::{ReportId, Timestamp, Window};

    use super::*;

    fn report() -> Report {
        Report {
            id: ReportId::generate(),
            order: ReportOrder {
                org: OrgId::new("acme").unwrap(),
                event: EventId::new("keynote").unwrap(),
                dimension: Dimension::WatchTime,
                group_by: vec![GroupBy::CustomerId],
                window: Window::ALL,
                granularity: Granularity::default(),
                minimum_live_ratio: None,
                format: Format::Csv,
            },
            status: ReportStatus::Running,
            progress_percent: 0,
            created_at: Timestamp::MIN,
            finished_at: None,
            expires_at: None,
            file: None,
            failure: None,
        }
    }

    #[test]
    fn a_running_report_has_every_field() {
        let report = report();
        let shown = serde_json::to_value(EventReport::new(&report, String::new())).unwrap();
        assert_eq!(
            shown,
            json!({
                "id": report.id.to_string(),
                "event_id": "keynote",
                "dimension": "REPORT_DIMENSION_WATCH_TIME",
                "status": "EVENT_REPORT_STATUS_RUNNING",
                "uri": "",
                "error_info": null,
                "dimension_with_condition": {
                    "dimension": "REPORT_DIMENSION_WATCH_TIME",
                    "group_by_fields": ["GROUP_BY_FIELD_CUSTOMER_ID"],
                    "filter": null,
                    "granularity_seconds": 60,
                    "minimum_live_ratio": null,
                    "format": "csv",
                },
                "row_count": null,
                "size_bytes": null,
                "sha256": "",
                "created_at": "2000-01-01T00:00:00.000Z",
                "finished_at": null,
                "expires_at": null,
                "progress_percent": 0,
            })
        );
    }

    #[test]
    fn a_finished_report_shows_its_file_and_a_failed_one_why() {
        let mut report = report();
        report.order.window.start = Some(Timestamp::MIN);
        report.file = Some(ReportFile {
            row_count: 3,
            size_bytes: 99,
            sha256: "ab".to_owned(),
            attempt: 1,
            raw_size_bytes: None,
        });
        report.failure = Some(ReportFailure {
            reason: "TOO_LARGE".to_owned(),
            message: "narrow the filter".to_owned(),
        });
        let shown = serde_json::to_value(EventReport::new(&report, "u".to_owned())).unwrap();
        assert_eq!(shown["row_count"], 3);
        assert_eq!(shown["error_info"]["reason"], "TOO_LARGE");
        assert_eq!(
            shown["dimension_with_condition"]["filter"],
            json!({"start_time": "2000-01-01T00:00:00.000Z", "end_time": null})
        );
    }
}
