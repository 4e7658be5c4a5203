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
use super::parameters::Given;
use crate::app::App;
use crate::auth::Reader;
use crate::error::ApiError;
use crate::extract::{Page, Segments, Violations};

/// A page of reports.
#[derive(Debug, Serialize, ToSchema)]
#[serde(rename_all = "camelCase")]
pub(crate) struct Reports {
    /// The newest first.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    reports: Vec<ReportAnswer>,
    /// The `pageToken` of the next page; absent after the last one.
    #[serde(skip_serializing_if = "Option::is_none")]
    next_page_token: Option<String>,
}

/// A day of a job, as a file.
#[derive(Debug, Serialize, ToSchema)]
#[serde(rename_all = "camelCase")]
pub(crate) struct ReportAnswer {
    /// The report's id: a whole number.
    id: String,
    /// Whose report it is.
    job_id: String,
    /// The day, such as 20261122.
    day: String,
    /// The zone whose day it is.
    #[serde(skip_serializing_if = "Option::is_none")]
    time_zone: Option<String>,
    /// When the day begins, in its zone.
    start_time: String,
    /// When the day ends: the first instant after it.
    end_time: String,
    /// When the report was made, in whole milliseconds. No two of a job are equal.
    create_time: String,
    /// When the job ends, if it will.
    #[serde(skip_serializing_if = "Option::is_none")]
    job_expire_time: Option<String>,
    /// Where the file is; opens with the token.
    download_url: String,
    /// Rows of the file, the header not counted.
    row_count: u64,
    /// Bytes of the file.
    size_bytes: u64,
    /// SHA-256 of the file, in lower-case hexadecimal.
    sha256: String,
    /// When the report is deleted.
    expire_time: String,
    /// The report of the same period that this one takes the place of.
    #[serde(skip_serializing_if = "Option::is_none")]
    supersedes: Option<String>,
}

/// List the reports of a job.
///
/// A report that late records have changed comes again, with a new id and the
/// same period; it names the one that it `supersedes`.
#[utoipa::path(
    get,
    path = "/v1/jobs/{jobId}/reports",
    tag = "bulk reports",
    params(
        ("jobId" = String, Path, description = "the job's id"),
        ("createdAfter" = Option<String>, Query, description = "only those made later than this (RFC 3339)"),
        ("startTimeAtOrAfter" = Option<String>, Query, description = "only those whose period begins then or later"),
        ("startTimeBefore" = Option<String>, Query, description = "only those whose period begins earlier"),
        ("pageSize" = Option<i32>, Query, minimum = 0, description = "at most 1000; 100 without it, or where it is 0"),
        ("pageToken" = Option<String>, Query, description = "the page before's `nextPageToken`"),
        ("onBehalfOfContentOwner" = Option<String>, Query, description = "changes nothing: the token says whose reports they are"),
    ),
    responses(
        (status = 200, description = "the reports, the newest first; `{}` where there is none", body = Reports),
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
    given: Given,
) -> Result<Json<Reports>, ApiError> {
    let report_job = app.meta().report_job(&reader.org, job_id(&job)?).await?;
    let (filter, page) = read(&given)?;
    let mut reports = app
        .meta()
        .bulk_reports(&reader.org, report_job.id, filter, page.limit())
        .await?;
    let next_page_token = page.cut(&mut reports, |report| report.created_at.as_millis());
    let reports = reports
        .iter()
        .map(|report| describe(&app, &report_job, report));
    Ok(Json(Reports {
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
        ("onBehalfOfContentOwner" = Option<String>, Query, description = "changes nothing: the token says whose reports they are"),
    ),
    responses(
        (status = 200, description = "the report", body = ReportAnswer),
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
) -> Result<Json<ReportAnswer>, ApiError> {
    let report_job = app.meta().report_job(&reader.org, job_id(&job)?).await?;
    let report = app
        .meta()
        .bulk_report(&reader.org, report_job.id, report_id(&report)?)
        .await?;
    Ok(Json(describe(&app, &report_job, &report)))
}

/// The number; a text that no report can have is the number of none.
pub(super) fn report_id(text: &str) -> Result<BulkReportId, ApiError> {
    text.parse().map_err(|_| {
        ApiError::not_found(
            "REPORT_NOT_FOUND",
            "the job has no such report; reports past their time are deleted",
        )
    })
}

fn describe(app: &App, report_job: &ReportJob, report: &BulkReport) -> ReportAnswer {
    let base = app.config().base_url();
    let file = &report.file;
    ReportAnswer {
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

/// What is asked for. Every wrong parameter is named.
fn read(given: &Given) -> Result<(BulkFilter, Page<i64>), ApiError> {
    let mut violations = Violations::default();
    let page = given.read_page(&mut violations);
    let mut time = |name: &str| {
        let text = given.text(name)?;
        Timestamp::nearest(text)
            .map_err(|error| violations.add(name, error.to_string()))
            .ok()
    };
    let filter = BulkFilter {
        // Reports are made on whole milliseconds, so a fraction below decides nothing.
        created_after: time("createdAfter"),
        created_before: page
            .after
            .and_then(|millis| Timestamp::from_millis(millis).ok()),
        starts_at_or_after: time("startTimeAtOrAfter"),
        starts_before: time("startTimeBefore"),
    };
    violations.into_result(Some((filter, page)))
}
