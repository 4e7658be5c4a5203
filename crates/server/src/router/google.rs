//! What Google's clients expect around the `YouTube` paths: the form of refusals,
//! and requests whose method stands in a header.

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
use crate::error::{ApiError, Refused};
use crate::extract::body_timeout;

/// What all `YouTube` paths begin with.
pub(super) const YOUTUBE: &str = "/v1/";

const METHOD_OVERRIDE: &str = "x-http-method-override";

/// Parameters in a body. Longer than any address that a client would send so.
const FORM_BYTES_MAX: usize = 64 << 10;

/// Says refusals on `YouTube` paths in Google's form.
pub(super) async fn speak_google(request: Request, next: Next) -> Response {
    let is_youtube = request.uri().path().starts_with(YOUTUBE);
    let response = next.run(request).await;
    if is_youtube {
        in_google_form(response)
    } else {
        response
    }
}

fn in_google_form(mut response: Response) -> Response {
    let Some(Refused(status)) = response.extensions_mut().remove::<Refused>() else {
        return response;
    };
    let (mut parts, _) = response.into_parts();
    parts.headers.remove(CONTENT_TYPE);
    parts.headers.remove(CONTENT_LENGTH);
    let (form, body) = Json(json!({"error": wrapped(status, parts.status)}))
        .into_response()
        .into_parts();
    parts.headers.extend(form.headers);
    Response::from_parts(parts, body)
}

/// A google.rpc.Status as Google's HTTP services show it: the code of HTTP, the
/// name of the google.rpc.Code, and what older clients read.
fn wrapped(mut refusal: Value, http: StatusCode) -> Value {
    let status = rpc_name(refusal["code"].as_u64().unwrap_or_default());
    let message = refusal["message"].clone();
    if let Value::Object(fields) = &mut refusal {
        fields.insert("code".to_owned(), json!(http.as_u16()));
        fields.insert("status".to_owned(), json!(status));
        let reason = old_reason(http);
        let older = json!([{"message": message, "domain": "global", "reason": reason}]);
        fields.insert("errors".to_owned(), older);
    }
    refusal
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

/// The reasons that clients of the older form branch on.
const fn old_reason(status: StatusCode) -> &'static str {
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

/// Takes the method from the header, and parameters from the body, where a
/// client found its address too long.
pub(super) async fn override_method(
    State(app): State<App>,
    request: Request,
    next: Next,
) -> Response {
    let overridden = request.method() == Method::POST
        && request.uri().path().starts_with(YOUTUBE)
        && request.headers().contains_key(METHOD_OVERRIDE);
    if !overridden {
        return next.run(request).await;
    }
    match overriding(request, app.config().body_timeout()).await {
        Ok(request) => next.run(request).await,
        Err(refusal) => in_google_form(refusal.into_response()),
    }
}

async fn overriding(request: Request, wait: Duration) -> Result<Request, ApiError> {
    let (mut parts, body) = request.into_parts();
    parts.method = meant(&parts.headers)?;
    if parts.method == Method::POST || !has_form(&parts.headers) {
        return Ok(Request::from_parts(parts, body));
    }
    let form = timeout(wait, to_bytes(body, FORM_BYTES_MAX)).await;
    let form = form.map_err(|_| body_timeout(wait))?.map_err(|_| {
        ApiError::bad_request(
            "INVALID_FORM",
            format!("the parameters in the body have more than {FORM_BYTES_MAX} bytes, or were cut short"),
        )
    })?;
    let form = str::from_utf8(&form).unwrap_or_default();
    parts.uri = with_parameters(&parts.uri, form)?;
    parts.headers.remove(CONTENT_TYPE);
    parts.headers.remove(CONTENT_LENGTH);
    Ok(Request::from_parts(parts, Body::empty()))
}

fn meant(headers: &HeaderMap) -> Result<Method, ApiError> {
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
        ApiError::bad_request("INVALID_FORM", "the parameters in the body cannot be read")
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
    fn a_refusal_has_the_code_of_http_and_a_name() {
        let refusal = json!({"code": 6, "message": "there is one", "details": []});
        assert_eq!(
            wrapped(refusal, StatusCode::CONFLICT),
            json!({
                "code": 409, "message": "there is one", "status": "ALREADY_EXISTS", "details": [],
                "errors": [{"message": "there is one", "domain": "global", "reason": "alreadyExists"}],
            })
        );
    }

    #[tokio::test]
    async fn a_form_becomes_the_parameters_of_a_get() {
        let request = Request::post("/v1/jobs?alt=json")
            .header(METHOD_OVERRIDE, "get")
            .header(CONTENT_TYPE, "application/x-www-form-urlencoded")
            .body(Body::from("pageSize=1&pageToken=x"))
            .unwrap();
        let request = overriding(request, WAIT).await.unwrap();
        assert_eq!(request.method(), Method::GET);
        assert_eq!(request.uri(), "/v1/jobs?alt=json&pageSize=1&pageToken=x");
        assert!(!request.headers().contains_key(CONTENT_TYPE));
        let wrong = Request::post("/v1/jobs").header(METHOD_OVERRIDE, "BREW");
        assert!(
            overriding(wrong.body(Body::empty()).unwrap(), WAIT)
                .await
                .is_err()
        );
    }

    #[tokio::test]
    async fn a_form_that_stops_coming_is_not_waited_for() {
        let request = Request::post("/v1/jobs")
            .header(METHOD_OVERRIDE, "GET")
            .header(CONTENT_TYPE, "application/x-www-form-urlencoded")
            .body(Body::from_stream(pending::<Result<Bytes, Infallible>>()))
            .unwrap();
        let refusal = overriding(request, Duration::from_millis(1)).await;
        let status = refusal.unwrap_err().into_response().status();
        assert_eq!(status, StatusCode::REQUEST_TIMEOUT);
    }
}
