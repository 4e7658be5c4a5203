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
use crate::error::ApiError;
use crate::extract::{Page, PageQuery, Parameters, Segments};

/// What an event is, as far as records have said.
#[derive(Debug, Serialize, ToSchema)]
pub(crate) struct EventAnswer {
    /// The event's id.
    id: String,
    /// `live`, `vod` or `aod`; `null` while only other records named the event.
    kind: Option<&'static str>,
    /// Its title; `null` while only other records named the event.
    title: Option<String>,
    /// When its window begins.
    starts_at: Option<String>,
    /// When its window ends.
    ends_at: Option<String>,
    /// How long its content is.
    duration_ms: Option<i64>,
    /// When its record was made.
    updated_at: Option<String>,
}

/// A page of events.
#[derive(Debug, Serialize, ToSchema)]
pub(crate) struct EventsAnswer {
    /// Sorted by id.
    events: Vec<EventAnswer>,
    /// The `page_token` of the next page; empty after the last one.
    next_page_token: String,
}

/// List events.
#[utoipa::path(
    get,
    path = "/api/v1/events",
    tag = "api",
    params(
        ("page_size" = Option<u32>, Query, minimum = 1, maximum = 1000, description = "1 to 1000; 100 without it"),
        ("page_token" = Option<String>, Query, description = "the page before's `next_page_token`"),
    ),
    responses(
        (status = 200, description = "a page of events, sorted by id", body = EventsAnswer),
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
) -> Result<Json<EventsAnswer>, ApiError> {
    let page: Page<EventId> = query.read()?;
    let mut events = app
        .meta()
        .events(&reader.org, page.after.as_ref(), page.limit())
        .await?;
    let next_page_token = page
        .cut(&mut events, |event| event.id.clone())
        .unwrap_or_default();
    let events = events.into_iter().map(EventAnswer::from).collect();
    Ok(Json(EventsAnswer {
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
        (status = 200, description = "the event", body = EventAnswer),
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
) -> Result<Json<EventAnswer>, ApiError> {
    let event = app.meta().event(&reader.org, &event_id(&id)?).await?;
    Ok(Json(event.into()))
}

/// The id; a text that no event can have is the id of none.
pub(super) fn event_id(text: &str) -> Result<EventId, ApiError> {
    EventId::new(text).map_err(|_| ApiError::not_found("EVENT_NOT_FOUND", "there is no such event"))
}

impl From<Event> for EventAnswer {
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
