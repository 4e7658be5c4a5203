//! `GET /api/v1/events/{id}/figures`.

use axum::Json;
use axum::extract::State;
use serde::Serialize;
use showreport_model::EventId;
use showreport_query::Figures;
use utoipa::ToSchema;

use super::events::event_id;
use crate::app::App;
use crate::auth::Questioner;
use crate::error::ApiError;
use crate::extract::Segments;

/// An event in figures, over everything that was collected before the request.
#[derive(Debug, PartialEq, Serialize, ToSchema)]
pub struct FiguresAnswer {
    /// The event's id.
    event_id: String,
    /// Playbacks.
    views: u64,
    /// People, as far as they can be told apart.
    viewers: u64,
    /// Devices.
    devices: u64,
    /// Time watched, over all views.
    watch_seconds: f64,
    /// Time watched, where two views of one viewer at once count once.
    attended_seconds: f64,
    /// The most viewers at one instant.
    peak_viewers: u64,
    /// The first such instant.
    peak_at: Option<String>,
    /// Viewers in an average minute of the event's window; `null` without a window.
    average_minute_audience: Option<f64>,
    /// Messages, without deleted ones.
    messages: u64,
    /// People who sent them.
    senders: u64,
    /// Votes that count.
    votes: u64,
}

/// Get an event in figures.
#[utoipa::path(
    get,
    path = "/api/v1/events/{id}/figures",
    tag = "api",
    params(("id" = String, Path, description = "the event's id")),
    responses(
        (status = 200, description = "the figures", body = FiguresAnswer),
        (status = 401, description = "no token, or one that is unknown"),
        (status = 403, description = "the token may not read"),
        (status = 404, description = "no such event"),
        (status = 503, description = "it took too long, or too much is asked at the moment"),
    ),
    security(("token" = [])),
)]
pub(crate) async fn get_figures(
    State(app): State<App>,
    reader: Questioner,
    Segments(id): Segments<String>,
) -> Result<Json<FiguresAnswer>, ApiError> {
    let event = app.meta().event(&reader.org, &event_id(&id)?).await?.id;
    app.jobs()
        .flush_event(&reader.org, &event)
        .await
        .map_err(ApiError::from_chain)?;
    let pins = app
        .jobs()
        .pins(&reader.org, &event)
        .await
        .map_err(ApiError::from_chain)?;
    let figures = app.query().figures(&reader.org, &event, &pins).await?;
    Ok(Json(FiguresAnswer::new(&event, &figures)))
}

impl FiguresAnswer {
    /// The figures of this event.
    pub fn new(event: &EventId, figures: &Figures) -> Self {
        Self {
            event_id: event.to_string(),
            views: figures.views,
            viewers: figures.viewers,
            devices: figures.devices,
            watch_seconds: seconds(figures.watch_millis),
            attended_seconds: seconds(figures.attended_millis),
            peak_viewers: figures.peak_viewers,
            peak_at: figures.peak_at.map(|at| at.to_string()),
            average_minute_audience: figures.average_minute_audience,
            messages: figures.messages,
            senders: figures.senders,
            votes: figures.votes,
        }
    }
}

/// Exact to the millisecond for 285,000 years.
#[expect(
    clippy::cast_precision_loss,
    reason = "a number of JSON is no more precise"
)]
fn seconds(millis: u64) -> f64 {
    millis as f64 / 1000.0
}
