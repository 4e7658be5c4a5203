//! `GET /api/v1/events` and `GET /api/v1/events/{id}`.

use std::cmp::Reverse;

use axum::Json;
use axum::extract::State;
use futures::{StreamExt, TryStreamExt, stream};
use serde::{Deserialize, Serialize};
use serde_json::value::RawValue;
use showreport_meta::{EventFilter, EventOrder, EventPlace, ListedEvent};
use showreport_model::record::EventKind;
use showreport_model::report::EventState;
use showreport_model::{OrgId, Timestamp, Window};
use utoipa::ToSchema;

use super::event_id::event_id;
use super::figures::FiguresResponse;
use super::response::figures_json;
use crate::app::App;
use crate::auth::{Caller, Reader};
use crate::error::ApiError;
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
    /// With `view=figures`: what `GET /api/v1/events/{id}/figures` answers.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(value_type = Option<FiguresResponse>, nullable = false)]
    figures: Option<Box<RawValue>>,
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
    view: Option<String>,
    #[serde(flatten)]
    page: PageQuery,
}

/// List events.
#[utoipa::path(
    get,
    path = "/api/v1/events",
    tag = "api",
    params(
        ("q" = Option<String>, Query, description = "a part of the id or the title, whatever its case"),
        ("kind" = Option<String>, Query, description = "only events of this kind: `live`, `vod` or `aod`"),
        ("state" = Option<String>, Query, description = "`upcoming`: starts later; `live`: a live event, or one without a kind, that has begun, and ends later or, without an end, has a fact younger than 30 minutes; `ended`: any other"),
        ("order_by" = Option<String>, Query, description = "`starts_at` (the default): the latest first, and events without a start last; `title`: events without a title last; `viewers`: those with the most viewers first. Equal ones are sorted by id"),
        ("view" = Option<String>, Query, description = "`basic` (the default), or `figures`: each event with its figures, which are up to 10 s old"),
        ("page_size" = Option<u32>, Query, minimum = 1, maximum = 1000, description = "1 to 1000; 100 if absent"),
        ("page_token" = Option<String>, Query, description = "`next_page_token` of the page before"),
    ),
    responses(
        (status = 200, description = "a page of events", body = EventsResponse),
        (status = 400, description = "every wrong parameter is named"),
        (status = 401, description = "no token, or one that is unknown"),
        (status = 403, description = "the token may not read"),
        (status = 503, description = "it took too long, or the server is busy"),
    ),
    security(("token" = [])),
)]
pub(crate) async fn list_events(
    State(app): State<App>,
    caller: Caller,
    Parameters(query): Parameters<EventsQuery>,
) -> Result<Json<EventsResponse>, ApiError> {
    let list = query.read()?;
    let now = app.now();
    let (listed, next_page_token) = list.page(&app, &caller.org, now).await?;
    let mut events: Vec<EventResponse> = listed.iter().map(EventResponse::from).collect();
    if list.view == View::Figures {
        let figures = figures_of(&app, &caller.org, &listed, now).await?;
        for (event, figures) in events.iter_mut().zip(figures) {
            event.figures = Some(figures);
        }
    }
    Ok(Json(EventsResponse {
        events,
        next_page_token,
    }))
}

/// Events whose figures are worked out at one time.
const AT_ONCE: usize = 2;

/// The figures of each event as JSON.
async fn figures_of(
    app: &App,
    org: &OrgId,
    listed: &[ListedEvent],
    now: Timestamp,
) -> Result<Vec<Box<RawValue>>, ApiError> {
    let zone = app.meta().zone(org).await?;
    let of_event = async |listed: &ListedEvent| {
        let answers = app.answers();
        let snapshot = answers.snapshot_of_listed(org, listed, &zone, now).await?;
        let figures = answers.figures(&snapshot, Window::ALL).await?;
        let json = figures_json(&listed.event.id, snapshot.as_of(), &figures);
        RawValue::from_string(json).map_err(ApiError::internal)
    };
    let figures = stream::iter(listed).map(of_event).buffered(AT_ONCE);
    figures.try_collect().await
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
    Ok(Json(EventResponse::from(&event)))
}

/// An order of the list.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Order {
    Stored(EventOrder),
    /// The most viewers first.
    Viewers,
}

/// The orders, by the names that requests use.
const ORDERS: [(&str, Order); 3] = [
    ("starts_at", Order::Stored(EventOrder::StartsAt)),
    ("title", Order::Stored(EventOrder::Title)),
    ("viewers", Order::Viewers),
];

/// What the list says of each event.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum View {
    Basic,
    Figures,
}

const VIEWS: [(&str, View); 2] = [("basic", View::Basic), ("figures", View::Figures)];

/// A list that was asked for.
#[derive(Debug, PartialEq)]
struct List {
    filter: EventFilter,
    order: Order,
    view: View,
    page: Page<ListPlace>,
}

impl List {
    /// The events of the page, and the token of the next one.
    async fn page(
        &self,
        app: &App,
        org: &OrgId,
        now: Timestamp,
    ) -> Result<(Vec<ListedEvent>, String), ApiError> {
        let (filter, page) = (&self.filter, &self.page);
        let (mut events, order) = match self.order {
            Order::Stored(order) => {
                let _permit = app.report_requests().acquire(org).await?;
                let after = page.after.as_ref().map(ListPlace::place);
                let limit = page.limit() as usize;
                let listed = app
                    .meta()
                    .list_events(org, filter, order, after, limit, now);
                (listed.await?, order)
            }
            Order::Viewers => return self.by_viewers(app, org, now).await,
        };
        let token = page.cut(&mut events, |it| ListPlace::of(it, order));
        Ok((events, token.unwrap_or_default()))
    }

