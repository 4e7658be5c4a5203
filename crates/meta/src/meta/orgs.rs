//! Organisations, which own everything else.

use showreport_model::{OrgId, Timestamp, Zone};
use sqlx::sqlite::SqliteRow;
use sqlx::{SqliteConnection, SqliteExecutor};

use super::Meta;
use crate::database::{Stored, Sum, check_rows, checked};
use crate::error::{Doing, Error};

/// An organisation.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Org {
    pub id: OrgId,
    /// The zone in which its days begin and end.
    pub zone: Zone,
    pub viewer_tokens: ViewerTokens,
    pub created_at: Timestamp,
}

/// Whether records of viewers need a viewer token, if they come with a token that has the single
/// scope `collect`.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum ViewerTokens {
    Optional,
    Required,
}

/// What [`Meta::set_zone`] did.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum ZoneChange {
    /// The organisation has the zone from now on.
    Changed,
    /// It had the zone already.
    Unchanged,
}

const INSERT: &str = "INSERT INTO orgs (org, zone, created_at, sum) VALUES ($1, $2, $3, $4)
    ON CONFLICT (org) DO NOTHING";

const SELECT: &str = "SELECT org, zone, require_viewer_tokens, created_at, sum FROM orgs
    WHERE org = $1";

const SELECT_ALL: &str = "SELECT org, zone, require_viewer_tokens, created_at, sum FROM orgs
    ORDER BY created_at, org";

const UPDATE: &str = "UPDATE orgs SET zone = $2, require_viewer_tokens = $3, sum = $4
    WHERE org = $1";

impl Meta {
    /// Creates an organisation.
    pub async fn create_org(&self, org: &OrgId, zone: &Zone) -> Result<(), Error> {
        let org = Org {
            id: org.clone(),
            zone: zone.clone(),
            viewer_tokens: ViewerTokens::Optional,
            created_at: self.now(),
        };
        self.database()
            .write(async |tx| insert(tx, &org).await)
            .await
    }

    /// All organisations, oldest first.
    pub async fn orgs(&self) -> Result<Vec<Org>, Error> {
        let rows = sqlx::query(SELECT_ALL).fetch_all(self.readers()).await;
        let rows = rows.doing("list organisations")?;
        rows.iter().map(org_of).collect()
    }

    /// An organisation.
    pub async fn org(&self, org: &OrgId) -> Result<Org, Error> {
        find(self.readers(), org).await
    }

    /// The zone of an organisation.
    pub async fn zone(&self, org: &OrgId) -> Result<Zone, Error> {
        zone(self.readers(), org).await
    }
}

async fn insert(tx: &mut SqliteConnection, org: &Org) -> Result<(), Error> {
    let done = sqlx::query(INSERT)
        .bind(org.id.as_str())
        .bind(org.zone.name())
        .bind(org.created_at.as_millis())
        .bind(sum_of(org))
        .execute(tx)
        .await
        .doing("create an organisation")?;
    if done.rows_affected() == 0 {
        return Err(Error::OrgExists {
            org: org.id.clone(),
        });
    }
    Ok(())
}

/// The zone of an organisation. Fails if there is no such organisation.
pub(super) async fn zone(read: impl SqliteExecutor<'_>, org: &OrgId) -> Result<Zone, Error> {
    Ok(find(read, org).await?.zone)
}

/// An organisation. Fails if there is no such one.
pub(super) async fn find(read: impl SqliteExecutor<'_>, org: &OrgId) -> Result<Org, Error> {
    let row = sqlx::query(SELECT)
        .bind(org.as_str())
        .fetch_optional(read)
        .await
        .doing("look up an organisation")?;
    let row = row.ok_or_else(|| Error::UnknownOrg { org: org.clone() })?;
    org_of(&row)
}

/// Gives an organisation another zone.
pub(super) async fn set_zone(
    tx: &mut SqliteConnection,
    org: &OrgId,
    zone: &Zone,
) -> Result<ZoneChange, Error> {
    let mut found = find(&mut *tx, org).await?;
    if found.zone == *zone {
        return Ok(ZoneChange::Unchanged);
    }
    found.zone = zone.clone();
    update(tx, &found).await?;
    Ok(ZoneChange::Changed)
}

