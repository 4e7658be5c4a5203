//! `GET /api/v1/events/{id}/audience.svg`: the audience curve as a picture.

use axum::extract::State;
use axum::http::header::{CACHE_CONTROL, CONTENT_SECURITY_POLICY, CONTENT_TYPE};
use axum::response::{IntoResponse, Response};

use super::events::{Curve, EventAccess, EventQuery, OpenEvent};
use crate::app::App;
use crate::auth::Caller;
use crate::charts::Form;
use crate::error::ApiError;
use crate::extract::{Parameters, Segments};

/// Get the audience curve of an event as a picture.
///
/// It has its title, its axes with units, and the peak, in light colours.
#[utoipa::path(
    get,
    path = "/api/v1/events/{id}/audience.svg",
    tag = "api",
    params(
        ("id" = String, Path, description = "the event's id"),
        ("from" = Option<String>, Query, description = "RFC 3339, or a date or a date and time of the organisation's zone; the curve begins there"),
        ("to" = Option<String>, Query, description = "the same for the end"),
        ("with" = Option<String>, Query, description = "the id of a second event, whose curve is laid over the first from its start"),
    ),
    responses(
        (status = 200, description = "the picture", content_type = "image/svg+xml", body = String),
        (status = 400, description = "every wrong parameter is named"),
        (status = 401, description = "no token, or one that is unknown"),
        (status = 403, description = "the token may not read"),
        (status = 404, description = "no such event"),
        (status = 503, description = "it took too long, or the server is busy"),
    ),
    security(("token" = []), ("session" = [])),
)]
pub(crate) async fn get_audience_picture(
    State(app): State<App>,
    caller: Caller,
    Segments(id): Segments<String>,
    Parameters(query): Parameters<EventQuery>,
) -> Result<Response, ApiError> {
    let access = EventAccess::of_caller(caller, &id)?;
    let event = OpenEvent::new(app, access, query).await?;
    let answers = event.app.answers();
    let figures = answers.figures(&event.snapshot, event.window()).await?;
    let curve = Curve::new(&event, &figures).await?;
    let picture = curve.svg(&event, Form::Picture);
    let headers = [
        (CONTENT_TYPE, "image/svg+xml"),
        (CACHE_CONTROL, "private, no-cache"),
        (CONTENT_SECURITY_POLICY, "default-src 'none'"),
    ];
    Ok((headers, picture.into_text()).into_response())
}
