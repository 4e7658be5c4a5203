//! `POST /collect`.

use axum::Json;
use axum::extract::{Request, State};
use axum::http::header::{ACCEPT_ENCODING, CONTENT_ENCODING, CONTENT_TYPE};
use axum::http::{HeaderMap, HeaderValue, StatusCode};
use serde::Serialize;
use serde_json::json;
use showreport_records::{
    BODY_FORMATS, DEFAULT_BODY_FORMAT, Format, Rejection, Rejections, body_format, shortened,
};

use super::decode::{BodyFormat, DecodedBody, decode};
use super::decompress::Encoding;
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
/// compressed with gzip, zstd or br. Good records are stored, bad ones are listed.
/// 202 means durable. Sending a record again changes nothing.
#[utoipa::path(
    post,
    path = "/collect",
    tag = "collect",
    params(("key" = Option<String>, Query, description = "a token whose one scope is `collect`, where headers cannot be set")),
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
    ensure_clock(&app).await?;
    let (parts, body) = request.into_parts();
    let written = BodyFormat {
        format: format(&parts.headers)?,
        encoding: encoding(&parts.headers)?,
    };
    let DecodedBody {
        good,
        rejections,
        permits: _permits,
    } = decode(&app, collector.org.clone(), body, written).await?;
    collector.charge(&app, good.records() + rejections.total);
    app.metrics().rejected.inc_by(rejections.total as u64);
    let accepted = good.records();
    if accepted > 0 {
        app.meta().journal().append(collector.token, good).await?;
        app.metrics().accepted.inc_by(accepted as u64);
    } else if rejections.total > 0 {
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

/// Refuses records while the server's clock is wrong. With a clock that is a day behind, every live
/// record would be rejected as one of the future.
async fn ensure_clock(app: &App) -> Result<(), ApiError> {
    let clock = app.meta().ensure_clock().await;
    clock.map_err(|error| ApiError::from(error).logged())
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

/// The format by the content type. Its parameters are ignored, since records are always UTF-8.
fn format(headers: &HeaderMap) -> Result<&'static dyn Format, ApiError> {
    let mut types = headers.get_all(CONTENT_TYPE).iter().map(|value| {
        let text = value.to_str().unwrap_or("?");
        let essence = text.split(';').next().unwrap_or_default();
        essence.trim().to_ascii_lowercase()
    });
    let first = types.next().unwrap_or_default();
    let format = match first.as_str() {
        "" => Some(DEFAULT_BODY_FORMAT),
        media_type => body_format(media_type),
    };
    if types.next().is_some() {
        return Err(unsupported_type("there are several content types"));
    }
    format.ok_or_else(|| {
        let hint = match first.as_str() {
            "application/x-www-form-urlencoded" => {
                ", which is what `curl -d` sends (`--data-binary` with \
                 `-H 'Content-Type: application/x-ndjson'` sends records)"
            }
            "multipart/form-data" => ", which is what forms and `curl -F` send",
            "text/csv" => ", which `showreport import` takes",
            "application/gzip" | "application/x-gzip" | "application/zstd" => {
                " (of a packed body, send the type of what it holds, and `Content-Encoding`)"
            }
            other => {
                let other = shortened(other);
                return unsupported_type(&format!("the content type is {other}"));
            }
        };
        unsupported_type(&format!("the content type is \"{first}\"{hint}"))
    })
}

/// The error names what was sent and what can be sent.
fn unsupported_type(what_was_sent: &str) -> ApiError {
    let formats = BODY_FORMATS
        .iter()
        .map(|format| format!("{} ({})", format.media_type(), format.description()));
    ApiError::new(
        Reason::UnsupportedType,
        format!(
            "{what_was_sent}; send {}, or none",
            formats.collect::<Vec<_>>().join(", ")
        ),
    )
}

/// The compression of the body: at most one.
fn encoding(headers: &HeaderMap) -> Result<Encoding, ApiError> {
    let unsupported = || {
        let all = headers.get_all(CONTENT_ENCODING).iter();
        let all: Vec<_> = all.map(|value| value.to_str().unwrap_or("?")).collect();
        ApiError::new(
            Reason::UnsupportedEncoding,
            format!(
                "the content encoding is {}; send one of {}, once, or none",
                shortened(&all.join(", ")),
                Encoding::NAMES
            ),
        )
        .with_header(ACCEPT_ENCODING, HeaderValue::from_static(Encoding::NAMES))
    };
    let mut packed = Encoding::Identity;
    for value in headers.get_all(CONTENT_ENCODING) {
        let names = value.to_str().map_err(|_| unsupported())?;
        let names = names.split(',').map(str::trim);
        for name in names.filter(|name| !name.is_empty()) {
            match (Encoding::from_name(name), packed) {
                (Some(Encoding::Identity), _) => {}
                (Some(encoding), Encoding::Identity) => packed = encoding,
                _ => return Err(unsupported()),
            }
        }
    }
    Ok(packed)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn headers(name: &axum::http::HeaderName, values: &[&'static str]) -> HeaderMap {
        let mut headers = HeaderMap::new();
        for value in values {
            headers.append(name.clone(), HeaderValue::from_static(value));
        }
        headers
    }

    #[test]
    fn a_body_is_compressed_once_at_most() {
        let read = |values: &[&'static str]| encoding(&headers(&CONTENT_ENCODING, values)).ok();
        assert_eq!(read(&[]), Some(Encoding::Identity));
        assert_eq!(read(&["identity"]), Some(Encoding::Identity));
        assert_eq!(read(&["GZIP"]), Some(Encoding::Gzip));
        assert_eq!(read(&["identity, zstd"]), Some(Encoding::Zstd));
        for wrong in [
            &["gzip, gzip"][..],
            &["gzip", "br"],
            &["deflate"],
            &["gzip, deflate"],
        ] {
            assert_eq!(read(wrong), None, "{wrong:?}");
        }
    }

    #[test]
    fn an_error_names_what_was_sent_and_what_to_send() {
        let of_type = |values: &[&'static str]| format(&headers(&CONTENT_TYPE, values)).err();
        let of_encoding = |value| encoding(&headers(&CONTENT_ENCODING, &[value])).err();
        for (refusal, came, send) in [
            (
                of_type(&["application/x-www-form-urlencoded"]),
                "`curl -d`",
                "--data-binary",
            ),
            (
                of_type(&["multipart/form-data; boundary=x"]),
                "multipart/form-data",
                "x-ndjson",
            ),
            (of_type(&["text/csv"]), "text/csv", "showreport import"),
            (
                of_type(&["application/gzip"]),
                "application/gzip",
                "Content-Encoding",
            ),
            (of_type(&["image/png"]), "image/png", "application/json"),
            (
                of_type(&["text/plain", "text/plain"]),
                "several",
                "text/plain",
            ),
            (of_encoding("deflate"), "deflate", "gzip, zstd, br"),
            (of_encoding("gzip, br"), "gzip, br", "once"),
        ] {
            let message = format!("{:?}", refusal.expect("a refusal"));
            assert!(
                message.contains(came) && message.contains(send),
                "{message}"
            );
        }
    }

    #[test]
    fn a_type_may_have_parameters() {
        let read = |values: &[&'static str]| {
            let format = format(&headers(&CONTENT_TYPE, values)).ok();
            format.map(Format::media_type)
        };
        assert_eq!(read(&[]), Some("text/plain"));
        let taken = [
            ("text/plain;charset=UTF-8", "text/plain"),
            ("Application/JSON; charset=utf-8", "application/json"),
            ("application/x-ndjson", "application/x-ndjson"),
        ];
        for (sent, media_type) in taken {
            assert_eq!(read(&[sent]), Some(media_type), "{sent}");
        }
        for wrong in [
            &["text/csv"][..],
            &["application/x-www-form-urlencoded"],
            &["application/json", "text/plain"],
        ] {
            assert_eq!(read(wrong), None, "{wrong:?}");
        }
    }
}
