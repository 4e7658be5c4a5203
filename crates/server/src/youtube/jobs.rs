//! `POST` and `GET /v1/jobs`, `GET` and `DELETE /v1/jobs/{jobId}`.
//!
//! A job of this API is a [`ReportJob`]: one bulk report for every day.

use axum::Json;
use axum::body::Body;
use axum::extract::State;
use serde::Serialize;
use serde_json::Value;
use showreport_model::bulk::{ReportJob, ReportType};
use showreport_model::{OrgId, ReportJobId, Timestamp};
use utoipa::ToSchema;

use super::parameters::QueryParameters;
use super::status::{PeriodStatus, newest_period};
use crate::app::App;
use crate::auth::{Caller, Reader};
use crate::error::{ApiError, Reason};
use crate::extract::{Segments, Violations, read_json};

/// A page of jobs.
#[derive(Debug, Serialize, ToSchema)]
#[serde(rename_all = "camelCase")]
pub(crate) struct JobsResponse {
    /// The newest first.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    jobs: Vec<JobResponse>,
    /// The `pageToken` of the next page; absent after the last one.
    #[serde(skip_serializing_if = "Option::is_none")]
    next_page_token: Option<String>,
}

/// A job: one report for every day.
#[derive(Debug, Serialize, ToSchema)]
#[serde(rename_all = "camelCase")]
pub(crate) struct JobResponse {
    id: String,
    report_type_id: &'static str,
    /// A name that the client chose.
    name: String,
    create_time: String,
    /// When the job ends unless one of its reports is downloaded before. Present from thirty days
    /// before the end.
    #[serde(skip_serializing_if = "Option::is_none")]
    expire_time: Option<String>,
    /// The state of the newest day that is over. Google's jobs do not have it.
    #[serde(skip_serializing_if = "Option::is_none")]
    status: Option<PeriodStatus>,
}

/// An empty object.
#[derive(Debug, Serialize, ToSchema)]
pub(crate) struct Empty {}

/// A type and a name take less than 1 KiB.
const BODY_BYTES_MAX: usize = 64 << 10;
const NAME_CHARACTERS_MAX: usize = 100;

/// Create a job.
///
/// The job makes one report for every day from now on, and for each of the 30 days before. An
/// organisation has at most one job of a type: a second is refused with 409, which names the first.
#[utoipa::path(
    post,
    path = "/v1/jobs",
    tag = "bulk reports",
    params(("onBehalfOfContentOwner" = Option<String>, Query, description = "has no effect: the token determines the organisation")),
    request_body(
        content = Object,
        content_type = "application/json",
        description = "`reportTypeId` and `name`, at most 100 characters",
        example = json!({"reportTypeId": "event_watch_time_a1", "name": "daily watch time"}),
    ),
    responses(
        (status = 200, description = "the job", body = JobResponse),
        (status = 400, description = "every wrong field is named"),
        (status = 401, description = "no token, or one that is unknown"),
        (status = 403, description = "the token may not make reports"),
        (status = 409, description = "there is a job of this type; its id is in the metadata as `jobId`"),
        (status = 413, description = "more than 64 KiB"),
    ),
    security(("token" = [])),
)]
pub(crate) async fn create_job(
    State(app): State<App>,
    caller: Caller,
    body: Body,
) -> Result<Json<JobResponse>, ApiError> {
    let (reader, body) = caller.read_body(&app, body, BODY_BYTES_MAX).await?;
    let report_job = create(&app, &reader.org, &body).await?;
    describe(&app, report_job).await.map(Json)
}

/// Creates the job of a body.
pub(crate) async fn create(app: &App, org: &OrgId, body: &[u8]) -> Result<ReportJob, ApiError> {
    let (report_type, name) = read_job(body)?;
    let created = app.meta().create_report_job(org, report_type, &name);
    let report_job = created.await?;
    tracing::info!(report_job.id = %report_job.id, %report_type, "made a job of bulk reports");
    Ok(report_job)
}

