//! Organisations, to which everything else belongs.

use showreport_model::{OrgId, Timestamp, Zone};
use sqlx::sqlite::SqliteRow;
use sqlx::{SqliteConnection, SqliteExecutor};

use crate::database::{Stored, Sum, check_rows, checked};
use crate::error::{Doing, Error};

const INSERT: &str = "INSERT INTO orgs (org, zone, created_at, sum) VALUES (?1, ?2, ?3, ?4)
    ON CONFLICT (org) DO NOTHING";

const SELECT: &str = "SELECT org, zone, created_at, sum FROM orgs WHERE org = ?1";

const SELECT_ALL: &str = "SELECT org, zone, created_at, sum FROM orgs ORDER BY created_at, org";

const SET_ZONE: &str = "UPDATE orgs SET zone = ?2, sum = ?3 WHERE org = ?1";

/// An organisation.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Org {
    /// Its name.
    pub id: OrgId,
    /// The zone of its days.
    pub zone: Zone,
    /// When it was made.
    pub created_at: Timestamp,
}

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
    Ok(find(read, org).await?.zone)
}

async fn find(read: impl SqliteExecutor<'_>, org: &OrgId) -> Result<Org, Error> {
    let row = sqlx::query(SELECT)
        .bind(org.as_str())
        .fetch_optional(read)
        .await
        .doing("look up an organisation")?;
    let row = row.ok_or_else(|| Error::UnknownOrg { org: org.clone() })?;
    org_of(&row)
}

/// Every organisation, oldest first.
pub(crate) async fn all(read: impl SqliteExecutor<'_>) -> Result<Vec<Org>, Error> {
    let rows = sqlx::query(SELECT_ALL).fetch_all(read).await;
    let rows = rows.doing("list organisations")?;
    rows.iter().map(org_of).collect()
}

/// Gives an organisation another zone. False: it has that one already.
pub(crate) async fn set_zone(
    write: &mut SqliteConnection,
    org: &OrgId,
    zone: &Zone,
) -> Result<bool, Error> {
    let found = find(&mut *write, org).await?;
    if found.zone == *zone {
        return Ok(false);
    }
    sqlx::query(SET_ZONE)
        .bind(org.as_str())
        .bind(zone.name())
        .bind(sum(org.as_str(), zone.name(), found.created_at.as_millis()))
        .execute(write)
        .await
        .doing("change the zone of an organisation")?;
    Ok(true)
}

/// Reads every organisation, so that one that is damaged is found.
pub(crate) async fn check_all(read: &mut SqliteConnection) -> Result<(), Error> {
    check_rows(read, SELECT_ALL, |row| org_of(row).map(drop)).await
}

fn org_of(row: &SqliteRow) -> Result<Org, Error> {
    let row = Stored(row);
    let (org, zone): (String, String) = (row.plain("org")?, row.plain("zone")?);
    row.check("orgs", sum(&org, &zone, row.plain("created_at")?))?;
    Ok(Org {
        id: row.parsed("org")?,
        zone: checked("zone", Zone::stored(&zone))?,
        created_at: row.time("created_at")?,
    })
}

fn sum(org: &str, zone: &str, created_at: i64) -> i64 {
    Sum::of("orgs")
        .text(org)
        .text(zone)
        .number(created_at)
        .finish()
}
