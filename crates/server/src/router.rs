//! All routes, and the middleware around them.
//!
//! **Invariant:** a route is made with `routes!`, so `openapi.json` has it.
//! **Invariant:** every error response is JSON, also those that no handler made.

mod google;
mod parameters;
mod document;
mod host;
mod cors;
mod csrf;
mod path;
mod collect_path;
mod middleware;
mod unread;

use axum::http::Method;
use axum::http::header::{
    ACCEPT_RANGES, CONTENT_DISPOSITION, CONTENT_ENCODING, CONTENT_LENGTH, CONTENT_RANGE, ETAG,
    RETRY_AFTER,
};
use axum::middleware::{from_fn, from_fn_with_state};
use axum::{Extension, Router};
use std::time::Duration;
use tower::ServiceBuilder;
use tower_http::catch_panic::CatchPanicLayer;
use tower_http::cors::{AllowHeaders, Any, CorsLayer};
use tower_http::request_id::{MakeRequestUuid, PropagateRequestIdLayer, SetRequestIdLayer};
use tower_http::timeout::TimeoutLayer;
use tower_http::trace::TraceLayer;
use utoipa::openapi::OpenApi;
use utoipa_axum::router::OpenApiRouter;
use utoipa_axum::routes;

use self::middleware::REQUEST_ID;
use crate::app::App;
use crate::config::{CollectPath, Config};
use crate::error::ApiError;
use crate::{api, blendvision, collect, downloads, operations, pages, script, youtube};

/// The whole server, without `/metrics` if that has an address of its own.
pub fn router(app: App) -> Router {
    let described = if app.config().metrics_apart {
        public_routes(app.config())
    } else {
        all_routes(app.config())
    };
    with_middleware(app, described)
}

/// `/metrics` alone, for an address of its own.
pub fn metrics_router(app: App) -> Router {
    with_middleware(app, metrics_route())
}

fn with_middleware(app: App, described: OpenApiRouter<App>) -> Router {
    let openapi = openapi();
    let parameters = parameters::RouteParameters::new(&openapi);
    let document = openapi.to_json().expect("a document of texts and maps");
    let document = operations::Document(document.into_bytes().into());
    let middleware = ServiceBuilder::new()
        .layer(from_fn(middleware::remove_invalid_request_id))
        .layer(SetRequestIdLayer::new(REQUEST_ID, MakeRequestUuid))
        .layer(PropagateRequestIdLayer::new(REQUEST_ID))
        .layer(
            // Logs neither path nor query, which may have signatures and keys.
            TraceLayer::new_for_http()
                .make_span_with(middleware::span)
                .on_request(())
                .on_response(middleware::log)
                .on_body_chunk(())
                .on_eos(())
                .on_failure(()),
        )
        .layer(from_fn_with_state(app.clone(), middleware::count))
        .layer(from_fn_with_state(app.clone(), cors::allow_collect))
        .layer(from_fn_with_state(app.clone(), middleware::log_fault))
        .layer(from_fn(google::write_google_errors))
        .layer(from_fn(pages::write_html_errors))
        .layer(from_fn(middleware::write_json_errors))
        .layer(from_fn_with_state(
            unread::refused_bodies(),
            unread::discard,
        ))
        .layer(from_fn(host::require_one))
        .layer(from_fn_with_state(parameters, parameters::find_unknown))
        .layer(CatchPanicLayer::custom(middleware::panicked))
        .layer(TimeoutLayer::with_status_code(
            axum::http::StatusCode::SERVICE_UNAVAILABLE,
            app.config().request_timeout(),
        ));
    let (router, _) = described.split_for_parts();
    let router = router
        .fallback(no_route)
        .layer(Extension(document))
        .layer(middleware)
        .with_state(app.clone());
    let second_path = app.config().collect_path.clone();
    // In front of the router, since they change the path and the method.
    let rewriting = ServiceBuilder::new()
        .layer(from_fn(path::normalize))
        .layer(from_fn_with_state(second_path, collect_path::rewrite))
        .layer(from_fn_with_state(app, google::override_method));
    Router::new().fallback_service(rewriting.service(router))
}

/// Reads the setting of a second path for everything of `/collect`. The error says what would be
/// right.
pub fn collect_path(text: &str) -> Result<CollectPath, String> {
    let openapi = openapi();
    collect_path::parse(text, openapi.paths.paths.keys().map(String::as_str))
}

/// The description of all routes.
pub fn openapi() -> OpenApi {
    let (_, mut openapi) = all_routes(&Config::default()).split_for_parts();
    document::complete(&mut openapi);
    openapi
}

fn all_routes(config: &Config) -> OpenApiRouter<App> {
    public_routes(config).merge(metrics_route())
}

fn metrics_route() -> OpenApiRouter<App> {
    OpenApiRouter::new().routes(routes!(operations::show_metrics))
}

