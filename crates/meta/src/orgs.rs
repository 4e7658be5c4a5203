//! Organisations, to which everything else belongs.

use showreport_model::{OrgId, Timestamp, Zone};
use sqlx::sqlite::SqliteRow;
use sqlx::{SqliteConnection, SqliteExecutor};

use crate::database::{Stored, Sum, check_rows};
use crate::error::{Doing, Error};

const INSERT: &str = "INSERT INTO orgs (org, zone, created_at, sum) VALUES (?1, ?2, ?3, ?4)
    ON CONFLICT (org) DO NOTHING";

const SELECT: &str = "SELECT org, zone, created_at, sum FROM orgs WHERE org = ?1";

const SELECT_ALL: &str = "SELECT org, zone, created_at, sum FROM orgs";

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
        .bind(sum(org.as_str(), zone.name(), now.as_millis()))
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
    let row = sqlx::query(SELECT)
        .bind(org.as_str())
        .fetch_optional(read)
        .await
        .doing("look up an organisation")?;
    let row = row.ok_or_else(|| Error::UnknownOrg { org: org.clone() })?;
    zone_of(&row)
}

/// Reads every organisation, so that one that is damaged is found.
pub(crate) async fn check_all(read: &mut SqliteConnection) -> Result<(), Error> {
    check_rows(read, SELECT_ALL, |row| zone_of(row).map(drop)).await
}

fn zone_of(row: &SqliteRow) -> Result<Zone, Error> {
    let row = Stored(row);
    let (org, zone): (String, String) = (row.plain("org")?, row.plain("zone")?);
    row.check("orgs", sum(&org, &zone, row.plain("created_at")?))?;
    row.parsed("zone")
}

fn sum(org: &str, zone: &str, created_at: i64) -> i64 {
    Sum::of("orgs")
        .text(org)
        .text(zone)
        .number(created_at)
        .finish()
}
