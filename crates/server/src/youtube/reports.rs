//! `GET /v1/jobs/{jobId}/reports` and `GET /v1/jobs/{jobId}/reports/{reportId}`.

use axum::Json;
use axum::extract::State;
use serde::Serialize;
use showreport_meta::BulkFilter;
use showreport_model::Timestamp;
use showreport_model::bulk::{BulkReport, BulkReportId, ReportJob};
use utoipa::ToSchema;

use super::jobs::job_id;
use super::media::download_url;
use super::parameters::QueryParameters;
use crate::app::App;
use crate::auth::Reader;
use crate::error::{ApiError, Reason};
use crate::extract::{Page, Segments, Violations};

/// A page of reports.
#[derive(Debug, Serialize, ToSchema)]
#[serde(rename_all = "camelCase")]
pub(crate) struct BulkReportsResponse {
    /// The newest first.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    reports: Vec<BulkReportResponse>,
    /// The `pageToken` of the next page; absent after the last one.
    #[serde(skip_serializing_if = "Option::is_none")]
    next_page_token: Option<String>,
}

/// A report of a job: one day, as a file.
#[derive(Debug, Serialize, ToSchema)]
#[serde(rename_all = "camelCase")]
pub(crate) struct BulkReportResponse {
    /// A whole number.
    id: String,
    job_id: String,
    /// Such as `20261122`. Google's reports do not have it.
    day: String,
    /// The time zone of the day. Google's reports do not have it.
    #[serde(skip_serializing_if = "Option::is_none")]
    time_zone: Option<String>,
    /// The start of the day in its time zone.
    start_time: String,
    /// The first instant after the day.
    end_time: String,
    /// In whole milliseconds, and different for each report of a job.
    create_time: String,
    /// When the job ends; absent for a job without an end.
    #[serde(skip_serializing_if = "Option::is_none")]
    job_expire_time: Option<String>,
    /// The address of the file; it needs the token.
    download_url: String,
    /// Rows of the file without the header.
    row_count: u64,
    size_bytes: u64,
    /// SHA-256 of the file, in lower-case hexadecimal.
    sha256: String,
    /// When the report is deleted.
    expire_time: String,
    /// The id of the report of the same day that this one replaces.
    #[serde(skip_serializing_if = "Option::is_none")]
    supersedes: Option<String>,
}

/// List the reports of a job.
///
/// If late records change the figures of a day, it gets another report, with a new id and the same
/// period. Its `supersedes` is the id of the report that it replaces.
#[utoipa::path(
    get,
    path = "/v1/jobs/{jobId}/reports",
    tag = "bulk reports",
    params(
        ("jobId" = String, Path, description = "the job's id"),
        ("createdAfter" = Option<String>, Query, description = "only reports that were made later (RFC 3339)"),
        ("startTimeAtOrAfter" = Option<String>, Query, description = "only reports of periods that begin then or later"),
        ("startTimeBefore" = Option<String>, Query, description = "only reports of periods that begin earlier"),
        ("pageSize" = Option<i32>, Query, minimum = 0, description = "0 or absent: 100; at most 1000"),
        ("pageToken" = Option<String>, Query, description = "`nextPageToken` of the page before"),
        ("onBehalfOfContentOwner" = Option<String>, Query, description = "has no effect: the token determines the organisation"),
    ),
    responses(
        (status = 200, description = "the reports, the newest first; `{}` if there is none", body = BulkReportsResponse),
        (status = 400, description = "every wrong parameter is named"),
        (status = 401, description = "no token, or one that is unknown"),
        (status = 403, description = "the token may not read reports"),
        (status = 404, description = "no such job"),
    ),
    security(("token" = [])),
)]
pub(crate) async fn list_reports(
    State(app): State<App>,
    reader: Reader,
    Segments(job): Segments<String>,
    query: QueryParameters,
) -> Result<Json<BulkReportsResponse>, ApiError> {
    let report_job = app.meta().report_job(&reader.org, job_id(&job)?).await?;
    let (filter, page) = read(&query)?;
    let mut reports = app
        .meta()
        .bulk_reports(&reader.org, report_job.id, filter, page.limit())
        .await?;
    let next_page_token = page.cut(&mut reports, |report| report.created_at.as_millis());
    let reports = reports
        .iter()
        .map(|report| describe(&app, &report_job, report));
    Ok(Json(BulkReportsResponse {
        reports: reports.collect(),
        next_page_token,
    }))
}

/// Get a report of a job.
#[utoipa::path(
    get,
    path = "/v1/jobs/{jobId}/reports/{reportId}",
    tag = "bulk reports",
    params(
        ("jobId" = String, Path, description = "the job's id"),
        ("reportId" = String, Path, description = "the report's id"),
        ("onBehalfOfContentOwner" = Option<String>, Query, description = "has no effect: the token determines the organisation"),
    ),
    responses(
        (status = 200, description = "the report", body = BulkReportResponse),
        (status = 401, description = "no token, or one that is unknown"),
        (status = 403, description = "the token may not read reports"),
        (status = 404, description = "no such job or report"),
    ),
    security(("token" = [])),
)]
pub(crate) async fn get_report(
    State(app): State<App>,
    reader: Reader,
    Segments((job, report)): Segments<(String, String)>,
) -> Result<Json<BulkReportResponse>, ApiError> {
    let report_job = app.meta().report_job(&reader.org, job_id(&job)?).await?;
    let report = app
        .meta()
        .bulk_report(&reader.org, report_job.id, report_id(&report)?)
        .await?;
    Ok(Json(describe(&app, &report_job, &report)))
}

/// The id of a report. A text that is no such id is treated as an unknown one.
pub(crate) fn report_id(text: &str) -> Result<BulkReportId, ApiError> {
    text.parse().map_err(|_| {
        ApiError::new(
            Reason::ReportNotFound,
            "the job has no such report; reports past their time are deleted",
        )
    })
}

fn describe(app: &App, report_job: &ReportJob, report: &BulkReport) -> BulkReportResponse {
    let base = app.config().base_url();
    let file = &report.file;
    BulkReportResponse {
        id: report.id.to_string(),
        job_id: report_job.id.to_string(),
        day: report.day.digits(),
        time_zone: report.zone.clone(),
        start_time: report.starts_at.to_proto(),
        end_time: report.ends_at.to_proto(),
        create_time: report.created_at.to_proto(),
        job_expire_time: report_job
            .ended_at
            .or(report_job.ends_at)
            .map(Timestamp::to_proto),
        download_url: download_url(base, &report_job.org, report_job.id, report.id),
        row_count: file.row_count,
        size_bytes: file.size_bytes,
        sha256: file.sha256.clone(),
        expire_time: report.expires_at.to_proto(),
        supersedes: report.supersedes.map(|id| id.to_string()),
    }
}

/// The filter and the page of a list. The error names every wrong parameter.
fn read(query: &QueryParameters) -> Result<(BulkFilter, Page<i64>), ApiError> {
    let mut violations = Violations::default();
    let page = query.read_page(&mut violations);
    let mut time = |name: &str| {
        let text = query.text(name)?;
        Timestamp::nearest(text)
            .map_err(|error| violations.add(name, error.to_string()))
            .ok()
    };
    let filter = BulkFilter {
        // Reports have whole milliseconds, so flooring the bound to milliseconds excludes the same.
        created_after: time("createdAfter"),
        created_before: page
            .after
            .and_then(|millis| Timestamp::from_millis(millis).ok()),
        starts_at_or_after: time("startTimeAtOrAfter"),
        starts_before: time("startTimeBefore"),
    };
    violations.into_result(Some((filter, page)))
}
