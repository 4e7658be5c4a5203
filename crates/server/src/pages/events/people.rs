//! `/events/{id}/people`: the attendance, with the part of the show that each person watched.

use askama::Template;
use axum::extract::State;
use axum::http::StatusCode;
use axum::response::Response;
use showreport_model::question::{OrderBy, Question, RowRange};
use showreport_model::ratio::Ratio;
use showreport_model::report::Dimension;
use showreport_model::search::SearchText;
use showreport_model::table::Value;

use super::access::EventAccess;
use super::frame::{EventFrame, OpenEvent};
use super::query::{EventQuery, PAGE_ROWS, given, within};
use crate::app::App;
use crate::auth::Visitor;
use crate::charts::bar;
use crate::error::ApiError;
use crate::extract::{Parameters, Segments};
use crate::pages::address::Address;
use crate::pages::cells::Figure;
use crate::pages::layout::{Layout, respond};
use crate::pages::rows::{Heading, Pager, Rows, Sort};

#[derive(Template)]
#[template(path = "people.html")]
struct PeoplePage {
    layout: Layout,
    frame: EventFrame,
    minimum: String,
    q: String,
    order_by: String,
    /// Whether the event has both a start and an end, without which there are no shares of it.
    has_window: bool,
    rows: Rows,
    pager: Pager,
}