fn public_routes(config: &Config) -> OpenApiRouter<App> {
    let links = OpenApiRouter::new()
        .routes(routes!(downloads::download))
        .layer(links_cors());
    let scripts = OpenApiRouter::new()
        .routes(routes!(script::get_script))
        .routes(routes!(script::get_hashed_script))
        .routes(routes!(script::get_script_below))
        .routes(routes!(script::get_hashed_script_below))
        .layer(links_cors());
    OpenApiRouter::with_openapi(document::base())
        .routes(routes!(collect::collect))
        .routes(routes!(collect::post_cmcd, collect::get_cmcd))
        .routes(routes!(
            collect::post_cmcd_of_event,
            collect::get_cmcd_of_event
        ))
        .routes(routes!(collect::segment_batch))
        .routes(routes!(collect::segment_track))
        .merge(links)
        .merge(scripts)
        .merge(page_routes(config))
        .routes(routes!(blendvision::create_reports))
        .routes(routes!(blendvision::batch_get_reports))
        .routes(routes!(blendvision::get_watch_time))
        .routes(routes!(blendvision::get_viewers))
        .routes(routes!(youtube::list_report_types))
        .routes(routes!(youtube::create_job, youtube::list_jobs))
        .routes(routes!(youtube::get_job, youtube::delete_job))
        .routes(routes!(youtube::list_reports))
        .routes(routes!(youtube::get_report))
        .routes(routes!(youtube::download_media))
        .routes(routes!(api::list_events))
        .routes(routes!(api::get_event))
        .routes(routes!(api::get_figures))
        .routes(routes!(api::get_audience))
        .routes(routes!(api::get_breakdown))
        .routes(routes!(api::list_attendance))
        .routes(routes!(api::list_messages))
        .routes(routes!(api::get_polls))
        .routes(routes!(api::list_votes))
        .routes(routes!(api::get_retention))
        .routes(routes!(api::get_live))
        .routes(routes!(api::stream_live))
        .routes(routes!(pages::get_audience_picture))
        .routes(routes!(api::list_reports))
        .routes(routes!(api::get_report, api::delete_report))
        .routes(routes!(api::create_share, api::list_shares))
        .routes(routes!(api::revoke_share))
        .routes(routes!(api::get_status))
        .routes(routes!(operations::healthz))
        .routes(routes!(operations::readyz))
        .routes(routes!(operations::show_openapi))
        .routes(routes!(pages::get_dashboard_style))
        .routes(routes!(pages::get_dashboard_script))
}

/// The pages of people, which take the cookie of a session.
fn page_routes(config: &Config) -> OpenApiRouter<App> {
    OpenApiRouter::new()
        .routes(routes!(pages::show_sign_in, pages::begin_session))
        .routes(routes!(pages::open_sign_in_link))
        .routes(routes!(pages::sign_out))
        .routes(routes!(pages::show_invitation, pages::accept_invitation))
        .routes(routes!(pages::show_account))
        .routes(routes!(pages::change_password))
        .routes(routes!(pages::sign_out_everywhere))
        .routes(routes!(pages::show_shows))
        .routes(routes!(pages::show_event))
        .routes(routes!(pages::show_people))
        .routes(routes!(pages::show_chat))
        .routes(routes!(pages::show_polls))
        .routes(routes!(pages::show_retention))
        .routes(routes!(pages::show_live))
        .routes(routes!(pages::get_event_file))
        .routes(routes!(pages::show_organisation))
        .routes(routes!(pages::show_reports, pages::make_report))
        .routes(routes!(pages::show_report))
        .routes(routes!(pages::open_file))
        .routes(routes!(
            pages::confirm_delete_report,
            pages::delete_report_by_form
        ))
        .routes(routes!(pages::show_jobs, pages::make_job))
        .routes(routes!(pages::show_job))
        .routes(routes!(pages::show_restatement))
        .routes(routes!(
            pages::confirm_delete_job,
            pages::delete_job_by_form
        ))
        .routes(routes!(pages::show_install))
        .routes(routes!(pages::make_key))
        .routes(routes!(pages::show_status))
        .routes(routes!(pages::show_shares, pages::share_event))
        .routes(routes!(pages::revoke_share_by_form))
        .routes(routes!(pages::show_shared))
        .routes(routes!(pages::show_shared_page))
        .routes(routes!(pages::get_shared_file))
        .routes(routes!(pages::create_token))
        .routes(routes!(pages::revoke_token))
        .routes(routes!(pages::invite_person))
        .routes(routes!(pages::set_role))
        .routes(routes!(pages::remove_person))
        .routes(routes!(pages::end_sessions_of_person))
        .routes(routes!(pages::set_zone))
        .routes(routes!(pages::set_viewer_tokens))
        .layer(csrf::same_origin(config.base_url()))
}