    /// The same in the order of viewers, which the database does not have: all events are read.
    async fn by_viewers(
        &self,
        app: &App,
        org: &OrgId,
        now: Timestamp,
    ) -> Result<(Vec<ListedEvent>, String), ApiError> {
        let viewers = app.answers().viewers_of_events(org).await?;
        let viewers_of = |it: &ListedEvent| viewers.get(&it.event.id).copied().unwrap_or(0);
        let key = |it: &ListedEvent| (Reverse(viewers_of(it)), it.event.id.clone());
        let _permit = app.report_requests().acquire(org).await?;
        let order = EventOrder::StartsAt;
        let events = app
            .meta()
            .list_events(org, &self.filter, order, None, usize::MAX, now);
        let mut events = events.await?;
        events.sort_by_cached_key(key);
        if let Some(after) = &self.page.after {
            let last = (Reverse(after.viewers.unwrap_or(0)), after.place.id.clone());
            events.retain(|it| key(it) > last);
        }
        let token = self.page.cut(&mut events, |it| ListPlace {
            order: Order::Viewers,
            viewers: Some(viewers_of(it)),
            place: EventPlace {
                starts_at: None,
                title: None,
                id: it.event.id.clone(),
            },
        });
        Ok((events, token.unwrap_or_default()))
    }
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
            of_name(&ORDERS, name)
        });
        let order = order.unwrap_or(Order::Stored(EventOrder::StartsAt));
        let view = named("view", self.view, &mut violations, |name| {
            of_name(&VIEWS, name)
        });
        let page = self.page.read_into::<ListPlace>(&mut violations);
        let is_of_other = |page: &Page<ListPlace>| {
            let after = page.after.as_ref();
            after.is_some_and(|after| after.order != order)
        };
        if page.as_ref().is_some_and(is_of_other) {
            violations.add("page_token", "is of a list in another order");
        }
        let filter = EventFilter {
            text: self.q,
            kind,
            state,
        };
        violations.into_result(page.map(|page| List {
            filter,
            order,
            view: view.unwrap_or(View::Basic),
            page,
        }))
    }
}

/// The value with a name, or all names.
fn of_name<T: Copy, const N: usize>(all: &[(&str, T); N], name: &str) -> Result<T, String> {
    let found = all.iter().find(|(known, _)| *known == name);
    let names = || all.each_ref().map(|(known, _)| *known).join(", ");
    found.map(|(_, value)| *value).ok_or_else(names)
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
pub(crate) struct ListPlace {
    order: Order,
    /// Only in the order of viewers.
    viewers: Option<i64>,
    place: EventPlace,
}

impl ListPlace {
    pub(crate) fn of(listed: &ListedEvent, order: EventOrder) -> Self {
        let event = &listed.event;
        let (starts_at, title) = match order {
            EventOrder::StartsAt => (event.starts_at, None),
            EventOrder::Title => (None, event.title.clone()),
        };
        Self {
            order: Order::Stored(order),
            viewers: None,
            place: EventPlace {
                starts_at,
                title,
                id: event.id.clone(),
            },
        }
    }

    pub(crate) fn place(&self) -> &EventPlace {
        &self.place
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
        let written = serde_json::to_vec(&(name, starts_at, title, self.viewers, id));
        written.expect("texts and numbers can be written")
    }

    fn from_bytes(bytes: Vec<u8>) -> Option<Self> {
        let (name, starts_at, title, viewers, id): (String, _, _, _, _) =
            serde_json::from_slice(&bytes).ok()?;
        let place = EventPlace {
            starts_at,
            title,
            id,
        };
        let order = of_name(&ORDERS, &name).ok()?;
        Some(Self {
            order,
            viewers,
            place,
        })
    }
}

impl From<&ListedEvent> for EventResponse {
    fn from(listed: &ListedEvent) -> Self {
        let ListedEvent { event, state, .. } = listed;
        let text = |at: Option<Timestamp>| at.map(|at| at.to_string());
        Self {
            id: event.id.to_string(),
            kind: event.kind.map(EventKind::name),
            title: event.title.clone(),
            starts_at: text(event.starts_at),
            ends_at: text(event.ends_at),
            duration_ms: event.duration_ms,
            updated_at: text(event.updated_at),
            state: state.name(),
            figures: None,
        }
    }
}

#[cfg(test)]
mod tests {
    use showreport_model::EventId;

    use super::*;

    #[test]
    fn a_token_leads_to_the_same_place_in_its_order() {
        let place = |order, viewers, starts_at, title: Option<&str>| ListPlace {
            order,
            viewers,
            place: EventPlace {
                starts_at,
                title: title.map(str::to_owned),
                id: EventId::new("keynote").unwrap(),
            },
        };
        let stored = Order::Stored;
        for place in [
            place(
                stored(EventOrder::StartsAt),
                None,
                Some(Timestamp::MIN),
                None,
            ),
            place(stored(EventOrder::StartsAt), None, None, None),
            place(stored(EventOrder::Title), None, None, Some("A, \"B\"")),
            place(Order::Viewers, Some(3), None, None),
        ] {
            assert_eq!(ListPlace::from_bytes(place.to_bytes()), Some(place));
        }
        for wrong in ["", "[]", "keynote", r#"["size",null,null,null,"keynote"]"#] {
            assert_eq!(ListPlace::from_bytes(wrong.into()), None);
        }
    }
}