/// Get the page of the people of an event: when they came, how long they stayed, what they did.
#[utoipa::path(
    get,
    path = "/events/{id}/people",
    tag = "dashboard",
    params(
        ("id" = String, Path, description = "the event's id"),
        ("from" = Option<String>, Query, description = "a date, a date and time of the organisation's zone, or RFC 3339; only what happened at or after it"),
        ("to" = Option<String>, Query, description = "the same for the end; only what happened before it"),
        ("minimum" = Option<f64>, Query, minimum = 0, maximum = 100, description = "only people who stayed for at least so many percent of the show"),
        ("q" = Option<String>, Query, description = "a part of a name or of an id"),
        ("order_by" = Option<String>, Query, description = "as of the report ATTENDANCE, such as `attended_seconds desc`"),
        ("page" = Option<u64>, Query, minimum = 1, maximum = 100_000, description = "the number of the page"),
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
pub(crate) async fn show_people(
    State(app): State<App>,
    visitor: Visitor,
    Segments(id): Segments<String>,
    Parameters(query): Parameters<EventQuery>,
) -> Result<Response, ApiError> {
    page(app, EventAccess::of_visitor(&visitor, &id)?, query).await
}

/// Columns of the page, with the order that a click on their heading asks for.
const COLUMNS: [(&str, &str); 8] = [
    ("name", "name"),
    ("attended_seconds", "attended_seconds desc"),
    ("live_ratio", "live_ratio desc"),
    ("first_joined_at", "first_joined_at"),
    ("last_left_at", "last_left_at desc"),
    ("views", "views desc"),
    ("messages", "messages desc"),
    ("polls_answered", "polls_answered desc"),
];

pub(crate) async fn page(
    app: App,
    access: EventAccess,
    query: EventQuery,
) -> Result<Response, ApiError> {
    let event = OpenEvent::new(app, access, query).await?;
    let query = &event.query;
    let (q, minimum) = (given(query.q.as_deref()), given(query.minimum.as_deref()));
    let order_by = given(query.order_by.as_deref());
    let filtered = |address| {
        let address = query.ranged(address).with("minimum", minimum);
        address.with("q", q).with("order_by", order_by)
    };
    let address = filtered(event.access.page("people"));
    let question = question(&event, query.rows()?)?;
    let answer = event.answer(&question).await?;
    let names = COLUMNS.map(|(name, _)| name);
    let mut rows = Rows::of_table(&answer.table, &names, event.zone())
        .named("people", caption(minimum))
        .or_empty(match (q, minimum) {
            (None, None) => "No people were there.",
            _ => "No people were found. Try a lower share or a shorter text.",
        });
    for (heading, (name, order)) in rows.headings.iter_mut().zip(COLUMNS) {
        sort(heading, name, order, order_by, &address);
    }
    rows.headings[0].label = "Person";
    let table = &answer.table;
    let place = |name| table.column(name).unwrap_or_default();
    let ids = ["customer_id", "device_id", "playback_id"].map(place);
    for (cells, values) in rows.lines.iter_mut().zip(&table.rows) {
        let id = ids
            .into_iter()
            .find(|place| values[*place] != Value::Absent);
        let person = &mut cells[0];
        if let Some(place) = id {
            let column = &table.columns[place];
            person.identify(Figure::new(column, &values[place], event.zone()));
        }
        if let Value::Number(ratio) = values[place("live_ratio")] {
            cells[2].bar = Some(bar(ratio));
        }
    }
    let ratio = minimum_ratio(minimum)?.map(|ratio| ratio.to_string());
    let operation = event.access.operation("attendance").map(|operation| {
        let operation = within(operation, event.window());
        let operation = operation.with("minimum_live_ratio", ratio);
        operation.with("q", q).with("order_by", order_by)
    });
    let links = event.links(operation, &filtered(event.access.page("csv/people")));
    let pager = Pager::cut(&mut rows, &address, query.page()?, PAGE_ROWS);
    let of_event = event.snapshot.event();
    let page = PeoplePage {
        layout: event.layout("people"),
        frame: event.frame("people", &address).await?,
        minimum: minimum.unwrap_or_default().to_owned(),
        q: q.unwrap_or_default().to_owned(),
        order_by: order_by.unwrap_or_default().to_owned(),
        has_window: of_event.starts_at.is_some() && of_event.ends_at > of_event.starts_at,
        rows: pager.linked(rows, links),
        pager,
    };
    respond(StatusCode::OK, &page)
}

fn caption(minimum: Option<&str>) -> String {
    match minimum {
        Some(minimum) => {
            let percent = minimum.trim_end_matches('%').trim();
            format!("People who stayed for {percent} % of the show")
        }
        None => "People".to_owned(),
    }
}

/// The people that the parameters ask for.
pub(super) fn question(event: &OpenEvent, rows: RowRange) -> Result<Question, ApiError> {
    let query = &event.query;
    let columns = Dimension::Attendance.columns(&[]);
    let order_by = OrderBy::parse(query.order_by.as_deref().unwrap_or_default(), &columns)
        .map_err(|problem| ApiError::violation("order_by", problem.to_string()))?;
    Ok(Question::Attendance {
        window: event.window(),
        minimum_live_ratio: minimum_ratio(given(query.minimum.as_deref()))?,
        search: given(query.q.as_deref()).and_then(SearchText::new),
        order_by,
        rows,
    })
}

/// A share in percent as a ratio. It has at most six decimals.
fn minimum_ratio(percent: Option<&str>) -> Result<Option<Ratio>, ApiError> {
    let Some(percent) = percent else {
        return Ok(None);
    };
    let percent = percent.trim_end_matches('%').trim().replace(',', ".");
    let ratio = percent
        .parse()
        .ok()
        .map(|percent: f64| format!("{:.6}", percent / 100.0));
    let ratio: Option<Ratio> = ratio.and_then(|ratio| ratio.parse().ok());
    ratio.map(Some).ok_or_else(|| {
        ApiError::violation(
            "minimum",
            "must be a number of percent from 0 to 100, such as 75",
        )
    })
}

/// Makes a heading a link that sorts by its column, or the other way round.
fn sort(
    heading: &mut Heading,
    name: &str,
    order: &'static str,
    order_by: Option<&str>,
    address: &Address,
) {
    let is_descending = order.ends_with(" desc");
    let opposite = if is_descending {
        name.to_owned()
    } else {
        format!("{name} desc")
    };
    let chosen = order_by.map(str::trim);
    let direction = |is_descending| {
        if is_descending {
            "descending"
        } else {
            "ascending"
        }
    };
    let (next, direction) = if chosen == Some(order) {
        (opposite, Some(direction(is_descending)))
    } else if chosen == Some(opposite.as_str()) {
        (order.to_owned(), Some(direction(!is_descending)))
    } else {
        (order.to_owned(), None)
    };
    heading.sort = Some(Sort {
        address: address.clone().with("order_by", Some(next)).to_string(),
        direction,
    });
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_share_is_read_as_people_write_it() {
        let read = |text| minimum_ratio(Some(text)).unwrap().unwrap().to_string();
        assert_eq!(
            ["75", "75 %", "33,3", "100", "0"].map(read),
            ["0.75", "0.75", "0.333", "1", "0"]
        );
        for wrong in ["101", "-1", "many", "NaN"] {
            let error = minimum_ratio(Some(wrong)).unwrap_err();
            assert_eq!(error.violated_fields(), ["minimum"], "{wrong}");
        }
        assert!(minimum_ratio(None).unwrap().is_none());
    }
}
