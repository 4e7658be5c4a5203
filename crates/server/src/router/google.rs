//! Behaviour that Google's clients expect of the `YouTube` paths: the format of errors, and
//! requests with their method in a header.

use std::time::Duration;

use axum::Json;
use axum::body::{Body, to_bytes};
use axum::extract::{Request, State};
use axum::http::header::{CONTENT_LENGTH, CONTENT_TYPE};
use axum::http::{HeaderMap, Method, StatusCode, Uri};
use axum::middleware::Next;
use axum::response::{IntoResponse, Response};
use serde_json::{Value, json};
use tokio::time::timeout;

use crate::app::App;
use crate::error::{ApiError, ErrorBody, Reason};
use crate::extract::body_timeout;

/// Whether a path is one of `YouTube`'s. Segment's have the same prefix.
pub(super) fn is_youtube(path: &str) -> bool {
    path.starts_with("/v1/") && !matches!(path, "/v1/batch" | "/v1/track")
}

const METHOD_OVERRIDE: &str = "x-http-method-override";

/// Bytes of parameters in a body. Clients send those of long addresses in it.
const FORM_BYTES_MAX: usize = 64 << 10;

/// Writes error responses on `YouTube` paths in Google's format.
pub(super) async fn write_google_errors(request: Request, next: Next) -> Response {
    let is_youtube = is_youtube(request.uri().path());
    let response = next.run(request).await;
    if is_youtube {
        to_google_error(response)
    } else {
        response
    }
}

fn to_google_error(mut response: Response) -> Response {
    let Some(ErrorBody(status)) = response.extensions_mut().remove::<ErrorBody>() else {
        return response;
    };
    let (mut parts, _) = response.into_parts();
    parts.headers.remove(CONTENT_TYPE);
    parts.headers.remove(CONTENT_LENGTH);
    let (json, body) = Json(json!({"error": google_error(status, parts.status)}))
        .into_response()
        .into_parts();
    parts.headers.extend(json.headers);
    Response::from_parts(parts, body)
}

/// A google.rpc.Status in the format of Google's HTTP services: with the HTTP status, the name of
/// the google.rpc.Code, and a list for older clients.
fn google_error(mut error: Value, http: StatusCode) -> Value {
    let status = rpc_name(error["code"].as_u64().unwrap_or_default());
    let message = error["message"].clone();
    if let Value::Object(fields) = &mut error {
        fields.insert("code".to_owned(), json!(http.as_u16()));
        fields.insert("status".to_owned(), json!(status));
        let reason = legacy_reason(http);
        let errors = json!([{"message": message, "domain": "global", "reason": reason}]);
        fields.insert("errors".to_owned(), errors);
    }
    error
}

/// The name of a google.rpc.Code.
const fn rpc_name(code: u64) -> &'static str {
    match code {
        3 => "INVALID_ARGUMENT",
        4 => "DEADLINE_EXCEEDED",
        5 => "NOT_FOUND",
        6 => "ALREADY_EXISTS",
        7 => "PERMISSION_DENIED",
        8 => "RESOURCE_EXHAUSTED",
        11 => "OUT_OF_RANGE",
        12 => "UNIMPLEMENTED",
        14 => "UNAVAILABLE",
        16 => "UNAUTHENTICATED",
        _ => "INTERNAL",
    }
}

/// The reason that older clients read.
const fn legacy_reason(status: StatusCode) -> &'static str {
    match status {
        StatusCode::UNAUTHORIZED => "authError",
        StatusCode::FORBIDDEN => "forbidden",
        StatusCode::NOT_FOUND => "notFound",
        StatusCode::METHOD_NOT_ALLOWED => "httpMethodNotAllowed",
        StatusCode::CONFLICT => "alreadyExists",
        StatusCode::GONE => "deleted",
        StatusCode::RANGE_NOT_SATISFIABLE => "requestedRangeNotSatisfiable",
        StatusCode::TOO_MANY_REQUESTS => "rateLimitExceeded",
        status if status.as_u16() >= 500 => "backendError",
        _ => "badRequest",
    }
}

/// Takes the method from `x-http-method-override` and the parameters from the body. Google's
/// clients send a `GET` with a long address in this way.
pub(super) async fn override_method(
    State(app): State<App>,
    request: Request,
    next: Next,
) -> Response {
    let is_overridden = request.method() == Method::POST
        && is_youtube(request.uri().path())
        && request.headers().contains_key(METHOD_OVERRIDE);
    if !is_overridden {
        return next.run(request).await;
    }
    match apply_override(request, app.config().body_timeout()).await {
        Ok(request) => next.run(request).await,
        Err(error) => to_google_error(error.into_response()),
    }
}

