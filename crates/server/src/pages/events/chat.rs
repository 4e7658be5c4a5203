//! `/events/{id}/chat`: the messages.

use askama::Template;
use axum::extract::State;
use axum::http::StatusCode;
use axum::response::Response;
use showreport_model::question::{Question, RowRange};
use showreport_model::search::SearchText;
use showreport_model::table::Value;

use super::access::EventAccess;
use super::frame::{EventFrame, OpenEvent};
use super::query::{EventQuery, PAGE_ROWS, given, within};
use crate::app::App;
use crate::auth::Visitor;
use crate::error::ApiError;
use crate::extract::{Parameters, Segments};
use crate::pages::cells::Figure;
use crate::pages::layout::{Layout, respond};
use crate::pages::rows::{Pager, Rows};

#[derive(Template)]
#[template(path = "chat.html")]
struct ChatPage {
    layout: Layout,
    frame: EventFrame,
    q: String,
    sender: String,
    rows: Rows,
    pager: Pager,
}

/// Get the page of an event's messages.
#[utoipa::path(
    get,
    path = "/events/{id}/chat",
    tag = "dashboard",
    params(
        ("id" = String, Path, description = "the event's id"),
        ("from" = Option<String>, Query, description = "a date, a date and time of the organisation's zone, or RFC 3339; only messages sent at or after it"),
        ("to" = Option<String>, Query, description = "the same for the end; only messages sent before it"),
        ("q" = Option<String>, Query, description = "a part of the text or of the sender's name"),
        ("sender" = Option<String>, Query, description = "a customer or a device"),
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
pub(crate) async fn show_chat(
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
    let query = &event.query;
    let (q, sender) = (given(query.q.as_deref()), given(query.sender.as_deref()));
    let filtered = |address| query.ranged(address).with("q", q).with("sender", sender);
    let address = filtered(event.access.page("chat"));
    let answer = event.answer(&question(&event, query.rows()?)).await?;
    let operation = event.access.operation("messages").map(|operation| {
        let operation = within(operation, event.window());
        operation.with("q", q).with("sender", sender)
    });
    let names = ["sent_at", "name", "text", "device_os", "geo_region"];
    let mut rows = Rows::of_table(&answer.table, &names, event.zone())
        .named("messages", "Messages")
        .or_empty(match (q, sender) {
            (None, None) => "No message was sent.",
            _ => "No message was found. Try a shorter text, or none.",
        });
    rows.headings[1].label = "Sender";
    let place = |name| answer.table.column(name).unwrap_or_default();
    let (id, device, deleted) = (place("customer_id"), place("device_id"), place("deleted"));
    for (cells, values) in rows.lines.iter_mut().zip(&answer.table.rows) {
        let sender = [id, device]
            .into_iter()
            .find_map(|place| match &values[place] {
                Value::Text(text) if !text.is_empty() => Some((place, text)),
                _ => None,
            });
        let name = &mut cells[1];
        name.label = "Sender";
        if let Some((place, text)) = sender {
            let column = &answer.table.columns[place];
            name.identify(Figure::new(column, &values[place], event.zone()));
            let only = query
                .ranged(event.access.page("chat"))
                .with("sender", Some(text));
            name.link = Some(only.to_string());
        }
        cells[2].class = match values[deleted] {
            Value::Flag(true) => "text deleted",
            _ => "text",
        };
    }
    let links = event.links(operation, &filtered(event.access.page("csv/messages")));
    let pager = Pager::cut(&mut rows, &address, query.page()?, PAGE_ROWS);
    let page = ChatPage {
        layout: event.layout("chat"),
        frame: event.frame("chat", &address).await?,
        q: q.unwrap_or_default().to_owned(),
        sender: sender.unwrap_or_default().to_owned(),
        rows: pager.linked(rows, links),
        pager,
    };
    respond(StatusCode::OK, &page)
}

/// The messages that the parameters ask for.
pub(super) fn question(event: &OpenEvent, rows: RowRange) -> Question {
    let query = &event.query;
    Question::Messages {
        window: event.window(),
        search: given(query.q.as_deref()).and_then(SearchText::new),
        sender: given(query.sender.as_deref()).map(str::to_owned),
        rows,
    }
}
