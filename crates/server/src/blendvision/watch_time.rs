//! `GET /bv/analytics/v1/reports/watch-time`: a link to the watch time of a day.

use axum::Json;
use axum::extract::State;
use serde::{Deserialize, Serialize};
use showreport_model::ReportDay;
use showreport_model::record::EventKind;

use crate::app::App;
use crate::auth::QueryReader;
use crate::downloads::signed_url;
use crate::error::{ApiError, Reason};
use crate::extract::{Parameters, Violations};

/// A link to a file.
#[derive(Debug, Serialize, utoipa::ToSchema)]
pub(crate) struct WatchTimeResponse {
    /// Opens without a token for one hour. Each request makes a new file.
    url: String,
}

#[derive(Debug, Default, Deserialize)]
pub(crate) struct WatchTimeQuery {
    streaming_type: Option<String>,
    #[serde(rename = "streamingType")]
    streaming_type_camel: Option<String>,
    time: Option<String>,
}

/// The kinds of events in the file.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum StreamingType {
    All,
    Live,
    Vod,
}

/// Get the watch time of a day.
///
/// A CSV file of the views that began on the day: `title, content_id,
/// streaming_type, created_time, customer_id, watch_time_seconds`, one row for each
/// content and customer. The day is that of the organisation's time zone.
#[utoipa::path(
    get,
    path = "/bv/analytics/v1/reports/watch-time",
    tag = "event reports",
    params(
        ("streaming_type" = Option<String>, Query, pattern = "^(REPORT_STREAMING_TYPE_)?(UNSPECIFIED|LIVE|VOD|[012])$", description = "`REPORT_STREAMING_TYPE_LIVE` (with recordings of live events), `REPORT_STREAMING_TYPE_VOD` (with audio); all if absent"),
        ("time" = String, Query, description = "the date, as `2026-11-22T00:00:00Z`"),
        ("x-bv-org-id" = Option<String>, Header, description = "the token's organisation"),
    ),
    responses(
        (status = 200, description = "a link to the file", body = WatchTimeResponse),
        (status = 400, description = "every wrong parameter is named"),
        (status = 401, description = "no token, or one that is unknown"),
        (status = 403, description = "the token may not make reports, or is of another organisation"),
        (status = 404, description = "the day is not over, or does not exist in the time zone"),
        (status = 429, description = "too many requests, or too many files are stored"),
        (status = 503, description = "it took too long, or the server is busy"),
    ),
    security(("token" = [])),
)]
pub(crate) async fn get_watch_time(
    State(app): State<App>,
    reader: QueryReader,
    Parameters(query): Parameters<WatchTimeQuery>,
) -> Result<Json<WatchTimeResponse>, ApiError> {
    let (streaming, day) = read(&query)?;
    let zone = app.meta().zone(&reader.org).await?;
    let (_, end) = zone
        .day(day)
        .map_err(|error| ApiError::new(Reason::NoSuchDay, error.to_string()))?;
    if app.now() < end {
        let message = format!("the day is not over; its report can be had from {end} on");
        return Err(ApiError::new(Reason::ReportNotAvailable, message));
    }
    // The file is kept longer than the link opens, so that a download that has begun can go on.
    let kept_ms = 2 * app.config().link_lifetime_ms;
    let made = app
        .jobs()
        .make_started_views(&reader.org, day, |kind| streaming.includes(kind), kept_ms)
        .await?;
    let url = signed_url(&app, made.id, format!("watch-time-{}.csv", day.digits())).await?;
    Ok(Json(WatchTimeResponse { url }))
}

impl StreamingType {
    fn from_name(name: &str) -> Option<Self> {
        match name.trim_start_matches("REPORT_STREAMING_TYPE_") {
            "" | "UNSPECIFIED" | "0" => Some(Self::All),
            "LIVE" | "1" => Some(Self::Live),
            "VOD" | "2" => Some(Self::Vod),
            _ => None,
        }
    }

    fn includes(self, kind: Option<EventKind>) -> bool {
        match self {
            Self::All => true,
            Self::Live => kind == Some(EventKind::Live),
            Self::Vod => matches!(kind, Some(EventKind::Vod | EventKind::Aod)),
        }
    }
}

fn read(query: &WatchTimeQuery) -> Result<(StreamingType, ReportDay), ApiError> {
    let name = query.streaming_type.as_ref();
    let name = name.or(query.streaming_type_camel.as_ref());
    let streaming = StreamingType::from_name(name.map_or("", String::as_str));
    // Clients send a date and time in several forms; each begins with the date.
    let date = query.time.as_deref().and_then(|time| time.get(..10));
    let day = date.and_then(|date| date.parse().ok());
    let mut violations = Violations::default();
    if streaming.is_none() {
        violations.add(
            "streaming_type",
            "must be REPORT_STREAMING_TYPE_LIVE or REPORT_STREAMING_TYPE_VOD, or be left out",
        );
    }
    if day.is_none() {
        violations.add("time", "must be a date, such as 2026-11-22T00:00:00Z");
    }
    violations.into_result(streaming.zip(day))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn query(streaming_type: Option<&str>, time: Option<&str>) -> WatchTimeQuery {
        WatchTimeQuery {
            streaming_type: streaming_type.map(str::to_owned),
            time: time.map(str::to_owned),
            ..WatchTimeQuery::default()
        }
    }

    #[test]
    fn a_date_is_read_in_several_forms() {
        for time in [
            "2026-11-22",
            "2026-11-22T00:00:00Z",
            "2026-11-22T00:00:00.000+08:00",
        ] {
            let (streaming, day) = read(&query(None, Some(time))).unwrap();
            assert_eq!(
                (streaming, day.to_string().as_str()),
                (StreamingType::All, "2026-11-22")
            );
        }
    }

    #[test]
    fn every_wrong_parameter_is_named() {
        let wrong = |query| read(&query).unwrap_err().violated_fields();
        assert_eq!(wrong(query(Some("CDN"), None)), ["streaming_type", "time"]);
        assert_eq!(
            wrong(query(Some("REPORT_STREAMING_TYPE_LIVE"), Some("today"))),
            ["time"]
        );
    }
}
