//! The style sheet and the script of all pages.

use axum::http::HeaderMap;
use axum::response::Response;

use crate::assets::{Asset, FOR_EVER, asset, respond};

/// The paths have the first 16 digits of the SHA-256, so that browsers can keep the files.
pub(crate) const STYLE_PATH: &str = concat!(
    "/assets/style.",
    env!("SHOWREPORT_DASHBOARD_STYLE_HASH"),
    ".css"
);
pub(crate) const SCRIPT_PATH: &str = concat!(
    "/assets/dashboard.",
    env!("SHOWREPORT_DASHBOARD_SCRIPT_HASH"),
    ".js"
);

const STYLE: Asset = asset!("DASHBOARD_STYLE", "text/css; charset=utf-8", "same-origin");
const SCRIPT: Asset = asset!(
    "DASHBOARD_SCRIPT",
    "text/javascript; charset=utf-8",
    "same-origin"
);

/// Get the style sheet of the dashboard.
///
/// The name changes with the style sheet. Caches keep it for a year.
#[utoipa::path(
    get,
    path = STYLE_PATH,
    tag = "dashboard",
    responses(
        (status = 200, description = "the style sheet", content_type = "text/css", body = String),
        (status = 304, description = "the client has it already"),
    ),
)]
pub(crate) async fn get_dashboard_style(headers: HeaderMap) -> Response {
    respond(&STYLE, &headers, FOR_EVER)
}

/// Get the script of the dashboard.
///
/// The name changes with the script. Caches keep it for a year.
#[utoipa::path(
    get,
    path = SCRIPT_PATH,
    tag = "dashboard",
    responses(
        (status = 200, description = "the script", content_type = "text/javascript", body = String),
        (status = 304, description = "the client has it already"),
    ),
)]
pub(crate) async fn get_dashboard_script(headers: HeaderMap) -> Response {
    respond(&SCRIPT, &headers, FOR_EVER)
}
