//! `GET /showreport.js`: the script that collects what the media elements of a page play.
//!
//! It is also served under a name with its hash, so that pages can pin it (subresource integrity)
//! and browsers can keep it. The source is `script/showreport.js`; `build.rs` makes what is served.

use axum::body::Bytes;
use axum::http::header::{CACHE_CONTROL, CONTENT_ENCODING, CONTENT_TYPE, ETAG, VARY};
use axum::http::{HeaderMap, HeaderName, HeaderValue, StatusCode};
use axum::response::{IntoResponse, Response};

use crate::downloads::{Coding, acceptable, has_already};

/// The path of the script with the first 16 digits of its SHA-256.
pub(crate) const HASHED_PATH: &str = concat!("/showreport.", env!("SHOWREPORT_SCRIPT_HASH"), ".js");

const PLAIN: &[u8] = include_bytes!(concat!(env!("OUT_DIR"), "/showreport.js"));
const GZIP: &[u8] = include_bytes!(concat!(env!("OUT_DIR"), "/showreport.js.gz"));

const PLAIN_TAG: HeaderValue =
    HeaderValue::from_static(concat!("\"", env!("SHOWREPORT_SCRIPT_HASH"), "\""));
const GZIP_TAG: HeaderValue =
    HeaderValue::from_static(concat!("\"", env!("SHOWREPORT_SCRIPT_HASH"), "-gzip\""));

/// After an upgrade, pages have the new script within an hour.
const FOR_AN_HOUR: HeaderValue = HeaderValue::from_static("public, max-age=3600");
const FOR_EVER: HeaderValue = HeaderValue::from_static("public, max-age=31536000, immutable");

/// Without it, pages with `Cross-Origin-Embedder-Policy: require-corp` cannot load the script.
const RESOURCE_POLICY: HeaderName = HeaderName::from_static("cross-origin-resource-policy");

/// Get the script that collects what a page plays.
///
/// A page includes it with a `<script>` element. Its attributes are in docs/players.md.
#[utoipa::path(
    get,
    path = "/showreport.js",
    tag = "collect",
    responses(
        (status = 200, description = "the script", content_type = "text/javascript", body = String),
        (status = 304, description = "the client has the script already"),
    ),
)]
pub(crate) async fn get_script(headers: HeaderMap) -> Response {
    respond(&headers, FOR_AN_HOUR)
}

/// Get the same script under a name with its hash.
///
/// The name changes with the script. Caches keep it for a year.
#[utoipa::path(
    get,
    path = HASHED_PATH,
    tag = "collect",
    responses(
        (status = 200, description = "the script", content_type = "text/javascript", body = String),
        (status = 304, description = "the client has the script already"),
    ),
)]
pub(crate) async fn get_hashed_script(headers: HeaderMap) -> Response {
    respond(&headers, FOR_EVER)
}

fn respond(headers: &HeaderMap, cache: HeaderValue) -> Response {
    let is_gzip = acceptable(headers, true)[0] == Coding::Gzip;
    let (body, tag) = if is_gzip {
        (GZIP, GZIP_TAG)
    } else {
        (PLAIN, PLAIN_TAG)
    };
    let of_both = [
        (CACHE_CONTROL, cache),
        (VARY, HeaderValue::from_static("accept-encoding")),
        (RESOURCE_POLICY, HeaderValue::from_static("cross-origin")),
    ];
    let is_known = [&PLAIN_TAG, &GZIP_TAG]
        .into_iter()
        .filter_map(|tag| tag.to_str().ok())
        .any(|tag| has_already(headers, tag));
    if is_known {
        return (StatusCode::NOT_MODIFIED, of_both, [(ETAG, tag)]).into_response();
    }
    let content_type = HeaderValue::from_static("text/javascript; charset=utf-8");
    let of_body = [(ETAG, tag), (CONTENT_TYPE, content_type)];
    let mut response = (of_both, of_body, Bytes::from_static(body)).into_response();
    if is_gzip {
        let gzip = HeaderValue::from_static("gzip");
        response.headers_mut().insert(CONTENT_ENCODING, gzip);
    }
    response
}
