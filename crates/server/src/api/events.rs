//! `GET /api/v1/events` and `GET /api/v1/events/{id}`.

use axum::Json;
use axum::extract::State;
use serde::Serialize;
use showreport_model::EventId;
use showreport_model::record::EventKind;
use showreport_model::report::Event;
use utoipa::ToSchema;

use crate::app::App;
use crate::auth::Reader;
use crate::error::{ApiError, Reason};
use crate::extract::{Page, PageQuery, Parameters, Segments};

/// An event, as described by its records.
#[derive(Debug, Serialize, ToSchema)]
pub(crate) struct EventResponse {
    id: String,
    /// `live`, `vod` or `aod`; `null` if the event has no `event` record yet.
    kind: Option<&'static str>,
    /// `null` if the event has no `event` record yet.
    title: Option<String>,
    /// The start of the event's window.
    starts_at: Option<String>,
    /// The end of the event's window.
    ends_at: Option<String>,
    /// The length of the content.
    duration_ms: Option<i64>,
    /// When the `event` record was made.
    updated_at: Option<String>,
}

/// A page of events.
#[derive(Debug, Serialize, ToSchema)]
pub(crate) struct EventsResponse {
    /// Sorted by id.
    events: Vec<EventResponse>,
    /// The `page_token` of the next page; empty after the last one.
    next_page_token: String,
}

/// List events.
#[utoipa::path(
    get,
    path = "/api/v1/events",
    tag = "api",
    params(
        ("page_size" = Option<u32>, Query, minimum = 1, maximum = 1000, description = "1 to 1000; 100 if absent"),
        ("page_token" = Option<String>, Query, description = "`next_page_token` of the page before"),
    ),
    responses(
        (status = 200, description = "a page of events, sorted by id", body = EventsResponse),
        (status = 400, description = "every wrong parameter is named"),
        (status = 401, description = "no token, or one that is unknown"),
        (status = 403, description = "the token may not read"),
    ),
    security(("token" = [])),
)]
pub(crate) async fn list_events(
    State(app): State<App>,
    reader: Reader,
    Parameters(query): Parameters<PageQuery>,
) -> Result<Json<EventsResponse>, ApiError> {
    let page: Page<EventId> = query.read()?;
    let mut events = app
        .meta()
        .events(&reader.org, page.after.as_ref(), page.limit())
        .await?;
    let next_page_token = page
        .cut(&mut events, |event| event.id.clone())
        .unwrap_or_default();
    let events = events.into_iter().map(EventResponse::from).collect();
    Ok(Json(EventsResponse {
        events,
        next_page_token,
    }))
}

/// Get an event.
#[utoipa::path(
    get,
    path = "/api/v1/events/{id}",
    tag = "api",
    params(("id" = String, Path, description = "the event's id")),
    responses(
        (status = 200, description = "the event", body = EventResponse),
        (status = 401, description = "no token, or one that is unknown"),
        (status = 403, description = "the token may not read"),
        (status = 404, description = "no such event"),
    ),
    security(("token" = [])),
)]
pub(crate) async fn get_event(
    State(app): State<App>,
    reader: Reader,
    Segments(id): Segments<String>,
) -> Result<Json<EventResponse>, ApiError> {
    let event = app.meta().event(&reader.org, &event_id(&id)?).await?;
    Ok(Json(event.into()))
}

/// The id of an event. A text that is no event id is treated as an unknown one.
pub(super) fn event_id(text: &str) -> Result<EventId, ApiError> {
    EventId::new(text).map_err(|_| ApiError::new(Reason::EventNotFound, "there is no such event"))
}

impl From<Event> for EventResponse {
    fn from(event: Event) -> Self {
        Self {
            id: event.id.to_string(),
            kind: event.kind.map(EventKind::name),
            title: event.title,
            starts_at: event.starts_at.map(|at| at.to_string()),
            ends_at: event.ends_at.map(|at| at.to_string()),
            duration_ms: event.duration_ms,
            updated_at: event.updated_at.map(|at| at.to_string()),
        }
    }
}
