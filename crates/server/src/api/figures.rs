//! `GET /api/v1/events/{id}/figures`.

use axum::Json;
use axum::extract::State;
use serde::Serialize;
use showreport_model::figures::Figures;
use showreport_model::table::Value;
use showreport_model::{EventId, Window};
use utoipa::ToSchema;

use super::events::event_id;
use crate::app::App;
use crate::auth::QueryReader;
use crate::error::ApiError;
use crate::extract::Segments;

/// The figures of an event, from all records that were collected before the request.
#[derive(Debug, PartialEq, Serialize, ToSchema)]
pub struct FiguresResponse {
    event_id: String,
    views: i64,
    /// A view belongs to its customer, else its device; without either it is a viewer of its own.
    viewers: i64,
    devices: i64,
    /// The sum over all views.
    watch_seconds: f64,
    /// The sum over all viewers. Time in which a viewer had several views at once counts once.
    attended_seconds: f64,
    /// The most viewers at one instant.
    peak_viewers: i64,
    /// The first instant with that many viewers; `null` without views.
    peak_at: Option<String>,
    /// Viewers in an average minute of the event's window; `null` if the event has no window.
    average_minute_audience: Option<f64>,
    /// Messages without the deleted ones.
    messages: i64,
    /// Different senders of these messages.
    senders: i64,
    /// Counted votes: the latest allowed one of each voter in a poll.
    votes: i64,
}

/// Get the figures of an event.
#[utoipa::path(
    get,
    path = "/api/v1/events/{id}/figures",
    tag = "api",
    params(("id" = String, Path, description = "the event's id")),
    responses(
        (status = 200, description = "the figures", body = FiguresResponse),
        (status = 401, description = "no token, or one that is unknown"),
        (status = 403, description = "the token may not read"),
        (status = 404, description = "no such event"),
        (status = 503, description = "it took too long, or the server is busy"),
    ),
    security(("token" = [])),
)]
pub(crate) async fn get_figures(
    State(app): State<App>,
    reader: QueryReader,
    Segments(id): Segments<String>,
) -> Result<Json<FiguresResponse>, ApiError> {
    let event = app.meta().event(&reader.org, &event_id(&id)?).await?.id;
    app.jobs().flush_event(&reader.org, &event).await?;
    let pins = app.jobs().pins(&reader.org, &event).await?;
    let query = app.query();
    let figures = query.figures(&reader.org, &pins, Window::ALL).await?;
    Ok(Json(FiguresResponse::new(&event, &figures)))
}

impl FiguresResponse {
    /// The figures as JSON.
    pub fn new(event: &EventId, figures: &Figures) -> Self {
        Self {
            event_id: event.to_string(),
            views: figures.views,
            viewers: figures.viewers,
            devices: figures.devices,
            watch_seconds: seconds(figures.watch_millis),
            attended_seconds: seconds(figures.attended_millis),
            peak_viewers: figures.peak.map_or(0, |peak| peak.viewers),
            peak_at: match figures.get("peak_at") {
                Some(Value::Time(at)) => Some(at.to_string()),
                _ => None,
            },
            average_minute_audience: match figures.get("average_minute_audience") {
                Some(Value::Number(audience)) => Some(audience),
                _ => None,
            },
            messages: figures.messages,
            senders: figures.senders,
            votes: figures.votes,
        }
    }
}

/// Exact to the millisecond for 285,000 years.
#[expect(
    clippy::cast_precision_loss,
    reason = "a JSON number is a double in most clients"
)]
fn seconds(millis: i64) -> f64 {
    millis as f64 / 1000.0
}
