//! `GET /`: a web page that describes the server.

use axum::http::header::CONTENT_SECURITY_POLICY;
use axum::http::{HeaderName, HeaderValue};
use axum::response::Html;

const PAGE: &str = include_str!("home.html");

/// The page has an inline style, and loads nothing.
const POLICY: HeaderValue = HeaderValue::from_static(
    "default-src 'none'; style-src 'unsafe-inline'; frame-ancestors 'none'",
);

/// Get a web page that describes the server.
#[utoipa::path(
    get,
    path = "/",
    tag = "operations",
    responses((status = 200, description = "a page", content_type = "text/html", body = String)),
)]
pub(crate) async fn home() -> ([(HeaderName, HeaderValue); 1], Html<&'static str>) {
    ([(CONTENT_SECURITY_POLICY, POLICY)], Html(PAGE))
}
