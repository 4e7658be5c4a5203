//! The registry of events: what each organisation's shows are.

use std::collections::{BTreeMap, BTreeSet};

use serde::Serialize;
use showreport_model::facts::{Collected, Registrations};
use showreport_model::record::{EventKind, EventRecord};
use showreport_model::report::Event;
use showreport_model::{EventId, OrgId, Span, Timestamp};
use sqlx::sqlite::SqliteRow;
use sqlx::{SqliteConnection, SqliteExecutor, SqlitePool};

use crate::database::{Stored, Sum, check_rows, to_json};
use crate::dirty_events;
use crate::error::{Doing, Error};

/// The columns of an event, with what follows them.
macro_rules! select {
    ($rest:literal) => {
        concat!(
            "SELECT org, event_id, kind, title, starts_at, ends_at, duration_ms, updated_at,
                record, sum
            FROM events ",
            $rest
        )
    };
}

const SELECT: &str = select!("WHERE org = ?1 AND event_id = ?2");

const SELECT_PAGE: &str = select!("WHERE org = ?1 AND event_id > ?2 ORDER BY event_id LIMIT ?3");

const SELECT_THESE: &str =
    select!("WHERE org = ?1 AND event_id IN (SELECT value FROM json_each(?2))");

const SELECT_ALL: &str = select!("");

/// The events come as a JSON array of `[org, event, sum]`: one statement, however many there are.
/// A new event was not watched yet.
const TOUCH: &str = "INSERT INTO events (org, event_id, sum, watched_from, watched_to)
    SELECT value ->> 0, value ->> 1, value ->> 2, 9223372036854775807, -9223372036854775807
    FROM json_each(?1) WHERE true
    ON CONFLICT (org, event_id) DO NOTHING RETURNING org";

/// What was watched comes as a JSON array of `[org, event, from, to]`. Most of it was watched within an
/// hour of which that is known, and changes nothing.
const WATCH: &str = "UPDATE events
    SET watched_from = min(events.watched_from, heard.watched_from),
        watched_to = max(events.watched_to, heard.watched_to)
    FROM (SELECT value ->> 0 AS org, value ->> 1 AS event_id, value ->> 2 AS watched_from,
            value ->> 3 AS watched_to
        FROM json_each(?1)) AS heard
    WHERE events.org = heard.org AND events.event_id = heard.event_id
        AND (heard.watched_from < events.watched_from OR heard.watched_to > events.watched_to)";

const SELECT_WATCHED: &str =
    "SELECT watched_from, watched_to FROM events WHERE org = ?1 AND event_id = ?2";

/// The events of one organisation come as a JSON array of arrays of the columns that follow `org`.
const REGISTER: &str = "INSERT INTO events
        (org, event_id, kind, title, starts_at, ends_at, duration_ms, updated_at, record, sum,
        watched_from, watched_to)
    SELECT ?1, value ->> 0, value ->> 1, value ->> 2, value ->> 3, value ->> 4, value ->> 5,
        value ->> 6, value ->> 7, value ->> 8, 9223372036854775807, -9223372036854775807
    FROM json_each(?2) WHERE true
    ON CONFLICT (org, event_id) DO UPDATE SET
        kind = excluded.kind, title = excluded.title, starts_at = excluded.starts_at,
        ends_at = excluded.ends_at, duration_ms = excluded.duration_ms,
        updated_at = excluded.updated_at, record = excluded.record, sum = excluded.sum";

/// Events that a statement writes or reads: a statement an event would take most of its time in going to and
/// fro, and one for all of an import would need a text of many megabytes.
const EVENTS_AT_ONCE: usize = 1_000;

/// What a commit says about events.
#[derive(Debug, Default)]
pub(crate) struct Mentions {
    touched: BTreeSet<(OrgId, EventId)>,
    registrations: BTreeMap<OrgId, Registrations>,
    earliest: BTreeMap<(OrgId, EventId), Timestamp>,
    watched: BTreeMap<(OrgId, EventId), Span>,
    records: BTreeMap<OrgId, u64>,
}

impl Mentions {
    /// Adds what an organisation sent.
    pub(crate) fn add(&mut self, org: &OrgId, collected: &Collected) {
        let events = collected.touched.iter().cloned();
        self.touched
            .extend(events.map(|event| (org.clone(), event)));
        if !collected.registrations.is_empty() {
            let of_org = self.registrations.entry(org.clone()).or_default();
            of_org.absorb(&collected.registrations);
        }
        *self.records.entry(org.clone()).or_default() += collected.records as u64;
        for (event, at) in collected.earliest() {
            let earliest = self.earliest.entry((org.clone(), event)).or_insert(at);
            *earliest = at.min(*earliest);
        }
        for (event, span) in collected.watched() {
            let span = span.in_hours();
            let watched = self.watched.entry((org.clone(), event)).or_insert(span);
            *watched = watched.hull(span);
        }
    }

    /// How many records there were of each organisation.
    pub(crate) fn records(&self) -> &BTreeMap<OrgId, u64> {
        &self.records
    }

