//! Requests that are sent again: the same key gives the same reports.

use showreport_model::report::Report;
use showreport_model::time::MILLIS_PER_DAY;
use showreport_model::{OrgId, ReportId, Timestamp};
use sqlx::SqliteConnection;

use crate::database::{Stored, to_json};
use crate::error::{Doing, Error};

/// What makes a repeated request the same request.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Idempotency {
    /// The key that the client chose.
    pub key: String,
    /// The SHA-256 of the request's body.
    pub body_sha256: [u8; 32],
}

/// How long a key is remembered; the contract promises it.
const KEPT_MS: i64 = 7 * MILLIS_PER_DAY;

const FORGET: &str = "DELETE FROM idempotency_keys WHERE created_at <= ?1";

const SELECT: &str =
    "SELECT body_sha256, reports FROM idempotency_keys WHERE org = ?1 AND key = ?2";

const INSERT: &str = "INSERT INTO idempotency_keys (org, key, body_sha256, created_at, reports)
    VALUES (?1, ?2, ?3, ?4, ?5)";

/// Forgets the keys that are past their time.
pub(crate) async fn forget_keys(write: &mut SqliteConnection, now: Timestamp) -> Result<(), Error> {
    sqlx::query(FORGET)
        .bind(now.as_millis() - KEPT_MS)
        .execute(write)
        .await
        .doing("forget old idempotency keys")?;
    Ok(())
}

/// The reports that the same request made before, as they are now. Deleted ones are missing.
pub(crate) async fn recall(
    write: &mut SqliteConnection,
    org: &OrgId,
    request: &Idempotency,
) -> Result<Option<Vec<Report>>, Error> {
    let row = sqlx::query(SELECT)
        .bind(org.as_str())
        .bind(request.key.as_str())
        .fetch_optional(&mut *write)
        .await
        .doing("look up an idempotency key")?;
    let Some(row) = row else { return Ok(None) };
    let row = Stored(&row);
    if row.plain::<Vec<u8>>("body_sha256")? != request.body_sha256 {
        return Err(Error::IdempotencyMismatch);
    }
    let ids: String = row.plain("reports")?;
    super::find_all(write, org, &ids).await.map(Some)
}

/// Remembers which reports the request made.
pub(crate) async fn remember(
    write: &mut SqliteConnection,
    org: &OrgId,
    request: &Idempotency,
    reports: &[Report],
    now: Timestamp,
) -> Result<(), Error> {
    let ids: Vec<ReportId> = reports.iter().map(|report| report.id).collect();
    sqlx::query(INSERT)
        .bind(org.as_str())
        .bind(request.key.as_str())
        .bind(request.body_sha256.as_slice())
        .bind(now.as_millis())
        .bind(to_json(&ids))
        .execute(write)
        .await
        .doing("remember an idempotency key")?;
    Ok(())
}
