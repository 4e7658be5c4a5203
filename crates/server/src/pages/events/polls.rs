//! `/events/{id}/polls`: polls as bars, and the votes of one.

use askama::Template;
use axum::extract::State;
use axum::http::StatusCode;
use axum::response::Response;
use showreport_model::PollId;
use showreport_model::question::{Answer, Question};
use showreport_model::table::Value;

use super::access::EventAccess;
use super::frame::{EventFrame, OpenEvent};
use super::query::{EventQuery, PAGE_ROWS, given, within};
use crate::app::App;
use crate::auth::Visitor;
use crate::charts::bar;
use crate::error::{ApiError, Reason};
use crate::extract::{Parameters, Segments};
use crate::pages::address::encoded;
use crate::pages::cells::Figure;
use crate::pages::layout::{Layout, respond};
use crate::pages::rows::{Pager, RowLinks, Rows};

#[derive(Template)]
#[template(path = "polls.html")]
struct PollsPage {
    layout: Layout,
    frame: EventFrame,
    polls: Vec<Poll>,
    votes: Option<Votes>,
    links: RowLinks,
    shows_people: bool,
}

/// A poll with its options.
struct Poll {
    id: String,
    question: String,
    choice: &'static str,
    status: String,
    voters: Figure,
    options: Rows,
    /// The page with its votes.
    votes: String,
}

/// The votes of one poll, with their voters.
struct Votes {
    question: String,
    rows: Rows,
    pager: Pager,
    /// The page without them.
    hide: String,
}

/// Get the page of an event's polls.
#[utoipa::path(
    get,
    path = "/events/{id}/polls",
    tag = "dashboard",
    params(
        ("id" = String, Path, description = "the event's id"),
        ("from" = Option<String>, Query, description = "a date, a date and time of the organisation's zone, or RFC 3339; only votes at or after it"),
        ("to" = Option<String>, Query, description = "the same for the end; only votes before it"),
        ("poll" = Option<String>, Query, description = "the id of a poll whose votes are listed"),
        ("page" = Option<u64>, Query, minimum = 1, maximum = 100_000, description = "the number of the page of votes"),
    ),
    responses(
        (status = 200, description = "a page", content_type = "text/html", body = String),
        (status = 303, description = "not signed in: to the page for signing in"),
        (status = 400, description = "every wrong parameter is named"),
        (status = 404, description = "no such event or poll"),
        (status = 503, description = "it took too long, or the server is busy"),
    ),
    security(("session" = [])),
)]
pub(crate) async fn show_polls(
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
    let question = Question::Polls {
        window: event.window(),
    };
    let answer = event.answer(&question).await?;
    let polls = polls(&event, &answer);
    let chosen = given(event.query.poll.as_deref()).filter(|_| event.access.shows_people());
    let votes = match chosen {
        Some(id) => Some(votes(&event, id, &polls).await?),
        None => None,
    };
    let operation = event.access.operation("polls");
    let operation = operation.map(|operation| within(operation, event.window()));
    let file = event.query.ranged(event.access.page("csv/polls"));
    let address = event.query.ranged(event.access.page("polls"));
    let page = PollsPage {
        layout: event.layout("polls"),
        frame: event.frame("polls", &address.with("poll", chosen)).await?,
        polls,
        votes,
        links: event.links(operation, &file),
        shows_people: event.access.shows_people(),
    };
    respond(StatusCode::OK, &page)
}

/// The polls of an answer, which has a row for each option.
fn polls(event: &OpenEvent, answer: &Answer) -> Vec<Poll> {
    let table = &answer.table;
    let place = |name| table.column(name).unwrap_or_default();
    let (id, voters, share) = (place("poll_id"), place("voters"), place("share"));
    let text = |row: &[Value], name| match &row[place(name)] {
        Value::Text(text) => text.clone(),
        _ => String::new(),
    };
    let groups = table.rows.chunk_by(|row, next| row[id] == next[id]);
    let poll = |rows: &[Vec<Value>]| {
        let first = &rows[0];
        let of_poll = showreport_model::table::Table {
            columns: table.columns.clone(),
            rows: rows.to_vec(),
        };
        let names = ["option_text", "votes", "share"];
        let question = text(first, "question");
        let mut options = Rows::of_table(&of_poll, &names, event.zone())
            .named("", format!("Options of {question}"));
        options.is_caption_hidden = true;
        for (cells, values) in options.lines.iter_mut().zip(rows) {
            if let Value::Number(share) = values[share] {
                cells[0].bar = Some(bar(share));
            }
            if values[place("correct")] == Value::Flag(true) {
                cells[0].below.push(
                    Figure::new(
                        &table.columns[place("correct")],
                        &Value::Flag(true),
                        event.zone(),
                    )
                    .shown_as("right answer"),
                );
            }
        }
        let poll_id = text(first, "poll_id");
        let address = event.query.ranged(event.access.page("polls"));
        Poll {
            votes: format!("{}#votes", address.with("poll", Some(poll_id.as_str()))),
            choice: match text(first, "choice").as_str() {
                "multi" => "several choices",
                _ => "one choice",
            },
            status: text(first, "status"),
            voters: Figure::new(&table.columns[voters], &first[voters], event.zone()),
            id: poll_id,
            question,
            options,
        }
    };
    groups.map(poll).collect()
}

async fn votes(event: &OpenEvent, id: &str, polls: &[Poll]) -> Result<Votes, ApiError> {
    let unknown = || ApiError::new(Reason::NotFound, "the event has no such poll");
    let poll = polls
        .iter()
        .find(|poll| poll.id == id)
        .ok_or_else(unknown)?;
    let question = Question::PollVotes {
        window: event.window(),
        poll: PollId::new(id).map_err(|_| unknown())?,
        rows: event.query.rows()?,
    };
    let answer = event.answer(&question).await?;
    let names = ["voted_at", "name", "option_text", "counted"];
    let mut rows = Rows::of_table(&answer.table, &names, event.zone())
        .named("votes", format!("Votes in {}", poll.question))
        .or_empty("No vote was cast.");
    rows.headings[1].label = "Voter";
    let place = |name| answer.table.column(name).unwrap_or_default();
    for (cells, values) in rows.lines.iter_mut().zip(&answer.table.rows) {
        let name = &mut cells[1];
        name.label = "Voter";
        let mut ids = [place("customer_id"), place("device_id")].into_iter();
        if let Some(place) = ids.find(|place| values[*place] != Value::Absent) {
            let column = &answer.table.columns[place];
            name.identify(Figure::new(column, &values[place], event.zone()));
        }
    }
    let operation = event
        .access
        .operation(&format!("polls/{}/votes", encoded(id)));
    let operation = operation.map(|operation| within(operation, event.window()));
    let file = event.query.ranged(event.access.page("csv/votes"));
    let links = event.links(operation, &file.with("poll", Some(id)));
    let address = event.query.ranged(event.access.page("polls"));
    let here = address.clone().with("poll", Some(id));
    let pager = Pager::cut(&mut rows, &here, event.query.page()?, PAGE_ROWS);
    Ok(Votes {
        question: poll.question.clone(),
        rows: pager.linked(rows, links),
        pager,
        hide: address.to_string(),
    })
}