    /// Bytes of the records of what events are.
    pub(crate) fn registered_bytes(&self) -> usize {
        let of_orgs = self.registrations.values();
        of_orgs.map(Registrations::memory_bytes).sum()
    }

    /// The events that there are facts of, and no record of what they are.
    fn unregistered(&self) -> Vec<&(OrgId, EventId)> {
        let is_registered = |(org, event): &(OrgId, EventId)| {
            let of_org = self.registrations.get(org);
            of_org.is_some_and(|of_org| of_org.contains(event))
        };
        let touched = self.touched.iter();
        touched.filter(|event| !is_registered(event)).collect()
    }
}

/// An event of an organisation.
pub(crate) async fn find(
    read: impl SqliteExecutor<'_>,
    org: &OrgId,
    id: &EventId,
) -> Result<Event, Error> {
    let row = row(read, org, id).await?;
    let row = row.ok_or_else(|| Error::UnknownEvent { event: id.clone() })?;
    event(&row)
}

async fn row(
    read: impl SqliteExecutor<'_>,
    org: &OrgId,
    id: &EventId,
) -> Result<Option<SqliteRow>, Error> {
    sqlx::query(SELECT)
        .bind(org.as_str())
        .bind(id.as_str())
        .fetch_optional(read)
        .await
        .doing("look up an event")
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

/// These events of an organisation, of which there are facts.
pub(crate) async fn find_all(
    readers: &SqlitePool,
    org: &OrgId,
    ids: &[EventId],
) -> Result<BTreeMap<EventId, Event>, Error> {
    let mut events = BTreeMap::new();
    // A connection for a thousand at a time: there are few, and others wait for them.
    for ids in ids.chunks(EVENTS_AT_ONCE) {
        let rows = sqlx::query(SELECT_THESE)
            .bind(org.as_str())
            .bind(to_json(&ids))
            .fetch_all(readers)
            .await
            .doing("look up events")?;
        for row in &rows {
            let event = event(row)?;
            events.insert(event.id.clone(), event);
        }
    }
    // Facts and the row of their event came in one transaction.
    match ids.iter().find(|id| !events.contains_key(id)) {
        Some(missing) => Err(Error::damaged(&format!(
            "the row of the event {missing} is missing, of which there are facts"
        ))),
        None => Ok(events),
    }
}

/// Reads every event, so that one that is damaged is found.
pub(crate) async fn check_all(read: &mut SqliteConnection) -> Result<(), Error> {
    check_rows(read, SELECT_ALL, |row| event(row).map(drop)).await
}

/// Adds events that are new, takes over records that hold from now on, and
/// notes of which events something was said. Gives how many of each organisation were new.
pub(crate) async fn mention(
    write: &mut SqliteConnection,
    mentions: &Mentions,
    now: Timestamp,
) -> Result<NewEvents, Error> {
    let mut new = NewEvents::new();
    for events in mentions.unregistered().chunks(EVENTS_AT_ONCE) {
        touch(write, events, &mut new).await?;
    }
    let mut earliest = mentions.earliest.clone();
    for (org, registrations) in &mentions.registrations {
        let records: Vec<&EventRecord> = registrations.iter().collect();
        for records in records.chunks(EVENTS_AT_ONCE) {
            let (holding, count) = register(write, org, records).await?;
            *new.entry(org.clone()).or_default() += count;
            for event in holding {
                // What an event is shows in everything that it ever was.
                earliest.insert((org.clone(), event.clone()), Timestamp::MIN);
            }
        }
    }
    watch(write, mentions).await?;
    let earliest: Vec<_> = earliest
        .iter()
        .map(|((org, event), at)| (org, event, at))
        .collect();
    for events in earliest.chunks(EVENTS_AT_ONCE) {
        dirty_events::note(write, &to_json(&events), now).await?;
    }
    new.retain(|_, count| *count > 0);
    Ok(new)
}

/// How many events of an organisation a commit adds.
pub(crate) type NewEvents = BTreeMap<OrgId, u64>;

/// Notes when events were watched.
async fn watch(write: &mut SqliteConnection, mentions: &Mentions) -> Result<(), Error> {
    let watched: Vec<_> = mentions
        .watched
        .iter()
        .map(|((org, event), span)| (org, event, span.from(), span.to()))
        .collect();
    for events in watched.chunks(EVENTS_AT_ONCE) {
        sqlx::query(WATCH)
            .bind(to_json(&events))
            .execute(&mut *write)
            .await
            .doing("note when events were watched")?;
    }
    Ok(())
}

/// Adds those of these events that are new, and counts them.
async fn touch(
    write: &mut SqliteConnection,
    events: &[&(OrgId, EventId)],
    new: &mut NewEvents,
) -> Result<(), Error> {
    let undescribed = Described::default();
    let rows: Vec<_> = events
        .iter()
        .map(|(org, event)| (org, event, undescribed.sum(org.as_str(), event.as_str())))
        .collect();
    let added = sqlx::query(TOUCH)
        .bind(to_json(&rows))
        .fetch_all(write)
        .await
        .doing("add events")?;
    for row in &added {
        *new.entry(Stored(row).parsed("org")?).or_default() += 1;
    }
    Ok(())
}

/// Writes those of these records, each of another event, that hold over what is stored. Returns
/// their events, and how many of all are new.
async fn register<'r>(
    write: &mut SqliteConnection,
    org: &OrgId,
    records: &[&'r EventRecord],
) -> Result<(Vec<&'r EventId>, u64), Error> {
    let (present, new) = registered(write, org, records).await?;
    let holding: Vec<&EventRecord> = records
        .iter()
        .copied()
        .filter(|record| {
            let present = present.get(&record.event);
            present.is_none_or(|present| record.holds_over(present))
        })
        .collect();
    if !holding.is_empty() {
        let rows: Vec<_> = holding.iter().map(|record| to_row(org, record)).collect();
        sqlx::query(REGISTER)
            .bind(org.as_str())
            .bind(to_json(&rows))
            .execute(write)
            .await
            .doing("register events")?;
    }
    Ok((holding.iter().map(|record| &record.event).collect(), new))
}

/// The records that are stored of these events, and how many of the events have no row yet. What is
/// compared with must be what was written.
async fn registered(
    write: &mut SqliteConnection,
    org: &OrgId,
    records: &[&EventRecord],
) -> Result<(BTreeMap<EventId, EventRecord>, u64), Error> {
    let ids: Vec<&EventId> = records.iter().map(|record| &record.event).collect();
    let rows = sqlx::query(SELECT_THESE)
        .bind(org.as_str())
        .bind(to_json(&ids))
        .fetch_all(write)
        .await
        .doing("look up events")?;
    let mut present = BTreeMap::new();
    for row in &rows {
        let event = event(row)?;
        if let (Some(kind), Some(title)) = (event.kind, event.title) {
            let record = EventRecord {
                event: event.id.clone(),
                kind,
                title,
                starts_at: event.starts_at,
                ends_at: event.ends_at,
                duration_ms: event.duration_ms,
                updated_at: event.updated_at,
            };
            present.insert(event.id, record);
        }
    }
    Ok((present, (ids.len() - rows.len()) as u64))
}

/// The columns of an event that follow `org`.
fn to_row(org: &OrgId, record: &EventRecord) -> impl Serialize + use<> {
    let described = Described::of(record);
    let sum = described.sum(org.as_str(), record.event.as_str());
    (
        record.event.clone(),
        described.kind,
        described.title,
        described.starts_at,
        described.ends_at,
        described.duration_ms,
        described.updated_at,
        described.record,
        sum,
    )
}

/// The span of whole hours within which an event was watched. Nothing where it was not, or where it
/// is not known, as of what was collected by an earlier version.
pub(crate) async fn watched(
    read: impl SqliteExecutor<'_>,
    org: &OrgId,
    event: &EventId,
) -> Result<Option<Span>, Error> {
    let row = sqlx::query(SELECT_WATCHED)
        .bind(org.as_str())
        .bind(event.as_str())
        .fetch_optional(read)
        .await
        .doing("look up when an event was watched")?;
    let Some(row) = row else { return Ok(None) };
    let row = Stored(&row);
    let ends: (Option<i64>, Option<i64>) = (row.plain("watched_from")?, row.plain("watched_to")?);
    Ok(ends
        .0
        .zip(ends.1)
        .and_then(|(from, to)| Span::new(from, to)))
}

/// What a record says of an event, as it is stored.
#[derive(Debug, Default)]
struct Described {
    kind: Option<String>,
    title: Option<String>,
    starts_at: Option<i64>,
    ends_at: Option<i64>,
    duration_ms: Option<i64>,
    updated_at: Option<i64>,
    record: Option<String>,
}

impl Described {
    fn of(record: &EventRecord) -> Self {
        Self {
            kind: Some(record.kind.name().to_owned()),
            title: Some(record.title.clone()),
            starts_at: record.starts_at.map(Timestamp::as_millis),
            ends_at: record.ends_at.map(Timestamp::as_millis),
            duration_ms: record.duration_ms,
            updated_at: record.updated_at.map(Timestamp::as_millis),
            record: Some(record.canonical_json()),
        }
    }

    fn read(row: &Stored<'_>) -> Result<Self, Error> {
        Ok(Self {
            kind: row.plain("kind")?,
            title: row.plain("title")?,
            starts_at: row.plain("starts_at")?,
            ends_at: row.plain("ends_at")?,
            duration_ms: row.plain("duration_ms")?,
            updated_at: row.plain("updated_at")?,
            record: row.plain("record")?,
        })
    }

    fn sum(&self, org: &str, event: &str) -> i64 {
        Sum::of("events")
            .text(org)
            .text(event)
            .text_if_any(self.kind.as_deref())
            .text_if_any(self.title.as_deref())
            .number_if_any(self.starts_at)
            .number_if_any(self.ends_at)
            .number_if_any(self.duration_ms)
            .number_if_any(self.updated_at)
            .text_if_any(self.record.as_deref())
            .finish()
    }
}

fn event(row: &SqliteRow) -> Result<Event, Error> {
    let row = Stored(row);
    let (org, id): (String, String) = (row.plain("org")?, row.plain("event_id")?);
    row.check("events", Described::read(&row)?.sum(&org, &id))?;
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
