//! Idempotency keys: a request that is sent again returns the same reports.

use showreport_model::report::Report;
use showreport_model::time::MILLIS_PER_DAY;
use showreport_model::{OrgId, ReportId, Timestamp};
use sqlx::{SqliteConnection, SqliteExecutor};

use super::{SELECT_THESE, report};
use crate::database::{Stored, to_json};
use crate::error::{Doing, Error};

/// Identifies a request that may be sent again.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Idempotency {
    /// The key that the client chose.
    pub key: String,
    /// The SHA-256 of the request's body.
    pub body_sha256: [u8; 32],
}

/// How long a key is stored, as the API documents it.
const KEPT_MS: i64 = 7 * MILLIS_PER_DAY;

const DELETE_OLD: &str = "DELETE FROM idempotency_keys WHERE created_at <= $1";

const SELECT: &str =
    "SELECT body_sha256, reports FROM idempotency_keys WHERE org = $1 AND key = $2";

const INSERT: &str = "INSERT INTO idempotency_keys (org, key, body_sha256, created_at, reports)
    VALUES ($1, $2, $3, $4, $5)";

/// The reports that the same request created before, as they are now, without deleted ones.
pub(super) async fn find_reports(
    tx: &mut SqliteConnection,
    org: &OrgId,
    request: &Idempotency,
) -> Result<Option<Vec<Report>>, Error> {
    let row = sqlx::query(SELECT)
        .bind(org.as_str())
        .bind(request.key.as_str())
        .fetch_optional(&mut *tx)
        .await
        .doing("look up an idempotency key")?;
    let Some(row) = row else { return Ok(None) };
    let row = Stored(&row);
    if row.plain::<Vec<u8>>("body_sha256")? != request.body_sha256 {
        return Err(Error::IdempotencyMismatch);
    }
    let ids: String = row.plain("reports")?;
    find_all(tx, org, &ids).await.map(Some)
}

/// Deletes expired keys. Returns their number.
pub(in crate::meta) async fn delete_old_keys(
    tx: &mut SqliteConnection,
    now: Timestamp,
) -> Result<u64, Error> {
    let done = sqlx::query(DELETE_OLD)
        .bind(now.as_millis() - KEPT_MS)
        .execute(tx)
        .await
        .doing("delete old idempotency keys")?;
    Ok(done.rows_affected())
}

/// Stores the reports that the request created.
pub(super) async fn insert(
    tx: &mut SqliteConnection,
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
        .execute(tx)
        .await
        .doing("store an idempotency key")?;
    Ok(())
}

/// Those of these reports that an organisation has, oldest first.
async fn find_all(
    read: impl SqliteExecutor<'_>,
    org: &OrgId,
    ids_json: &str,
) -> Result<Vec<Report>, Error> {
    let rows = sqlx::query(SELECT_THESE)
        .bind(org.as_str())
        .bind(ids_json)
        .fetch_all(read)
        .await
        .doing("look up reports")?;
    rows.iter().map(report).collect()
}
