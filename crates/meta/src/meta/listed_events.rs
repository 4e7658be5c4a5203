//! Lists of events: filtered, in an order, page by page.

use futures::TryStreamExt;
use showreport_model::record::EventKind;
use showreport_model::report::{Event, EventState, QUIET_MS_MAX};
use showreport_model::search::SearchText;
use showreport_model::{EventId, OrgId, Timestamp};
use sqlx::SqliteConnection;
use sqlx::sqlite::SqliteRow;

use super::{Meta, events};
use crate::database::Stored;
use crate::error::{Doing, Error};

/// An event in a list.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ListedEvent {
    pub event: Event,
    pub state: EventState,
    /// Grows with each commit that has facts or a record of the event.
    pub changed_at: Timestamp,
}

/// Which events to list. `None` takes all.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct EventFilter {
    /// A part of the id or the title, whatever its case.
    pub text: Option<String>,
    pub kind: Option<EventKind>,
    pub state: Option<EventState>,
}

/// The order of a list; equal ones are sorted by id.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum EventOrder {
    /// The latest start first; events without a start come last.
    StartsAt,
    /// By title; the case of the letters A to Z makes no difference. Events without a title come
    /// last.
    Title,
}

/// The place of an event in a list: the next page begins after it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct EventPlace {
    pub starts_at: Option<Timestamp>,
    pub title: Option<String>,
    pub id: EventId,
}

/// Events of an organisation with their state at `$2`; `$3` is how long an event without an end is
/// live after its newest fact.
macro_rules! listed {
    ($($rest:expr),*) => {
        concat!(
            "SELECT * FROM (
                SELECT org, event_id, kind, title, starts_at, ends_at, duration_ms, updated_at,
                    record, sum, changed_at,
                    CASE
                        WHEN starts_at > $2 THEN 'upcoming'
                        WHEN (kind IS NULL OR kind = 'live')
                            AND (ends_at > $2 OR ends_at IS NULL AND newest_at > $2 - $3)
                            THEN 'live'
                        ELSE 'ended'
                    END AS state
                FROM events
            ) AS listed
            WHERE org = $1 AND ",
            $($rest),*
        )
    };
}

/// `$4` is the kind and `$5` the state, or null; `$6` is the key of the event that the page follows,
/// and `$7` its id, null on the first page.
macro_rules! page {
    ($key:literal, $is_later:literal, $is_equal:literal, $order:literal) => {
        listed!(
            "($4 IS NULL OR kind = $4) AND ($5 IS NULL OR state = $5)
            AND ($7 IS NULL
                OR ",
            $is_later,
            " OR ",
            $is_equal,
            " AND event_id > $7
                OR $6 IS NOT NULL AND ",
            $key,
            " IS NULL
                OR $6 IS NULL AND ",
            $key,
            " IS NULL AND event_id > $7)
            ORDER BY ",
            $order,
            " NULLS LAST, event_id"
        )
    };
}

const BY_START: &str = page!(
    "starts_at",
    "starts_at < $6",
    "starts_at = $6",
    "starts_at DESC"
);

const BY_TITLE: &str = page!(
    "title",
    "title > $6 COLLATE NOCASE",
    "title = $6 COLLATE NOCASE",
    "title COLLATE NOCASE"
);

const SELECT_NEWEST_CHANGE: &str =
    "SELECT max(changed_at) AS changed_at FROM events WHERE org = $1";

const SELECT_ONE: &str = listed!("event_id = $4");

impl Meta {
    /// An event with its state at `now`.
    pub async fn listed_event(
        &self,
        org: &OrgId,
        id: &EventId,
        now: Timestamp,
    ) -> Result<ListedEvent, Error> {
        let row = sqlx::query(SELECT_ONE)
            .bind(org.as_str())
            .bind(now.as_millis())
            .bind(QUIET_MS_MAX)
            .bind(id.as_str())
            .fetch_optional(self.readers())
            .await
            .doing("look up an event")?;
        let row = row.ok_or_else(|| Error::UnknownEvent { event: id.clone() })?;
        listed(&row)
    }

    /// When any event of an organisation changed last. `None` if it has no events.
    pub async fn newest_change(&self, org: &OrgId) -> Result<Option<Timestamp>, Error> {
        let row = sqlx::query(SELECT_NEWEST_CHANGE)
            .bind(org.as_str())
            .fetch_one(self.readers())
            .await
            .doing("look up when events changed")?;
        Stored(&row).time_if_any("changed_at")
    }

    /// The first events after a place in a list, with their states at `now`.
    pub async fn list_events(
        &self,
        org: &OrgId,
        filter: &EventFilter,
        order: EventOrder,
        after: Option<&EventPlace>,
        limit: usize,
        now: Timestamp,
    ) -> Result<Vec<ListedEvent>, Error> {
        let mut read = self.database().snapshot().await?;
        let page = Page {
            org,
            filter,
            after,
            limit,
            now,
        };
        page.read(&mut read, order).await
    }
}

struct Page<'a> {
    org: &'a OrgId,
    filter: &'a EventFilter,
    after: Option<&'a EventPlace>,
    limit: usize,
    now: Timestamp,
}

impl Page<'_> {
    async fn read(
        &self,
        read: &mut SqliteConnection,
        order: EventOrder,
    ) -> Result<Vec<ListedEvent>, Error> {
        let statement = match order {
            EventOrder::StartsAt => BY_START,
            EventOrder::Title => BY_TITLE,
        };
        let query = sqlx::query(statement)
            .bind(self.org.as_str())
            .bind(self.now.as_millis())
            .bind(QUIET_MS_MAX)
            .bind(self.filter.kind.map(EventKind::name))
            .bind(self.filter.state.map(EventState::name));
        let query = match order {
            EventOrder::StartsAt => query.bind(self.after.and_then(|place| {
                let starts_at = place.starts_at?;
                Some(starts_at.as_millis())
            })),
            EventOrder::Title => query.bind(self.after.and_then(|place| place.title.as_deref())),
        };
        let query = query.bind(self.after.map(|place| place.id.as_str()));
        let text = self.filter.text.as_deref().and_then(SearchText::new);
        let mut events = Vec::new();
        // The text is compared here, because SQL folds only the letters A to Z.
        let mut rows = query.fetch(read);
        while events.len() < self.limit {
            let Some(row) = rows.try_next().await.doing("list events")? else {
                break;
            };
            let listed = listed(&row)?;
            if text.as_ref().is_none_or(|text| has(&listed.event, text)) {
                events.push(listed);
            }
        }
        Ok(events)
    }
}

fn listed(row: &SqliteRow) -> Result<ListedEvent, Error> {
    let event = events::event(row)?;
    let row = Stored(row);
    Ok(ListedEvent {
        event,
        state: row.named("state", EventState::from_name)?,
        changed_at: row.time("changed_at")?,
    })
}

/// Whether a text is a part of the id or the title.
fn has(event: &Event, text: &SearchText) -> bool {
    let title = event.title.as_deref();
    text.is_part_of(event.id.as_str()) || title.is_some_and(|title| text.is_part_of(title))
}

#[cfg(test)]
mod tests;