/// Says whether records of viewers need a viewer token.
pub(super) async fn set_viewer_tokens(
    tx: &mut SqliteConnection,
    org: &OrgId,
    viewer_tokens: ViewerTokens,
) -> Result<(), Error> {
    let found = find(&mut *tx, org).await?;
    let changed = Org {
        viewer_tokens,
        ..found
    };
    update(tx, &changed).await
}

async fn update(tx: &mut SqliteConnection, org: &Org) -> Result<(), Error> {
    sqlx::query(UPDATE)
        .bind(org.id.as_str())
        .bind(org.zone.name())
        .bind(number_of(org.viewer_tokens))
        .bind(sum_of(org))
        .execute(tx)
        .await
        .doing("change an organisation")?;
    Ok(())
}

/// Checks every row of the table.
pub(super) async fn check_all(read: &mut SqliteConnection) -> Result<(), Error> {
    check_rows(read, SELECT_ALL, |row| org_of(row).map(drop)).await
}

fn org_of(row: &SqliteRow) -> Result<Org, Error> {
    let row = Stored(row);
    let (org, zone): (String, String) = (row.plain("org")?, row.plain("zone")?);
    let required: i64 = row.plain("require_viewer_tokens")?;
    row.check("orgs", sum(&org, &zone, row.plain("created_at")?, required))?;
    Ok(Org {
        id: row.parsed("org")?,
        zone: checked("zone", Zone::stored(&zone))?,
        viewer_tokens: match required {
            0 => ViewerTokens::Optional,
            _ => ViewerTokens::Required,
        },
        created_at: row.time("created_at")?,
    })
}

const fn number_of(viewer_tokens: ViewerTokens) -> i64 {
    match viewer_tokens {
        ViewerTokens::Optional => 0,
        ViewerTokens::Required => 1,
    }
}

fn sum_of(org: &Org) -> i64 {
    let required = number_of(org.viewer_tokens);
    let created_at = org.created_at.as_millis();
    sum(org.id.as_str(), org.zone.name(), created_at, required)
}

/// `required` is left out where it is 0: rows that are older than the column have it so.
fn sum(org: &str, zone: &str, created_at: i64, required: i64) -> i64 {
    let sum = Sum::of("orgs").text(org).text(zone).number(created_at);
    match required {
        0 => sum.finish(),
        _ => sum.number(required).finish(),
    }
}

#[cfg(test)]
mod tests {
    use showreport_model::{ErrorKind, Failure};

    use super::*;
    use crate::meta::testing::{Fixture, org};

    #[tokio::test]
    async fn an_organisation_is_created_once_and_keeps_its_zone() {
        let show = Fixture::new().await;
        let zone: Zone = "Asia/Taipei".parse().unwrap();
        show.meta.create_org(&org("tp"), &zone).await.unwrap();
        let again = show.meta.create_org(&org("tp"), &Zone::utc()).await;
        assert_eq!(again.unwrap_err().kind(), ErrorKind::Conflict);
        assert_eq!(show.meta.zone(&org("tp")).await.unwrap(), zone);
        let unknown = show.meta.zone(&org("unknown")).await;
        assert_eq!(unknown.unwrap_err().kind(), ErrorKind::NotFound);
    }

    #[tokio::test]
    async fn an_organisation_can_be_given_another_zone() {
        let show = Fixture::new().await;
        let taipei: Zone = "Asia/Taipei".parse().unwrap();
        let rival = org("rival");
        show.meta.create_org(&rival, &Zone::utc()).await.unwrap();
        let set_zone = || show.meta.set_zone(&rival, &taipei);
        assert_eq!(set_zone().await.unwrap(), ZoneChange::Changed);
        assert_eq!(set_zone().await.unwrap(), ZoneChange::Unchanged);
        let orgs = show.meta.orgs().await.unwrap();
        let zones: Vec<_> = orgs
            .iter()
            .map(|org| (org.id.as_str(), org.zone.name()))
            .collect();
        assert_eq!(
            zones,
            [(show.org.as_str(), "UTC"), ("rival", "Asia/Taipei")]
        );
        let unknown = show.meta.set_zone(&org("unknown"), &taipei).await;
        assert_eq!(unknown.unwrap_err().kind(), ErrorKind::NotFound);
    }
}
