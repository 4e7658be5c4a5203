//! Dirty events: facts of them were added since the days that they reach were last checked.
//!
//! They are noted in the transaction that makes the facts durable, so that none is missed.

use showreport_model::{EventId, OrgId, Timestamp};
use sqlx::SqliteConnection;

use super::Meta;
use crate::database::{Stored, elements, to_json};
use crate::error::{Doing, Error};

/// An event with days that may have changed.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct DirtyEvent {
    pub event: EventId,
    /// The earliest instant that a new fact is about.
    pub earliest: Timestamp,
    /// Grows with each commit that has facts of the event.
    number: i64,
}

/// An organisation that has dirty events.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct DirtyOrg {
    pub org: OrgId,
    /// The earliest instant that a new fact is about.
    pub earliest: Timestamp,
    /// When the oldest of the events became dirty.
    pub dirty_since: Timestamp,
    /// Whether a check of some of the events began and has not finished.
    pub is_taken: bool,
}

/// The events come as a JSON array of `[org, event, earliest]`. Organisations without a report job
/// need no check.
const NOTE: &str = concat!(
    "INSERT INTO dirty_events (org, event_id, taken, number, earliest, dirty_since)
    SELECT value ->> 0, value ->> 1, 0, 1, value ->> 2, $2 FROM ",
    elements!("$1"),
    " WHERE EXISTS (SELECT 1 FROM report_jobs
        WHERE report_jobs.org = value ->> 0 AND ended_at IS NULL)
    ON CONFLICT (org, event_id, taken) DO UPDATE SET
        number = dirty_events.number + 1,
        earliest = CASE WHEN excluded.earliest < dirty_events.earliest
            THEN excluded.earliest ELSE dirty_events.earliest END"
);

const SELECT_ORGS: &str = "SELECT org, min(earliest) AS earliest, min(dirty_since) AS dirty_since,
        max(taken) AS taken
    FROM dirty_events GROUP BY org ORDER BY org";

/// Joins new events to those that were taken before and not resolved.
const TAKE: &str = "INSERT INTO dirty_events (org, event_id, taken, number, earliest, dirty_since)
    SELECT org, event_id, 1, number, earliest, dirty_since
    FROM dirty_events WHERE org = $1 AND taken = 0
    ON CONFLICT (org, event_id, taken) DO UPDATE SET
        number = dirty_events.number + excluded.number,
        earliest = CASE WHEN excluded.earliest < dirty_events.earliest
            THEN excluded.earliest ELSE dirty_events.earliest END";

const DELETE_NEW: &str = "DELETE FROM dirty_events WHERE org = $1 AND taken = 0";

/// Those that have waited longest come first.
const SELECT_TAKEN: &str = "SELECT event_id, earliest, number FROM dirty_events
    WHERE org = $1 AND taken = 1 ORDER BY dirty_since, event_id LIMIT $2";

const SELECT_DIRTY_SINCE: &str = "SELECT min(dirty_since) AS dirty_since FROM dirty_events
    WHERE org = $1 AND earliest < $2";

/// The events come as a JSON array of `[event, number]`. An event that was taken again since has
/// another number, and stays.
const DELETE: &str = concat!(
    "DELETE FROM dirty_events
    WHERE org = $1 AND taken = 1
        AND (event_id, number) IN (SELECT value ->> 0, value ->> 1 FROM ",
    elements!("$2"),
    ")"
);

impl Meta {
    /// The organisations that have dirty events.
    pub async fn dirty_orgs(&self) -> Result<Vec<DirtyOrg>, Error> {
        let rows = sqlx::query(SELECT_ORGS)
            .fetch_all(self.readers())
            .await
            .doing("look for dirty events")?;
        rows.iter()
            .map(|row| {
                let row = Stored(row);
                Ok(DirtyOrg {
                    org: row.parsed("org")?,
                    earliest: row.time("earliest")?,
                    dirty_since: row.time("dirty_since")?,
                    is_taken: row.plain::<i64>("taken")? > 0,
                })
            })
            .collect()
    }

    /// When the oldest dirty event of an organisation became dirty, of those with new facts about
    /// the time before an instant.
    pub async fn dirty_since(
        &self,
        org: &OrgId,
        before: Timestamp,
    ) -> Result<Option<Timestamp>, Error> {
        let row = sqlx::query(SELECT_DIRTY_SINCE)
            .bind(org.as_str())
            .bind(before.as_millis())
            .fetch_one(self.readers())
            .await
            .doing("look for the oldest dirty event")?;
        Stored(&row).time_if_any("dirty_since")
    }

    /// Takes at most `limit` dirty events of an organisation to be checked, the oldest first. The
    /// next call returns them again, unless [`Meta::resolve_dirty_events`] was called for them.
    pub async fn take_dirty_events(
        &self,
        org: &OrgId,
        limit: u32,
    ) -> Result<Vec<DirtyEvent>, Error> {
        self.database()
            .write(async |tx| take(tx, org, limit).await)
            .await
    }
}

/// Notes events, a JSON array of `[org, event, earliest]`.
pub(super) async fn note(
    tx: &mut SqliteConnection,
    events_json: &str,
    now: Timestamp,
) -> Result<(), Error> {
    sqlx::query(NOTE)
        .bind(events_json)
        .bind(now.as_millis())
        .execute(tx)
        .await
        .doing("note dirty events")?;
    Ok(())
}

async fn take(
    tx: &mut SqliteConnection,
    org: &OrgId,
    limit: u32,
) -> Result<Vec<DirtyEvent>, Error> {
    for statement in [TAKE, DELETE_NEW] {
        sqlx::query(statement)
            .bind(org.as_str())
            .execute(&mut *tx)
            .await
            .doing("take dirty events")?;
    }
    let rows = sqlx::query(SELECT_TAKEN)
        .bind(org.as_str())
        .bind(limit)
        .fetch_all(tx)
        .await
        .doing("take dirty events")?;
    rows.iter()
        .map(|row| {
            let row = Stored(row);
            Ok(DirtyEvent {
                event: row.parsed("event_id")?,
                earliest: row.time("earliest")?,
                number: row.plain("number")?,
            })
        })
        .collect()
}

/// Deletes events that were checked, unless facts were added since.
pub(super) async fn delete(
    tx: &mut SqliteConnection,
    org: &OrgId,
    events: &[DirtyEvent],
) -> Result<(), Error> {
    let checked = events.iter().map(|event| (&event.event, event.number));
    let checked: Vec<_> = checked.collect();
    sqlx::query(DELETE)
        .bind(org.as_str())
        .bind(to_json(&checked))
        .execute(tx)
        .await
        .doing("delete dirty events")?;
    Ok(())
}
