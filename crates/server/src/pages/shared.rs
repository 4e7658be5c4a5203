//! `/s/{secret}`: the pages that a share link opens.

use axum::extract::State;
use axum::http::header::REFERRER_POLICY;
use axum::http::{HeaderName, HeaderValue};
use axum::response::{IntoResponse, Response};
use serde::Deserialize;

use super::events::{self, EventAccess, EventQuery, FileQuery};
use crate::app::App;
use crate::auth::ShareVisitor;
use crate::error::{ApiError, Reason};
use crate::extract::{Parameters, Segments};

/// The address is a secret: no other host learns it, and no search engine lists it.
const PRIVATE: [(HeaderName, HeaderValue); 2] = [
    (REFERRER_POLICY, HeaderValue::from_static("no-referrer")),
    (
        HeaderName::from_static("x-robots-tag"),
        HeaderValue::from_static("noindex"),
    ),
];

#[derive(Deserialize)]
pub(crate) struct SharedQuery {
    wall: Option<String>,
    #[serde(flatten)]
    event: EventQuery,
}

/// Get the page of a share link: figures, audience curve, systems and regions of one event.
#[utoipa::path(
    get,
    path = "/s/{secret}",
    tag = "dashboard",
    params(
        ("secret" = String, Path, description = "the secret of the link"),
        ("from" = Option<String>, Query, description = "as of `/events/{id}`"),
        ("to" = Option<String>, Query, description = "as of `/events/{id}`"),
    ),
    responses(
        (status = 200, description = "a page", content_type = "text/html", body = String),
        (status = 403, description = "the link has expired"),
        (status = 404, description = "the link was changed or revoked"),
    ),
)]
pub(crate) async fn show_shared(
    State(app): State<App>,
    share: ShareVisitor,
    Segments(secret): Segments<String>,
    Parameters(query): Parameters<EventQuery>,
) -> Result<Response, ApiError> {
    let access = EventAccess::of_share(share, &secret);
    Ok(private(events::overview(app, access, query).await?))
}

/// Get another page of the event of a share link.
#[utoipa::path(
    get,
    path = "/s/{secret}/{page}",
    tag = "dashboard",
    params(
        ("secret" = String, Path, description = "the secret of the link"),
        ("page" = String, Path, description = "`polls` or `retention`; `people` and `chat` if the link shows people; `live` if it shows live figures"),
    ),
    responses(
        (status = 200, description = "a page", content_type = "text/html", body = String),
        (status = 400, description = "every wrong parameter is named"),
        (status = 403, description = "the link has expired"),
        (status = 404, description = "the link was changed or revoked, or it does not show this"),
    ),
)]
pub(crate) async fn show_shared_page(
    State(app): State<App>,
    share: ShareVisitor,
    Segments((secret, page)): Segments<(String, String)>,
    Parameters(query): Parameters<SharedQuery>,
) -> Result<Response, ApiError> {
    let access = EventAccess::of_share(share, &secret);
    let SharedQuery { wall, event } = query;
    let response = match page.as_str() {
        "people" if access.shows_people() => events::people(app, access, event).await,
        "chat" if access.shows_people() => events::chat(app, access, event).await,
        "polls" => events::polls(app, access, event).await,
        "retention" => events::retention(app, access, event).await,
        "live" if access.shows_live() => events::live(app, access, wall.is_some()).await,
        _ => Err(ApiError::new(
            Reason::NotFound,
            "this link does not show such a page",
        )),
    };
    Ok(private(response?))
}

/// Get all rows of a table of a page of a share link as a CSV file, if the link allows downloads.
#[utoipa::path(
    get,
    path = "/s/{secret}/csv/{rows}",
    tag = "dashboard",
    params(
        ("secret" = String, Path, description = "the secret of the link"),
        ("rows" = String, Path, description = "as of `/events/{id}/csv/{rows}`"),
    ),
    responses(
        (status = 200, description = "the file", content_type = "text/csv", body = String),
        (status = 400, description = "every wrong parameter is named"),
        (status = 403, description = "the link has expired"),
        (status = 404, description = "the link was changed or revoked, or it does not show this"),
    ),
)]
pub(crate) async fn get_shared_file(
    State(app): State<App>,
    share: ShareVisitor,
    Segments((secret, rows)): Segments<(String, String)>,
    Parameters(query): Parameters<FileQuery>,
) -> Result<Response, ApiError> {
    let access = EventAccess::of_share(share, &secret);
    Ok(private(events::file(app, access, &rows, query).await?))
}

fn private(page: Response) -> Response {
    (PRIVATE, page).into_response()
}
