//! `/jobs/{id}`: the reports of a report job, day by day, and what was made again.

use askama::Template;
use axum::extract::State;
use axum::http::StatusCode;
use axum::response::{Redirect, Response};
use showreport_meta::{BulkFilter, Role};
use showreport_model::bulk::{BulkReport, ReportJob};
use showreport_model::column::Column;
use showreport_model::{OrgId, Timestamp, Zone};
use showreport_query::Changes;

use super::confirm::ConfirmPage;
use super::curl;
use super::jobs::JobRow;
use super::layout::{Identity, Layout, Section, respond};
use crate::app::App;
use crate::auth::Visitor;
use crate::error::ApiError;
use crate::extract::{Page, PageQuery, Parameters, Segments};
use crate::texts::{bytes, count, date_time};
use crate::youtube::{delete, download_path, job_id, report_id};

#[derive(Template)]
#[template(path = "job.html")]
struct JobPage {
    layout: Layout,
    zone: String,
    job: JobRow,
    columns: &'static [Column],
    rows: Vec<DayRow>,
    next: Option<String>,
    may_make: bool,
    curl: String,
}

/// A report of one day.
struct DayRow {
    id: String,
    day: String,
    created_at: String,
    row_count: u64,
    row_count_text: String,
    size_bytes: u64,
    size_text: String,
    /// The path of the file, to which `&variant=` can be appended.
    file: String,
    /// Whether it replaced another report of the day.
    is_restated: bool,
    /// The rows of the report that it replaced, if that is still there.
    rows_before: Option<String>,
}

/// Get the page of a report job.
#[utoipa::path(
    get,
    path = "/jobs/{id}",
    tag = "dashboard",
    params(
        ("id" = String, Path, description = "the job's id"),
        ("page_size" = Option<u32>, Query, minimum = 1, maximum = 1000, description = "reports of a page; 100 if absent"),
        ("page_token" = Option<String>, Query, description = "the next page"),
    ),
    responses(
        (status = 200, description = "a page", content_type = "text/html", body = String),
        (status = 303, description = "not signed in: to the page for signing in"),
        (status = 404, description = "no such job"),
    ),
    security(("session" = [])),
)]
pub(crate) async fn show_job(
    State(app): State<App>,
    visitor: Visitor,
    Segments(id): Segments<String>,
    Parameters(query): Parameters<PageQuery>,
) -> Result<Response, ApiError> {
    let org = &visitor.org;
    let _permit = app.report_requests().acquire(org).await?;
    let job = app.meta().report_job(org, job_id(&id)?).await?;
    let zone = app.meta().zone(org).await?;
    let page: Page<i64> = query.read()?;
    let filter = BulkFilter {
        created_before: page.after.and_then(|at| Timestamp::from_millis(at).ok()),
        ..BulkFilter::default()
    };
    let reports = app.meta().bulk_reports(org, job.id, filter, page.limit());
    let mut reports = reports.await?;
    let next = page.cut(&mut reports, |report| report.created_at.as_millis());
    let mut rows = Vec::with_capacity(reports.len());
    for report in &reports {
        let before = before(&app, org, report).await?;
        rows.push(DayRow {
            rows_before: before.map(|before| count(before.file.row_count)),
            ..DayRow::new(&job, report, &zone)
        });
    }
    let path = format!("/v1/jobs/{}/reports", job.id);
    let page = JobPage {
        layout: Layout::new(job.name.clone(), Section::Jobs, Identity::from(&visitor)),
        zone: zone.name().to_owned(),
        columns: job.report_type.columns(),
        next: next.map(|token| format!("/jobs/{}?page_token={token}", job.id)),
        job: JobRow::read(&app, job, &zone).await?,
        rows,
        may_make: visitor.role >= Role::Analyst,
        curl: curl::read(app.config().base_url(), &path),
    };
    respond(StatusCode::OK, &page)
}

impl DayRow {
    fn new(job: &ReportJob, report: &BulkReport, zone: &Zone) -> Self {
        let file = &report.file;
        Self {
            id: report.id.to_string(),
            day: report.day.to_string(),
            created_at: date_time(report.created_at, zone),
            row_count: file.row_count,
            row_count_text: count(file.row_count),
            size_bytes: file.size_bytes,
            size_text: bytes(file.size_bytes),
            file: download_path(&job.org, job.id, report.id),
            is_restated: report.supersedes.is_some(),
            rows_before: None,
        }
    }
}

/// The report that another one replaced. `None`: it is no longer kept.
async fn before(
    app: &App,
    org: &OrgId,
    report: &BulkReport,
) -> Result<Option<BulkReport>, ApiError> {
    let Some(id) = report.supersedes else {
        return Ok(None);
    };
    match app.meta().bulk_report(org, report.report_job, id).await {
        Ok(before) => Ok(Some(before)),
        Err(showreport_meta::Error::UnknownBulkReport { .. }) => Ok(None),
        Err(error) => Err(error.into()),
    }
}

