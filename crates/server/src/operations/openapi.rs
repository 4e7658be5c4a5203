//! `GET /openapi.json`.

use std::sync::Arc;

use axum::Extension;
use axum::http::header::CONTENT_TYPE;
use axum::http::{HeaderName, HeaderValue};
use bytes::Bytes;

/// The `OpenAPI` document as JSON.
#[derive(Debug, Clone)]
pub(crate) struct Document(pub(crate) Arc<[u8]>);

/// The description of all routes.
#[utoipa::path(
    get,
    path = "/openapi.json",
    tag = "operations",
    responses((status = 200, description = "an OpenAPI document", content_type = "application/json", body = Object)),
)]
pub(crate) async fn show_openapi(
    Extension(document): Extension<Document>,
) -> ([(HeaderName, HeaderValue); 1], Bytes) {
    let json = HeaderValue::from_static("application/json");
    ([(CONTENT_TYPE, json)], Bytes::from_owner(document.0))
}
