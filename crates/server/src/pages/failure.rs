//! Error responses as pages, for browsers.

use askama::Template;
use axum::extract::Request;
use axum::http::header::{ACCEPT, CONTENT_LENGTH, REFRESH, RETRY_AFTER, VARY};
use axum::http::{HeaderMap, HeaderValue, StatusCode};
use axum::middleware::Next;
use axum::response::{IntoResponse, Response};
use serde_json::Value;

use super::layout::{Layout, respond};
use crate::error::ErrorBody;

/// Paths of APIs: their errors are JSON for every client.
const APIS: [&str; 5] = ["/api/", "/bv/", "/v1/", "/collect", "/downloads/"];

#[derive(Template)]
#[template(path = "failure.html")]
struct FailurePage {
    layout: Layout,
    message: String,
    violations: Vec<WrongField>,
    retry_seconds: Option<String>,
    request_id: Option<String>,
}

struct WrongField {
    field: String,
    description: String,
}

/// Writes error responses as pages for clients that ask for HTML, except on the paths of APIs.
pub(crate) async fn write_html_errors(request: Request, next: Next) -> Response {
    let is_page = !APIS
        .iter()
        .any(|prefix| request.uri().path().starts_with(prefix))
        && asks_for_html(request.headers());
    let request_id = request.headers().get("x-request-id").cloned();
    let response = next.run(request).await;
    if is_page {
        to_page(response, request_id.as_ref())
    } else {
        response
    }
}

/// Browsers name HTML when they open a page. Other clients send `*/*`, or nothing.
fn asks_for_html(headers: &HeaderMap) -> bool {
    headers
        .get_all(ACCEPT)
        .iter()
        .filter_map(|value| value.to_str().ok())
        .any(|value| value.to_ascii_lowercase().contains("text/html"))
}

fn to_page(mut response: Response, request_id: Option<&HeaderValue>) -> Response {
    let Some(ErrorBody(body)) = response.extensions_mut().remove::<ErrorBody>() else {
        return response;
    };
    let (mut parts, _) = response.into_parts();
    let retry = parts.headers.get(RETRY_AFTER).cloned();
    let text = |value: &HeaderValue| value.to_str().ok().map(str::to_owned);
    let is_ours = parts.status.is_server_error() && retry.is_none();
    let page = FailurePage {
        layout: Layout::without_caller(title(parts.status)),
        message: sentence(body["message"].as_str().unwrap_or_default()),
        violations: violations(&body),
        retry_seconds: retry.as_ref().and_then(text),
        request_id: request_id.and_then(text).filter(|_| is_ours),
    };
    let page = respond(parts.status, &page).unwrap_or_else(IntoResponse::into_response);
    let (page, body) = page.into_parts();
    parts.headers.remove(CONTENT_LENGTH);
    parts.headers.extend(page.headers);
    parts
        .headers
        .append(VARY, HeaderValue::from_static("accept"));
    if let Some(seconds) = retry {
        parts.headers.insert(REFRESH, seconds);
    }
    Response::from_parts(parts, body)
}

fn title(status: StatusCode) -> &'static str {
    match status {
        StatusCode::UNAUTHORIZED => "Please sign in",
        StatusCode::FORBIDDEN => "You may not see this",
        StatusCode::NOT_FOUND => "There is no such page",
        StatusCode::GONE => "This is gone",
        StatusCode::TOO_MANY_REQUESTS => "Too many requests",
        StatusCode::SERVICE_UNAVAILABLE => "The server is busy",
        status if status.is_server_error() => "Something went wrong",
        _ => "This request is wrong",
    }
}

/// The message of an API as a sentence.
pub(crate) fn sentence(message: &str) -> String {
    let mut letters = message.chars();
    let first = letters.next().map(char::to_uppercase);
    let mut text: String = first.into_iter().flatten().chain(letters).collect();
    if !text.ends_with(['.', '?', '!']) {
        text.push('.');
    }
    text
}

fn violations(body: &Value) -> Vec<WrongField> {
    let details = body["details"].as_array().into_iter().flatten();
    let violations = details.filter_map(|detail| detail["field_violations"].as_array());
    let text = |value: &Value| value.as_str().unwrap_or_default().to_owned();
    violations
        .flatten()
        .map(|violation| WrongField {
            field: text(&violation["field"]),
            description: text(&violation["description"]),
        })
        .collect()
}

#[cfg(test)]
mod tests {
    use axum::body::to_bytes;

    use super::*;
    use crate::error::{ApiError, Reason};

    async fn page(error: ApiError) -> (HeaderMap, String) {
        let id = HeaderValue::from_static("request-1");
        let (parts, body) = to_page(error.into_response(), Some(&id)).into_parts();
        let bytes = to_bytes(body, 1 << 20).await.unwrap();
        (parts.headers, String::from_utf8(bytes.to_vec()).unwrap())
    }

    #[tokio::test]
    async fn an_error_on_a_page_says_what_is_wrong() {
        let error = ApiError::new(Reason::EventNotFound, "there is no such <event>");
        let (headers, html) = page(error).await;
        assert_eq!(headers["content-type"], "text/html; charset=utf-8");
        assert!(html.contains("There is no such &#60;event&#62;."), "{html}");
        assert!(!html.contains("request-1"), "{html}");
    }

    #[tokio::test]
    async fn a_busy_page_is_loaded_again_and_a_defect_names_the_request() {
        let (headers, html) = page(ApiError::new(Reason::Busy, "too many")).await;
        assert_eq!(headers[REFRESH], headers[RETRY_AFTER]);
        assert!(html.contains("loaded again in 5 s"), "{html}");
        let (headers, html) = page(ApiError::internal("a detail")).await;
        assert!(!headers.contains_key(REFRESH));
        assert!(
            html.contains("request-1") && !html.contains("a detail"),
            "{html}"
        );
    }

    #[tokio::test]
    async fn every_wrong_field_is_listed() {
        let (_, html) = page(ApiError::violation("from", "is no time")).await;
        assert!(html.contains("<code>from</code> is no time"), "{html}");
    }

    #[test]
    fn browsers_are_known_by_what_they_accept() {
        let asks = |value: &'static str| {
            asks_for_html(&HeaderMap::from_iter([(
                ACCEPT,
                HeaderValue::from_static(value),
            )]))
        };
        assert!(asks("text/html,application/xhtml+xml,*/*;q=0.8"));
        assert!(!asks("*/*") && !asks("application/json"));
        assert!(!asks_for_html(&HeaderMap::new()));
    }
}
