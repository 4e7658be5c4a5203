//! `GET /api/v1/events/{id}/retention`.

use std::fmt::Write;

use axum::Json;
use axum::extract::State;
use axum::http::HeaderMap;
use axum::http::header::{CONTENT_TYPE, VARY};
use axum::response::{IntoResponse, Response};
use serde::{Deserialize, Serialize};
use showreport_model::report::{Dimension, Format};
use showreport_model::retention::{BUCKETS_MAX, Division, RetentionRow};
use showreport_model::{Timestamp, Window};
use utoipa::ToSchema;

use super::events::event_id;
use crate::app::App;
use crate::auth::QueryReader;
use crate::error::ApiError;
use crate::extract::{Parameters, Segments, Violations, prefers_csv};

/// Buckets where the request names no number.
const BUCKETS_DEFAULT: u32 = 100;

/// The drop-off curve of an event.
#[derive(Debug, Serialize, ToSchema)]
pub(crate) struct RetentionResponse {
    /// Everything that was acknowledged before this instant is counted.
    as_of: String,
    /// A row for each bucket of the content, from its beginning to its end. None if no length of
    /// the content is known.
    rows: Vec<RetentionEntry>,
}

/// A bucket of the content.
#[derive(Debug, Serialize, ToSchema)]
struct RetentionEntry {
    /// Where the bucket begins.
    position_seconds: f64,
    /// Views that have played any of the bucket.
    views: i64,
    /// Viewers with such a view.
    viewers: i64,
    /// These viewers by all viewers that have played any content, floored to four decimals; `null`
    /// if there are none.
    share: Option<f64>,
}

#[derive(Debug, Deserialize)]
pub(crate) struct RetentionQuery {
    buckets: Option<String>,
    from: Option<String>,
    to: Option<String>,
}

/// Get the drop-off curve of an event: how many viewers have played each part of its content.
#[utoipa::path(
    get,
    path = "/api/v1/events/{id}/retention",
    tag = "api",
    params(
        ("id" = String, Path, description = "the event's id"),
        ("buckets" = Option<u32>, Query, minimum = 1, maximum = 100_000, description = "into how many buckets the content is divided; 100 if absent"),
        ("from" = Option<String>, Query, description = "RFC 3339; only views with watched time at or after it"),
        ("to" = Option<String>, Query, description = "RFC 3339; only views with watched time before it"),
    ),
    responses(
        (status = 200, description = "the curve; as CSV with `Accept: text/csv`", body = RetentionResponse),
        (status = 400, description = "every wrong parameter is named"),
        (status = 401, description = "no token, or one that is unknown"),
        (status = 403, description = "the token may not read"),
        (status = 404, description = "no such event"),
        (status = 503, description = "it took too long, or the server is busy"),
    ),
    security(("token" = [])),
)]
pub(crate) async fn get_retention(
    State(app): State<App>,
    reader: QueryReader,
    Segments(id): Segments<String>,
    Parameters(query): Parameters<RetentionQuery>,
    headers: HeaderMap,
) -> Result<Response, ApiError> {
    let (window, division) = query.read()?;
    let event = app.meta().event(&reader.org, &event_id(&id)?).await?.id;
    let as_of = app.meta().clock().now();
    app.jobs().flush_event(&reader.org, &event).await?;
    let pins = app.jobs().pins(&reader.org, &event).await?;
    let rows = app
        .query()
        .retention(&reader.org, &pins, window, division)
        .await?;
    if prefers_csv(&headers) {
        let headers = [(CONTENT_TYPE, Format::Csv.media_type()), (VARY, "accept")];
        return Ok((headers, csv(&rows)).into_response());
    }
    let response = RetentionResponse {
        as_of: as_of.to_string(),
        rows: rows.iter().map(RetentionEntry::new).collect(),
    };
    Ok(([(VARY, "accept")], Json(response)).into_response())
}

