//! `/reports/{id}`: one report, its file, and how it is deleted.

use askama::Template;
use axum::extract::State;
use axum::http::StatusCode;
use axum::response::{IntoResponse, Redirect, Response};
use serde::Deserialize;
use showreport_meta::Role;
use showreport_model::ReportId;
use showreport_model::column::Column;
use showreport_model::report::{Format, Report, ReportStatus};

use super::confirm::ConfirmPage;
use super::curl;
use super::layout::{Identity, Layout, Section, respond};
use super::reports::{Choices, ReportRow};
use crate::api::{delete, report_id};
use crate::app::App;
use crate::auth::Visitor;
use crate::blendvision::describe_one;
use crate::downloads::{Edition, title};
use crate::error::{ApiError, Reason};
use crate::extract::{Parameters, Segments};
use crate::texts::date_time;

#[derive(Template)]
#[template(path = "report.html")]
struct ReportPage {
    layout: Layout,
    zone: String,
    row: ReportRow,
    columns: Vec<Column>,
    is_csv: bool,
    finished_at: Option<String>,
    expires_at: Option<String>,
    may_make: bool,
    /// The form with the same choices.
    again: String,
    curl: String,
}

/// Get the page of a report.
#[utoipa::path(
    get,
    path = "/reports/{id}",
    tag = "dashboard",
    params(("id" = String, Path, description = "the report's id")),
    responses(
        (status = 200, description = "a page", content_type = "text/html", body = String),
        (status = 303, description = "not signed in: to the page for signing in"),
        (status = 404, description = "no such report, or the visitor is a reader and it is not ready"),
    ),
    security(("session" = [])),
)]
pub(crate) async fn show_report(
    State(app): State<App>,
    visitor: Visitor,
    Segments(id): Segments<String>,
) -> Result<Response, ApiError> {
    let org = &visitor.org;
    let _permit = app.report_requests().acquire(org).await?;
    let report = find(&app, &visitor, &id).await?;
    let zone = app.meta().zone(org).await?;
    let order = &report.order;
    let title = title(&app, org, &order.event).await?;
    let row = ReportRow::new(&report, title, &zone);
    let mut layout = Layout::new(row.name.clone(), Section::Reports, Identity::from(&visitor));
    layout.refresh_seconds = row.is_running().then_some(REFRESH_SECONDS);
    let path = format!("/api/v1/reports/{}", report.id);
    let page = ReportPage {
        layout,
        zone: zone.name().to_owned(),
        row,
        columns: order.dimension.columns(&order.group_by),
        is_csv: order.format == Format::Csv,
        finished_at: report.finished_at.map(|at| date_time(at, &zone)),
        expires_at: report.expires_at.map(|at| date_time(at, &zone)),
        may_make: visitor.role >= Role::Analyst,
        again: format!("/reports?{}", Choices::of_order(order, &zone).query()),
        curl: curl::read(app.config().base_url(), &path),
    };
    respond(StatusCode::OK, &page)
}

/// How often a browser without scripts loads the page of a report that is being made.
const REFRESH_SECONDS: u32 = 2;

#[derive(Deserialize)]
pub(crate) struct FileQuery {
    variant: Option<String>,
}

/// Download the file of a report.
#[utoipa::path(
    get,
    path = "/reports/{id}/file",
    tag = "dashboard",
    params(
        ("id" = String, Path, description = "the report's id"),
        ("variant" = inline(Option<Edition>), Query, description = "`raw`: the exact text, without the guard against formulas; `excel`: the file with a byte-order mark"),
    ),
    responses(
        (status = 303, description = "to the file, by a link that is signed now"),
        (status = 404, description = "no such report"),
        (status = 409, description = "the report is being made, or has failed"),
        (status = 410, description = "the file is no longer kept"),
    ),
    security(("session" = [])),
)]
pub(crate) async fn open_file(
    State(app): State<App>,
    visitor: Visitor,
    Segments(id): Segments<String>,
    Parameters(query): Parameters<FileQuery>,
) -> Result<Response, ApiError> {
    let _permit = app.report_requests().acquire(&visitor.org).await?;
    let report = find(&app, &visitor, &id).await?;
    if report.status != ReportStatus::Succeeded {
        let message = "the report has no file; it is being made, or it has failed";
        return Err(ApiError::new(Reason::Conflict, message));
    }
    let described = describe_one(&app, &visitor.org, report).await?;
    if described.uri().is_empty() {
        let message = "the file was deleted when its time was over; make the report again";
        return Err(ApiError::new(Reason::FileGone, message));
    }
    let variant = query.variant.as_deref().filter(|it| !it.is_empty());
    let variant = variant.map(|it| format!("?variant={}", super::address::encoded(it)));
    let link = format!("{}{}", described.uri(), variant.unwrap_or_default());
    Ok(Redirect::to(&link).into_response())
}

/// Get the page that asks before a report is deleted.
#[utoipa::path(
    get,
    path = "/reports/{id}/delete",
    tag = "dashboard",
    params(("id" = String, Path, description = "the report's id")),
    responses(
        (status = 200, description = "a page", content_type = "text/html", body = String),
        (status = 303, description = "not signed in: to the page for signing in"),
        (status = 403, description = "the role may not make reports"),
        (status = 404, description = "no such report"),
    ),
    security(("session" = [])),
)]
pub(crate) async fn confirm_delete_report(
    State(app): State<App>,
    visitor: Visitor,
    Segments(id): Segments<String>,
) -> Result<Response, ApiError> {
    visitor.require(Role::Analyst)?;
    let _permit = app.report_requests().acquire(&visitor.org).await?;
    let report = find(&app, &visitor, &id).await?;
    let is_running = report.status == ReportStatus::Running;
    let (question, consequence, button) = if is_running {
        (
            "Cancel this report?",
            "It is not made, and leaves the list.",
            "Cancel the report",
        )
    } else {
        (
            "Delete this report?",
            "Its file is deleted, and its links end. What was collected stays, so the report can be made again.",
            "Delete the report",
        )
    };
    let path = format!("/reports/{}", report.id);
    let page = ConfirmPage {
        layout: Layout::new(question, Section::Reports, Identity::from(&visitor)),
        consequence: consequence.to_owned(),
        action: format!("{path}/delete"),
        button,
        back: path,
    };
    respond(StatusCode::OK, &page)
}

/// Delete a report and its file. A running report is cancelled.
#[utoipa::path(
    post,
    path = "/reports/{id}/delete",
    tag = "dashboard",
    params(("id" = String, Path, description = "the report's id")),
    responses(
        (status = 303, description = "to the list of reports"),
        (status = 403, description = "the role may not make reports, or the form comes from another site"),
        (status = 404, description = "no such report"),
    ),
    security(("session" = [])),
)]
pub(crate) async fn delete_report_by_form(
    State(app): State<App>,
    visitor: Visitor,
    Segments(id): Segments<String>,
) -> Result<Redirect, ApiError> {
    visitor.require(Role::Analyst)?;
    let _permit = app.report_requests().acquire(&visitor.org).await?;
    delete(&app, &visitor.org, report_id(&id)?).await?;
    Ok(Redirect::to("/reports"))
}

/// A report that the visitor may see: readers see those that are ready.
async fn find(app: &App, visitor: &Visitor, id: &str) -> Result<Report, ApiError> {
    let id: ReportId = report_id(id)?;
    let report = app.meta().report(&visitor.org, id).await?;
    if visitor.role < Role::Analyst && report.status != ReportStatus::Succeeded {
        return Err(showreport_meta::Error::UnknownReport { report: id }.into());
    }
    Ok(report)
}
