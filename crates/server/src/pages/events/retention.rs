//! `/events/{id}/retention`: the drop-off curve.

use askama::Template;
use axum::extract::State;
use axum::http::StatusCode;
use axum::response::Response;
use showreport_model::question::{Answer, Question};
use showreport_model::retention::Division;
use showreport_model::table::Value;

use super::access::EventAccess;
use super::frame::{EventFrame, OpenEvent};
use super::query::{EventQuery, within};
use crate::app::App;
use crate::auth::Visitor;
use crate::charts::{Form, RetentionChart, Svg};
use crate::error::ApiError;
use crate::extract::{Parameters, Segments};
use crate::pages::layout::{Layout, respond};
use crate::pages::rows::Rows;
use crate::texts;

/// Buckets of the content, as many as the API has by default.
pub(super) const BUCKETS: Division = Division::Count(100);

#[derive(Template)]
#[template(path = "retention.html")]
struct RetentionPage {
    layout: Layout,
    frame: EventFrame,
    curve: Option<Curve>,
}

struct Curve {
    wide: Svg,
    narrow: Svg,
    summary: String,
    rows: Rows,
}

/// Get the page of an event's drop-off curve.
#[utoipa::path(
    get,
    path = "/events/{id}/retention",
    tag = "dashboard",
    params(
        ("id" = String, Path, description = "the event's id"),
        ("from" = Option<String>, Query, description = "a date, a date and time of the organisation's zone, or RFC 3339; only views with watched time at or after it"),
        ("to" = Option<String>, Query, description = "the same for the end; only views with watched time before it"),
    ),
    responses(
        (status = 200, description = "a page", content_type = "text/html", body = String),
        (status = 303, description = "not signed in: to the page for signing in"),
        (status = 400, description = "every wrong parameter is named"),
        (status = 404, description = "no such event"),
        (status = 503, description = "it took too long, or the server is busy"),
    ),
    security(("session" = [])),
)]
pub(crate) async fn show_retention(
    State(app): State<App>,
    visitor: Visitor,
    Segments(id): Segments<String>,
    Parameters(query): Parameters<EventQuery>,
) -> Result<Response, ApiError> {
    page(app, EventAccess::of_visitor(&visitor, &id)?, query).await
}

pub(crate) async fn page(
    app: App,
    access: EventAccess,
    query: EventQuery,
) -> Result<Response, ApiError> {
    let event = OpenEvent::new(app, access, query).await?;
    let question = Question::Retention {
        window: event.window(),
        division: BUCKETS,
    };
    let answer = event.answer(&question).await?;
    let address = event.query.ranged(event.access.page("retention"));
    let page = RetentionPage {
        layout: event.layout("retention"),
        frame: event.frame("retention", &address).await?,
        curve: curve(&event, &answer),
    };
    respond(StatusCode::OK, &page)
}

fn curve(event: &OpenEvent, answer: &Answer) -> Option<Curve> {
    let table = &answer.table;
    let place = |name| table.column(name).unwrap_or_default();
    let (position, share) = (place("position_seconds"), place("share"));
    let buckets: Vec<(i64, f64)> = table
        .rows
        .iter()
        .filter_map(|row| match (&row[position], &row[share]) {
            (Value::Seconds(at), Value::Number(share)) => Some((*at, *share)),
            _ => None,
        })
        .collect();
    let last = buckets.last()?;
    // The length of the last bucket is not in the answer; it is that of the first one or less.
    let width = buckets.get(1).map_or(1_000, |second| second.0);
    let length = event.snapshot.event().duration_ms;
    let length = length.unwrap_or(last.0 + width).max(last.0 + 1);
    let most = buckets
        .iter()
        .rev()
        .max_by(|one, other| one.1.total_cmp(&other.1))?;
    let summary = format!(
        "The part at {} was played by the most viewers, {} of them; the last part by {}.",
        texts::position(most.0),
        texts::percent(most.1),
        texts::percent(last.1)
    );
    let title = format!("Viewers of {} by position in the content", event.title());
    let chart = RetentionChart {
        title: &title,
        description: &summary,
        buckets: &buckets,
        length,
    };
    let operation = event.access.operation("retention");
    let operation = operation.map(|operation| within(operation, event.window()));
    let file = event.query.ranged(event.access.page("csv/retention"));
    let names = ["position_seconds", "viewers", "views", "share"];
    Some(Curve {
        wide: chart.svg(Form::Wide),
        narrow: chart.svg(Form::Narrow),
        rows: Rows::of_table(table, &names, event.zone())
            .named("retention", "Viewers by position in the content")
            .linked(event.links(operation, &file)),
        summary,
    })
}