#[derive(Template)]
#[template(path = "restatement.html")]
struct RestatementPage {
    layout: Layout,
    zone: String,
    job_id: String,
    day: String,
    columns: &'static [Column],
    before: Option<DayRow>,
    after: DayRow,
    /// Nothing if the files are too large, or the one before is no longer kept.
    changes: Option<ChangesView>,
}

struct ChangesView {
    changes: Changes,
    removed: String,
    added: String,
    /// Rows that are not listed.
    more: u64,
}

/// Rows of a comparison that are listed.
const CHANGED_ROWS: usize = 100;

/// Get the page that says what the restatement of a day changed.
#[utoipa::path(
    get,
    path = "/jobs/{id}/reports/{report}",
    tag = "dashboard",
    params(
        ("id" = String, Path, description = "the job's id"),
        ("report" = String, Path, description = "the id of a report that replaced another one of its day"),
    ),
    responses(
        (status = 200, description = "a page", content_type = "text/html", body = String),
        (status = 303, description = "not signed in: to the page for signing in"),
        (status = 404, description = "no such job or report"),
        (status = 503, description = "the server is busy"),
    ),
    security(("session" = [])),
)]
pub(crate) async fn show_restatement(
    State(app): State<App>,
    visitor: Visitor,
    Segments((id, report)): Segments<(String, String)>,
) -> Result<Response, ApiError> {
    let org = &visitor.org;
    let job = app.meta().report_job(org, job_id(&id)?).await?;
    let report = app.meta().bulk_report(org, job.id, report_id(&report)?);
    let report = report.await?;
    let zone = app.meta().zone(org).await?;
    let before = before(&app, org, &report).await?;
    let changes = match &before {
        None => None,
        Some(before) => {
            // Both files are in memory meanwhile.
            let _permit = app.queries().acquire(org).await?;
            app.jobs()
                .changes(org, before, &report, CHANGED_ROWS)
                .await?
        }
    };
    let day = report.day.to_string();
    let title = format!("{} of {day}", job.report_type.title());
    let page = RestatementPage {
        layout: Layout::new(title, Section::Jobs, Identity::from(&visitor)),
        zone: zone.name().to_owned(),
        job_id: job.id.to_string(),
        day,
        columns: job.report_type.columns(),
        before: before.map(|before| DayRow::new(&job, &before, &zone)),
        after: DayRow::new(&job, &report, &zone),
        changes: changes.map(ChangesView::new),
    };
    respond(StatusCode::OK, &page)
}

impl ChangesView {
    fn new(changes: Changes) -> Self {
        Self {
            removed: count(changes.removed),
            added: count(changes.added),
            more: changes.removed + changes.added - changes.first.len() as u64,
            changes,
        }
    }
}

/// Get the page that asks before a report job is deleted.
#[utoipa::path(
    get,
    path = "/jobs/{id}/delete",
    tag = "dashboard",
    params(("id" = String, Path, description = "the job's id")),
    responses(
        (status = 200, description = "a page", content_type = "text/html", body = String),
        (status = 303, description = "not signed in: to the page for signing in"),
        (status = 403, description = "the role may not make jobs"),
        (status = 404, description = "no such job"),
    ),
    security(("session" = [])),
)]
pub(crate) async fn confirm_delete_job(
    State(app): State<App>,
    visitor: Visitor,
    Segments(id): Segments<String>,
) -> Result<Response, ApiError> {
    visitor.require(Role::Analyst)?;
    let _permit = app.report_requests().acquire(&visitor.org).await?;
    let job = app.meta().report_job(&visitor.org, job_id(&id)?).await?;
    let path = format!("/jobs/{}", job.id);
    let page = ConfirmPage {
        layout: Layout::new("Delete this job?", Section::Jobs, Identity::from(&visitor)),
        consequence: format!(
            "The job “{}” ends, and all its reports and their files are deleted. What was collected \
             stays: a new job makes the last 30 days again.",
            job.name
        ),
        action: format!("{path}/delete"),
        button: "Delete the job and its reports",
        back: path,
    };
    respond(StatusCode::OK, &page)
}

/// Delete a report job with all its reports.
#[utoipa::path(
    post,
    path = "/jobs/{id}/delete",
    tag = "dashboard",
    params(("id" = String, Path, description = "the job's id")),
    responses(
        (status = 303, description = "to the list of jobs"),
        (status = 403, description = "the role may not make jobs, or the form comes from another site"),
        (status = 404, description = "no such job"),
    ),
    security(("session" = [])),
)]
pub(crate) async fn delete_job_by_form(
    State(app): State<App>,
    visitor: Visitor,
    Segments(id): Segments<String>,
) -> Result<Redirect, ApiError> {
    visitor.require(Role::Analyst)?;
    let _permit = app.report_requests().acquire(&visitor.org).await?;
    delete(&app, &visitor.org, job_id(&id)?).await?;
    Ok(Redirect::to("/jobs"))
}
