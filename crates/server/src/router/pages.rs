//! Pages of other origins: what lets them collect, and read what was answered (CORS).
//!
//! It surrounds every handler and every refusal below `/collect`, so that a page can read also those
//! that no handler made. A page of any origin may send: what stands in it is a token that can do
//! nothing but collect, and no cookie is ever read here, so credentials may come too. Beacons always
//! send them.

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

/// The path that pages send to; also all below it.
const COLLECT: &str = "/collect";

/// The server's clock in milliseconds since 1970, by which a page can correct its own.
const TIME: HeaderName = HeaderName::from_static("x-showreport-time");

/// What the answer to a preflight allows. Browsers keep it for two hours at most.
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

const EXPOSED: HeaderValue = HeaderValue::from_static("x-request-id,retry-after,x-showreport-time");

/// Opens the paths of collecting to pages of any origin.
pub(super) async fn open(State(app): State<App>, request: Request, next: Next) -> Response {
    if !is_collecting(request.uri().path()) {
        return next.run(request).await;
    }
    let origin = request.headers().get(ORIGIN).cloned();
    let is_preflight = request.method() == Method::OPTIONS
        && request
            .headers()
            .contains_key(ACCESS_CONTROL_REQUEST_METHOD);
    let mut response = if is_preflight {
        (StatusCode::NO_CONTENT, PREFLIGHT).into_response()
    } else {
        next.run(request).await
    };
    let headers = response.headers_mut();
    headers.insert(TIME, app.now().as_millis().into());
    headers.append(VARY, HeaderValue::from_static("origin"));
    if let Some(origin) = origin {
        // With credentials, browsers take no `*`.
        headers.insert(ACCESS_CONTROL_ALLOW_ORIGIN, origin);
        let yes = HeaderValue::from_static("true");
        headers.insert(ACCESS_CONTROL_ALLOW_CREDENTIALS, yes);
        headers.insert(ACCESS_CONTROL_EXPOSE_HEADERS, EXPOSED);
    }
    response
}

fn is_collecting(path: &str) -> bool {
    path.strip_prefix(COLLECT)
        .is_some_and(|below| below.is_empty() || below.starts_with('/'))
}
