//! CORS for `/collect`: web pages of any origin may send records and read the response.
//!
//! It is middleware around all handlers, so that pages can also read error responses that no
//! handler made. Credentials are allowed, since beacons always send them. That is safe: no cookie
//! is read on these paths, and the token in a page can do nothing but collect.

use axum::extract::{Request, State};
use axum::http::header::{
    ACCESS_CONTROL_ALLOW_CREDENTIALS, ACCESS_CONTROL_ALLOW_HEADERS, ACCESS_CONTROL_ALLOW_METHODS,
    ACCESS_CONTROL_ALLOW_ORIGIN, ACCESS_CONTROL_EXPOSE_HEADERS, ACCESS_CONTROL_MAX_AGE,
    ACCESS_CONTROL_REQUEST_METHOD, ORIGIN, VARY,
};
use axum::http::{HeaderName, HeaderValue, Method, StatusCode};
use axum::middleware::Next;
use axum::response::{IntoResponse, Response};

use crate::app::App;

/// The path for records, and the prefix of all below it.
const COLLECT: &str = "/collect";

/// The server's time in milliseconds since 1970, with which a page can correct its clock.
const TIME: HeaderName = HeaderName::from_static("x-showreport-time");

/// The prefix of the paths of CMCD.
const CMCD: &str = "/collect/cmcd";

/// Headers of the response to a preflight. Browsers cache it for two hours at most.
const PREFLIGHT: [(HeaderName, HeaderValue); 3] = [
    (
        ACCESS_CONTROL_ALLOW_METHODS,
        HeaderValue::from_static("POST"),
    ),
    (
        ACCESS_CONTROL_ALLOW_HEADERS,
        HeaderValue::from_static(
            "authorization,content-type,content-encoding,x-bv-org-id,x-request-id",
        ),
    ),
    (ACCESS_CONTROL_MAX_AGE, HeaderValue::from_static("7200")),
];

/// The same on the paths of CMCD. Players send each report with a media type that needs a preflight,
/// so it is cached for as long as any browser does: Firefox for a day.
const CMCD_PREFLIGHT: [(HeaderName, HeaderValue); 3] = [
    (
        ACCESS_CONTROL_ALLOW_METHODS,
        HeaderValue::from_static("GET,HEAD,POST"),
    ),
    (
        ACCESS_CONTROL_ALLOW_HEADERS,
        HeaderValue::from_static(
            "authorization,content-type,content-encoding,x-bv-org-id,x-request-id,\
             cmcd-object,cmcd-request,cmcd-session,cmcd-status",
        ),
    ),
    (ACCESS_CONTROL_MAX_AGE, HeaderValue::from_static("86400")),
];

const EXPOSED: HeaderValue = HeaderValue::from_static("x-request-id,retry-after,x-showreport-time");

/// Adds the headers of CORS on `/collect` paths, and answers preflights.
pub(super) async fn allow_collect(
    State(app): State<App>,
    request: Request,
    next: Next,
) -> Response {
    let path = request.uri().path();
    if !is_at_or_below(COLLECT, path) {
        return next.run(request).await;
    }
    let preflight = if is_at_or_below(CMCD, path) {
        CMCD_PREFLIGHT
    } else {
        PREFLIGHT
    };
    let origin = request.headers().get(ORIGIN).cloned();
    let is_preflight = request.method() == Method::OPTIONS
        && request
            .headers()
            .contains_key(ACCESS_CONTROL_REQUEST_METHOD);
    let mut response = if is_preflight {
        (StatusCode::NO_CONTENT, preflight).into_response()
    } else {
        next.run(request).await
    };
    let headers = response.headers_mut();
    headers.insert(TIME, app.now().as_millis().into());
    headers.append(VARY, HeaderValue::from_static("origin"));
    if let Some(origin) = origin {
        // Browsers do not accept `*` together with credentials.
        headers.insert(ACCESS_CONTROL_ALLOW_ORIGIN, origin);
        let yes = HeaderValue::from_static("true");
        headers.insert(ACCESS_CONTROL_ALLOW_CREDENTIALS, yes);
        headers.insert(ACCESS_CONTROL_EXPOSE_HEADERS, EXPOSED);
    }
    response
}

fn is_at_or_below(top: &str, path: &str) -> bool {
    path.strip_prefix(top)
        .is_some_and(|below| below.is_empty() || below.starts_with('/'))
}