/// List jobs.
#[utoipa::path(
    get,
    path = "/v1/jobs",
    tag = "bulk reports",
    params(
        ("pageSize" = Option<i32>, Query, minimum = 0, description = "0 or absent: 100; at most 1000"),
        ("pageToken" = Option<String>, Query, description = "`nextPageToken` of the page before"),
        ("includeSystemManaged" = Option<String>, Query, description = "has no effect: no job is system-managed"),
        ("onBehalfOfContentOwner" = Option<String>, Query, description = "has no effect: the token determines the organisation"),
    ),
    responses(
        (status = 200, description = "the jobs, the newest first; `{}` if there is none", body = JobsResponse),
        (status = 400, description = "every wrong parameter is named"),
        (status = 401, description = "no token, or one that is unknown"),
        (status = 403, description = "the token may not read reports"),
    ),
    security(("token" = [])),
)]
pub(crate) async fn list_jobs(
    State(app): State<App>,
    reader: Reader,
    query: QueryParameters,
) -> Result<Json<JobsResponse>, ApiError> {
    let page = query.page()?;
    let report_jobs = app.meta().report_jobs(&reader.org).await?;
    let (report_jobs, next_page_token) = page.of_list(report_jobs);
    let mut jobs = Vec::with_capacity(report_jobs.len());
    for report_job in report_jobs {
        jobs.push(describe(&app, report_job).await?);
    }
    Ok(Json(JobsResponse {
        jobs,
        next_page_token,
    }))
}

/// Get a job.
#[utoipa::path(
    get,
    path = "/v1/jobs/{jobId}",
    tag = "bulk reports",
    params(
        ("jobId" = String, Path, description = "the job's id"),
        ("onBehalfOfContentOwner" = Option<String>, Query, description = "has no effect: the token determines the organisation"),
    ),
    responses(
        (status = 200, description = "the job", body = JobResponse),
        (status = 401, description = "no token, or one that is unknown"),
        (status = 403, description = "the token may not read reports"),
        (status = 404, description = "no such job"),
    ),
    security(("token" = [])),
)]
pub(crate) async fn get_job(
    State(app): State<App>,
    reader: Reader,
    Segments(id): Segments<String>,
) -> Result<Json<JobResponse>, ApiError> {
    let report_job = app.meta().report_job(&reader.org, job_id(&id)?).await?;
    describe(&app, report_job).await.map(Json)
}

/// Delete a job and all its reports.
#[utoipa::path(
    delete,
    path = "/v1/jobs/{jobId}",
    tag = "bulk reports",
    params(
        ("jobId" = String, Path, description = "the job's id"),
        ("onBehalfOfContentOwner" = Option<String>, Query, description = "has no effect: the token determines the organisation"),
    ),
    responses(
        (status = 200, description = "the job is deleted: `{}`", body = Empty),
        (status = 401, description = "no token, or one that is unknown"),
        (status = 403, description = "the token may not make reports"),
        (status = 404, description = "no such job"),
    ),
    security(("token" = [])),
)]
pub(crate) async fn delete_job(
    State(app): State<App>,
    reader: Reader,
    Segments(id): Segments<String>,
) -> Result<Json<Empty>, ApiError> {
    let id = job_id(&id)?;
    delete(&app, &reader.org, id).await?;
    Ok(Json(Empty {}))
}

/// Deletes a job and all its reports.
pub(crate) async fn delete(app: &App, org: &OrgId, id: ReportJobId) -> Result<(), ApiError> {
    app.jobs().delete_report_job(org, id).await?;
    tracing::info!(report_job.id = %id, "deleted a job of bulk reports");
    Ok(())
}

async fn describe(app: &App, report_job: ReportJob) -> Result<JobResponse, ApiError> {
    let status = newest_period(app, &report_job).await?;
    Ok(JobResponse {
        id: report_job.id.to_string(),
        report_type_id: report_job.report_type.name(),
        name: report_job.name,
        create_time: report_job.created_at.to_proto(),
        expire_time: report_job
            .ended_at
            .or(report_job.ends_at)
            .map(Timestamp::to_proto),
        status,
    })
}

