//! `GET /api/v1/events/{id}/polls` and `GET /api/v1/events/{id}/polls/{poll_id}/votes`.

use axum::extract::State;
use axum::http::HeaderMap;
use axum::response::Response;
use showreport_model::column::Column;
use showreport_model::question::{POLLS, Question, RowRange};
use showreport_model::report::Dimension;
use showreport_model::table::{Table, Value};
use showreport_model::{PollId, Window};
use showreport_query::json_of_row;
use utoipa::openapi::schema::{ArrayBuilder, ObjectBuilder, Type};

use super::filter::FilterQuery;
use super::paged::PagedQuery;
use super::response::answer;
use super::schema::{described, object_of, of_type, page, row, with_as_of, with_figures};
use crate::answers::Snapshot;
use crate::app::App;
use crate::auth::Caller;
use crate::error::{ApiError, Reason};
use crate::extract::{Parameters, Segments, Violations};

/// The columns of a poll; the others are of its options.
const OF_POLL: [&str; 7] = [
    "poll_id",
    "question",
    "choice",
    "status",
    "started_at",
    "ended_at",
    "voters",
];

described! {
    /// The polls of an event, each with its options.
    PollsResponse = {
        let options = ArrayBuilder::new().items(row(&columns(is_of_option)));
        let poll = with_figures(ObjectBuilder::new(), &columns(is_of_poll));
        let votes = of_type(Type::Integer).description(Some("the votes of all options"));
        let poll = poll.property("votes", votes).required("votes");
        let poll = poll.property("options", options).required("options");
        let rows = ArrayBuilder::new().items(poll);
        object_of(with_as_of().property("rows", rows).required("rows"))
    };
    /// A page of the votes in a poll, in the order and with the columns of the report.
    VotesResponse = page(&Dimension::PollVotes.columns(&[]));
}

/// Get the polls of an event with their options and votes.
#[utoipa::path(
    get,
    path = "/api/v1/events/{id}/polls",
    tag = "api",
    params(
        ("id" = String, Path, description = "the event's id"),
        ("from" = Option<String>, Query, description = "RFC 3339; only votes at or after it"),
        ("to" = Option<String>, Query, description = "RFC 3339; only votes before it"),
        ("fresh" = Option<bool>, Query, description = "`true`: everything that was acknowledged before the request is counted, instead of up to 10 s before"),
    ),
    responses(
        (status = 200, description = "all polls; a row for each option as CSV with `Accept: text/csv`", body = PollsResponse),
        (status = 304, description = "as the response with the tag in `If-None-Match`"),
        (status = 400, description = "every wrong parameter is named"),
        (status = 401, description = "no token, or one that is unknown"),
        (status = 403, description = "the token may not read"),
        (status = 404, description = "no such event"),
        (status = 503, description = "it took too long, or the server is busy"),
    ),
    security(("token" = [])),
)]
pub(crate) async fn get_polls(
    State(app): State<App>,
    caller: Caller,
    Segments(id): Segments<String>,
    Parameters(query): Parameters<FilterQuery>,
    headers: HeaderMap,
) -> Result<Response, ApiError> {
    let mut violations = Violations::default();
    let (window, freshness) = query.read(&mut violations);
    let asked = violations.into_result(Some((Question::Polls { window }, freshness)))?;
    answer(
        &app,
        &caller.org,
        &id,
        asked,
        &headers,
        |requested, answer| requested.list(&answer.table, polls_json, &[]),
    )
    .await
}

