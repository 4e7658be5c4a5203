//! `/`: the shows that are live, come, or have ended.

use askama::Template;
use axum::extract::State;
use axum::http::StatusCode;
use axum::response::Response;
use serde::Deserialize;
use showreport_meta::{EventFilter, EventOrder, ListedEvent};
use showreport_model::report::EventState;
use showreport_model::{Window, Zone};

use super::address::{Address, encoded};
use super::cells::Figure;
use super::events::{title, when};
use super::figures::figure;
use super::layout::{Identity, Layout, Section, respond};
use super::rows::{Cell, Heading, RowLinks, Rows};
use crate::answers::Freshness;
use crate::api::ListPlace;
use crate::app::App;
use crate::auth::Visitor;
use crate::error::ApiError;
use crate::extract::{Page, Parameters, Violations, read_token};

/// Shows of a section on a page.
const SHOWS: usize = 20;

#[derive(Template)]
#[template(path = "shows.html")]
struct ShowsPage {
    layout: Layout,
    q: String,
    /// The only state that is shown.
    state: Option<EventState>,
    sections: Vec<Rows>,
    /// The page after this one.
    later: Option<String>,
    is_first: bool,
    has_none: bool,
    /// Whether the organisation has no show at all.
    is_new: bool,
    zone: String,
}

#[derive(Debug, Default, Deserialize)]
pub(crate) struct ShowsQuery {
    q: Option<String>,
    state: Option<String>,
    page_token: Option<String>,
}

/// Get the page of all shows: those that are live, that come, and that have ended.
#[utoipa::path(
    get,
    path = "/",
    tag = "dashboard",
    params(
        ("q" = Option<String>, Query, description = "a part of the title or the id, whatever its case"),
        ("state" = Option<String>, Query, description = "only `live`, `upcoming` or `ended` shows"),
        ("page_token" = Option<String>, Query, description = "as `next_page_token` of `/api/v1/events` with the same state; the page has the shows after it"),
    ),
    responses(
        (status = 200, description = "a page", content_type = "text/html", body = String),
        (status = 303, description = "not signed in: to the page for signing in"),
        (status = 400, description = "every wrong parameter is named"),
        (status = 503, description = "it took too long, or the server is busy"),
    ),
    security(("session" = [])),
)]
pub(crate) async fn show_shows(
    State(app): State<App>,
    visitor: Visitor,
    Parameters(query): Parameters<ShowsQuery>,
) -> Result<Response, ApiError> {
    let (state, after) = query.read()?;
    let zone = app.meta().zone(&visitor.org).await?;
    let q = query.q.as_deref().unwrap_or_default().trim().to_owned();
    let is_first = after.is_none();
    let list = List {
        app: &app,
        visitor: &visitor,
        zone: &zone,
        q: &q,
        token: query.page_token.as_deref().unwrap_or_default(),
        after,
    };
    let mut sections = Vec::new();
    let mut later = None;
    let states = [EventState::Live, EventState::Upcoming, EventState::Ended];
    for shown in states
        .into_iter()
        .filter(|it| state.is_none_or(|only| only == *it))
    {
        // Without a state, only the last section has further pages here.
        let is_paged = state.is_some() || shown == EventState::Ended;
        let (rows, next) = list.section(shown, is_paged).await?;
        if is_paged {
            later = next;
        }
        if state.is_some() || !rows.lines.is_empty() || shown == EventState::Ended {
            sections.push(rows);
        }
    }
    let has_none = sections.iter().all(|rows| rows.lines.is_empty());
    let page = ShowsPage {
        layout: Layout::new("Shows", Section::Shows, Identity::from(&visitor)),
        is_new: has_none && q.is_empty() && state.is_none() && is_first,
        has_none,
        q,
        state,
        sections,
        later,
        is_first,
        zone: zone.name().to_owned(),
    };
    respond(StatusCode::OK, &page)
}

impl ShowsQuery {
    fn read(&self) -> Result<(Option<EventState>, Option<ListPlace>), ApiError> {
        let mut violations = Violations::default();
        let state = self.state.as_deref().filter(|state| !state.is_empty());
        let state = state.and_then(|name| {
            let state = EventState::from_name(name);
            if state.is_none() {
                violations.add("state", format!("must be one of {}", EventState::names()));
            }
            state
        });
        let token = self.page_token.as_deref().unwrap_or_default();
        let after = read_token(token).unwrap_or_else(|_| {
            violations.add("page_token", "must be that of a link on the page before");
            None
        });
        violations.into_result(Some((state, after)))
    }
}

