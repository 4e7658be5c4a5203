//! `/collect/cmcd`: what players report by themselves. Each line of CMCD is a beat.
//!
//! A player reads nothing but the status. So a request whose lines cannot be used is answered as
//! any other, and its lines are counted in the metrics.

use axum::body::Body;
use axum::extract::{FromRequestParts, Request, State};
use axum::http::header::CACHE_CONTROL;
use axum::http::request::Parts;
use axum::http::{HeaderMap, HeaderName, HeaderValue, Method, StatusCode};
use serde::Deserialize;
use showreport_model::{CustomerId, DeviceId, EventId, IdError};
use showreport_records::{CMCD, GivenFields, TEXT_BYTES_MAX, shortened};

use super::decompress::Encoding;
use super::store::store;
use super::written::{BodyFormat, encoding, media_type};
use crate::app::App;
use crate::auth::{Collector, is_revoked};
use crate::error::{ApiError, Reason};
use crate::extract::{Parameters, Segments, Violations};

/// The media types of a body: that of the standard, that of its version 2, and that of beacons.
const MEDIA_TYPES: [&str; 3] = ["application/cmcd", "text/cmcd", "text/plain"];

/// The headers in which older players report, one for each kind of key.
const HEADERS: [&str; 4] = ["cmcd-object", "cmcd-request", "cmcd-session", "cmcd-status"];

/// The response to every report. Without the header, browsers and proxies could store a `204`.
type NoContent = (StatusCode, [(HeaderName, HeaderValue); 1]);

/// What the address says of all reports.
#[derive(Debug, Default, Deserialize)]
struct CmcdQuery {
    customer: Option<String>,
    device: Option<String>,
    name: Option<String>,
    #[serde(rename = "CMCD")]
    report: Option<String>,
}

/// Collect reports of a player (CMCD) on an event.
///
/// Each line of the body is a report: `sid` is the playback, `ts` the time, `sn` the number, and
/// `sta=p` means playing. Lines that cannot be used are counted in the metrics and dropped.
/// 204 means that the others are durable.
#[utoipa::path(
    post,
    path = "/collect/cmcd/{event_id}",
    tag = "collect",
    params(
        ("event_id" = String, Path, description = "the event"),
        ("key" = Option<String>, Query, description = "a token whose one scope is `collect`, where headers cannot be set"),
        ("customer" = Option<String>, Query, description = "the customer who watches"),
        ("device" = Option<String>, Query, description = "the device"),
        ("name" = Option<String>, Query, description = "the name of the viewer"),
        ("viewer" = Option<String>, Query, description = "the viewer token of the beats"),
    ),
    request_body(
        content((Option<String> = "application/cmcd"), (Option<String> = "text/plain")),
        description = "reports, one a line; at most 16 MiB unpacked",
    ),
    responses(
        (status = 204, description = "the usable reports are durable, if there are any"),
        (status = 400, description = "an id in the address is wrong, or the packed body is broken"),
        (status = 401, description = "no token, or one that is unknown"),
        (status = 403, description = "the token may not collect, or not here"),
        (status = 404, description = "the path is not UTF-8"),
        (status = 408, description = "the body stopped coming"),
        (status = 410, description = "the token was revoked: the player stops reporting"),
        (status = 413, description = "more than 16 MiB"),
        (status = 415, description = "another type or encoding"),
        (status = 429, description = "the organisation sent too many records, or too many came with the token"),
        (status = 503, description = "too much at the moment; send it again later"),
        (status = 507, description = "no room left"),
    ),
    security(("token" = [])),
)]
pub(crate) async fn post_cmcd_of_event(
    State(app): State<App>,
    Segments(event): Segments<String>,
    request: Request,
) -> Result<NoContent, ApiError> {
    collect(&app, Some(event), request).await
}

/// Collect a report of an older player (CMCD) on an event.
///
/// The report is in the headers `CMCD-…`, else in the parameter `CMCD`. It is as a line of a body.
#[utoipa::path(
    get,
    path = "/collect/cmcd/{event_id}",
    tag = "collect",
    params(
        ("event_id" = String, Path, description = "the event"),
        ("key" = Option<String>, Query, description = "a token whose one scope is `collect`, where headers cannot be set"),
        ("customer" = Option<String>, Query, description = "the customer who watches"),
        ("device" = Option<String>, Query, description = "the device"),
        ("name" = Option<String>, Query, description = "the name of the viewer"),
        ("viewer" = Option<String>, Query, description = "the viewer token of the beats"),
        ("CMCD" = Option<String>, Query, description = "the report"),
    ),
    responses(
        (status = 204, description = "the report is durable, if it can be used"),
        (status = 400, description = "an id in the address is wrong"),
        (status = 401, description = "no token, or one that is unknown"),
        (status = 403, description = "the token may not collect, or not here"),
        (status = 404, description = "the path is not UTF-8"),
        (status = 410, description = "the token was revoked: the player stops reporting"),
        (status = 429, description = "the organisation sent too many records, or too many came with the token"),
        (status = 503, description = "too much at the moment; send it again later"),
        (status = 507, description = "no room left"),
    ),
    security(("token" = [])),
)]
pub(crate) async fn get_cmcd_of_event(
    State(app): State<App>,
    Segments(event): Segments<String>,
    request: Request,
) -> Result<NoContent, ApiError> {
    collect(&app, Some(event), request).await
}

