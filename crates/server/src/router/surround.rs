//! What happens around every handler: ids, the log, counting, the form of refusals.

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

/// The header that every answer has, for asking the operator about it.
pub(super) const REQUEST_ID: HeaderName = HeaderName::from_static("x-request-id");

/// An id that a client or a proxy chose is kept, unless it could spoil the log.
pub(super) async fn forget_odd_request_id(mut request: Request, next: Next) -> Response {
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

/// What every line of the log about this request carries.
pub(super) fn span(request: &Request) -> Span {
    let id = request.headers().get(REQUEST_ID);
    let id = id.and_then(|id| id.to_str().ok()).unwrap_or_default();
    tracing::info_span!(
        "request",
        http.method = %request.method(),
        http.route = route(request),
        request.id = id,
        // Known once the token is (`auth`).
        org = Empty,
        token.id = Empty,
    )
}

/// One line an answer; faults of ours are logged with their cause by [`log_fault`].
pub(super) fn log<B>(response: &Response<B>, after: Duration, _: &Span) {
    let status = response.status().as_u16();
    let duration_ms = u64::try_from(after.as_millis()).unwrap_or(u64::MAX);
    if response.status().is_success() {
        tracing::debug!(http.status = status, duration_ms, "answered");
    } else {
        tracing::info!(http.status = status, duration_ms, "answered");
    }
}

/// Logs what was no caller's mistake. What lasts, such as a full disk, would be a line for each request
/// until it is over, so of each reason there are a few lines a minute.
pub(super) async fn log_fault(State(app): State<App>, request: Request, next: Next) -> Response {
    let mut response = next.run(request).await;
    let Some(fault) = response.extensions_mut().remove::<Fault>() else {
        return response;
    };
    if fault.lasts && app.fault_lines().take(&fault.reason, app.now()).is_err() {
        return response;
    }
    let (status, reason, error) = (response.status().as_u16(), fault.reason, fault.error);
    if fault.is_load {
        tracing::warn!(http.status = status, %reason, error, "refuse what is too much");
    } else {
        tracing::error!(http.status = status, %reason, error, "answer with a fault of ours");
    }
    response
}

/// Counts answers and how long they took.
pub(super) async fn count(State(app): State<App>, request: Request, next: Next) -> Response {
    let method = request.method().clone();
    let route = route(&request).to_owned();
    let started = Instant::now();
    let response = next.run(request).await;
    app.metrics()
        .answered(&method, &route, response.status(), started.elapsed());
    response
}

/// Gives a body to refusals that the framework made without one.
pub(super) async fn speak_json(request: Request, next: Next) -> Response {
    let response = next.run(request).await;
    let status = response.status();
    let is_refusal = status.is_client_error() || status.is_server_error();
    let is_json = response
        .headers()
        .get(CONTENT_TYPE)
        .is_some_and(|value| value.as_bytes().starts_with(b"application/json"));
    if !is_refusal || is_json {
        return response;
    }
    let (mut parts, _) = response.into_parts();
    // Headers such as `Allow` stay.
    parts.headers.remove(CONTENT_TYPE);
    parts.headers.remove(CONTENT_LENGTH);
    let (refusal, body) = ApiError::of_status(status).into_response().into_parts();
    parts.headers.extend(refusal.headers);
    parts.extensions.extend(refusal.extensions);
    Response::from_parts(parts, body)
}

/// A handler that panicked answers like any other fault of ours. The hook of
/// the process logged where; the payload may quote what was sent.
pub(super) fn panicked(_: Box<dyn Any + Send + 'static>) -> Response<Body> {
    ApiError::internal("a handler panicked").into_response()
}

/// The template of the path, never the path itself.
fn route(request: &Request) -> &str {
    request
        .extensions()
        .get::<MatchedPath>()
        .map_or("unmatched", MatchedPath::as_str)
}
