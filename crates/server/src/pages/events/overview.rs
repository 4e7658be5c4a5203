//! `/events/{id}`: figures, the audience curve, systems and regions.

use askama::Template;
use axum::extract::State;
use axum::http::StatusCode;
use axum::response::Response;
use showreport_meta::{EventFilter, EventOrder};
use showreport_model::EventId;
use showreport_model::figures::Figures;
use showreport_model::question::{Attribute, Question};
use showreport_model::table::Value;

use super::access::EventAccess;
use super::curve::Curve;
use super::frame::{EventFrame, OpenEvent, title};
use super::query::{EventQuery, given, within};
use crate::app::App;
use crate::auth::Visitor;
use crate::charts::{Form, Svg, bar_of};
use crate::error::ApiError;
use crate::extract::{Parameters, Segments};
use crate::pages::cells::{ABSENT, Figure, is_number, label};
use crate::pages::figures::FiguresView;
use crate::pages::layout::{Layout, respond};
use crate::pages::rows::{Cell, Rows};
use crate::texts;

/// Rows of systems and of regions.
const VALUES_MAX: u32 = 10;

/// Events that can be laid over the curve, the latest ones.
const OTHERS_MAX: usize = 50;

#[derive(Template)]
#[template(path = "overview.html")]
struct OverviewPage {
    layout: Layout,
    frame: EventFrame,
    figures: FiguresView,
    curve: Option<CurveView>,
    others: Vec<Other>,
    systems: Rows,
    regions: Rows,
}

/// The audience curve with what explains it.
struct CurveView {
    wide: Svg,
    narrow: Svg,
    width: String,
    with: Option<String>,
    rows: Rows,
}

/// An event that can be laid over the curve.
struct Other {
    id: String,
    title: String,
    is_chosen: bool,
}

/// Get the page of an event: its figures, its audience curve, systems and regions.
#[utoipa::path(
    get,
    path = "/events/{id}",
    tag = "dashboard",
    params(
        ("id" = String, Path, description = "the event's id"),
        ("from" = Option<String>, Query, description = "a date, a date and time of the organisation's zone, or RFC 3339; the page is about what happened at or after it"),
        ("to" = Option<String>, Query, description = "the same for the end; what happened before it"),
        ("with" = Option<String>, Query, description = "the id of a second event, whose curve is laid over the first"),
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
pub(crate) async fn show_event(
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
    let address = event.query.ranged(event.access.page(""));
    let address = address.with("with", event.query.with.clone());
    let answers = event.app.answers();
    let figures = answers.figures(&event.snapshot, event.window()).await?;
    let source = event.access.operation("figures");
    let source = source.map(|source| within(source, event.window()).to_string());
    let page = OverviewPage {
        layout: event.layout(""),
        frame: event.frame("", &address).await?,
        curve: curve(&event, &figures).await?,
        figures: FiguresView::new(&figures, event.zone(), source),
        others: others(&event).await?,
        systems: breakdown(&event, Attribute::DeviceOs, "systems", "Systems").await?,
        regions: breakdown(&event, Attribute::GeoRegion, "regions", "Regions").await?,
    };
    respond(StatusCode::OK, &page)
}

async fn curve(event: &OpenEvent, figures: &Figures) -> Result<Option<CurveView>, ApiError> {
    let curve = Curve::new(event, figures).await?;
    Ok((!curve.is_empty()).then(|| CurveView {
        wide: curve.svg(event, Form::Wide),
        narrow: curve.svg(event, Form::Narrow),
        width: texts::width(curve.width),
        with: curve.second_title().map(str::to_owned),
        rows: curve.rows(event),
    }))
}

/// The latest events, to choose the second one from.
async fn others(event: &OpenEvent) -> Result<Vec<Other>, ApiError> {
    if !event.access.may_compare() {
        return Ok(Vec::new());
    }
    let app = &event.app;
    let (filter, order) = (EventFilter::default(), EventOrder::StartsAt);
    let listed = app
        .meta()
        .list_events(
            &event.access.org,
            &filter,
            order,
            None,
            OTHERS_MAX,
            app.now(),
        )
        .await?;
    let chosen = given(event.query.with.as_deref());
    let is_other = |id: &EventId| *id != event.access.event;
    let mut others: Vec<Other> = listed
        .into_iter()
        .filter(|listed| is_other(&listed.event.id))
        .map(|listed| Other {
            id: listed.event.id.to_string(),
            title: title(&listed.event),
            is_chosen: chosen == Some(listed.event.id.as_str()),
        })
        .collect();
    if let Some(id) = chosen
        && !others.iter().any(|other| other.is_chosen)
    {
        others.push(Other {
            id: id.to_owned(),
            title: id.to_owned(),
            is_chosen: true,
        });
    }
    Ok(others)
}

/// The viewers by an attribute, with bars of their watch time.
async fn breakdown(
    event: &OpenEvent,
    by: Attribute,
    id: &'static str,
    caption: &str,
) -> Result<Rows, ApiError> {
    let question = Question::Breakdown {
        window: event.window(),
        by,
        limit: VALUES_MAX,
    };
    let answer = event.answer(&question).await?;
    let operation = event.access.operation("breakdown").map(|operation| {
        within(operation, event.window())
            .with("by", Some(by.name()))
            .with("limit", Some(VALUES_MAX.to_string()))
    });
    let file = event.query.ranged(event.access.page("csv/breakdown"));
    let file = file.with("by", Some(by.name()));
    let names = ["value", "viewers", "views", "watch_seconds"];
    let mut rows = Rows::of_table(&answer.table, &names, event.zone())
        .named(id, caption)
        .or_empty("Nothing was watched.")
        .linked(event.links(operation, &file));
    rows.headings[0].label = label(by.name());
    let seconds = answer.table.column("watch_seconds").unwrap_or_default();
    let total = answer
        .total
        .as_ref()
        .map_or(0, |total| millis(&total[seconds]));
    for (cells, values) in rows.lines.iter_mut().zip(&answer.table.rows) {
        let first = &mut cells[0];
        if first.figure.text == ABSENT {
            "Unknown".clone_into(&mut first.figure.text);
        }
        first.bar = Some(bar_of(millis(&values[seconds]), total));
    }
    for (text, values) in [("All others", &answer.other), ("Together", &answer.total)] {
        let Some(values) = values else { continue };
        let cells = names.iter().filter_map(|name| {
            let place = answer.table.column(name)?;
            let column = &answer.table.columns[place];
            let figure = Figure::new(column, &values[place], event.zone());
            let cell = Cell::new(label(column.name), is_number(column), figure);
            Some(cell)
        });
        let mut cells: Vec<Cell> = cells.collect();
        text.clone_into(&mut cells[0].figure.text);
        rows.foot.push(cells);
    }
    Ok(rows)
}

fn millis(value: &Value) -> u64 {
    match value {
        Value::Seconds(millis) => millis.unsigned_abs(),
        _ => 0,
    }
}
