//! The registry of events: what each organisation's shows are.

use std::collections::{BTreeMap, BTreeSet};

use showreport_model::facts::Collected;
use showreport_model::record::{EventKind, EventRecord};
use showreport_model::report::Event;
use showreport_model::{EventId, OrgId, Timestamp};
use sqlx::sqlite::SqliteRow;
use sqlx::{SqliteConnection, SqliteExecutor};

use crate::database::{Stored, to_json};
use crate::error::{Doing, Error};
use crate::touched;

const SELECT: &str = "SELECT event_id, kind, title, starts_at, ends_at, duration_ms, updated_at
    FROM events WHERE org = ?1 AND event_id = ?2";

const SELECT_PAGE: &str =
    "SELECT event_id, kind, title, starts_at, ends_at, duration_ms, updated_at
    FROM events WHERE org = ?1 AND event_id > ?2 ORDER BY event_id LIMIT ?3";

const SELECT_THESE: &str =
    "SELECT event_id, kind, title, starts_at, ends_at, duration_ms, updated_at
    FROM events WHERE org = ?1 AND event_id IN (SELECT value FROM json_each(?2))";

/// The events come as a JSON array of `[org, event]`: one statement, however many there are.
const TOUCH: &str = "INSERT INTO events (org, event_id)
    SELECT value ->> 0, value ->> 1 FROM json_each(?1) WHERE true
    ON CONFLICT (org, event_id) DO NOTHING";

/// Between two records the greater one holds, by (`updated_at`, none is
/// oldest; title; JSON), in whatever order they come. Text is compared by bytes.
const REGISTER: &str = "INSERT INTO events
        (org, event_id, kind, title, starts_at, ends_at, duration_ms, updated_at, record)
    VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?9)
    ON CONFLICT (org, event_id) DO UPDATE SET
        kind = excluded.kind, title = excluded.title, starts_at = excluded.starts_at,
        ends_at = excluded.ends_at, duration_ms = excluded.duration_ms,
        updated_at = excluded.updated_at, record = excluded.record
    WHERE events.record IS NULL
        OR (coalesce(excluded.updated_at, -1), excluded.title, excluded.record)
            > (coalesce(events.updated_at, -1), events.title, events.record)";

/// What a commit says about events.
#[derive(Debug, Default)]
pub(crate) struct Mentions {
    touched: BTreeSet<(OrgId, EventId)>,
    registrations: Vec<(OrgId, EventRecord)>,
    earliest: BTreeMap<(OrgId, EventId), Timestamp>,
}

impl Mentions {
    /// Adds what an organisation sent.
    pub(crate) fn add(&mut self, org: &OrgId, collected: &Collected) {
        let events = collected.touched.iter().cloned();
        self.touched
            .extend(events.map(|event| (org.clone(), event)));
        let records = collected.registrations.iter().cloned();
        self.registrations
            .extend(records.map(|record| (org.clone(), record)));
        for (event, at) in collected.earliest() {
            let earliest = self.earliest.entry((org.clone(), event)).or_insert(at);
            *earliest = at.min(*earliest);
        }
    }

    /// The events, as a JSON array of `[org, event]`.
    pub(crate) fn touched_json(&self) -> String {
        to_json(&self.touched)
    }
}

/// An event of an organisation.
pub(crate) async fn find(
    read: impl SqliteExecutor<'_>,
    org: &OrgId,
    id: &EventId,
) -> Result<Event, Error> {
    let row = sqlx::query(SELECT)
        .bind(org.as_str())
        .bind(id.as_str())
        .fetch_optional(read)
        .await
        .doing("look up an event")?;
    let row = row.ok_or_else(|| Error::UnknownEvent { event: id.clone() })?;
    event(&row)
}

/// Events of an organisation that come after `after`, by id.
pub(crate) async fn list(
    read: impl SqliteExecutor<'_>,
    org: &OrgId,
    after: Option<&EventId>,
    limit: u32,
) -> Result<Vec<Event>, Error> {
    let rows = sqlx::query(SELECT_PAGE)
        .bind(org.as_str())
        // Every id is greater than no text at all.
        .bind(after.map_or("", EventId::as_str))
        .bind(limit)
        .fetch_all(read)
        .await
        .doing("list events")?;
    rows.iter().map(event).collect()
}

/// Those of these events that an organisation has.
pub(crate) async fn find_all(
    read: impl SqliteExecutor<'_>,
    org: &OrgId,
    ids: &[EventId],
) -> Result<BTreeMap<EventId, Event>, Error> {
    let rows = sqlx::query(SELECT_THESE)
        .bind(org.as_str())
        .bind(to_json(&ids))
        .fetch_all(read)
        .await
        .doing("look up events")?;
    let events = rows.iter().map(event);
    events
        .map(|event| event.map(|event| (event.id.clone(), event)))
        .collect()
}

/// Adds events that are new, takes over records that hold from now on, and
/// notes of which events something was said.
pub(crate) async fn mention(
    write: &mut SqliteConnection,
    mentions: &Mentions,
    now: Timestamp,
) -> Result<(), Error> {
    sqlx::query(TOUCH)
        .bind(mentions.touched_json())
        .execute(&mut *write)
        .await
        .doing("add events")?;
    let mut earliest = mentions.earliest.clone();
    for (org, record) in &mentions.registrations {
        let done = sqlx::query(REGISTER)
            .bind(org.as_str())
            .bind(record.event.as_str())
            .bind(record.kind.name())
            .bind(record.title.as_str())
            .bind(record.starts_at.map(Timestamp::as_millis))
            .bind(record.ends_at.map(Timestamp::as_millis))
            .bind(record.duration_ms)
            .bind(record.updated_at.map(Timestamp::as_millis))
            .bind(record.canonical_json())
            .execute(&mut *write)
            .await
            .doing("register an event")?;
        if done.rows_affected() > 0 {
            // What an event is shows in everything that it ever was.
            earliest.insert((org.clone(), record.event.clone()), Timestamp::MIN);
        }
    }
    let earliest: Vec<_> = earliest
        .iter()
        .map(|((org, event), at)| (org, event, at))
        .collect();
    touched::note(write, &to_json(&earliest), now).await
}

fn event(row: &SqliteRow) -> Result<Event, Error> {
    let row = Stored(row);
    Ok(Event {
        id: row.parsed("event_id")?,
        kind: row.named_if_any("kind", EventKind::from_name)?,
        title: row.plain("title")?,
        starts_at: row.time_if_any("starts_at")?,
        ends_at: row.time_if_any("ends_at")?,
        duration_ms: row.plain("duration_ms")?,
        updated_at: row.time_if_any("updated_at")?,
    })
}