/// What is listed.
struct List<'a> {
    app: &'a App,
    visitor: &'a Visitor,
    zone: &'a Zone,
    q: &'a str,
    token: &'a str,
    after: Option<ListPlace>,
}

impl List<'_> {
    /// The shows in a state, and the address of the next page.
    async fn section(
        &self,
        state: EventState,
        is_paged: bool,
    ) -> Result<(Rows, Option<String>), ApiError> {
        let filter = EventFilter {
            text: (!self.q.is_empty()).then(|| self.q.to_owned()),
            kind: None,
            state: Some(state),
        };
        let after = self.after.as_ref().filter(|_| is_paged);
        let page = Page::new(SHOWS, after.cloned());
        let mut listed = self
            .app
            .meta()
            .list_events(
                &self.visitor.org,
                &filter,
                EventOrder::StartsAt,
                after.map(ListPlace::place),
                page.limit() as usize,
                self.app.now(),
            )
            .await?;
        let token = page.cut(&mut listed, |it| ListPlace::of(it, EventOrder::StartsAt));
        let mut lines = Vec::with_capacity(listed.len());
        for listed in &listed {
            lines.push(self.row(listed).await?);
        }
        let all = Address::new("/").with("q", Some(self.q));
        let all = all.with("state", Some(state.name()));
        let later = token.map(|token| all.with("page_token", Some(token)).to_string());
        let (id, caption, empty) = match state {
            EventState::Live => ("live", "Live now", "No show is live."),
            EventState::Upcoming => ("upcoming", "Upcoming", "No show is planned."),
            EventState::Ended => ("ended", "Ended", "No show has ended yet."),
        };
        let source = Address::new("/api/v1/events")
            .with("q", Some(self.q))
            .with("state", Some(state.name()))
            .with("view", Some("figures"))
            .with("page_size", Some(SHOWS.to_string()))
            .with("page_token", after.map(|_| self.token));
        let rows = Rows {
            id,
            caption: caption.to_owned(),
            is_caption_hidden: false,
            empty,
            headings: headings(state),
            lines,
            foot: Vec::new(),
            links: RowLinks {
                source: Some(source.to_string()),
                ..RowLinks::default()
            },
        };
        Ok((rows, later))
    }

    async fn row(&self, listed: &ListedEvent) -> Result<Vec<Cell>, ApiError> {
        let event = &listed.event;
        let mut name = Cell::new("Show", false, Figure::text("title", event.title.as_deref()));
        name.figure = name.figure.shown_as(title(event));
        let page = match listed.state {
            EventState::Live => "/live",
            EventState::Upcoming | EventState::Ended => "",
        };
        name.link = Some(format!("/events/{}{page}", encoded(event.id.as_str())));
        name.below
            .push(Figure::text("id", Some(event.id.as_str())).shown_as(when(event, self.zone)));
        let mut cells = vec![name];
        if listed.state == EventState::Upcoming {
            return Ok(cells);
        }
        let answers = self.app.answers();
        let snapshot = answers.snapshot(&self.visitor.org, &event.id, Freshness::Recent);
        let figures = answers.figures(&snapshot.await?, Window::ALL).await?;
        cells.extend(
            COLUMNS.map(|(name, label)| Cell::new(label, true, figure(name, &figures, self.zone))),
        );
        Ok(cells)
    }
}

/// Figures of a show in the list.
const COLUMNS: [(&str, &str); 5] = [
    ("viewers", "Viewers"),
    ("peak_viewers", "Peak viewers"),
    ("average_minute_audience", "Average audience"),
    ("average_watch_seconds", "Time per viewer"),
    ("messages", "Messages"),
];

fn headings(state: EventState) -> Vec<Heading> {
    let heading = |label, is_number| Heading {
        label,
        is_number,
        sort: None,
    };
    let mut headings = vec![heading("Show", false)];
    if state != EventState::Upcoming {
        headings.extend(COLUMNS.map(|(_, label)| heading(label, true)));
    }
    headings
}