/// The id of a job. A text that is no job id is treated as an unknown one.
pub(crate) fn job_id(text: &str) -> Result<ReportJobId, ApiError> {
    text.parse().map_err(|_| {
        ApiError::new(
            Reason::JobNotFound,
            "there is no such job; GET /v1/jobs lists those of the token's organisation",
        )
    })
}

/// The type and the name of a new job. Other fields are output only, and ignored.
fn read_job(body: &[u8]) -> Result<(ReportType, String), ApiError> {
    let job = read_json(body, "a JSON object with `reportTypeId` and `name`")?;
    let mut violations = Violations::default();
    let given = |camel: &str, snake: &str| job.get(camel).or_else(|| job.get(snake));
    let report_type = match given("reportTypeId", "report_type_id") {
        None | Some(Value::Null) => Err("is missing".to_owned()),
        Some(Value::String(id)) if id.is_empty() => Err("is missing".to_owned()),
        Some(Value::String(id)) => {
            ReportType::from_name(id).ok_or_else(|| format!("{id:?} is no report type"))
        }
        Some(_) => Err("is no string".to_owned()),
    };
    let report_type = report_type.map_err(|problem| {
        let names = ReportType::names();
        let problem = format!("{problem}; it must be one of {names}");
        violations.add("reportTypeId", problem);
    });
    let name = read_name(given("name", "name"));
    let name = name.map_err(|problem| violations.add("name", problem));
    violations.into_result(report_type.ok().zip(name.ok()))
}

fn read_name(given: Option<&Value>) -> Result<String, String> {
    let must = format!("it must have 1 to {NAME_CHARACTERS_MAX} characters");
    let name = match given {
        None | Some(Value::Null) => return Err(format!("is missing; {must}")),
        Some(Value::String(name)) => name,
        Some(_) => return Err(format!("is no string; {must}")),
    };
    match name.chars().count() {
        0 => Err(format!("is empty; {must}")),
        characters if characters > NAME_CHARACTERS_MAX => {
            Err(format!("has {characters} characters; {must}"))
        }
        _ if name.contains('\0') => {
            Err("holds the character NUL (U+0000); leave it out".to_owned())
        }
        _ => Ok(name.clone()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn wrong(body: &str) -> Vec<String> {
        read_job(body.as_bytes()).unwrap_err().violated_fields()
    }

    #[test]
    fn a_job_needs_a_type_and_a_name() {
        let body = r#"{"name":"daily","reportTypeId":"event_customers_a1","systemManaged":false}"#;
        let (report_type, name) = read_job(body.as_bytes()).unwrap();
        assert_eq!(
            (report_type, name.as_str()),
            (ReportType::Customers, "daily")
        );
        assert_eq!(wrong("{}"), ["reportTypeId", "name"]);
        assert_eq!(wrong("[]"), ["reportTypeId", "name"]);
        assert_eq!(
            wrong(r#"{"name":1,"reportTypeId":"event_customers_a1"}"#),
            ["name"]
        );
        assert_eq!(
            wrong(r#"{"name":"n","reportTypeId":"channel_basic_a3"}"#),
            ["reportTypeId"]
        );
        assert!(read_job(b"{").is_err());
    }

    #[test]
    fn a_field_may_be_given_once() {
        let body = r#"{"name":"a","reportTypeId":"event_customers_a1","name":"b"}"#;
        assert_eq!(wrong(body), ["name"]);
    }

    #[test]
    fn a_name_must_not_have_a_nul() {
        let body = r#"{"name":"daily\u0000","reportTypeId":"event_customers_a1"}"#;
        assert_eq!(wrong(body), ["name"]);
    }

    #[test]
    fn the_length_of_a_name_is_counted_in_characters() {
        let body =
            |name: &str| format!(r#"{{"name":"{name}","reportTypeId":"event_customers_a1"}}"#);
        assert!(read_job(body(&"é".repeat(100)).as_bytes()).is_ok());
        assert_eq!(wrong(&body(&"é".repeat(101))), ["name"]);
    }
}
