//! `/events/{id}/csv/{rows}`: all rows of a table of a page as a CSV file.

use axum::extract::State;
use axum::http::header::{CACHE_CONTROL, CONTENT_DISPOSITION, CONTENT_TYPE};
use axum::response::{IntoResponse, Response};
use serde::Deserialize;
use showreport_model::PollId;
use showreport_model::audience::Resolution;
use showreport_model::question::{Attribute, Question, RowRange};
use showreport_model::report::Format;
use showreport_query::csv_of;

use super::access::EventAccess;
use super::frame::OpenEvent;
use super::query::EventQuery;
use super::{chat, people, retention};
use crate::app::App;
use crate::auth::Visitor;
use crate::downloads::FileName;
use crate::error::{ApiError, Reason};
use crate::extract::{Parameters, Segments};

/// Rows of a file. They are in memory, so larger lists are made as reports, which have no such
/// limit.
const ROWS_MAX: u64 = 50_000;

/// All values of an attribute.
const VALUES_MAX: u32 = 1_000;

/// The finest buckets of the audience curve.
const POINTS: u32 = 10_000;

#[derive(Deserialize)]
pub(crate) struct FileQuery {
    by: Option<String>,
    #[serde(flatten)]
    event: EventQuery,
}

/// Get all rows of a table of a page as a CSV file.
#[utoipa::path(
    get,
    path = "/events/{id}/csv/{rows}",
    tag = "dashboard",
    params(
        ("id" = String, Path, description = "the event's id"),
        ("rows" = String, Path, description = "`audience`, `breakdown`, `people`, `messages`, `polls`, `votes` or `retention`"),
        ("from" = Option<String>, Query, description = "as on the pages of the event"),
        ("to" = Option<String>, Query, description = "as on the pages of the event"),
        ("by" = Option<String>, Query, description = "of `breakdown`: `device_os` or `geo_region`"),
        ("q" = Option<String>, Query, description = "as on the pages of the event"),
        ("sender" = Option<String>, Query, description = "as on the pages of the event"),
        ("minimum" = Option<f64>, Query, description = "as on the page of people"),
        ("order_by" = Option<String>, Query, description = "as on the page of people"),
        ("poll" = Option<String>, Query, description = "of `votes`: the id of the poll"),
    ),
    responses(
        (status = 200, description = "the file", content_type = "text/csv", body = String),
        (status = 303, description = "not signed in: to the page for signing in"),
        (status = 400, description = "every wrong parameter is named; or the list is too long for a file of a page, and a report has it"),
        (status = 404, description = "no such event, poll or table"),
        (status = 503, description = "it took too long, or the server is busy"),
    ),
    security(("session" = [])),
)]
pub(crate) async fn get_event_file(
    State(app): State<App>,
    visitor: Visitor,
    Segments((id, rows)): Segments<(String, String)>,
    Parameters(query): Parameters<FileQuery>,
) -> Result<Response, ApiError> {
    file(app, EventAccess::of_visitor(&visitor, &id)?, &rows, query).await
}

pub(crate) async fn file(
    app: App,
    access: EventAccess,
    rows: &str,
    query: FileQuery,
) -> Result<Response, ApiError> {
    if !access.has_downloads() {
        return Err(no_table());
    }
    let event = OpenEvent::new(app, access, query.event).await?;
    let question = question(&event, rows, query.by.as_deref())?;
    let answer = event.answer(&question).await?;
    if u64::try_from(answer.table.rows.len()).unwrap_or(u64::MAX) > ROWS_MAX {
        return Err(ApiError::new(
            Reason::ReportRowLimit,
            format!(
                "the list has more than {ROWS_MAX} rows; make a report, which has no such limit, or \
                 narrow the range"
            ),
        ));
    }
    let title = event.snapshot.event().title.as_deref();
    let name = FileName::of_rows(&event.access.event, title, rows);
    let headers = [
        (CONTENT_TYPE, Format::Csv.media_type().to_owned()),
        (CONTENT_DISPOSITION, name.content_disposition()),
        (CACHE_CONTROL, "no-store".to_owned()),
    ];
    Ok((headers, csv_of(&answer.table)).into_response())
}

/// The question that the file of a name answers.
fn question(event: &OpenEvent, rows: &str, by: Option<&str>) -> Result<Question, ApiError> {
    let window = event.window();
    let all = RowRange {
        skip: 0,
        limit: ROWS_MAX + 1,
    };
    let question = match rows {
        "audience" => Question::Audience {
            window,
            resolution: Resolution::Points(POINTS),
        },
        "breakdown" => Question::Breakdown {
            window,
            by: match by {
                Some("geo_region") => Attribute::GeoRegion,
                Some("device_os") => Attribute::DeviceOs,
                _ => return Err(ApiError::violation("by", "must be device_os or geo_region")),
            },
            limit: VALUES_MAX,
        },
        "people" if event.access.shows_people() => people::question(event, all)?,
        "messages" if event.access.shows_people() => chat::question(event, all),
        "polls" => Question::Polls { window },
        "votes" if event.access.shows_people() => Question::PollVotes {
            window,
            poll: PollId::new(event.query.poll.as_deref().unwrap_or_default())
                .map_err(|_| ApiError::new(Reason::NotFound, "the event has no such poll"))?,
            rows: all,
        },
        "retention" => Question::Retention {
            window,
            division: retention::BUCKETS,
        },
        _ => return Err(no_table()),
    };
    Ok(question)
}

fn no_table() -> ApiError {
    ApiError::new(Reason::NotFound, "there is no such table")
}
