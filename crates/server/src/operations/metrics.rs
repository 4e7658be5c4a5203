//! `GET /metrics`.

use axum::extract::State;
use axum::http::header::CONTENT_TYPE;
use axum::http::{HeaderName, HeaderValue};
use prometheus_client::encoding::text::encode;

use crate::app::App;
use crate::error::ApiError;

const OPEN_METRICS: HeaderValue =
    HeaderValue::from_static("application/openmetrics-text; version=1.0.0; charset=utf-8");

/// Metrics of this process, for Prometheus.
#[utoipa::path(
    get,
    path = "/metrics",
    tag = "operations",
    responses((
        status = 200,
        description = "in the OpenMetrics text format",
        content_type = "application/openmetrics-text",
        body = String,
    )),
)]
pub(crate) async fn show_metrics(
    State(app): State<App>,
) -> Result<([(HeaderName, HeaderValue); 1], String), ApiError> {
    update_gauges(&app).await?;
    let mut text = String::new();
    encode(&mut text, app.registry()).map_err(ApiError::internal)?;
    Ok(([(CONTENT_TYPE, OPEN_METRICS)], text))
}

/// Reads the gauges of the journal and the queue from the database.
async fn update_gauges(app: &App) -> Result<(), ApiError> {
    let depth = app.meta().journal_depth().await?;
    let jobs = app.meta().queue_depth().await?;
    let waited_ms = depth
        .oldest
        .map_or(0, |oldest| app.now().as_millis() - oldest.as_millis());
    let metrics = app.metrics();
    metrics.journal_rows.set(gauge(depth.rows));
    metrics.journal_bytes.set(gauge(depth.bytes));
    metrics.journal_oldest_ms.set(waited_ms.max(0));
    metrics.queue_depth.set(gauge(jobs));
    metrics.set_damaged(app.damaged_files().into_iter().map(|damage| damage.file));
    Ok(())
}

fn gauge(count: u64) -> i64 {
    i64::try_from(count).unwrap_or(i64::MAX)
}
