//! `GET /api/v1/events/{id}/messages`.

use axum::extract::State;
use axum::http::HeaderMap;
use axum::response::Response;
use serde::Deserialize;
use showreport_model::question::Question;
use showreport_model::report::Dimension;
use showreport_model::search::SearchText;

use super::paged::PagedQuery;
use super::schema::{described, page};
use crate::app::App;
use crate::auth::Caller;
use crate::error::ApiError;
use crate::extract::{Parameters, Segments, Violations};

described! {
    /// A page of the messages of an event, in the order and with the columns of the report.
    MessagesResponse = page(&Dimension::ChatHistories.columns(&[]));
}

#[derive(Debug, Deserialize)]
pub(crate) struct MessagesQuery {
    q: Option<String>,
    sender: Option<String>,
    #[serde(flatten)]
    paged: PagedQuery,
}

/// List the messages of an event.
#[utoipa::path(
    get,
    path = "/api/v1/events/{id}/messages",
    tag = "api",
    params(
        ("id" = String, Path, description = "the event's id"),
        ("q" = Option<String>, Query, description = "a part of the text or of the sender's name, whatever its case"),
        ("sender" = Option<String>, Query, description = "the sender's customer id or device id"),
        ("from" = Option<String>, Query, description = "RFC 3339; only messages sent at or after it"),
        ("to" = Option<String>, Query, description = "RFC 3339; only messages sent before it"),
        ("page_size" = Option<u32>, Query, minimum = 1, maximum = 1000, description = "1 to 1000; 100 if absent"),
        ("page_token" = Option<String>, Query, description = "`next_page_token` of the page before"),
        ("fresh" = Option<bool>, Query, description = "`true`: everything that was acknowledged before the request is counted, instead of up to 10 s before"),
    ),
    responses(
        (status = 200, description = "a page of messages; as CSV with `Accept: text/csv`", body = MessagesResponse),
        (status = 304, description = "as the response with the tag in `If-None-Match`"),
        (status = 400, description = "every wrong parameter is named"),
        (status = 401, description = "no token, or one that is unknown"),
        (status = 403, description = "the token may not read"),
        (status = 404, description = "no such event"),
        (status = 503, description = "it took too long, or the server is busy"),
    ),
    security(("token" = [])),
)]
pub(crate) async fn list_messages(
    State(app): State<App>,
    caller: Caller,
    Segments(id): Segments<String>,
    Parameters(query): Parameters<MessagesQuery>,
    headers: HeaderMap,
) -> Result<Response, ApiError> {
    let (window, request) = query
        .paged
        .read(Violations::default(), &caller.org, &id, &headers)?;
    let question = Question::Messages {
        window,
        search: query.q.as_deref().and_then(SearchText::new),
        sender: query.sender.filter(|sender| !sender.is_empty()),
        rows: request.rows(),
    };
    let snapshot = request.snapshot(&app).await?;
    request.answer(&app, &snapshot, &question).await
}
