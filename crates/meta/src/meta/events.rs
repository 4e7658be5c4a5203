//! The registry of events: title, kind and times of each organisation's events.

use std::collections::{BTreeMap, BTreeSet};

use serde::Serialize;
use showreport_model::facts::{Collected, Registrations};
use showreport_model::record::{EventKind, EventRecord};
use showreport_model::report::Event;
use showreport_model::{EventId, OrgId, Span, Timestamp};
use sqlx::sqlite::SqliteRow;
use sqlx::{SqliteConnection, SqliteExecutor};

use super::{Meta, dirty_events};
use crate::database::{Stored, Sum, Transaction, check_rows, elements, to_json};
use crate::error::{Doing, Error};

/// Selects all columns of an event.
macro_rules! select {
    ($($rest:expr),*) => {
        concat!(
            "SELECT org, event_id, kind, title, starts_at, ends_at, duration_ms, updated_at,
                record, sum, changed_at
            FROM events ",
            $($rest),*
        )
    };
}

const SELECT: &str = select!("WHERE org = $1 AND event_id = $2");

/// The events come as a JSON array of their ids.
const SELECT_THESE: &str = select!(
    "WHERE org = $1 AND event_id IN (SELECT value FROM ",
    elements!("$2"),
    ")"
);

const SELECT_ALL: &str = select!("");

/// The events come as a JSON array of `[org, event, sum]`. The span in which a new event was
/// watched is empty.
const INSERT: &str = concat!(
    "INSERT INTO events (org, event_id, sum, watched_from, watched_to)
    SELECT value ->> 0, value ->> 1, value ->> 2, 9223372036854775807, -9223372036854775807
    FROM ",
    elements!("$1"),
    " WHERE true
    ON CONFLICT (org, event_id) DO NOTHING RETURNING org"
);

