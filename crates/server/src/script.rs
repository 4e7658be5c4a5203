//! `GET /showreport.js`: the script that collects what the media elements of a page play.
//!
//! It is also served under a name with its hash, so that pages can pin it (subresource integrity)
//! and browsers can keep it. Below `/collect` a variant sends to the path that it lies below, which
//! may be that of `--collect-path`. The source is `script/showreport.js`; `build.rs` makes what is
//! served.

use axum::http::HeaderMap;
use axum::response::Response;

use crate::assets::{Asset, FOR_AN_HOUR, FOR_EVER, asset, respond};

/// The path of the script with the first 16 digits of its SHA-256.
pub(crate) const HASHED_PATH: &str = concat!("/showreport.", env!("SHOWREPORT_SCRIPT_HASH"), ".js");

/// The same for the variant below `/collect`.
pub(crate) const HASHED_PATH_BELOW: &str = concat!(
    "/collect/showreport.",
    env!("SHOWREPORT_SCRIPT_BELOW_HASH"),
    ".js"
);

const SCRIPT: Asset = asset!("SCRIPT", "text/javascript; charset=utf-8", "cross-origin");
const SCRIPT_BELOW: Asset = asset!(
    "SCRIPT_BELOW",
    "text/javascript; charset=utf-8",
    "cross-origin"
);

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
