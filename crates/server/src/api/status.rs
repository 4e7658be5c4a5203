//! `GET /api/v1/status`: how the installation is doing.

use axum::Json;
use axum::extract::State;
use serde::Serialize;
use utoipa::ToSchema;

use crate::app::App;
use crate::auth::Reader;
use crate::error::ApiError;

/// How the installation is doing.
#[derive(Debug, Serialize, ToSchema)]
pub(crate) struct StatusAnswer {
    /// The version of the program.
    version: &'static str,
    /// Group commits that wait for the flush.
    journal_rows: u64,
    /// Bytes that wait for the flush.
    journal_bytes: u64,
    /// Jobs that are not finished.
    queue_depth: u64,
    /// How long the first bulk report of a day has been due that is due for longest.
    bulk_lag_milliseconds: i64,
    /// Room that the disk or the quota has left; `null` where the system does not say.
    disk_free_bytes: Option<u64>,
    /// `right`; `behind`: before the last transaction, so that nothing is collected; `in_doubt`: it
    /// went forward, so that nothing is deleted or published for an hour.
    clock: &'static str,
    /// Files that this process has found damaged and that were not put right since. Of the file of
    /// a report the organisation is not named.
    damaged_files: Vec<DamagedFile>,
}

/// A file that does not hold what was written to it.
#[derive(Debug, Serialize, ToSchema)]
pub(crate) struct DamagedFile {
    /// The file, from the data directory on.
    file: String,
    /// What is wrong with it.
    problem: String,
}

/// Get how the installation is doing.
#[utoipa::path(
    get,
    path = "/api/v1/status",
    tag = "api",
    responses(
        (status = 200, description = "how it is doing", body = StatusAnswer),
        (status = 401, description = "no token, or one that is unknown"),
        (status = 403, description = "the token may not read"),
    ),
    security(("token" = [])),
)]
pub(crate) async fn get_status(
    State(app): State<App>,
    _reader: Reader,
) -> Result<Json<StatusAnswer>, ApiError> {
    let depth = app.meta().journal_depth().await?;
    let damaged_files = app.damaged_files().into_iter();
    Ok(Json(StatusAnswer {
        version: env!("CARGO_PKG_VERSION"),
        journal_rows: depth.rows,
        journal_bytes: depth.bytes,
        queue_depth: app.meta().queue_depth().await?,
        bulk_lag_milliseconds: app.jobs().metrics().bulk_lag_ms(),
        disk_free_bytes: app.meta().disk_free_bytes(),
        clock: clock(&app).await?,
        damaged_files: damaged_files
            .map(|damage| DamagedFile {
                file: damage.file,
                problem: damage.problem,
            })
            .collect(),
    }))
}

async fn clock(app: &App) -> Result<&'static str, ApiError> {
    if app.meta().ensure_clock().await.is_err() {
        return Ok("behind");
    }
    let is_in_doubt = app.meta().clock_in_doubt().await?;
    Ok(if is_in_doubt { "in_doubt" } else { "right" })
}