/// The changed events come as a JSON array of `[org, event, newest, from, to]`. The time of the
/// change grows with each commit, also while the clock stands still or is set back.
const CHANGE: &str = concat!(
    "UPDATE events
    SET changed_at = CASE WHEN events.changed_at < $2 THEN $2 ELSE events.changed_at + 1 END,
        newest_at = CASE WHEN events.newest_at >= changed.newest_at
            THEN events.newest_at ELSE coalesce(changed.newest_at, events.newest_at) END,
        watched_from = CASE WHEN changed.watched_from < events.watched_from
            THEN changed.watched_from ELSE events.watched_from END,
        watched_to = CASE WHEN changed.watched_to > events.watched_to
            THEN changed.watched_to ELSE events.watched_to END
    FROM (SELECT value ->> 0 AS org, value ->> 1 AS event_id, value ->> 2 AS newest_at,
            value ->> 3 AS watched_from, value ->> 4 AS watched_to
        FROM ",
    elements!("$1"),
    ") AS changed
    WHERE events.org = changed.org AND events.event_id = changed.event_id"
);

const SELECT_WATCHED: &str =
    "SELECT watched_from, watched_to FROM events WHERE org = $1 AND event_id = $2";

/// The events of one organisation come as a JSON array of arrays of the columns that follow `org`.
const REGISTER: &str = concat!(
    "INSERT INTO events
        (org, event_id, kind, title, starts_at, ends_at, duration_ms, updated_at, record, sum,
        watched_from, watched_to)
    SELECT $1, value ->> 0, value ->> 1, value ->> 2, value ->> 3, value ->> 4, value ->> 5,
        value ->> 6, value ->> 7, value ->> 8, 9223372036854775807, -9223372036854775807
    FROM ",
    elements!("$2"),
    " WHERE true
    ON CONFLICT (org, event_id) DO UPDATE SET
        kind = excluded.kind, title = excluded.title, starts_at = excluded.starts_at,
        ends_at = excluded.ends_at, duration_ms = excluded.duration_ms,
        updated_at = excluded.updated_at, record = excluded.record, sum = excluded.sum"
);

/// Events of one statement. A statement for each event would spend most of its time between
/// threads; one for a whole import would need a parameter of many megabytes.
const EVENTS_AT_ONCE: usize = 1_000;

/// The changes to events that come with the facts of one commit.
#[derive(Debug, Default)]
pub(super) struct EventChanges {
    /// The events that there are facts of.
    with_facts: BTreeSet<(OrgId, EventId)>,
    registrations: BTreeMap<OrgId, Registrations>,
    /// The earliest instant that a fact of the event is about.
    earliest: BTreeMap<(OrgId, EventId), Timestamp>,
    /// The newest instant that a fact of the event is about.
    newest: BTreeMap<(OrgId, EventId), Timestamp>,
    /// Spans of whole hours.
    watched: BTreeMap<(OrgId, EventId), Span>,
    records: BTreeMap<OrgId, u64>,
}

impl EventChanges {
    pub(super) fn add(&mut self, org: &OrgId, collected: &Collected) {
        let events = collected.touched.iter().cloned();
        self.with_facts
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
        for (event, at) in collected.newest() {
            let newest = self.newest.entry((org.clone(), event)).or_insert(at);
            *newest = at.max(*newest);
        }
        for (event, span) in collected.watched() {
            let span = span.in_hours();
            let watched = self.watched.entry((org.clone(), event)).or_insert(span);
            *watched = watched.hull(span);
        }
    }

    /// The number of records of each organisation.
    pub(super) fn records(&self) -> &BTreeMap<OrgId, u64> {
        &self.records
    }

    /// Bytes of the event records.
    pub(super) fn registered_bytes(&self) -> usize {
        let of_orgs = self.registrations.values();
        of_orgs.map(Registrations::memory_bytes).sum()
    }

    /// The events that there are facts of, and no event record.
    fn unregistered(&self) -> Vec<&(OrgId, EventId)> {
        let is_registered = |(org, event): &(OrgId, EventId)| {
            let of_org = self.registrations.get(org);
            of_org.is_some_and(|of_org| of_org.contains(event))
        };
        let events = self.with_facts.iter();
        events.filter(|event| !is_registered(event)).collect()
    }
}

impl Meta {
    /// An event of an organisation.
    pub async fn event(&self, org: &OrgId, event: &EventId) -> Result<Event, Error> {
        find(self.readers(), org, event).await
    }

    /// These events of an organisation, all of which have facts: a missing row is damage, because
    /// it was added in the transaction that stored the facts.
    pub async fn events_by_id(
        &self,
        org: &OrgId,
        ids: &[EventId],
    ) -> Result<BTreeMap<EventId, Event>, Error> {
        let mut events = BTreeMap::new();
        // Each statement takes a connection and gives it back: there are few, and others wait.
        for ids in ids.chunks(EVENTS_AT_ONCE) {
            let rows = sqlx::query(SELECT_THESE)
                .bind(org.as_str())
                .bind(to_json(&ids))
                .fetch_all(self.readers())
                .await
                .doing("look up events")?;
            for row in &rows {
                let event = event(row)?;
                events.insert(event.id.clone(), event);
            }
        }
        match ids.iter().find(|id| !events.contains_key(id)) {
            Some(missing) => Err(Error::damaged(&format!(
                "the row of the event {missing} is missing, of which there are facts"
            ))),
            None => Ok(events),
        }
    }
}

/// An event of an organisation.
pub(super) async fn find(
    read: impl SqliteExecutor<'_>,
    org: &OrgId,
    id: &EventId,
) -> Result<Event, Error> {
    Ok(find_changed(read, org, id).await?.0)
}

/// An event of an organisation, and when it changed last.
pub(super) async fn find_changed(
    read: impl SqliteExecutor<'_>,
    org: &OrgId,
    id: &EventId,
) -> Result<(Event, Timestamp), Error> {
    let row = sqlx::query(SELECT)
        .bind(org.as_str())
        .bind(id.as_str())
        .fetch_optional(read)
        .await
        .doing("look up an event")?;
    let row = row.ok_or_else(|| Error::UnknownEvent { event: id.clone() })?;
    Ok((event(&row)?, Stored(&row).time("changed_at")?))
}

/// Checks every row of the table.
pub(super) async fn check_all(read: &mut SqliteConnection) -> Result<(), Error> {
    check_rows(read, SELECT_ALL, |row| event(row).map(drop)).await
}

/// Adds new events, stores the event records that replace the stored ones, notes which events
/// changed, and marks them dirty. Returns the number of new events of each organisation.
pub(super) async fn apply(
    tx: &mut Transaction<'_>,
    changes: &EventChanges,
    now: Timestamp,
) -> Result<NewEvents, Error> {
    let mut new = NewEvents::new();
    for events in changes.unregistered().chunks(EVENTS_AT_ONCE) {
        insert(tx, events, &mut new).await?;
    }
    let mut earliest = changes.earliest.clone();
    let mut events: BTreeSet<(&OrgId, &EventId)> = BTreeSet::new();
    for (org, registrations) in &changes.registrations {
        let records: Vec<&EventRecord> = registrations.iter().collect();
        for records in records.chunks(EVENTS_AT_ONCE) {
            let (replaced, count) = register(tx, org, records).await?;
            *new.entry(org.clone()).or_default() += count;
            for event in replaced {
                events.insert((org, event));
                // Its title is in the reports of all its days.
                earliest.insert((org.clone(), event.clone()), Timestamp::MIN);
            }
        }
    }
    events.extend(changes.with_facts.iter().map(|(org, event)| (org, event)));
    note_changed(tx, changes, events, now).await?;
    let earliest: Vec<_> = earliest
        .iter()
        .map(|((org, event), at)| (org, event, at))
        .collect();
    for events in earliest.chunks(EVENTS_AT_ONCE) {
        dirty_events::note(tx, &to_json(&events), now).await?;
    }
    new.retain(|_, count| *count > 0);
    Ok(new)
}

/// The number of events of each organisation that a commit adds.
pub(super) type NewEvents = BTreeMap<OrgId, u64>;

/// Notes when these events changed, and the times of their new facts.
async fn note_changed(
    tx: &mut SqliteConnection,
    changes: &EventChanges,
    events: BTreeSet<(&OrgId, &EventId)>,
    now: Timestamp,
) -> Result<(), Error> {
    let rows: Vec<_> = events
        .into_iter()
        .map(|(org, event)| {
            let key = (org.clone(), event.clone());
            let watched = changes.watched.get(&key);
            let [from, to] = [
                watched.map(|span| span.from()),
                watched.map(|span| span.to()),
            ];
            (org, event, changes.newest.get(&key), from, to)
        })
        .collect();
    for events in rows.chunks(EVENTS_AT_ONCE) {
        sqlx::query(CHANGE)
            .bind(to_json(&events))
            .bind(now.as_millis())
            .execute(&mut *tx)
            .await
            .doing("note that events changed")?;
    }
    Ok(())
}

/// Adds those of these events that are new, and counts them.
async fn insert(
    tx: &mut SqliteConnection,
    events: &[&(OrgId, EventId)],
    new: &mut NewEvents,
) -> Result<(), Error> {
    let empty = Columns::default();
    let rows: Vec<_> = events
        .iter()
        .map(|(org, event)| (org, event, empty.sum(org.as_str(), event.as_str())))
        .collect();
    let added = sqlx::query(INSERT)
        .bind(to_json(&rows))
        .fetch_all(tx)
        .await
        .doing("add events")?;
    for row in &added {
        *new.entry(Stored(row).parsed("org")?).or_default() += 1;
    }
    Ok(())
}

/// Stores those of these records, each of another event, that replace the stored ones. Returns
/// their events, and how many of all events are new.
async fn register<'r>(
    tx: &mut SqliteConnection,
    org: &OrgId,
    records: &[&'r EventRecord],
) -> Result<(Vec<&'r EventId>, u64), Error> {
    let (present, new) = registered(tx, org, records).await?;
    let replacing: Vec<&EventRecord> = records
        .iter()
        .copied()
        .filter(|record| {
            let present = present.get(&record.event);
            present.is_none_or(|present| record.holds_over(present))
        })
        .collect();
    if !replacing.is_empty() {
        let rows: Vec<_> = replacing.iter().map(|record| to_row(org, record)).collect();
        sqlx::query(REGISTER)
            .bind(org.as_str())
            .bind(to_json(&rows))
            .execute(tx)
            .await
            .doing("register events")?;
    }
    Ok((replacing.iter().map(|record| &record.event).collect(), new))
}

/// The stored records of these events, and how many of the events have no row yet. A damaged row is
/// an error: a record must not be compared with it.
async fn registered(
    tx: &mut SqliteConnection,
    org: &OrgId,
    records: &[&EventRecord],
) -> Result<(BTreeMap<EventId, EventRecord>, u64), Error> {
    let ids: Vec<&EventId> = records.iter().map(|record| &record.event).collect();
    let rows = sqlx::query(SELECT_THESE)
        .bind(org.as_str())
        .bind(to_json(&ids))
        .fetch_all(tx)
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
    let columns = Columns::of(record);
    let sum = columns.sum(org.as_str(), record.event.as_str());
    (
        record.event.clone(),
        columns.kind,
        columns.title,
        columns.starts_at,
        columns.ends_at,
        columns.duration_ms,
        columns.updated_at,
        columns.record,
        sum,
    )
}

/// The span of whole hours in which an event was watched. `None` if it was not, or if the facts
/// were collected by a version that did not note it.
pub(super) async fn watched(
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

/// The values of an event record as they are stored; all are null without one.
#[derive(Debug, Default)]
struct Columns {
    kind: Option<String>,
    title: Option<String>,
    starts_at: Option<i64>,
    ends_at: Option<i64>,
    duration_ms: Option<i64>,
    updated_at: Option<i64>,
    record: Option<String>,
}

impl Columns {
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

/// The event of a row with all its columns.
pub(super) fn event(row: &SqliteRow) -> Result<Event, Error> {
    let row = Stored(row);
    let (org, id): (String, String) = (row.plain("org")?, row.plain("event_id")?);
    row.check("events", Columns::read(&row)?.sum(&org, &id))?;
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
