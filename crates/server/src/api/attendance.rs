//! `GET /api/v1/events/{id}/attendance`.

use axum::extract::State;
use axum::http::HeaderMap;
use axum::response::Response;
use serde::Deserialize;
use showreport_model::question::{OrderBy, Question};
use showreport_model::ratio::Ratio;
use showreport_model::report::Dimension;
use showreport_model::search::SearchText;

use super::paged::PagedQuery;
use super::schema::{described, page};
use crate::app::App;
use crate::auth::Caller;
use crate::error::ApiError;
use crate::extract::{Parameters, Segments, Violations};

described! {
    /// A page of the people of an event, with the columns of the report.
    AttendanceResponse = page(&Dimension::Attendance.columns(&[]));
}

#[derive(Debug, Deserialize)]
pub(crate) struct AttendanceQuery {
    minimum_live_ratio: Option<String>,
    q: Option<String>,
    order_by: Option<String>,
    #[serde(flatten)]
    paged: PagedQuery,
}

/// List the people of an event: what each of them watched, wrote and answered.
#[utoipa::path(
    get,
    path = "/api/v1/events/{id}/attendance",
    tag = "api",
    params(
        ("id" = String, Path, description = "the event's id"),
        ("minimum_live_ratio" = Option<f64>, Query, minimum = 0, maximum = 1, description = "only people with at least this `live_ratio`"),
        ("q" = Option<String>, Query, description = "a part of the name or of an id, whatever its case"),
        ("order_by" = Option<String>, Query, description = "columns with commas between them, each alone or with `desc`, such as `attended_seconds desc`; the order of the report if absent, and where rows are equal"),
        ("from" = Option<String>, Query, description = "RFC 3339; only what happened at or after it"),
        ("to" = Option<String>, Query, description = "RFC 3339; only what happened before it"),
        ("page_size" = Option<u32>, Query, minimum = 1, maximum = 1000, description = "1 to 1000; 100 if absent"),
        ("page_token" = Option<String>, Query, description = "`next_page_token` of the page before"),
        ("fresh" = Option<bool>, Query, description = "`true`: everything that was acknowledged before the request is counted, instead of up to 10 s before"),
    ),
    responses(
        (status = 200, description = "a page of people; as CSV with `Accept: text/csv`", body = AttendanceResponse),
        (status = 304, description = "as the response with the tag in `If-None-Match`"),
        (status = 400, description = "every wrong parameter is named"),
        (status = 401, description = "no token, or one that is unknown"),
        (status = 403, description = "the token may not read"),
        (status = 404, description = "no such event"),
        (status = 503, description = "it took too long, or the server is busy"),
    ),
    security(("token" = [])),
)]
pub(crate) async fn list_attendance(
    State(app): State<App>,
    caller: Caller,
    Segments(id): Segments<String>,
    Parameters(query): Parameters<AttendanceQuery>,
    headers: HeaderMap,
) -> Result<Response, ApiError> {
    let mut violations = Violations::default();
    let minimum = query.minimum_live_ratio.filter(|text| !text.is_empty());
    let minimum_live_ratio = minimum.and_then(|text| {
        let ratio = text.parse::<Ratio>();
        ratio
            .map_err(|error| violations.add("minimum_live_ratio", error.to_string()))
            .ok()
    });
    let order = query.order_by.unwrap_or_default();
    let order_by = OrderBy::parse(&order, &Dimension::Attendance.columns(&[]))
        .map_err(|error| violations.add("order_by", error.to_string()))
        .unwrap_or_default();
    let (window, request) = query.paged.read(violations, &caller.org, &id, &headers)?;
    let question = Question::Attendance {
        window,
        minimum_live_ratio,
        search: query.q.as_deref().and_then(SearchText::new),
        order_by,
        rows: request.rows(),
    };
    let snapshot = request.snapshot(&app).await?;
    request.answer(&app, &snapshot, &question).await
}
