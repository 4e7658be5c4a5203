//! `GET /api/v1/events` and `GET /api/v1/events/{id}`.

use axum::Json;
use axum::extract::State;
use serde::{Deserialize, Serialize};
use showreport_meta::{EventFilter, EventOrder, EventPlace, ListedEvent};
use showreport_model::EventId;
use showreport_model::record::EventKind;
use showreport_model::report::EventState;
use utoipa::ToSchema;

use crate::app::App;
use crate::auth::Reader;
use crate::error::{ApiError, Reason};
use crate::extract::{Cursor, Page, PageQuery, Parameters, Segments, Violations};

/// An event, as described by its records.
#[derive(Debug, Serialize, ToSchema)]
pub(crate) struct EventResponse {
    id: String,
    /// `live`, `vod` or `aod`; `null` if the event has no `event` record yet.
    kind: Option<&'static str>,
    /// `null` if the event has no `event` record yet.
    title: Option<String>,
    /// The start of the event's window.
    starts_at: Option<String>,
    /// The end of the event's window.
    ends_at: Option<String>,
    /// The length of the content.
    duration_ms: Option<i64>,
    /// When the `event` record was made.
    updated_at: Option<String>,
    /// `upcoming`, `live` or `ended`.
    state: &'static str,
}

/// A page of events.
#[derive(Debug, Serialize, ToSchema)]
pub(crate) struct EventsResponse {
    /// In the order that was asked for.
    events: Vec<EventResponse>,
    /// The `page_token` of the next page; empty after the last one.
    next_page_token: String,
}

#[derive(Debug, Deserialize)]
pub(crate) struct EventsQuery {
    q: Option<String>,
    kind: Option<String>,
    state: Option<String>,
    order_by: Option<String>,
    #[serde(flatten)]
    page: PageQuery,
}

/// The orders of the list, by the names that requests use.
const ORDERS: [(&str, EventOrder); 2] = [
    ("starts_at", EventOrder::StartsAt),
    ("title", EventOrder::Title),
];

/// List events.
#[utoipa::path(
    get,
    path = "/api/v1/events",
    tag = "api",
    params(
        ("q" = Option<String>, Query, description = "a part of the id or the title, whatever its case"),
        ("kind" = Option<String>, Query, description = "only events of this kind: `live`, `vod` or `aod`"),
        ("state" = Option<String>, Query, description = "`upcoming`: starts later; `live`: a live event, or one without a kind, that has begun, and ends later or, without an end, has a fact younger than 30 minutes; `ended`: any other"),
        ("order_by" = Option<String>, Query, description = "`starts_at` (the default): the latest first, and events without a start last; `title`: events without a title last. Equal ones are sorted by id"),
        ("page_size" = Option<u32>, Query, minimum = 1, maximum = 1000, description = "1 to 1000; 100 if absent"),
        ("page_token" = Option<String>, Query, description = "`next_page_token` of the page before"),
    ),
    responses(
        (status = 200, description = "a page of events", body = EventsResponse),
        (status = 400, description = "every wrong parameter is named"),
        (status = 401, description = "no token, or one that is unknown"),
        (status = 403, description = "the token may not read"),
    ),
    security(("token" = [])),
)]
pub(crate) async fn list_events(
    State(app): State<App>,
    reader: Reader,
    Parameters(query): Parameters<EventsQuery>,
) -> Result<Json<EventsResponse>, ApiError> {
    let List {
        filter,
        order,
        page,
    } = query.read()?;
    let after = page.after.as_ref().map(|after| &after.place);
    let limit = page.limit() as usize;
    let now = app.now();
    let mut events = app
        .meta()
        .list_events(&reader.org, &filter, order, after, limit, now)
        .await?;
    let next_page_token = page
        .cut(&mut events, |it| ListPlace::of(it, order))
        .unwrap_or_default();
    let events = events.into_iter().map(EventResponse::from).collect();
    Ok(Json(EventsResponse {
        events,
        next_page_token,
    }))
}

/// Get an event.
#[utoipa::path(
    get,
    path = "/api/v1/events/{id}",
    tag = "api",
    params(("id" = String, Path, description = "the event's id")),
    responses(
        (status = 200, description = "the event", body = EventResponse),
        (status = 401, description = "no token, or one that is unknown"),
        (status = 403, description = "the token may not read"),
        (status = 404, description = "no such event"),
    ),
    security(("token" = [])),
)]
pub(crate) async fn get_event(
    State(app): State<App>,
    reader: Reader,
    Segments(id): Segments<String>,
) -> Result<Json<EventResponse>, ApiError> {
    let (event, now) = (event_id(&id)?, app.now());
    let event = app.meta().listed_event(&reader.org, &event, now).await?;
    Ok(Json(event.into()))
}

