//! Organisations, to which everything else belongs.

use showreport_model::{OrgId, Timestamp, Zone};
use sqlx::{SqliteConnection, SqliteExecutor};

use crate::database::Stored;
use crate::error::{Doing, Error};

const INSERT: &str = "INSERT INTO orgs (org, zone, created_at) VALUES (?1, ?2, ?3)
    ON CONFLICT (org) DO NOTHING";

const SELECT_ZONE: &str = "SELECT zone FROM orgs WHERE org = ?1";

/// Adds an organisation.
pub(crate) async fn insert(
    write: &mut SqliteConnection,
    org: &OrgId,
    zone: &Zone,
    now: Timestamp,
) -> Result<(), Error> {
    let done = sqlx::query(INSERT)
        .bind(org.as_str())
        .bind(zone.name())
        .bind(now.as_millis())
        .execute(write)
        .await
        .doing("create an organisation")?;
    if done.rows_affected() == 0 {
        return Err(Error::OrgExists { org: org.clone() });
    }
    Ok(())
}

/// The zone of an organisation.
pub(crate) async fn zone(read: impl SqliteExecutor<'_>, org: &OrgId) -> Result<Zone, Error> {
    let row = sqlx::query(SELECT_ZONE)
        .bind(org.as_str())
        .fetch_optional(read)
        .await
        .doing("look up an organisation")?;
    let row = row.ok_or_else(|| Error::UnknownOrg { org: org.clone() })?;
    Stored(&row).parsed("zone")
}