/// Web pages of any origin may download the file of a link, and the script. That is safe, since
/// neither needs a cookie or other credentials that a browser adds by itself.
fn links_cors() -> CorsLayer {
    let exposed = [
        ACCEPT_RANGES,
        CONTENT_DISPOSITION,
        CONTENT_ENCODING,
        CONTENT_LENGTH,
        CONTENT_RANGE,
        ETAG,
        REQUEST_ID,
        RETRY_AFTER,
    ];
    CorsLayer::new()
        .allow_origin(Any)
        .allow_methods([Method::GET, Method::HEAD, Method::OPTIONS])
        // Clients that read ranges send headers of their own, all of which are harmless.
        .allow_headers(AllowHeaders::mirror_request())
        .expose_headers(exposed)
        // Only the response to a preflight depends on its headers, and caches do not store that.
        .vary([])
        .max_age(Duration::from_hours(2))
}

async fn no_route() -> ApiError {
    ApiError::of_status(axum::http::StatusCode::NOT_FOUND)
}

#[cfg(test)]
mod tests {
    use super::*;

    const PATHS: &[&str] = &[
        "/",
        "/account",
        "/account/password",
        "/account/sign-out-everywhere",
        "/api/v1/events",
        "/api/v1/events/{id}",
        "/api/v1/events/{id}/attendance",
        "/api/v1/events/{id}/audience",
        "/api/v1/events/{id}/audience.svg",
        "/api/v1/events/{id}/breakdown",
        "/api/v1/events/{id}/figures",
        "/api/v1/events/{id}/live",
        "/api/v1/events/{id}/live/stream",
        "/api/v1/events/{id}/messages",
        "/api/v1/events/{id}/polls",
        "/api/v1/events/{id}/polls/{poll_id}/votes",
        "/api/v1/events/{id}/retention",
        "/api/v1/events/{id}/shares",
        "/api/v1/events/{id}/shares/{share}",
        "/api/v1/reports",
        "/api/v1/reports/{id}",
        "/api/v1/status",
        pages::SCRIPT_PATH,
        pages::STYLE_PATH,
        "/bv/analytics/v1/events/reports",
        "/bv/analytics/v1/events/reports:batch-get",
        "/bv/analytics/v1/reports/watch-time",
        "/bv/cms/v1/lives/{id}/metrics/viewers",
        "/collect",
        "/collect/cmcd",
        "/collect/cmcd/{event_id}",
        script::HASHED_PATH_BELOW,
        "/collect/showreport.js",
        "/downloads/{report}/{expires}/{signature}/{file_name}",
        "/events/{id}",
        "/events/{id}/chat",
        "/events/{id}/csv/{rows}",
        "/events/{id}/live",
        "/events/{id}/people",
        "/events/{id}/polls",
        "/events/{id}/retention",
        "/events/{id}/shares",
        "/events/{id}/shares/{share}/revoke",
        "/healthz",
        "/install",
        "/install/key",
        "/invitations/{secret}",
        "/jobs",
        "/jobs/{id}",
        "/jobs/{id}/delete",
        "/jobs/{id}/reports/{report}",
        "/metrics",
        "/openapi.json",
        "/organisation",
        "/organisation/people",
        "/organisation/people/{id}/remove",
        "/organisation/people/{id}/role",
        "/organisation/people/{id}/sign-out",
        "/organisation/time-zone",
        "/organisation/tokens",
        "/organisation/tokens/{id}/revoke",
        "/organisation/viewer-tokens",
        "/readyz",
        "/reports",
        "/reports/{id}",
        "/reports/{id}/delete",
        "/reports/{id}/file",
        "/s/{secret}",
        "/s/{secret}/csv/{rows}",
        "/s/{secret}/{page}",
        script::HASHED_PATH,
        "/showreport.js",
        "/sign-in",
        "/sign-in/{secret}",
        "/sign-out",
        "/status",
        "/v1/batch",
        "/v1/jobs",
        "/v1/jobs/{jobId}",
        "/v1/jobs/{jobId}/reports",
        "/v1/jobs/{jobId}/reports/{reportId}",
        "/v1/media/{resourceName}",
        "/v1/reportTypes",
        "/v1/track",
    ];

    #[test]
    fn every_route_is_described() {
        let openapi = openapi();
        let paths: Vec<&str> = openapi.paths.paths.keys().map(String::as_str).collect();
        assert_eq!(paths, PATHS);
    }

    #[test]
    fn every_error_response_is_described_as_json() {
        let json = serde_json::to_value(openapi()).unwrap();
        let error = &json["paths"]["/collect"]["post"]["responses"]["413"];
        assert_eq!(
            error["content"]["application/json"]["schema"]["$ref"],
            "#/components/schemas/Status"
        );
        assert!(json["components"]["schemas"]["Status"].is_object());
        assert!(json["components"]["securitySchemes"]["token"].is_object());
    }
}
