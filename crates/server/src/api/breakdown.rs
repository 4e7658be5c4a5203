//! `GET /api/v1/events/{id}/breakdown`.

use axum::extract::State;
use axum::http::HeaderMap;
use axum::response::Response;
use serde::Deserialize;
use showreport_model::column::Column;
use showreport_model::question::{Attribute, BREAKDOWN, Question};
use showreport_model::table::Value;
use showreport_query::{json_of_row, json_of_rows};
use utoipa::openapi::schema::{OneOfBuilder, Type};

use super::filter::{FilterQuery, read_number};
use super::response::answer;
use super::schema::{described, list_of, object_of, of_type, row};
use crate::answers::Freshness;
use crate::app::App;
use crate::auth::Caller;
use crate::error::ApiError;
use crate::extract::{Parameters, Segments, Violations};

/// Values with a row of their own, if the request names no number.
const LIMIT_DEFAULT: u32 = 50;
const LIMIT_MAX: u32 = 1_000;

described! {
    /// The figures of each value of an attribute, the most watched first; of all remaining values
    /// taken as one group (`null` if there are none); and of all values.
    BreakdownResponse = object_of(
        list_of(BREAKDOWN)
            .property(
                "other",
                OneOfBuilder::new()
                    .item(of_type(Type::Null))
                    .item(row(FIGURES)),
            )
            .required("other")
            .property("total", row(FIGURES))
            .required("total"),
    );
}

/// The columns of a row behind its value.
const FIGURES: &[Column] = BREAKDOWN.split_at(1).1;

#[derive(Debug, Deserialize)]
pub(crate) struct BreakdownQuery {
    by: Option<String>,
    limit: Option<String>,
    #[serde(flatten)]
    filter: FilterQuery,
}

/// Get the figures of an event by the values of an attribute.
#[utoipa::path(
    get,
    path = "/api/v1/events/{id}/breakdown",
    tag = "api",
    params(
        ("id" = String, Path, description = "the event's id"),
        ("by" = String, Query, description = "the attribute: `device_os`, `geo_region`, `customer_id` or `device_id`"),
        ("limit" = Option<u32>, Query, minimum = 1, maximum = 1000, description = "the most values with a row of their own; 50 if absent"),
        ("from" = Option<String>, Query, description = "RFC 3339; only time watched at or after it"),
        ("to" = Option<String>, Query, description = "RFC 3339; only time watched before it"),
        ("fresh" = Option<bool>, Query, description = "`true`: everything that was acknowledged before the request is counted, instead of up to 10 s before"),
    ),
    responses(
        (status = 200, description = "the figures of each value; the rows as CSV with `Accept: text/csv`", body = BreakdownResponse),
        (status = 304, description = "as the response with the tag in `If-None-Match`"),
        (status = 400, description = "every wrong parameter is named"),
        (status = 401, description = "no token, or one that is unknown"),
        (status = 403, description = "the token may not read"),
        (status = 404, description = "no such event"),
        (status = 503, description = "it took too long, or the server is busy"),
    ),
    security(("token" = [])),
)]
pub(crate) async fn get_breakdown(
    State(app): State<App>,
    caller: Caller,
    Segments(id): Segments<String>,
    Parameters(query): Parameters<BreakdownQuery>,
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
            let beside = [
                ("other", figures(answer.other.as_deref())),
                ("total", figures(answer.total.as_deref())),
            ];
            requested.list(&answer.table, json_of_rows, &beside)
        },
    )
    .await
}

/// The figures of a row as JSON, without its value.
fn figures(row: Option<&[Value]>) -> String {
    let row = row.and_then(|row| row.get(1..));
    row.map_or_else(|| "null".to_owned(), |row| json_of_row(FIGURES, row))
}

impl BreakdownQuery {
    /// The error names every wrong parameter.
    fn read(&self) -> Result<(Question, Freshness), ApiError> {
        let mut violations = Violations::default();
        let by = self.by.as_deref().and_then(Attribute::from_name);
        if by.is_none() {
            violations.add("by", format!("must be one of {}", Attribute::names()));
        }
        let limit = read_number(
            "limit",
            self.limit.as_deref(),
            LIMIT_DEFAULT,
            1..=LIMIT_MAX,
            &mut violations,
        );
        let (window, freshness) = self.filter.read(&mut violations);
        let question = by.map(|by| Question::Breakdown { window, by, limit });
        violations.into_result(question.map(|question| (question, freshness)))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_wrong_parameter_is_named() {
        let query = |by: Option<&str>, limit: &str| BreakdownQuery {
            by: by.map(str::to_owned),
            limit: Some(limit.to_owned()),
            filter: FilterQuery::default(),
        };
        assert!(query(Some("device_os"), "1000").read().is_ok());
        for (by, limit) in [(None, "0"), (Some("name"), "1001")] {
            let error = query(by, limit).read().unwrap_err();
            assert_eq!(error.violated_fields(), ["by", "limit"]);
        }
    }
}
