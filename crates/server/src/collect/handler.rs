//! `POST /collect`.

use axum::Json;
use axum::extract::{Request, State};
use axum::http::StatusCode;
use serde::Serialize;
use serde_json::json;
use showreport_records::{Rejection, Rejections};

use super::store::{Stored, store};
use super::written::{BodyFormat, encoding, format_of_records};
use crate::app::App;
use crate::auth::Collector;
use crate::error::{ApiError, Reason, Violation};

/// What was accepted and what was not.
#[derive(Debug, Serialize, utoipa::ToSchema)]
pub(crate) struct Receipt {
    /// How many records are durable now.
    accepted: usize,
    /// The records that were rejected, at most the first 10,000.
    rejected: Vec<Rejected>,
    /// How many were rejected, if they are more than `rejected` lists.
    #[serde(skip_serializing_if = "Option::is_none")]
    rejected_total: Option<usize>,
}

/// A record that was rejected, and why.
#[derive(Debug, Serialize, utoipa::ToSchema)]
struct Rejected {
    /// The line or the element of the array, counted from 0; blank lines count.
    index: usize,
    #[schema(value_type = String, example = "MISSING_FIELD")]
    reason: &'static str,
    /// What is wrong and what would be right.
    message: String,
    /// The field that is wrong.
    #[serde(skip_serializing_if = "Option::is_none")]
    field: Option<String>,
}

impl Rejected {
    fn list(rejections: Vec<Rejection>) -> Vec<Self> {
        let rejected = |rejection: Rejection| Self {
            index: rejection.index,
            reason: rejection.reason.as_str(),
            message: rejection.message,
            field: rejection.field,
        };
        rejections.into_iter().map(rejected).collect()
    }
}

/// The most rejected records that an error also lists as violations of fields.
const VIOLATIONS_MAX: usize = 100;

/// Collect records of viewing, chat and polls.
///
/// Takes NDJSON (`application/x-ndjson`), a JSON array or object
/// (`application/json`), or either as `text/plain` or without a content type;
/// compressed with gzip, zstd or br. Takes `CloudEvents` too, in structured, batch and
/// binary mode. Good records are stored, bad ones are listed.
/// 202 means durable. Sending a record again changes nothing.
#[utoipa::path(
    post,
    path = "/collect",
    tag = "collect",
    params(
        ("key" = Option<String>, Query, description = "a token whose one scope is `collect`, where headers cannot be set"),
        ("viewer" = Option<String>, Query, description = "the viewer token of the records that have none of their own"),
    ),
    request_body(
        content = String,
        content_type = "application/x-ndjson",
        description = "records, one a line; at most 16 MiB unpacked",
    ),
    responses(
        (status = 202, description = "the accepted records are durable", body = Receipt),
        (status = 400, description = "no record is good, or the body is broken: nothing was stored"),
        (status = 401, description = "no token, or one that is unknown"),
        (status = 403, description = "the token may not collect, or not here"),
        (status = 408, description = "the body stopped coming"),
        (status = 413, description = "more than 16 MiB"),
        (status = 415, description = "another type or encoding"),
        (status = 429, description = "the organisation sent too many records, or too many came with the token"),
        (status = 503, description = "too much at the moment; send it again later"),
        (status = 507, description = "no room left"),
    ),
    security(("token" = [])),
)]
pub(crate) async fn collect(
    State(app): State<App>,
    collector: Collector,
    request: Request,
) -> Result<(StatusCode, Json<Receipt>), ApiError> {
    let (parts, body) = request.into_parts();
    let (format, given) = format_of_records(&parts.headers)?;
    let written = BodyFormat {
        format,
        encoding: encoding(&parts.headers)?,
    };
    let Stored {
        accepted,
        rejections,
    } = store(&app, &collector, body, written, given).await?;
    if accepted == 0 && rejections.total > 0 {
        return Err(all_rejected(rejections));
    }
    let rejected_total = (rejections.total > rejections.listed.len()).then_some(rejections.total);
    let receipt = Receipt {
        accepted,
        rejected: Rejected::list(rejections.listed),
        rejected_total,
    };
    Ok((StatusCode::ACCEPTED, Json(receipt)))
}

fn all_rejected(rejections: Rejections) -> ApiError {
    let violations = rejections
        .listed
        .iter()
        .take(VIOLATIONS_MAX)
        .map(|rejected| Violation {
            field: match &rejected.field {
                Some(field) => format!("[{}].{field}", rejected.index),
                None => format!("[{}]", rejected.index),
            },
            description: rejected.message.clone(),
        })
        .collect();
    let message = match rejections.listed.first() {
        Some(only) if rejections.total == 1 => {
            format!("the only record is not good: {}", only.message)
        }
        Some(first) => format!(
            "none of the {} records is good; the first, of index {}: {}",
            rejections.total, first.index, first.message
        ),
        None => "no record is good".to_owned(),
    };
    let is_cut = rejections.total > rejections.listed.len();
    let mut error = ApiError::new(Reason::AllRecordsRejected, message)
        .with_violations(violations)
        .with_field("accepted", json!(0))
        .with_field("rejected", json!(Rejected::list(rejections.listed)));
    if is_cut {
        error = error.with_field("rejected_total", json!(rejections.total));
    }
    error
}
