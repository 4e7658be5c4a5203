//! Middleware around all handlers: request ids, logs, metrics, JSON in error responses.

use std::any::Any;
use std::time::{Duration, Instant};

use axum::body::Body;
use axum::extract::{MatchedPath, Request, State};
use axum::http::header::{CONTENT_LENGTH, CONTENT_TYPE};
use axum::http::{HeaderName, HeaderValue};
use axum::middleware::Next;
use axum::response::{IntoResponse, Response};
use tracing::Span;
use tracing::field::Empty;

use crate::app::App;
use crate::error::{ApiError, Fault};

/// A header of every response. Operators find the lines of the log by it.
pub(super) const REQUEST_ID: HeaderName = HeaderName::from_static("x-request-id");

/// Removes a request id that could forge or break lines of the log. The server then chooses one.
pub(super) async fn remove_invalid_request_id(mut request: Request, next: Next) -> Response {
    let is_plain = |id: &HeaderValue| {
        (1..=128).contains(&id.len())
            && id
                .as_bytes()
                .iter()
                .all(|byte| byte.is_ascii_alphanumeric() || b"-_.:/=+".contains(byte))
    };
    if request
        .headers()
        .get(REQUEST_ID)
        .is_some_and(|id| !is_plain(id))
    {
        request.headers_mut().remove(REQUEST_ID);
    }
    next.run(request).await
}

/// The span of a request. Its fields are in all lines of the log about the request.
pub(super) fn span(request: &Request) -> Span {
    let id = request.headers().get(REQUEST_ID);
    let id = id.and_then(|id| id.to_str().ok()).unwrap_or_default();
    tracing::info_span!(
        "request",
        http.method = %request.method(),
        http.route = route(request),
        request.id = id,
        // Recorded when the token is checked (`auth`).
        org = Empty,
        token.id = Empty,
    )
}

/// Logs one line for each response. The causes of errors are logged by [`log_fault`].
pub(super) fn log<B>(response: &Response<B>, after: Duration, _: &Span) {
    let status = response.status().as_u16();
    let duration_ms = u64::try_from(after.as_millis()).unwrap_or(u64::MAX);
    if response.status().is_success() {
        tracing::debug!(http.status = status, duration_ms, "answered");
    } else {
        tracing::info!(http.status = status, duration_ms, "answered");
    }
}

/// Logs errors that are not the client's. A lasting one, such as a full disk, would write a line
/// for every request, so each reason has a few lines a minute.
pub(super) async fn log_fault(State(app): State<App>, request: Request, next: Next) -> Response {
    let mut response = next.run(request).await;
    let Some(fault) = response.extensions_mut().remove::<Fault>() else {
        return response;
    };
    if fault.lasts && app.fault_lines().take(&fault.reason, app.now()).is_err() {
        return response;
    }
    let (status, reason, error) = (response.status().as_u16(), fault.reason.name(), fault.error);
    if fault.is_load {
        tracing::warn!(http.status = status, %reason, error, "refused a request because of load");
    } else {
        tracing::error!(http.status = status, %reason, error, "answered with a server error");
    }
    response
}

/// Counts responses and measures their latency.
pub(super) async fn count(State(app): State<App>, request: Request, next: Next) -> Response {
    let method = request.method().clone();
    let route = route(&request).to_owned();
    let started = Instant::now();
    let response = next.run(request).await;
    app.metrics()
        .count_response(&method, &route, response.status(), started.elapsed());
    response
}

/// Writes a JSON body for error responses of the framework, which have none. Pages, such as that for
/// signing in after a wrong attempt, stay as they are.
pub(super) async fn write_json_errors(request: Request, next: Next) -> Response {
    let response = next.run(request).await;
    let status = response.status();
    let is_error = status.is_client_error() || status.is_server_error();
    let is_ours = response.headers().get(CONTENT_TYPE).is_some_and(|value| {
        let media_types: [&[u8]; 2] = [b"application/json", b"text/html"];
        media_types
            .iter()
            .any(|it| value.as_bytes().starts_with(it))
    });
    if !is_error || is_ours {
        return response;
    }
    let (mut parts, _) = response.into_parts();
    // Other headers, such as `Allow`, are kept.
    parts.headers.remove(CONTENT_TYPE);
    parts.headers.remove(CONTENT_LENGTH);
    let (error, body) = ApiError::of_status(status).into_response().into_parts();
    parts.headers.extend(error.headers);
    parts.extensions.extend(error.extensions);
    Response::from_parts(parts, body)
}

/// The response for a handler that panicked: an internal error. The panic hook has logged the
/// place. The payload is not logged, since it may quote the request.
pub(super) fn panicked(_: Box<dyn Any + Send + 'static>) -> Response<Body> {
    ApiError::internal("a handler panicked").into_response()
}

/// The template of the path. The path itself may have signatures.
fn route(request: &Request) -> &str {
    request
        .extensions()
        .get::<MatchedPath>()
        .map_or("unmatched", MatchedPath::as_str)
}
