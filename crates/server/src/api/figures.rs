//! `GET /api/v1/events/{id}/figures`.

use axum::extract::State;
use axum::http::HeaderMap;
use axum::response::Response;
use showreport_model::figures::FIGURES;
use utoipa::openapi::schema::Type;

use super::event_id::event_id;
use super::filter::FilterQuery;
use super::response::Requested;
use super::schema::{described, object_of, of_type, with_as_of, with_figures};
use crate::app::App;
use crate::auth::Caller;
use crate::error::ApiError;
use crate::extract::{Parameters, Segments, Violations};

described! {
    /// The figures of an event.
    FiguresResponse = object_of(with_figures(
        with_as_of()
            .property("event_id", of_type(Type::String))
            .required("event_id"),
        FIGURES,
    ));
}

/// Get the figures of an event.
#[utoipa::path(
    get,
    path = "/api/v1/events/{id}/figures",
    tag = "api",
    params(
        ("id" = String, Path, description = "the event's id"),
        ("from" = Option<String>, Query, description = "RFC 3339; only what happened at or after it"),
        ("to" = Option<String>, Query, description = "RFC 3339; only what happened before it"),
        ("fresh" = Option<bool>, Query, description = "`true`: everything that was acknowledged before the request is counted, instead of up to 10 s before"),
    ),
    responses(
        (status = 200, description = "the figures; as CSV with `Accept: text/csv`", body = FiguresResponse),
        (status = 304, description = "as the response with the tag in `If-None-Match`"),
        (status = 400, description = "every wrong parameter is named"),
        (status = 401, description = "no token, or one that is unknown"),
        (status = 403, description = "the token may not read"),
        (status = 404, description = "no such event"),
        (status = 503, description = "it took too long, or the server is busy"),
    ),
    security(("token" = [])),
)]
pub(crate) async fn get_figures(
    State(app): State<App>,
    caller: Caller,
    Segments(id): Segments<String>,
    Parameters(query): Parameters<FilterQuery>,
    headers: HeaderMap,
) -> Result<Response, ApiError> {
    let mut violations = Violations::default();
    let (window, freshness) = query.read(&mut violations);
    violations.into_result(Some(()))?;
    let answers = app.answers();
    let snapshot = answers
        .snapshot(&caller.org, &event_id(&id)?, freshness)
        .await?;
    let requested = Requested::new(&snapshot, &("figures", window), &headers);
    if let Some(response) = requested.not_modified() {
        return Ok(response);
    }
    let figures = answers.figures(&snapshot, window).await?;
    Ok(requested.figures(&figures))
}
