//! `POST /bv/analytics/v1/events/reports`.

use axum::Json;
use axum::body::Body;
use axum::extract::State;
use axum::http::HeaderMap;
use serde::Serialize;
use sha2::{Digest, Sha256};
use showreport_meta::Idempotency;
use showreport_model::OrgId;
use showreport_model::report::{Report, ReportOrder};

use super::columns;
use super::report::{EventReport, describe};
use super::request::CreateReports;
use crate::app::App;
use crate::auth::Caller;
use crate::error::ApiError;

/// Event reports, in the order of the request.
#[derive(Debug, Serialize, utoipa::ToSchema)]
pub(crate) struct EventReportsResponse {
    pub(super) reports: Vec<EventReport>,
}

/// 50 entries take less than 50 KiB.
pub(super) const BODY_BYTES_MAX: usize = 1 << 20;

const IDEMPOTENCY_KEY: &str = "idempotency-key";
const KEY_CHARACTERS_MAX: usize = 255;

/// Create event reports.
#[utoipa::path(
    post,
    path = "/bv/analytics/v1/events/reports",
    tag = "event reports",
    description = columns::description(),
    params(
        ("idempotency-key" = Option<String>, Header, description = "1 to 255 characters"),
        ("x-bv-org-id" = Option<String>, Header, description = "the token's organisation"),
    ),
    request_body(
        content = Object,
        description = "`id` of the event, its `type`, and `dimension_with_conditions`: up to 50 of `dimension`, `group_by_fields`, `filter` {`start_time`, `end_time`}, `granularity_seconds`, `minimum_live_ratio`, `format`",
        example = json!({
            "id": "keynote", "type": "EVENT_TYPE_LIVE",
            "dimension_with_conditions": [{
                "dimension": "REPORT_DIMENSION_WATCH_TIME",
                "group_by_fields": ["GROUP_BY_FIELD_DEVICE_OS"],
                "filter": {"start_time": "2026-11-01T00:00:00.000Z", "end_time": null},
            }],
        }),
    ),
    responses(
        (status = 200, description = "the reports, which are running", body = EventReportsResponse),
        (status = 400, description = "every wrong field is named"),
        (status = 401, description = "no token, or one that is unknown"),
        (status = 403, description = "the token may not make reports, or is of another organisation"),
        (status = 404, description = "no such event"),
        (status = 413, description = "more than 1 MiB"),
        (status = 422, description = "the idempotency key was used with another body"),
    ),
    security(("token" = [])),
)]
pub(crate) async fn create_reports(
    State(app): State<App>,
    caller: Caller,
    headers: HeaderMap,
    body: Body,
) -> Result<Json<EventReportsResponse>, ApiError> {
    let key = idempotency_key(&headers)?;
    let (reader, body) = caller.read_body(&app, body, BODY_BYTES_MAX).await?;
    let reports = create(&app, &reader.org, &body, key).await?;
    let reports = describe(&app, &reader.org, reports).await?;
    Ok(Json(EventReportsResponse { reports }))
}

/// Creates the reports of a body. The same key with the same body gives those of the first call.
pub(crate) async fn create(
    app: &App,
    org: &OrgId,
    body: &[u8],
    key: Option<String>,
) -> Result<Vec<Report>, ApiError> {
    let orders = orders(app, org, body).await?;
    let idempotency = key.map(|key| Idempotency {
        key,
        body_sha256: Sha256::digest(body).into(),
    });
    let created = app.meta();
    let created = created.create_reports(org, &orders, idempotency.as_ref());
    Ok(created.await?)
}

/// The orders of a body.
pub(crate) async fn orders(
    app: &App,
    org: &OrgId,
    body: &[u8],
) -> Result<Vec<ReportOrder>, ApiError> {
    let request = CreateReports::read(body)?;
    let event = app.meta().event(org, &request.event).await?;
    request.into_orders(org, &event)
}

fn idempotency_key(headers: &HeaderMap) -> Result<Option<String>, ApiError> {
    let mut values = headers.get_all(IDEMPOTENCY_KEY).iter();
    let Some(value) = values.next() else {
        return Ok(None);
    };
    let key = str::from_utf8(value.as_bytes()).unwrap_or_default();
    if values.next().is_some() || !(1..=KEY_CHARACTERS_MAX).contains(&key.chars().count()) {
        return Err(ApiError::violation(
            IDEMPOTENCY_KEY,
            format!("must be given once and have 1 to {KEY_CHARACTERS_MAX} characters"),
        ));
    }
    Ok(Some(key.to_owned()))
}

#[cfg(test)]
mod tests {
    use axum::http::HeaderValue;

    use super::*;

    #[test]
    fn a_key_has_1_to_255_characters() {
        let read = |keys: &[&str]| {
            let mut headers = HeaderMap::new();
            for key in keys {
                headers.append(
                    IDEMPOTENCY_KEY,
                    HeaderValue::from_bytes(key.as_bytes()).unwrap(),
                );
            }
            idempotency_key(&headers)
        };
        assert_eq!(read(&[]).unwrap(), None);
        assert_eq!(read(&["é"]).unwrap(), Some("é".to_owned()));
        assert!(read(&[&"k".repeat(255)]).is_ok());
        assert!(read(&[&"k".repeat(256)]).is_err());
        assert!(read(&[""]).is_err());
        assert!(read(&["a", "a"]).is_err());
    }
}