impl RetentionQuery {
    /// The filter and the buckets. The error names every wrong parameter.
    fn read(&self) -> Result<(Window, Division), ApiError> {
        let mut violations = Violations::default();
        let buckets = match self.buckets.as_deref() {
            None | Some("") => Some(BUCKETS_DEFAULT),
            Some(text) => text
                .parse()
                .ok()
                .filter(|count| (1..=BUCKETS_MAX).contains(&u64::from(*count))),
        };
        if buckets.is_none() {
            violations.add(
                "buckets",
                format!("must be a whole number from 1 to {BUCKETS_MAX}"),
            );
        }
        let window = Window {
            start: read_time("from", self.from.as_deref(), &mut violations),
            end: read_time("to", self.to.as_deref(), &mut violations),
        };
        if !window.is_possible() {
            let problem = "must be after from, which is inclusive, as to is exclusive";
            violations.add("to", problem);
        }
        violations.into_result(buckets.map(|count| (window, Division::Count(count))))
    }
}

fn read_time(name: &str, text: Option<&str>, violations: &mut Violations) -> Option<Timestamp> {
    let text = text.filter(|text| !text.is_empty())?;
    let time = Timestamp::nearest(text);
    time.map_err(|error| violations.add(name, error.to_string()))
        .ok()
}

impl RetentionEntry {
    #[expect(
        clippy::cast_precision_loss,
        reason = "a JSON number is a double in most clients"
    )]
    fn new(row: &RetentionRow) -> Self {
        Self {
            position_seconds: row.position_ms as f64 / 1_000.0,
            views: row.views,
            viewers: row.viewers,
            share: row.share(),
        }
    }
}

/// The rows as the CSV file of a report has them.
fn csv(rows: &[RetentionRow]) -> String {
    let columns = Dimension::Retention.row_columns().iter();
    let mut text = columns
        .map(|column| column.name)
        .collect::<Vec<_>>()
        .join(",")
        + "\n";
    for row in rows {
        let (seconds, millis) = (row.position_ms / 1_000, row.position_ms % 1_000);
        let share = row
            .share()
            .map(|share| share.to_string())
            .unwrap_or_default();
        let (views, viewers) = (row.views, row.viewers);
        writeln!(text, "{seconds}.{millis:03},{views},{viewers},{share}")
            .expect("writing to memory cannot fail");
    }
    text
}

#[cfg(test)]
mod tests {
    use super::*;

    fn query(buckets: &str, from: &str, to: &str) -> RetentionQuery {
        let given = |text: &str| (!text.is_empty()).then(|| text.to_owned());
        RetentionQuery {
            buckets: given(buckets),
            from: given(from),
            to: given(to),
        }
    }

    #[test]
    fn a_request_without_parameters_asks_for_100_buckets_of_all_views() {
        let read = query("", "", "").read().unwrap();
        assert_eq!(read, (Window::ALL, Division::Count(100)));
        let read = query("100000", "2026-11-22T10:00:00Z", "").read().unwrap();
        assert!(read.0.start.is_some() && read.0.end.is_none());
        assert_eq!(read.1, Division::Count(100_000));
    }

    #[test]
    fn every_wrong_parameter_is_named() {
        for buckets in ["0", "-1", "1.5", "100001", "many", "99999999999999999999"] {
            let error = query(buckets, "yesterday", "2026-11-22")
                .read()
                .unwrap_err();
            assert_eq!(
                error.violated_fields(),
                ["buckets", "from", "to"],
                "{buckets}"
            );
        }
        let error = query("7", "2026-11-22T10:00:00Z", "2026-11-22T10:00:00Z").read();
        assert_eq!(error.unwrap_err().violated_fields(), ["to"]);
    }

    #[test]
    fn the_csv_has_the_digits_of_the_file() {
        let row = |position_ms, share| RetentionRow {
            position_ms,
            views: 3,
            viewers: 2,
            share,
        };
        let rows = [
            row(0, Some(10_000)),
            row(12_005, Some(3_333)),
            row(20_000, None),
        ];
        assert_eq!(
            csv(&rows),
            "position_seconds,views,viewers,share\n\
             0.000,3,2,1\n12.005,3,2,0.3333\n20.000,3,2,\n"
        );
    }
}
