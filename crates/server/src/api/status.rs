//! `GET /api/v1/status`.

use axum::Json;
use axum::extract::State;
use serde::Serialize;
use utoipa::ToSchema;

use crate::app::App;
use crate::auth::Reader;
use crate::error::ApiError;

/// The status of the installation.
#[derive(Debug, Serialize, ToSchema)]
pub(crate) struct StatusResponse {
    /// The version of the server.
    pub(crate) version: &'static str,
    /// Rows of the journal, which wait for the flush.
    pub(crate) journal_rows: u64,
    pub(crate) journal_bytes: u64,
    /// Jobs that are not finished.
    pub(crate) queue_depth: u64,
    /// How long the oldest bulk report that is due has waited to be made for the first time.
    pub(crate) bulk_lag_milliseconds: i64,
    /// Free bytes of the disk or the quota; `null` if the system does not report it.
    pub(crate) disk_free_bytes: Option<u64>,
    /// `right`; `behind`: the clock is before the last transaction, so records are refused;
    /// `in_doubt`: it jumped ahead, so nothing is deleted or published for an hour.
    pub(crate) clock: &'static str,
    /// Files that this process found damaged and that were not repaired since. Files of reports
    /// are listed without their organisation.
    pub(crate) damaged_files: Vec<DamagedFile>,
}

/// A file with other bytes than were written.
#[derive(Debug, Serialize, ToSchema)]
pub(crate) struct DamagedFile {
    /// The path in the data directory.
    pub(crate) file: String,
    pub(crate) problem: String,
}

/// Get the status of the installation.
#[utoipa::path(
    get,
    path = "/api/v1/status",
    tag = "api",
    responses(
        (status = 200, description = "the status", body = StatusResponse),
        (status = 401, description = "no token, or one that is unknown"),
        (status = 403, description = "the token may not read"),
    ),
    security(("token" = [])),
)]
pub(crate) async fn get_status(
    State(app): State<App>,
    _reader: Reader,
) -> Result<Json<StatusResponse>, ApiError> {
    status(&app).await.map(Json)
}

/// The status of the installation.
pub(crate) async fn status(app: &App) -> Result<StatusResponse, ApiError> {
    let depth = app.meta().journal_depth().await?;
    let damaged_files = app.damaged_files().into_iter();
    Ok(StatusResponse {
        version: env!("CARGO_PKG_VERSION"),
        journal_rows: depth.rows,
        journal_bytes: depth.bytes,
        queue_depth: app.meta().queue_depth().await?,
        bulk_lag_milliseconds: app.jobs().metrics().bulk_lag_ms(),
        disk_free_bytes: app.meta().disk_free_bytes(),
        clock: clock(app).await?,
        damaged_files: damaged_files
            .map(|damage| DamagedFile {
                file: damage.file,
                problem: damage.problem,
            })
            .collect(),
    })
}

async fn clock(app: &App) -> Result<&'static str, ApiError> {
    if app.meta().ensure_clock().await.is_err() {
        return Ok("behind");
    }
    let is_in_doubt = app.meta().is_clock_in_doubt().await?;
    Ok(if is_in_doubt { "in_doubt" } else { "right" })
}
