//! `GET /healthz` and `GET /readyz`.

use axum::Json;
use axum::extract::State;
use serde::Serialize;
use utoipa::ToSchema;

use crate::app::App;
use crate::error::ApiError;

/// The state of the server.
#[derive(Debug, Serialize, ToSchema)]
pub(crate) struct HealthResponse {
    /// Always `ok`.
    status: &'static str,
}

/// Whether the process is alive.
#[utoipa::path(
    get,
    path = "/healthz",
    tag = "operations",
    responses((status = 200, description = "yes", body = HealthResponse)),
)]
pub(crate) async fn healthz() -> Json<HealthResponse> {
    Json(HealthResponse { status: "ok" })
}

/// Whether the server is ready to store records and make reports.
#[utoipa::path(
    get,
    path = "/readyz",
    tag = "operations",
    responses(
        (status = 200, description = "yes", body = HealthResponse),
        (status = 503, description = "no; the reason says why, such as a full disk or a wrong clock"),
    ),
)]
pub(crate) async fn readyz(State(app): State<App>) -> Result<Json<HealthResponse>, ApiError> {
    app.meta()
        .journal_last()
        .await
        .map_err(ApiError::not_ready)?;
    app.meta().ensure_room().await.map_err(ApiError::no_room)?;
    app.meta()
        .ensure_clock()
        .await
        .map_err(|error| ApiError::from(error).logged())?;
    Ok(Json(HealthResponse { status: "ok" }))
}