/// The id of an event. A text that is no event id is treated as an unknown one.
pub(super) fn event_id(text: &str) -> Result<EventId, ApiError> {
    EventId::new(text).map_err(|_| ApiError::new(Reason::EventNotFound, "there is no such event"))
}

/// A list that was asked for.
#[derive(Debug, PartialEq)]
struct List {
    filter: EventFilter,
    order: EventOrder,
    page: Page<ListPlace>,
}

impl EventsQuery {
    /// The error names every wrong parameter.
    fn read(self) -> Result<List, ApiError> {
        let mut violations = Violations::default();
        let kind = named("kind", self.kind, &mut violations, |name| {
            EventKind::from_name(name).ok_or_else(EventKind::names)
        });
        let state = named("state", self.state, &mut violations, |name| {
            EventState::from_name(name).ok_or_else(EventState::names)
        });
        let order = named("order_by", self.order_by, &mut violations, |name| {
            let order = ORDERS.iter().find(|(known, _)| *known == name);
            let names = || ORDERS.map(|(known, _)| known).join(", ");
            order.map(|(_, order)| *order).ok_or_else(names)
        });
        let order = order.unwrap_or(EventOrder::StartsAt);
        let page = self.page.read_into::<ListPlace>(&mut violations);
        let is_of_other = |page: &Page<ListPlace>| {
            let after = page.after.as_ref();
            after.is_some_and(|after| after.order != order)
        };
        if page.as_ref().is_some_and(is_of_other) {
            violations.add("page_token", "is of a list in another order");
        }
        let filter = EventFilter {
            text: self.q.filter(|text| !text.is_empty()),
            kind,
            state,
        };
        violations.into_result(page.map(|page| List {
            filter,
            order,
            page,
        }))
    }
}

/// The member with a name; `None` for an absent or an empty one.
fn named<T>(
    parameter: &str,
    text: Option<String>,
    violations: &mut Violations,
    find: impl Fn(&str) -> Result<T, String>,
) -> Option<T> {
    let text = text.filter(|text| !text.is_empty())?;
    let found = find(&text);
    found
        .map_err(|names| violations.add(parameter, format!("must be one of {names}")))
        .ok()
}

/// The place of an event in a list of this order.
#[derive(Debug, Clone, PartialEq)]
struct ListPlace {
    order: EventOrder,
    place: EventPlace,
}

impl ListPlace {
    fn of(listed: &ListedEvent, order: EventOrder) -> Self {
        let event = &listed.event;
        let (by_start, by_title) = match order {
            EventOrder::StartsAt => (event.starts_at, None),
            EventOrder::Title => (None, event.title.clone()),
        };
        let place = EventPlace {
            starts_at: by_start,
            title: by_title,
            id: event.id.clone(),
        };
        Self { order, place }
    }
}

/// A JSON array of the order, its key and the id.
impl Cursor for ListPlace {
    fn to_bytes(&self) -> Vec<u8> {
        let name = ORDERS.iter().find(|(_, order)| *order == self.order);
        let name = name.map_or("", |(name, _)| name);
        let EventPlace {
            starts_at,
            title,
            id,
        } = &self.place;
        let written = serde_json::to_vec(&(name, starts_at, title, id));
        written.expect("texts and numbers can be written")
    }

    fn from_bytes(bytes: Vec<u8>) -> Option<Self> {
        let (name, starts_at, title, id): (String, _, _, _) =
            serde_json::from_slice(&bytes).ok()?;
        let (_, order) = ORDERS.iter().find(|(known, _)| *known == name)?;
        let place = EventPlace {
            starts_at,
            title,
            id,
        };
        let order = *order;
        Some(Self { order, place })
    }
}

impl From<ListedEvent> for EventResponse {
    fn from(listed: ListedEvent) -> Self {
        let ListedEvent { event, state, .. } = listed;
        Self {
            id: event.id.to_string(),
            kind: event.kind.map(EventKind::name),
            title: event.title,
            starts_at: event.starts_at.map(|at| at.to_string()),
            ends_at: event.ends_at.map(|at| at.to_string()),
            duration_ms: event.duration_ms,
            updated_at: event.updated_at.map(|at| at.to_string()),
            state: state.name(),
        }
    }
}
