//! `GET /api/v1/reports`, `GET` and `DELETE /api/v1/reports/{id}`.

use axum::Json;
use axum::extract::State;
use axum::http::StatusCode;
use serde::{Deserialize, Serialize};
use showreport_meta::ReportFilter;
use showreport_model::{EventId, OrgId, ReportId};
use utoipa::ToSchema;

use crate::app::App;
use crate::auth::Reader;
use crate::blendvision::{EventReport, describe, describe_one};
use crate::error::{ApiError, Reason};
use crate::extract::{Page, PageQuery, Parameters, Segments};

/// A page of reports.
#[derive(Debug, Serialize, ToSchema)]
pub(crate) struct ReportsResponse {
    /// The newest first.
    reports: Vec<EventReport>,
    /// The `page_token` of the next page; empty after the last one.
    next_page_token: String,
}

#[derive(Debug, Deserialize)]
pub(crate) struct ReportsQuery {
    event_id: Option<String>,
    #[serde(flatten)]
    page: PageQuery,
}

/// List reports.
#[utoipa::path(
    get,
    path = "/api/v1/reports",
    tag = "api",
    params(
        ("event_id" = Option<String>, Query, description = "only reports of this event"),
        ("page_size" = Option<u32>, Query, minimum = 1, maximum = 1000, description = "1 to 1000; 100 if absent"),
        ("page_token" = Option<String>, Query, description = "`next_page_token` of the page before"),
    ),
    responses(
        (status = 200, description = "a page of reports, the newest first", body = ReportsResponse),
        (status = 400, description = "every wrong parameter is named"),
        (status = 401, description = "no token, or one that is unknown"),
        (status = 403, description = "the token may not read"),
    ),
    security(("token" = [])),
)]
pub(crate) async fn list_reports(
    State(app): State<App>,
    reader: Reader,
    Parameters(query): Parameters<ReportsQuery>,
) -> Result<Json<ReportsResponse>, ApiError> {
    let page: Page<ReportId> = query.page.read()?;
    let event = match query.event_id.as_deref() {
        None | Some("") => None,
        Some(text) => Some(
            EventId::new(text)
                .map_err(|error| ApiError::violation("event_id", error.to_string()))?,
        ),
    };
    let filter = ReportFilter {
        event: event.as_ref(),
        is_finished: false,
    };
    let mut reports = app
        .meta()
        .reports(&reader.org, filter, page.after, page.limit())
        .await?;
    let next_page_token = page
        .cut(&mut reports, |report| report.id)
        .unwrap_or_default();
    let reports = describe(&app, &reader.org, reports).await?;
    Ok(Json(ReportsResponse {
        reports,
        next_page_token,
    }))
}

/// Get a report.
#[utoipa::path(
    get,
    path = "/api/v1/reports/{id}",
    tag = "api",
    params(("id" = String, Path, description = "the report's id")),
    responses(
        (status = 200, description = "the report; its `uri` is signed anew", body = EventReport),
        (status = 401, description = "no token, or one that is unknown"),
        (status = 403, description = "the token may not read"),
        (status = 404, description = "no such report"),
    ),
    security(("token" = [])),
)]
pub(crate) async fn get_report(
    State(app): State<App>,
    reader: Reader,
    Segments(id): Segments<String>,
) -> Result<Json<EventReport>, ApiError> {
    let report = app.meta().report(&reader.org, report_id(&id)?).await?;
    describe_one(&app, &reader.org, report).await.map(Json)
}

/// Delete a report and its file. A running report is cancelled.
#[utoipa::path(
    delete,
    path = "/api/v1/reports/{id}",
    tag = "api",
    params(("id" = String, Path, description = "the report's id")),
    responses(
        (status = 204, description = "the report and its file are deleted"),
        (status = 401, description = "no token, or one that is unknown"),
        (status = 403, description = "the token may not make reports"),
        (status = 404, description = "no such report"),
    ),
    security(("token" = [])),
)]
pub(crate) async fn delete_report(
    State(app): State<App>,
    reader: Reader,
    Segments(id): Segments<String>,
) -> Result<StatusCode, ApiError> {
    delete(&app, &reader.org, report_id(&id)?).await?;
    Ok(StatusCode::NO_CONTENT)
}

/// Deletes a report and its file.
pub(crate) async fn delete(app: &App, org: &OrgId, id: ReportId) -> Result<(), ApiError> {
    app.meta().delete_report(org, id).await?;
    // Includes files of attempts that were not published.
    app.lake().report_files().delete_all(org, id).await?;
    tracing::info!(report.id = %id, "deleted a report");
    Ok(())
}

/// The id of a report. A text that is no report id is treated as an unknown one.
pub(crate) fn report_id(text: &str) -> Result<ReportId, ApiError> {
    text.parse()
        .map_err(|_| ApiError::new(Reason::ReportNotFound, "there is no such report"))
}
