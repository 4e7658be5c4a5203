//! `GET /showreport.js`: the script that collects what the media elements of a page play.
//!
//! It is also served under a name with its hash, so that pages can pin it (subresource integrity)
//! and browsers can keep it. Below `/collect` a variant sends to the path that it lies below, which
//! may be that of `--collect-path`. The source is `script/showreport.js`; `build.rs` makes what is
//! served.

use axum::body::Bytes;
use axum::http::header::{CACHE_CONTROL, CONTENT_ENCODING, CONTENT_TYPE, ETAG, VARY};
use axum::http::{HeaderMap, HeaderName, HeaderValue, StatusCode};
use axum::response::{IntoResponse, Response};

use crate::downloads::{Coding, acceptable, has_already};

/// The path of the script with the first 16 digits of its SHA-256.
pub(crate) const HASHED_PATH: &str = concat!("/showreport.", env!("SHOWREPORT_SCRIPT_HASH"), ".js");

/// The same for the variant below `/collect`.
pub(crate) const HASHED_PATH_BELOW: &str = concat!(
    "/collect/showreport.",
    env!("SHOWREPORT_SCRIPT_BELOW_HASH"),
    ".js"
);

/// A script as it is sent.
struct Script {
    plain: &'static [u8],
    gzip: &'static [u8],
    plain_tag: &'static str,
    gzip_tag: &'static str,
}

const SCRIPT: Script = Script {
    plain: include_bytes!(concat!(env!("OUT_DIR"), "/showreport.js")),
    gzip: include_bytes!(concat!(env!("OUT_DIR"), "/showreport.js.gz")),
    plain_tag: concat!("\"", env!("SHOWREPORT_SCRIPT_HASH"), "\""),
    gzip_tag: concat!("\"", env!("SHOWREPORT_SCRIPT_HASH"), "-gzip\""),
};

const SCRIPT_BELOW: Script = Script {
    plain: include_bytes!(concat!(env!("OUT_DIR"), "/showreport_BELOW.js")),
    gzip: include_bytes!(concat!(env!("OUT_DIR"), "/showreport_BELOW.js.gz")),
    plain_tag: concat!("\"", env!("SHOWREPORT_SCRIPT_BELOW_HASH"), "\""),
    gzip_tag: concat!("\"", env!("SHOWREPORT_SCRIPT_BELOW_HASH"), "-gzip\""),
};

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
    respond(&SCRIPT, &headers, FOR_AN_HOUR)
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
    respond(&SCRIPT, &headers, FOR_EVER)
}

/// Get the script that sends to the path that it lies below.
///
/// With `--collect-path /v` it is also `/v/showreport.js` and sends to `/v`.
#[utoipa::path(
    get,
    path = "/collect/showreport.js",
    tag = "collect",
    responses(
        (status = 200, description = "the script", content_type = "text/javascript", body = String),
        (status = 304, description = "the client has the script already"),
    ),
)]
pub(crate) async fn get_script_below(headers: HeaderMap) -> Response {
    respond(&SCRIPT_BELOW, &headers, FOR_AN_HOUR)
}

/// Get the same script under a name with its hash.
///
/// The name changes with the script. Caches keep it for a year.
#[utoipa::path(
    get,
    path = HASHED_PATH_BELOW,
    tag = "collect",
    responses(
        (status = 200, description = "the script", content_type = "text/javascript", body = String),
        (status = 304, description = "the client has the script already"),
    ),
)]
pub(crate) async fn get_hashed_script_below(headers: HeaderMap) -> Response {
    respond(&SCRIPT_BELOW, &headers, FOR_EVER)
}

fn respond(script: &Script, headers: &HeaderMap, cache: HeaderValue) -> Response {
    let is_gzip = acceptable(headers, true)[0] == Coding::Gzip;
    let (body, tag) = if is_gzip {
        (script.gzip, script.gzip_tag)
    } else {
        (script.plain, script.plain_tag)
    };
    let of_both = [
        (CACHE_CONTROL, cache),
        (VARY, HeaderValue::from_static("accept-encoding")),
        (RESOURCE_POLICY, HeaderValue::from_static("cross-origin")),
        (ETAG, HeaderValue::from_static(tag)),
    ];
    let tags = [script.plain_tag, script.gzip_tag];
    if tags.iter().any(|tag| has_already(headers, tag)) {
        return (StatusCode::NOT_MODIFIED, of_both).into_response();
    }
    let content_type = HeaderValue::from_static("text/javascript; charset=utf-8");
    let of_body = [(CONTENT_TYPE, content_type)];
    let mut response = (of_both, of_body, Bytes::from_static(body)).into_response();
    if is_gzip {
        let gzip = HeaderValue::from_static("gzip");
        response.headers_mut().insert(CONTENT_ENCODING, gzip);
    }
    response
}
