//! `POST /bv/analytics/v1/events/reports:batch-get`.

use axum::Json;
use axum::body::Body;
use axum::extract::State;
use showreport_model::{ErrorKind, Failure};

use super::create::{BODY_BYTES_MAX, EventReportsResponse};
use super::report::describe;
use super::request::read_ids;
use crate::app::App;
use crate::auth::Caller;
use crate::error::{ApiError, Reason};

/// Get event reports in their present state.
///
/// The response has all of them, in the order of the request. If any id is unknown, it is 404 and
/// names the unknown ids. Each `uri` is signed anew.
#[utoipa::path(
    post,
    path = "/bv/analytics/v1/events/reports:batch-get",
    tag = "event reports",
    params(("x-bv-org-id" = Option<String>, Header, description = "the token's organisation")),
    request_body(
        content = Object,
        description = "`reports`: 1 to 100 objects with an `id`",
        example = json!({"reports": [{"id": "0c5f4c1e-8b7c-4a5e-9a55-0d1f3a2b7c10"}]}),
    ),
    responses(
        (status = 200, description = "the reports", body = EventReportsResponse),
        (status = 400, description = "every wrong field is named"),
        (status = 401, description = "no token, or one that is unknown"),
        (status = 403, description = "the token may not read reports, or is of another organisation"),
        (status = 404, description = "a report is unknown; the metadata has the unknown ids"),
        (status = 413, description = "more than 1 MiB"),
    ),
    security(("token" = [])),
)]
pub(crate) async fn batch_get_reports(
    State(app): State<App>,
    caller: Caller,
    body: Body,
) -> Result<Json<EventReportsResponse>, ApiError> {
    let (reader, body) = caller.read_body(&app, body, BODY_BYTES_MAX).await?;
    let mut reports = Vec::new();
    let mut unknown_ids = Vec::new();
    for id in read_ids(&body)? {
        match id {
            Ok(id) => match app.meta().report(&reader.org, id).await {
                Ok(report) => reports.push(report),
                Err(error) if error.kind() == ErrorKind::NotFound => {
                    unknown_ids.push(id.to_string());
                }
                Err(error) => return Err(error.into()),
            },
            Err(text) => unknown_ids.push(text),
        }
    }
    if !unknown_ids.is_empty() {
        return Err(unknown_reports(&unknown_ids));
    }
    let reports = describe(&app, &reader.org, reports).await?;
    Ok(Json(EventReportsResponse { reports }))
}

fn unknown_reports(ids: &[String]) -> ApiError {
    let message = match ids.len() {
        1 => "one of the reports does not exist; the metadata names it".to_owned(),
        count => format!("{count} of the reports do not exist; the metadata names them"),
    };
    ApiError::new(Reason::ReportNotFound, message).with_metadata("ids", ids.join(","))
}
