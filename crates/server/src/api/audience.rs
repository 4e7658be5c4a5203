//! `GET /api/v1/events/{id}/audience`.

use axum::extract::State;
use axum::http::HeaderMap;
use axum::response::Response;
use serde::Deserialize;
use showreport_model::audience::{BUCKETS_MAX, Resolution};
use showreport_model::buckets::Granularity;
use showreport_model::question::{AUDIENCE, Question};
use showreport_query::json_of_rows;
use utoipa::openapi::schema::Type;

use super::filter::{FilterQuery, read_number};
use super::response::answer;
use super::schema::{described, list_of, nullable, object_of};
use crate::answers::Freshness;
use crate::app::App;
use crate::auth::Caller;
use crate::error::ApiError;
use crate::extract::{Parameters, Segments, Violations};

/// The most buckets, if the request names neither a number nor a width.
const POINTS_DEFAULT: u32 = 500;

described! {
    /// The audience curve of an event: a row for each bucket of time from the first to the last
    /// instant with facts, or of the filter.
    AudienceResponse = object_of(
        list_of(AUDIENCE)
            .property("granularity_seconds", nullable(Type::Integer))
            .required("granularity_seconds"),
    );
}

#[derive(Debug, Deserialize)]
pub(crate) struct AudienceQuery {
    granularity_seconds: Option<String>,
    points: Option<String>,
    #[serde(flatten)]
    filter: FilterQuery,
}

/// Get the audience curve of an event: the viewers in each bucket of time.
#[utoipa::path(
    get,
    path = "/api/v1/events/{id}/audience",
    tag = "api",
    params(
        ("id" = String, Path, description = "the event's id"),
        ("granularity_seconds" = Option<u32>, Query, description = "the width of a bucket: 1, 5, 10, 15, 30, 60, 300, 900, 3600 or 86400; at most 10,000 buckets"),
        ("points" = Option<u32>, Query, minimum = 1, maximum = 10_000, description = "takes the finest of these widths that gives at most this many buckets; 500 if neither is given"),
        ("from" = Option<String>, Query, description = "RFC 3339; only what happened at or after it"),
        ("to" = Option<String>, Query, description = "RFC 3339; only what happened before it"),
        ("fresh" = Option<bool>, Query, description = "`true`: everything that was acknowledged before the request is counted, instead of up to 10 s before"),
    ),
    responses(
        (status = 200, description = "the curve; as CSV with `Accept: text/csv`", body = AudienceResponse),
        (status = 304, description = "as the response with the tag in `If-None-Match`"),
        (status = 400, description = "every wrong parameter is named; or there would be more than 10,000 buckets"),
        (status = 401, description = "no token, or one that is unknown"),
        (status = 403, description = "the token may not read"),
        (status = 404, description = "no such event"),
        (status = 503, description = "it took too long, or the server is busy"),
    ),
    security(("token" = [])),
)]
pub(crate) async fn get_audience(
    State(app): State<App>,
    caller: Caller,
    Segments(id): Segments<String>,
    Parameters(query): Parameters<AudienceQuery>,
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
        |requested, answer| {
            let seconds = answer.granularity.map(Granularity::seconds);
            let seconds = seconds.map_or_else(|| "null".to_owned(), |seconds| seconds.to_string());
            let beside = [("granularity_seconds", seconds)];
            requested.list(&answer.table, json_of_rows, &beside)
        },
    )
    .await
}

impl AudienceQuery {
    /// The error names every wrong parameter.
    fn read(&self) -> Result<(Question, Freshness), ApiError> {
        let mut violations = Violations::default();
        let given = |text: &Option<String>| text.clone().filter(|text| !text.is_empty());
        let most = u32::try_from(BUCKETS_MAX).unwrap_or(u32::MAX);
        let resolution = match (given(&self.granularity_seconds), given(&self.points)) {
            (Some(_), Some(_)) => {
                violations.add("points", "must not be given beside granularity_seconds");
                None
            }
            (Some(text), None) => {
                let seconds = text.parse::<u32>().ok();
                let width = seconds.and_then(|it| Granularity::try_from(it).ok());
                if width.is_none() {
                    let widths = Granularity::SECONDS.map(|seconds| seconds.to_string());
                    let problem = format!("must be one of {}", widths.join(", "));
                    violations.add("granularity_seconds", problem);
                }
                width.map(Resolution::Width)
            }
            (None, points) => Some(Resolution::Points(read_number(
                "points",
                points.as_deref(),
                POINTS_DEFAULT,
                1..=most,
                &mut violations,
            ))),
        };
        let (window, freshness) = self.filter.read(&mut violations);
        let question = resolution.map(|resolution| Question::Audience { window, resolution });
        violations.into_result(question.map(|question| (question, freshness)))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn resolution(granularity: &str, points: &str) -> Result<Resolution, ApiError> {
        let query = AudienceQuery {
            granularity_seconds: Some(granularity.to_owned()),
            points: Some(points.to_owned()),
            filter: FilterQuery::default(),
        };
        query.read().map(|(question, _)| match question {
            Question::Audience { resolution, .. } => resolution,
            other => panic!("{other:?}"),
        })
    }

    #[test]
    fn a_width_or_a_number_of_buckets_is_asked_for() {
        assert_eq!(resolution("", "").unwrap(), Resolution::Points(500));
        assert_eq!(resolution("", "10000").unwrap(), Resolution::Points(10_000));
        let hour = Granularity::try_from(3_600).unwrap();
        assert_eq!(resolution("3600", "").unwrap(), Resolution::Width(hour));
    }

    #[test]
    fn every_wrong_parameter_is_named() {
        for (granularity, points, field) in [
            ("2", "", "granularity_seconds"),
            ("minute", "", "granularity_seconds"),
            ("60", "100", "points"),
            ("", "0", "points"),
            ("", "10001", "points"),
        ] {
            let error = resolution(granularity, points).unwrap_err();
            assert_eq!(error.violated_fields(), [field]);
        }
    }
}