/// Collect reports of a player (CMCD).
///
/// As `/collect/cmcd/{event_id}`; the `cid` of each report is the event.
#[utoipa::path(
    post,
    path = "/collect/cmcd",
    tag = "collect",
    params(
        ("key" = Option<String>, Query, description = "a token whose one scope is `collect`, where headers cannot be set"),
        ("customer" = Option<String>, Query, description = "the customer who watches"),
        ("device" = Option<String>, Query, description = "the device"),
        ("name" = Option<String>, Query, description = "the name of the viewer"),
        ("viewer" = Option<String>, Query, description = "the viewer token of the beats"),
    ),
    request_body(
        content((Option<String> = "application/cmcd"), (Option<String> = "text/plain")),
        description = "reports, one a line; at most 16 MiB unpacked",
    ),
    responses(
        (status = 204, description = "the usable reports are durable, if there are any"),
        (status = 400, description = "an id in the address is wrong, or the packed body is broken"),
        (status = 401, description = "no token, or one that is unknown"),
        (status = 403, description = "the token may not collect, or not here"),
        (status = 408, description = "the body stopped coming"),
        (status = 410, description = "the token was revoked: the player stops reporting"),
        (status = 413, description = "more than 16 MiB"),
        (status = 415, description = "another type or encoding"),
        (status = 429, description = "the organisation sent too many records, or too many came with the token"),
        (status = 503, description = "too much at the moment; send it again later"),
        (status = 507, description = "no room left"),
    ),
    security(("token" = [])),
)]
pub(crate) async fn post_cmcd(
    State(app): State<App>,
    request: Request,
) -> Result<NoContent, ApiError> {
    collect(&app, None, request).await
}

/// Collect a report of an older player (CMCD).
///
/// As `/collect/cmcd/{event_id}`; the `cid` of the report is the event.
#[utoipa::path(
    get,
    path = "/collect/cmcd",
    tag = "collect",
    params(
        ("key" = Option<String>, Query, description = "a token whose one scope is `collect`, where headers cannot be set"),
        ("customer" = Option<String>, Query, description = "the customer who watches"),
        ("device" = Option<String>, Query, description = "the device"),
        ("name" = Option<String>, Query, description = "the name of the viewer"),
        ("viewer" = Option<String>, Query, description = "the viewer token of the beats"),
        ("CMCD" = Option<String>, Query, description = "the report"),
    ),
    responses(
        (status = 204, description = "the report is durable, if it can be used"),
        (status = 400, description = "an id in the address is wrong"),
        (status = 401, description = "no token, or one that is unknown"),
        (status = 403, description = "the token may not collect, or not here"),
        (status = 410, description = "the token was revoked: the player stops reporting"),
        (status = 429, description = "the organisation sent too many records, or too many came with the token"),
        (status = 503, description = "too much at the moment; send it again later"),
        (status = 507, description = "no room left"),
    ),
    security(("token" = [])),
)]
pub(crate) async fn get_cmcd(
    State(app): State<App>,
    request: Request,
) -> Result<NoContent, ApiError> {
    collect(&app, None, request).await
}

async fn collect(
    app: &App,
    event: Option<String>,
    request: Request,
) -> Result<NoContent, ApiError> {
    let (mut parts, body) = request.into_parts();
    match take(app, event, &mut parts, body).await {
        Ok(()) => {
            let uncached = HeaderValue::from_static("no-store");
            Ok((StatusCode::NO_CONTENT, [(CACHE_CONTROL, uncached)]))
        }
        Err(error) => Err(with_revocation(app, &parts, error).await?),
    }
}

