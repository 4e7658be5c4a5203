//! `GET /healthz` and `GET /readyz`.

use axum::Json;
use axum::extract::State;
use serde::Serialize;
use utoipa::ToSchema;

use crate::app::App;
use crate::error::ApiError;

/// How it is.
#[derive(Debug, Serialize, ToSchema)]
pub(crate) struct Health {
    /// `ok`.
    status: &'static str,
}

/// Whether the process is alive.
#[utoipa::path(
    get,
    path = "/healthz",
    tag = "operations",
    responses((status = 200, description = "it is", body = Health)),
)]
pub(crate) async fn healthz() -> Json<Health> {
    Json(Health { status: "ok" })
}

/// Whether the server is ready to take and serve.
#[utoipa::path(
    get,
    path = "/readyz",
    tag = "operations",
    responses(
        (status = 200, description = "it is", body = Health),
        (status = 503, description = "not at the moment; the reason says why: a full disk, a clock that is wrong"),
    ),
)]
pub(crate) async fn readyz(State(app): State<App>) -> Result<Json<Health>, ApiError> {
    app.meta()
        .journal_last()
        .await
        .map_err(ApiError::not_ready)?;
    app.meta().ensure_room().await.map_err(ApiError::no_room)?;
    app.meta()
        .ensure_clock()
        .await
        .map_err(|error| ApiError::from(error).logged())?;
    Ok(Json(Health { status: "ok" }))
}
