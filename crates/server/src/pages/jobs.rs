//! `/jobs`: report jobs, each of which makes a bulk report of every day.

use askama::Template;
use axum::extract::State;
use axum::response::{IntoResponse, Redirect, Response};
use serde::Deserialize;
use serde_json::json;
use showreport_jobs::ReportJobProgress;
use showreport_meta::Role;
use showreport_model::bulk::{ReportJob, ReportType};
use showreport_model::{Timestamp, Zone};

use super::curl;
use super::layout::{Identity, Layout, Section, respond};
use super::reports::Problems;
use crate::app::App;
use crate::auth::Visitor;
use crate::error::ApiError;
use crate::extract::Form;
use crate::texts::{count, date_time, largest_unit};
use crate::youtube::{create, newest_period};

#[derive(Template)]
#[template(path = "jobs.html")]
struct JobsPage {
    layout: Layout,
    zone: String,
    rows: Vec<JobRow>,
    /// Nothing for visitors who may not make jobs, and if there is a job of each type.
    form: Option<JobForm>,
    curl: String,
}

/// The form for a new job.
struct JobForm {
    types: Vec<TypeChoice>,
    name: String,
    problems: Problems,
}

struct TypeChoice {
    name: &'static str,
    title: &'static str,
    columns: String,
    is_chosen: bool,
}

/// A job in the list.
pub(super) struct JobRow {
    pub(super) id: String,
    pub(super) name: String,
    pub(super) type_title: &'static str,
    pub(super) type_name: &'static str,
    /// The newest day with a report, and the rows of it.
    pub(super) newest_day: Option<(String, u64, String)>,
    /// How far the job is behind; nothing if it is not.
    pub(super) lag: Option<String>,
    pub(super) days_changed: usize,
    pub(super) has_ended: bool,
    /// What comes next, in a sentence.
    pub(super) state: String,
    /// When it ends, by the clocks of the zone.
    pub(super) ends_at: Option<String>,
}

/// Get the page of report jobs.
#[utoipa::path(
    get,
    path = "/jobs",
    tag = "dashboard",
    responses(
        (status = 200, description = "a page", content_type = "text/html", body = String),
        (status = 303, description = "not signed in: to the page for signing in"),
    ),
    security(("session" = [])),
)]
pub(crate) async fn show_jobs(
    State(app): State<App>,
    visitor: Visitor,
) -> Result<Response, ApiError> {
    page(&app, &visitor, JobFields::default(), Problems::default()).await
}

/// The fields of the form for a new job.
#[derive(Debug, Default, Deserialize)]
pub(crate) struct JobFields {
    report_type: String,
    name: String,
}

/// Make a report job.
#[utoipa::path(
    post,
    path = "/jobs",
    tag = "dashboard",
    request_body(
        content = Object,
        content_type = "application/x-www-form-urlencoded",
        description = "`report_type`, a type of bulk reports, and `name`",
    ),
    responses(
        (status = 303, description = "to the page of the job"),
        (status = 400, description = "every wrong field is named"),
        (status = 403, description = "the role may not make jobs, or the form comes from another site"),
        (status = 409, description = "there is a job of this type"),
    ),
    security(("session" = [])),
)]
pub(crate) async fn make_job(
    State(app): State<App>,
    visitor: Visitor,
    Form(fields): Form<JobFields>,
) -> Result<Response, ApiError> {
    visitor.require(Role::Analyst)?;
    let body = json!({"reportTypeId": fields.report_type, "name": fields.name.trim()});
    match create(&app, &visitor.org, body.to_string().as_bytes()).await {
        Ok(job) => Ok(Redirect::to(&format!("/jobs/{}", job.id)).into_response()),
        Err(error) => {
            let problems = Problems::of(error, field_of)?;
            page(&app, &visitor, fields, problems).await
        }
    }
}

/// The field of the form for a field of the API's request.
fn field_of(name: &str) -> Option<&'static str> {
    match name {
        "reportTypeId" => Some("report_type"),
        "name" => Some("name"),
        _ => None,
    }
}

async fn page(
    app: &App,
    visitor: &Visitor,
    fields: JobFields,
    problems: Problems,
) -> Result<Response, ApiError> {
    let org = &visitor.org;
    let _permit = app.report_requests().acquire(org).await?;
    let zone = app.meta().zone(org).await?;
    let jobs = app.meta().report_jobs(org).await?;
    let in_force: Vec<ReportType> = jobs
        .iter()
        .filter(|job| job.ended_at.is_none())
        .map(|job| job.report_type)
        .collect();
    let mut rows = Vec::with_capacity(jobs.len());
    for job in jobs {
        rows.push(JobRow::read(app, job, &zone).await?);
    }
    let status = problems.status;
    let types = types(&in_force, &fields.report_type);
    let form = JobForm {
        types,
        name: fields.name,
        problems,
    };
    let may_make = visitor.role >= Role::Analyst && !form.types.is_empty();
    let page = JobsPage {
        layout: Layout::new("Jobs", Section::Jobs, Identity::from(visitor)),
        zone: zone.name().to_owned(),
        rows,
        form: may_make.then_some(form),
        curl: curl::read(app.config().base_url(), "/v1/jobs"),
    };
    respond(status, &page)
}

/// The types without a job in force.
fn types(in_force: &[ReportType], chosen: &str) -> Vec<TypeChoice> {
    let free = ReportType::ALL.iter().filter(|it| !in_force.contains(it));
    let choice = |report_type: &ReportType| {
        let columns = report_type.columns().iter().map(|column| column.name);
        TypeChoice {
            name: report_type.name(),
            title: report_type.title(),
            columns: columns.collect::<Vec<_>>().join(", "),
            is_chosen: report_type.name() == chosen,
        }
    };
    free.map(choice).collect()
}

impl JobRow {
    pub(super) async fn read(app: &App, job: ReportJob, zone: &Zone) -> Result<Self, ApiError> {
        let period = newest_period(app, &job).await?;
        let progress = app.jobs().progress_of(job.clone()).await?;
        let day =
            |(day, rows): (showreport_model::ReportDay, u64)| (day.to_string(), rows, count(rows));
        let ends_at = job.ended_at.or(job.ends_at);
        Ok(Self {
            id: job.id.to_string(),
            name: job.name,
            type_title: job.report_type.title(),
            type_name: job.report_type.name(),
            newest_day: progress.newest_day.map(day),
            lag: lag(&progress, app.now()),
            days_changed: progress.days_changed,
            has_ended: job.ended_at.is_some(),
            state: period.map(|period| period.message).unwrap_or_default(),
            ends_at: ends_at.map(|at| date_time(at, zone)),
        })
    }
}

/// How far a job is behind.
fn lag(progress: &ReportJobProgress, now: Timestamp) -> Option<String> {
    let days = match progress.days_waiting {
        0 => return None,
        1 => "1 day".to_owned(),
        days => format!("{days} days"),
    };
    let waiting_ms = progress
        .waiting_since
        .map_or(0, |since| now.as_millis() - since.as_millis());
    Some(format!(
        "{days}, due for {}",
        largest_unit(waiting_ms.max(0))
    ))
}
