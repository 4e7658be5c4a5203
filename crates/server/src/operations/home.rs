//! `GET /`: a page for whoever opens the address in a browser.

use axum::http::header::CONTENT_SECURITY_POLICY;
use axum::http::{HeaderName, HeaderValue};
use axum::response::Html;

const PAGE: &str = include_str!("home.html");

/// The page has its own style and nothing else.
const POLICY: HeaderValue = HeaderValue::from_static(
    "default-src 'none'; style-src 'unsafe-inline'; frame-ancestors 'none'",
);

/// What this is.
#[utoipa::path(
    get,
    path = "/",
    tag = "operations",
    responses((status = 200, description = "a page", content_type = "text/html", body = String)),
)]
pub(crate) async fn home() -> ([(HeaderName, HeaderValue); 1], Html<&'static str>) {
    ([(CONTENT_SECURITY_POLICY, POLICY)], Html(PAGE))
}
