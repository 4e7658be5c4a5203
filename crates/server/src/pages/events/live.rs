//! `/events/{id}/live`: the figures of now, which move while the show runs.

use askama::Template;
use axum::extract::State;
use axum::http::StatusCode;
use axum::response::Response;
use serde::Deserialize;
use showreport_live::{LiveFigures, LivePoll, ViewersOfValue};
use showreport_model::report::EventState;
use showreport_model::{Timestamp, Zone};

use super::access::EventAccess;
use super::frame::{EventFrame, OpenEvent};
use super::query::EventQuery;
use crate::api::live_figures;
use crate::app::App;
use crate::auth::Visitor;
use crate::charts::{bar, bar_of};
use crate::error::ApiError;
use crate::extract::{Parameters, Segments};
use crate::pages::cells::{ABSENT, Figure};
use crate::pages::layout::{Layout, respond};
use crate::pages::rows::{Cell, Heading, RowLinks, Rows};
use crate::texts;

/// How often the page is loaded again without its script.
const REFRESH_SECONDS: u32 = 5;

#[derive(Template)]
#[template(path = "live.html")]
struct LivePage {
    layout: Layout,
    frame: EventFrame,
    has_ended: bool,
    /// The operation of the API with the same figures.
    source: Option<String>,
    stream: Option<String>,
    viewers: Figure,
    viewers_now: Figure,
    joined: Figure,
    left: Figure,
    peak: Figure,
    peak_at: Figure,
    messages: Figure,
    at: Figure,
    settled_until: Figure,
    systems: Rows,
    regions: Rows,
    polls: Vec<PollRows>,
    /// The same page for a screen on the wall, or back.
    wall: String,
}

struct PollRows {
    id: String,
    question: String,
    status: String,
    voters: String,
    options: Rows,
}

#[derive(Debug, Deserialize)]
pub(crate) struct LiveQuery {
    wall: Option<String>,
}

/// Get the page of a show while it runs.
#[utoipa::path(
    get,
    path = "/events/{id}/live",
    tag = "dashboard",
    params(
        ("id" = String, Path, description = "the event's id"),
        ("wall" = Option<String>, Query, description = "with any value: large figures for a screen on the wall"),
    ),
    responses(
        (status = 200, description = "a page", content_type = "text/html", body = String),
        (status = 303, description = "not signed in: to the page for signing in"),
        (status = 404, description = "no such event"),
        (status = 503, description = "it took too long, or the server is busy"),
    ),
    security(("session" = [])),
)]
pub(crate) async fn show_live(
    State(app): State<App>,
    visitor: Visitor,
    Segments(id): Segments<String>,
    Parameters(query): Parameters<LiveQuery>,
) -> Result<Response, ApiError> {
    let access = EventAccess::of_visitor(&visitor, &id)?;
    page(app, access, query.wall.is_some()).await
}

pub(crate) async fn page(
    app: App,
    access: EventAccess,
    is_wall: bool,
) -> Result<Response, ApiError> {
    let figures = live_figures(&app, &access.org, &access.event).await?;
    let event = OpenEvent::new(app, access, EventQuery::default()).await?;
    let here = event.access.page("live");
    let frame = event.frame("live", &here).await?;
    let has_ended = frame.state == EventState::Ended;
    let mut layout = event.layout("live");
    layout.is_wall = is_wall;
    layout.refresh_seconds = (!has_ended).then_some(REFRESH_SECONDS);
    let operation = |name| event.access.operation(name).map(|it| it.to_string());
    let (figures, zone) = (figures.as_ref(), event.zone());
    let time = |name, at| instant(name, at, zone);
    let page = LivePage {
        layout,
        frame,
        has_ended,
        source: operation("live"),
        stream: operation("live/stream"),
        viewers: Figure::count("viewers", figures.viewers),
        viewers_now: Figure::count("viewers_now", figures.viewers_now),
        joined: Figure::count("joined_last_minute", figures.joined_last_minute),
        left: Figure::count("left_last_minute", figures.left_last_minute),
        peak: Figure::count("peak_viewers", figures.peak_viewers),
        peak_at: time("peak_at", figures.peak_at),
        messages: Figure::count("messages_last_minute", figures.messages_last_minute),
        at: time("at", Some(figures.at)),
        settled_until: time("settled_until", Some(figures.settled_until)),
        systems: values(
            "device_os",
            "Systems",
            "System",
            &figures.by_device_os,
            figures,
        ),
        regions: values(
            "geo_region",
            "Regions",
            "Region",
            &figures.by_geo_region,
            figures,
        ),
        polls: figures.polls.iter().map(poll).collect(),
        wall: here.with("wall", (!is_wall).then_some("1")).to_string(),
    };
    respond(StatusCode::OK, &page)
}

fn instant(name: &'static str, at: Option<Timestamp>, zone: &Zone) -> Figure {
    let text = at.map(|at| at.to_string());
    let shown = at.map_or_else(|| ABSENT.to_owned(), |at| texts::date_time(at, zone));
    Figure::text(name, text.as_deref()).shown_as(shown)
}

/// Viewers by an attribute.
fn values(
    id: &'static str,
    caption: &str,
    label: &'static str,
    values: &[ViewersOfValue],
    figures: &LiveFigures,
) -> Rows {
    let row = |it: &ViewersOfValue| {
        let mut value = Cell::new(label, false, Figure::text("value", it.value.as_deref()));
        if it.value.is_none() {
            "Unknown".clone_into(&mut value.figure.text);
        }
        value.bar = Some(bar_of(it.viewers, figures.viewers));
        let viewers = Figure::count("viewers", it.viewers);
        vec![value, Cell::new("Viewers", true, viewers)]
    };
    rows(id, caption, [label, "Viewers"], values.iter().map(row)).or_empty("No viewer is there.")
}

fn rows<const N: usize>(
    id: &'static str,
    caption: &str,
    labels: [&'static str; N],
    rows: impl Iterator<Item = Vec<Cell>>,
) -> Rows {
    let headings = labels
        .into_iter()
        .enumerate()
        .map(|(index, label)| Heading {
            label,
            is_number: index > 0,
            sort: None,
        });
    Rows {
        id,
        caption: caption.to_owned(),
        is_caption_hidden: false,
        empty: "",
        headings: headings.collect(),
        lines: rows.collect(),
        foot: Vec::new(),
        links: RowLinks::default(),
    }
}

fn poll(poll: &LivePoll) -> PollRows {
    let options = poll.options.iter().map(|option| {
        let text = Figure::text("option_text", Some(&option.option_text));
        let mut text = Cell::new("Option", false, text);
        text.bar = option.share.map(bar);
        let votes = Figure::count("votes", option.votes);
        vec![text, Cell::new("Votes", true, votes)]
    });
    let caption = format!("Options of {}", poll.question);
    let mut options = rows("", &caption, ["Option", "Votes"], options);
    options.is_caption_hidden = true;
    PollRows {
        id: poll.poll_id.clone(),
        question: poll.question.clone(),
        status: poll.status.clone(),
        voters: texts::count(poll.voters),
        options,
    }
}
