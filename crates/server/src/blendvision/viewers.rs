//! `GET /bv/cms/v1/lives/{id}/metrics/viewers`: the number of viewers of a live event.

use axum::Json;
use axum::extract::State;
use serde::Serialize;
use showreport_live::Viewers;
use showreport_model::EventId;
use showreport_model::record::EventKind;

use crate::app::App;
use crate::auth::Caller;
use crate::error::{ApiError, Reason};
use crate::extract::Segments;

/// Viewers of a live event: all, and those of the live event and of its recording.
#[derive(Debug, Serialize, utoipa::ToSchema)]
pub(crate) struct ViewerMetricsResponse {
    viewer_metrics: ViewerMetrics,
    viewer_metrics_per_event: ViewerMetricsPerEvent,
}

/// Concurrent viewers, and all so far.
#[derive(Debug, Serialize, utoipa::ToSchema)]
struct ViewerMetrics {
    /// Concurrent viewers 15 seconds ago. After the event's end, those at its last moment.
    concurrent: Point,
    /// Viewers since the event's first view, up to the same moment.
    total: Point,
}

/// Viewers of the live event and of its recording.
#[derive(Debug, Serialize, utoipa::ToSchema)]
struct ViewerMetricsPerEvent {
    /// Before the event's end.
    live: ViewerMetrics,
    /// After the event's end.
    live_to_vod: ViewerMetrics,
}

/// A number of viewers at a moment.
#[derive(Debug, Serialize, utoipa::ToSchema)]
struct Point {
    count: u64,
    updated_at: String,
}

/// Get the viewers of a live event.
#[utoipa::path(
    get,
    path = "/bv/cms/v1/lives/{id}/metrics/viewers",
    tag = "event reports",
    params(
        ("id" = String, Path, description = "the event's id"),
        ("x-bv-org-id" = Option<String>, Header, description = "the token's organisation"),
    ),
    responses(
        (status = 200, description = "the viewers 15 seconds ago, when all records of that moment are in", body = ViewerMetricsResponse),
        (status = 401, description = "no token, or one that is unknown"),
        (status = 403, description = "the token may not read, or is of another organisation"),
        (status = 404, description = "no such live event"),
        (status = 503, description = "it took too long, or the server is busy"),
    ),
    security(("token" = [])),
)]
pub(crate) async fn get_viewers(
    State(app): State<App>,
    caller: Caller,
    Segments(id): Segments<String>,
) -> Result<Json<ViewerMetricsResponse>, ApiError> {
    let id = EventId::new(&id).map_err(|_| no_such_live())?;
    let event = app.meta().event(&caller.org, &id).await?;
    if event.kind.is_some_and(|kind| kind != EventKind::Live) {
        return Err(no_such_live());
    }
    let _permit = if app.live().holds(&caller.org, &id) {
        None
    } else {
        // The event has to be read.
        Some(app.queries().acquire(&caller.org).await?)
    };
    let viewers = app.live().viewers(&caller.org, &id, event.ends_at).await?;
    Ok(Json(ViewerMetricsResponse {
        viewer_metrics: viewers.all.into(),
        viewer_metrics_per_event: ViewerMetricsPerEvent {
            live: viewers.live.into(),
            live_to_vod: viewers.recorded.into(),
        },
    }))
}

fn no_such_live() -> ApiError {
    ApiError::new(Reason::EventNotFound, "there is no such live event")
}

impl From<Viewers> for ViewerMetrics {
    fn from(viewers: Viewers) -> Self {
        let point = |count| Point {
            count,
            updated_at: viewers.at.to_string(),
        };
        Self {
            concurrent: point(viewers.concurrent),
            total: point(viewers.total),
        }
    }
}