async fn take(
    app: &App,
    event: Option<String>,
    parts: &mut Parts,
    body: Body,
) -> Result<(), ApiError> {
    let collector = Collector::from_request_parts(parts, app).await?;
    let Parameters(query) = Parameters::<CmcdQuery>::from_request_parts(parts, app).await?;
    let given = given(event, &query)?;
    let (body, encoding) = if parts.method == Method::POST {
        ensure_media_type(&parts.headers)?;
        (body, encoding(&parts.headers)?)
    } else {
        let report = report_in_headers(&parts.headers).or(query.report);
        (Body::from(report.unwrap_or_default()), Encoding::Identity)
    };
    let written = BodyFormat {
        format: CMCD,
        encoding,
    };
    let stored = store(app, &collector, body, written, given).await?;
    app.metrics().count_dropped_lines(&stored.rejections);
    Ok(())
}

/// Replaces the refusal of a revoked token. `410` ends the reports of a player, `401` does not.
async fn with_revocation(app: &App, parts: &Parts, error: ApiError) -> Result<ApiError, ApiError> {
    if error.reason() != Reason::UnknownToken || !is_revoked(app, parts).await? {
        return Ok(error);
    }
    Ok(ApiError::new(
        Reason::TokenRevoked,
        "the token was revoked; stop reporting, or use another token",
    ))
}

/// Checks the text of an id.
type Check = fn(&str) -> Result<(), IdError>;

/// What the address gives to all beats. An id that no beat may have would drop every line without
/// notice, so it is refused.
fn given(event: Option<String>, query: &CmcdQuery) -> Result<GivenFields, ApiError> {
    let given_text = |text: &Option<String>| text.clone().filter(|text| !text.is_empty());
    let given = GivenFields {
        event_id: event,
        customer_id: given_text(&query.customer),
        device_id: given_text(&query.device),
        name: given_text(&query.name),
        ..GivenFields::default()
    };
    let mut violations = Violations::default();
    let ids: [(&str, &Option<String>, Check); 3] = [
        ("event_id", &given.event_id, EventId::check),
        ("customer", &given.customer_id, CustomerId::check),
        ("device", &given.device_id, DeviceId::check),
    ];
    for (field, id, check) in ids {
        if let Some(Err(error)) = id.as_deref().map(check) {
            violations.add(field, error.to_string());
        }
    }
    let name = given.name.as_deref().unwrap_or_default();
    if name.len() > TEXT_BYTES_MAX || name.contains('\0') {
        let problem = format!("may have {TEXT_BYTES_MAX} bytes, without the character NUL");
        violations.add("name", problem);
    }
    violations.into_result(Some(given))
}

fn ensure_media_type(headers: &HeaderMap) -> Result<(), ApiError> {
    let media_type = media_type(headers)?;
    if media_type.is_empty() || MEDIA_TYPES.contains(&media_type.as_str()) {
        return Ok(());
    }
    Err(ApiError::new(
        Reason::UnsupportedType,
        format!(
            "the content type is {}; reports are lines of CMCD as {}; records go to `/collect`",
            shortened(&media_type),
            MEDIA_TYPES.join(", ")
        ),
    ))
}

/// The report that is divided among headers. Where there is one, the address is not read.
fn report_in_headers(headers: &HeaderMap) -> Option<String> {
    let values = HEADERS.iter().flat_map(|name| headers.get_all(*name));
    let texts: Vec<&str> = values
        .filter_map(|value| str::from_utf8(value.as_bytes()).ok())
        .filter(|text| !text.trim().is_empty())
        .collect();
    (!texts.is_empty()).then(|| texts.join(","))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_report_is_joined_from_its_headers() {
        let mut headers = HeaderMap::new();
        assert_eq!(report_in_headers(&headers), None);
        headers.append("cmcd-status", HeaderValue::from_static(" "));
        assert_eq!(report_in_headers(&headers), None);
        headers.append("cmcd-session", HeaderValue::from_static("sid=\"s\",v=2"));
        headers.append("cmcd-request", HeaderValue::from_static("ts=1"));
        headers.append("cmcd-request", HeaderValue::from_static("sn=2"));
        let report = report_in_headers(&headers);
        assert_eq!(report.as_deref(), Some("ts=1,sn=2,sid=\"s\",v=2"));
    }

    #[test]
    fn a_wrong_id_in_the_address_is_named() {
        let query = |customer: &str, name: &str| CmcdQuery {
            customer: Some(customer.to_owned()),
            name: Some(name.to_owned()),
            ..CmcdQuery::default()
        };
        let good = given(Some("keynote".to_owned()), &query("", "Ada")).expect("good");
        assert_eq!(good.event_id.as_deref(), Some("keynote"));
        assert_eq!(
            (good.customer_id, good.name.as_deref()),
            (None, Some("Ada"))
        );
        let long = "x".repeat(1025);
        let error = given(Some(String::new()), &query(&long, &long)).expect_err("wrong");
        assert_eq!(error.violated_fields(), ["event_id", "customer", "name"]);
        assert!(given(None, &query("ada", "A\0")).is_err());
    }
}
