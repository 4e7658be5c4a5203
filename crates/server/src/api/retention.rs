//! `GET /api/v1/events/{id}/retention`.

use axum::extract::State;
use axum::http::HeaderMap;
use axum::response::Response;
use serde::Deserialize;
use showreport_model::question::Question;
use showreport_model::report::Dimension;
use showreport_model::retention::{BUCKETS_MAX, Division};
use showreport_query::json_of_rows;

use super::filter::{FilterQuery, read_number};
use super::response::answer;
use super::schema::{described, list};
use crate::answers::Freshness;
use crate::app::App;
use crate::auth::Caller;
use crate::error::ApiError;
use crate::extract::{Parameters, Segments, Violations};

/// Buckets where the request names no number.
const BUCKETS_DEFAULT: u32 = 100;

described! {
    /// The drop-off curve of an event: a row for each bucket of the content, from its beginning to
    /// its end. None if no length of the content is known.
    RetentionResponse = list(&Dimension::Retention.columns(&[]));
}

#[derive(Debug, Deserialize)]
pub(crate) struct RetentionQuery {
    buckets: Option<String>,
    #[serde(flatten)]
    filter: FilterQuery,
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
        ("fresh" = Option<bool>, Query, description = "`true`: everything that was acknowledged before the request is counted, instead of up to 10 s before"),
    ),
    responses(
        (status = 200, description = "the curve; as CSV with `Accept: text/csv`", body = RetentionResponse),
        (status = 304, description = "as the response with the tag in `If-None-Match`"),
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
    caller: Caller,
    Segments(id): Segments<String>,
    Parameters(query): Parameters<RetentionQuery>,
    headers: HeaderMap,
) -> Result<Response, ApiError> {
    let (question, freshness) = query.read()?;
    let asked = (question, freshness);
    answer(
        &app,
        &caller.org,
        &id,
        asked,
        &headers,
        |requested, answer| requested.list(&answer.table, json_of_rows, &[]),
    )
    .await
}

impl RetentionQuery {
    /// The error names every wrong parameter.
    fn read(&self) -> Result<(Question, Freshness), ApiError> {
        let mut violations = Violations::default();
        let most = u32::try_from(BUCKETS_MAX).unwrap_or(u32::MAX);
        let buckets = read_number(
            "buckets",
            self.buckets.as_deref(),
            BUCKETS_DEFAULT,
            1..=most,
            &mut violations,
        );
        let (window, freshness) = self.filter.read(&mut violations);
        let division = Division::Count(buckets);
        violations.into_result(Some((Question::Retention { window, division }, freshness)))
    }
}

#[cfg(test)]
mod tests {
    use showreport_model::Window;

    use super::*;

    fn buckets(text: Option<&str>) -> Result<(Question, Freshness), ApiError> {
        let query = RetentionQuery {
            buckets: text.map(str::to_owned),
            filter: FilterQuery::default(),
        };
        query.read()
    }

    #[test]
    fn the_content_is_divided_into_100_buckets_or_as_many_as_are_asked_for() {
        for (text, count) in [(None, 100), (Some(""), 100), (Some("100000"), 100_000)] {
            let (question, _) = buckets(text).unwrap();
            let expected = Question::Retention {
                window: Window::ALL,
                division: Division::Count(count),
            };
            assert_eq!(question, expected);
        }
        for wrong in ["0", "-1", "1.5", "100001", "many", "99999999999999999999"] {
            let error = buckets(Some(wrong)).unwrap_err();
            assert_eq!(error.violated_fields(), ["buckets"], "{wrong}");
        }
    }
}