/// List the votes in a poll.
#[utoipa::path(
    get,
    path = "/api/v1/events/{id}/polls/{poll_id}/votes",
    tag = "api",
    params(
        ("id" = String, Path, description = "the event's id"),
        ("poll_id" = String, Path, description = "the poll's id"),
        ("from" = Option<String>, Query, description = "RFC 3339; only votes at or after it"),
        ("to" = Option<String>, Query, description = "RFC 3339; only votes before it"),
        ("page_size" = Option<u32>, Query, minimum = 1, maximum = 1000, description = "1 to 1000; 100 if absent"),
        ("page_token" = Option<String>, Query, description = "`next_page_token` of the page before"),
        ("fresh" = Option<bool>, Query, description = "`true`: everything that was acknowledged before the request is counted, instead of up to 10 s before"),
    ),
    responses(
        (status = 200, description = "a page of votes; as CSV with `Accept: text/csv`", body = VotesResponse),
        (status = 304, description = "as the response with the tag in `If-None-Match`"),
        (status = 400, description = "every wrong parameter is named"),
        (status = 401, description = "no token, or one that is unknown"),
        (status = 403, description = "the token may not read"),
        (status = 404, description = "no such event, or no such poll in it"),
        (status = 503, description = "it took too long, or the server is busy"),
    ),
    security(("token" = [])),
)]
pub(crate) async fn list_votes(
    State(app): State<App>,
    caller: Caller,
    Segments((id, poll_id)): Segments<(String, String)>,
    Parameters(query): Parameters<PagedQuery>,
    headers: HeaderMap,
) -> Result<Response, ApiError> {
    let (window, request) = query.read(Violations::default(), &caller.org, &id, &headers)?;
    let snapshot = request.snapshot(&app).await?;
    let poll = PollId::new(&poll_id).map_err(|_| no_such_poll())?;
    demand_poll(&app, &snapshot, &poll).await?;
    let question = Question::PollVotes {
        window,
        poll,
        rows: request.rows(),
    };
    request.answer(&app, &snapshot, &question).await
}

/// Refuses a poll that has neither a record nor a vote.
async fn demand_poll(app: &App, snapshot: &Snapshot, poll: &PollId) -> Result<(), ApiError> {
    let polls = Question::Polls {
        window: Window::ALL,
    };
    let polls = app.answers().answer(snapshot, &polls).await?;
    let ids = polls.table.column("poll_id");
    let has_id = |row: &Vec<Value>| {
        let id = ids.and_then(|column| row.get(column));
        matches!(id, Some(Value::Text(id)) if id == poll.as_str())
    };
    if polls.table.rows.iter().any(has_id) {
        return Ok(());
    }
    let votes = Question::PollVotes {
        window: Window::ALL,
        poll: poll.clone(),
        rows: RowRange { skip: 0, limit: 1 },
    };
    let votes = app.answers().answer(snapshot, &votes).await?;
    if votes.table.rows.is_empty() {
        return Err(no_such_poll());
    }
    Ok(())
}

fn no_such_poll() -> ApiError {
    ApiError::new(Reason::PollNotFound, "the event has no such poll")
}

/// The polls as a JSON array, each with its options, from rows of options. Options of a poll follow
/// each other.
fn polls_json(table: &Table) -> String {
    let votes = table.column("votes");
    let is_same_poll = |one: &Vec<Value>, next: &Vec<Value>| one.first() == next.first();
    let polls = table.rows.chunk_by(is_same_poll).filter_map(|options| {
        let poll = part(&table.columns, options.first()?, is_of_poll);
        let votes = options
            .iter()
            .filter_map(|option| match option.get(votes?) {
                Some(Value::Count(votes)) => Some(*votes),
                _ => None,
            });
        let votes: i64 = votes.sum();
        let options = options
            .iter()
            .map(|option| part(&table.columns, option, is_of_option));
        let options = options.collect::<Vec<_>>().join(",");
        Some(format!(
            r#"{},"votes":{votes},"options":[{options}]}}"#,
            poll.strip_suffix('}').unwrap_or(&poll)
        ))
    });
    format!("[{}]", polls.collect::<Vec<_>>().join(","))
}

/// Some of the cells of a row as a JSON object.
fn part(columns: &[Column], row: &[Value], is_of: fn(&Column) -> bool) -> String {
    let cells = columns.iter().zip(row).filter(|(column, _)| is_of(column));
    let (columns, row): (Vec<Column>, Vec<Value>) =
        cells.map(|(column, cell)| (*column, cell.clone())).unzip();
    json_of_row(&columns, &row)
}

fn columns(is_of: fn(&Column) -> bool) -> Vec<Column> {
    let all = POLLS.iter().copied();
    all.filter(is_of).collect()
}

fn is_of_poll(column: &Column) -> bool {
    OF_POLL.contains(&column.name)
}

fn is_of_option(column: &Column) -> bool {
    !is_of_poll(column)
}
