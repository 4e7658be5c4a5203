//! Responses with figures: JSON or CSV, and 304 for a client that has them.

use std::fmt::Debug;
use std::fmt::Write as _;

use axum::http::header::{CACHE_CONTROL, CONTENT_TYPE, ETAG, VARY};
use axum::http::{HeaderMap, HeaderName, HeaderValue, StatusCode};
use axum::response::{IntoResponse, Response};
use sha2::{Digest, Sha256};
use showreport_model::figures::{FIGURES, Figures};
use showreport_model::question::{Answer, Question};
use showreport_model::report::Format;
use showreport_model::table::Table;
use showreport_model::{EventId, OrgId, Timestamp};
use showreport_query::{csv_of, json_of_row, json_of_rows};

use super::event_id::event_id;
use crate::answers::{Freshness, Snapshot};
use crate::app::App;
use crate::downloads::has_already;
use crate::error::ApiError;
use crate::extract::prefers_csv;

/// The time of the facts, for responses that are no JSON.
const AS_OF: HeaderName = HeaderName::from_static("x-showreport-as-of");

/// The token of the next page, for responses that are no JSON.
const NEXT_PAGE_TOKEN: HeaderName = HeaderName::from_static("x-showreport-next-page-token");

/// The response to a question about an event with an answer that is not divided into pages.
/// `respond` writes the answer, if the client does not have it already.
pub(super) async fn answer(
    app: &App,
    org: &OrgId,
    event: &str,
    (question, freshness): (Question, Freshness),
    headers: &HeaderMap,
    respond: impl FnOnce(&Requested<'_>, &Answer) -> Response + Send,
) -> Result<Response, ApiError> {
    let answers = app.answers();
    let snapshot = answers.snapshot(org, &event_id(event)?, freshness).await?;
    let requested = Requested::new(&snapshot, &question, headers);
    if let Some(response) = requested.not_modified() {
        return Ok(response);
    }
    let answer = answers.answer(&snapshot, &question).await?;
    Ok(respond(&requested, &answer))
}

/// A response to be made: its state, its format and its tag.
pub(super) struct Requested<'a> {
    snapshot: &'a Snapshot,
    is_csv: bool,
    etag: String,
    has_already: bool,
}

impl<'a> Requested<'a> {
    /// The response to a question about a state.
    pub(super) fn new(snapshot: &'a Snapshot, question: &impl Debug, headers: &HeaderMap) -> Self {
        let is_csv = prefers_csv(headers);
        let etag = tag(snapshot, question, is_csv);
        Self {
            snapshot,
            is_csv,
            has_already: has_already(headers, &etag),
            etag,
        }
    }

    /// The response without a body, if the client has it already.
    pub(super) fn not_modified(&self) -> Option<Response> {
        let response = || (StatusCode::NOT_MODIFIED, self.headers()).into_response();
        self.has_already.then(response)
    }

    /// A list with a JSON array of `rows`. In JSON it has these fields too.
    pub(super) fn list(
        &self,
        table: &Table,
        rows: fn(&Table) -> String,
        beside: &[(&str, String)],
    ) -> Response {
        if self.is_csv {
            return Self::csv(self.headers(), table);
        }
        let mut fields = vec![("rows", rows(table))];
        fields.extend(beside.iter().cloned());
        self.json(&fields)
    }

    /// A page of a list. The token is empty after the last one.
    pub(super) fn page(&self, table: &Table, next_page_token: &str) -> Response {
        if self.is_csv {
            let mut headers = self.headers();
            if let Ok(token) = HeaderValue::from_str(next_page_token) {
                headers.insert(NEXT_PAGE_TOKEN, token);
            }
            return Self::csv(headers, table);
        }
        let token = ("next_page_token", quoted(next_page_token));
        self.list(table, json_of_rows, &[token])
    }

    /// Figures as one object, or as a table of one row.
    pub(super) fn figures(&self, figures: &Figures) -> Response {
        if self.is_csv {
            let table = Table {
                columns: FIGURES.to_vec(),
                rows: vec![figures.row()],
            };
            return Self::csv(self.headers(), &table);
        }
        let body = figures_json(&self.snapshot.event().id, self.snapshot.as_of(), figures);
        (self.headers(), body).into_response()
    }

    fn json(&self, fields: &[(&str, String)]) -> Response {
        let mut body = format!(r#"{{"as_of":"{}""#, self.snapshot.as_of());
        for (name, json) in fields {
            write!(body, r#","{name}":{json}"#).expect("writing to memory cannot fail");
        }
        body.push('}');
        (self.headers(), body).into_response()
    }

    fn csv(headers: HeaderMap, table: &Table) -> Response {
        (headers, csv_of(table)).into_response()
    }

    fn headers(&self) -> HeaderMap {
        let value = |text: &str| HeaderValue::from_str(text).expect("digits and letters");
        let media_type = if self.is_csv {
            Format::Csv.media_type()
        } else {
            "application/json"
        };
        HeaderMap::from_iter([
            (CONTENT_TYPE, HeaderValue::from_static(media_type)),
            (ETAG, value(&self.etag)),
            // A client may keep the response, and asks each time whether it is the present one.
            (CACHE_CONTROL, HeaderValue::from_static("private, no-cache")),
            (VARY, HeaderValue::from_static("accept")),
            (AS_OF, value(&self.snapshot.as_of().to_string())),
        ])
    }
}

/// The figures of an event as a JSON object, as `GET /api/v1/events/{id}/figures` has them.
pub fn figures_json(event: &EventId, as_of: Timestamp, figures: &Figures) -> String {
    let id = quoted(event.as_str());
    let figures = json_of_row(FIGURES, &figures.row());
    let figures = figures.strip_prefix('{').unwrap_or(&figures);
    format!(r#"{{"event_id":{id},"as_of":"{as_of}",{figures}"#)
}

/// A text as JSON.
pub(super) fn quoted(text: &str) -> String {
    serde_json::Value::from(text).to_string()
}

/// The tag of a response. It changes with the facts, the zone, the question and the format, and with
/// the version of the program, which may answer in another way.
fn tag(snapshot: &Snapshot, question: &impl Debug, is_csv: bool) -> String {
    let pins = snapshot.pins();
    let described = format!(
        "{} {:?} {:?} {} {} {question:?} {is_csv}",
        env!("CARGO_PKG_VERSION"),
        snapshot.org(),
        pins.event.id,
        snapshot.as_of(),
        pins.zone.name(),
    );
    let digest = Sha256::digest(described);
    let mut tag = String::from("\"");
    for byte in &digest[..16] {
        write!(tag, "{byte:02x}").expect("writing to memory cannot fail");
    }
    tag + "\""
}
