//! Events of which something new was said, for as long as their days were not looked at again.
//!
//! Noted in the transaction that makes the facts durable, so none is forgotten.

use showreport_model::{EventId, OrgId, Timestamp};
use sqlx::{SqliteConnection, SqliteExecutor};

use crate::database::{Stored, to_json};
use crate::error::{Doing, Error};

/// An event whose days may have changed.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct DirtyEvent {
    /// The event.
    pub event: EventId,
    /// The earliest instant of which something was said.
    pub earliest: Timestamp,
    /// Grows with each mention.
    pub(crate) number: i64,
}

/// What waits to be looked at in one organisation.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct DirtyOrg {
    /// Whose.
    pub org: OrgId,
    /// The earliest instant of which something was said.
    pub earliest: Timestamp,
    /// Since when the oldest mention waits.
    pub waiting_since: Timestamp,
    /// Whether somebody began to look at some, and did not say that it is done.
    pub is_taken: bool,
}

/// The mentions come as a JSON array of `[org, event, earliest]`. Where nobody
/// has ordered reports, nobody has to look.
const NOTE: &str = "INSERT INTO dirty_events (org, event_id, taken, number, earliest, dirty_since)
    SELECT value ->> 0, value ->> 1, 0, 1, value ->> 2, ?2 FROM json_each(?1)
    WHERE EXISTS (SELECT 1 FROM report_jobs
        WHERE report_jobs.org = value ->> 0 AND ended_at IS NULL)
    ON CONFLICT (org, event_id, taken) DO UPDATE SET
        number = number + 1, earliest = min(earliest, excluded.earliest)";

const SELECT_ORGS: &str = "SELECT org, min(earliest) AS earliest, min(dirty_since) AS dirty_since,
        max(taken) AS taken
    FROM dirty_events GROUP BY org ORDER BY org";

const TAKE: &str = "INSERT INTO dirty_events (org, event_id, taken, number, earliest, dirty_since)
    SELECT org, event_id, 1, number, earliest, dirty_since
    FROM dirty_events WHERE org = ?1 AND taken = 0
    ON CONFLICT (org, event_id, taken) DO UPDATE SET
        number = dirty_events.number + excluded.number,
        earliest = min(dirty_events.earliest, excluded.earliest)";

const CLEAR_TAKEN_OVER: &str = "DELETE FROM dirty_events WHERE org = ?1 AND taken = 0";

/// Those that have waited longest come first.
const SELECT_TAKEN: &str = "SELECT event_id, earliest, number FROM dirty_events
    WHERE org = ?1 AND taken = 1 ORDER BY dirty_since, event_id LIMIT ?2";

const SELECT_WAITING_SINCE: &str = "SELECT min(dirty_since) AS dirty_since FROM dirty_events
    WHERE org = ?1 AND earliest < ?2";

/// The events come as a JSON array of `[event, number]`. Only what was looked at: a later call
/// that took more has changed the number.
const DELETE: &str = "DELETE FROM dirty_events
    WHERE org = ?1 AND taken = 1
        AND (event_id, number) IN (SELECT value ->> 0, value ->> 1 FROM json_each(?2))";

/// Notes mentions, a JSON array of `[org, event, earliest]`.
pub(crate) async fn note(
    write: &mut SqliteConnection,
    mentions_json: &str,
    now: Timestamp,
) -> Result<(), Error> {
    sqlx::query(NOTE)
        .bind(mentions_json)
        .bind(now.as_millis())
        .execute(write)
        .await
        .doing("note dirty events")?;
    Ok(())
}

/// The organisations with something to look at.
pub(crate) async fn orgs(read: impl SqliteExecutor<'_>) -> Result<Vec<DirtyOrg>, Error> {
    let rows = sqlx::query(SELECT_ORGS)
        .fetch_all(read)
        .await
        .doing("look for dirty events")?;
    rows.iter()
        .map(|row| {
            let row = Stored(row);
            Ok(DirtyOrg {
                org: row.parsed("org")?,
                earliest: row.time("earliest")?,
                waiting_since: row.time("dirty_since")?,
                is_taken: row.plain::<i64>("taken")? > 0,
            })
        })
        .collect()
}

/// Since when the oldest of those waits that have facts from before an instant.
pub(crate) async fn waiting_since(
    read: impl SqliteExecutor<'_>,
    org: &OrgId,
    before: Timestamp,
) -> Result<Option<Timestamp>, Error> {
    let row = sqlx::query(SELECT_WAITING_SINCE)
        .bind(org.as_str())
        .bind(before.as_millis())
        .fetch_one(read)
        .await
        .doing("look since when dirty events wait")?;
    Stored(&row).time_if_any("dirty_since")
}

/// Takes what waits, together with what was taken before and not finished. Gives at most `limit`
/// of it, the oldest.
pub(crate) async fn take(
    write: &mut SqliteConnection,
    org: &OrgId,
    limit: u32,
) -> Result<Vec<DirtyEvent>, Error> {
    for statement in [TAKE, CLEAR_TAKEN_OVER] {
        sqlx::query(statement)
            .bind(org.as_str())
            .execute(&mut *write)
            .await
            .doing("take dirty events")?;
    }
    let rows = sqlx::query(SELECT_TAKEN)
        .bind(org.as_str())
        .bind(limit)
        .fetch_all(write)
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

/// Forgets what was looked at.
pub(crate) async fn forget(
    write: &mut SqliteConnection,
    org: &OrgId,
    events: &[DirtyEvent],
) -> Result<(), Error> {
    let looked_at = events.iter().map(|event| (&event.event, event.number));
    let looked_at: Vec<_> = looked_at.collect();
    sqlx::query(DELETE)
        .bind(org.as_str())
        .bind(to_json(&looked_at))
        .execute(write)
        .await
        .doing("forget dirty events")?;
    Ok(())
}