async fn apply_override(request: Request, wait: Duration) -> Result<Request, ApiError> {
    let (mut parts, body) = request.into_parts();
    parts.method = overriding_method(&parts.headers)?;
    if parts.method == Method::POST || !has_form(&parts.headers) {
        return Ok(Request::from_parts(parts, body));
    }
    let form = timeout(wait, to_bytes(body, FORM_BYTES_MAX)).await;
    let form = form.map_err(|_| body_timeout(wait))?.map_err(|_| {
        ApiError::new(
            Reason::InvalidForm,
            format!(
                "the parameters in the body have more than {FORM_BYTES_MAX} bytes, or the body was \
                 cut short"
            ),
        )
    })?;
    let form = str::from_utf8(&form).unwrap_or_default();
    parts.uri = with_parameters(&parts.uri, form)?;
    parts.headers.remove(CONTENT_TYPE);
    parts.headers.remove(CONTENT_LENGTH);
    Ok(Request::from_parts(parts, Body::empty()))
}

fn overriding_method(headers: &HeaderMap) -> Result<Method, ApiError> {
    let name = headers.get(METHOD_OVERRIDE).and_then(|it| it.to_str().ok());
    match name.unwrap_or_default().to_ascii_uppercase().as_str() {
        "GET" => Ok(Method::GET),
        "DELETE" => Ok(Method::DELETE),
        "POST" => Ok(Method::POST),
        _ => Err(ApiError::violation(
            METHOD_OVERRIDE,
            "must be GET, POST or DELETE",
        )),
    }
}

fn has_form(headers: &HeaderMap) -> bool {
    headers.get(CONTENT_TYPE).is_some_and(|value| {
        value
            .as_bytes()
            .starts_with(b"application/x-www-form-urlencoded")
    })
}

fn with_parameters(uri: &Uri, form: &str) -> Result<Uri, ApiError> {
    let query = match (uri.query(), form) {
        (None | Some(""), form) => form.to_owned(),
        (Some(query), "") => query.to_owned(),
        (Some(query), form) => format!("{query}&{form}"),
    };
    format!("{}?{query}", uri.path()).parse().map_err(|_| {
        ApiError::new(
            Reason::InvalidForm,
            "the parameters in the body cannot be read",
        )
    })
}

#[cfg(test)]
mod tests {
    use std::convert::Infallible;

    use bytes::Bytes;
    use futures::stream::pending;

    use super::*;

    const WAIT: Duration = Duration::from_secs(5);

    #[test]
    fn an_error_has_the_http_status_and_a_name() {
        let error = json!({"code": 6, "message": "there is one", "details": []});
        assert_eq!(
            google_error(error, StatusCode::CONFLICT),
            json!({
                "code": 409, "message": "there is one", "status": "ALREADY_EXISTS", "details": [],
                "errors": [{"message": "there is one", "domain": "global", "reason": "alreadyExists"}],
            })
        );
    }

    #[tokio::test]
    async fn a_form_becomes_the_query_parameters_of_a_get() {
        let request = Request::post("/v1/jobs?alt=json")
            .header(METHOD_OVERRIDE, "get")
            .header(CONTENT_TYPE, "application/x-www-form-urlencoded")
            .body(Body::from("pageSize=1&pageToken=x"))
            .unwrap();
        let request = apply_override(request, WAIT).await.unwrap();
        assert_eq!(request.method(), Method::GET);
        assert_eq!(request.uri(), "/v1/jobs?alt=json&pageSize=1&pageToken=x");
        assert!(!request.headers().contains_key(CONTENT_TYPE));
        let wrong = Request::post("/v1/jobs").header(METHOD_OVERRIDE, "BREW");
        assert!(
            apply_override(wrong.body(Body::empty()).unwrap(), WAIT)
                .await
                .is_err()
        );
    }

    #[tokio::test]
    async fn a_form_that_stops_is_refused_after_the_timeout() {
        let request = Request::post("/v1/jobs")
            .header(METHOD_OVERRIDE, "GET")
            .header(CONTENT_TYPE, "application/x-www-form-urlencoded")
            .body(Body::from_stream(pending::<Result<Bytes, Infallible>>()))
            .unwrap();
        let error = apply_override(request, Duration::from_millis(1)).await;
        let status = error.unwrap_err().into_response().status();
        assert_eq!(status, StatusCode::REQUEST_TIMEOUT);
    }
}
