//! `POST` and `GET /api/v1/events/{id}/shares`, `DELETE /api/v1/events/{id}/shares/{share}`.

use axum::Json;
use axum::body::Body;
use axum::extract::State;
use axum::http::StatusCode;
use serde::Serialize;
use serde_json::Value;
use showreport_meta::{Share, ShareRights};
use showreport_model::{ShareId, Timestamp};
use utoipa::ToSchema;

use super::event_id::event_id;
use crate::app::App;
use crate::auth::{Caller, Reader};
use crate::error::{ApiError, Reason};
use crate::extract::{Segments, Violations, read_json};

/// A new share link.
#[derive(Debug, Serialize, ToSchema)]
pub(crate) struct NewShareResponse {
    id: String,
    /// The link. It is not stored, and no other response has it.
    uri: String,
}

/// A share link as it is listed.
#[derive(Debug, Serialize, ToSchema)]
pub(crate) struct ShareResponse {
    id: String,
    /// `shown` or `hidden`: names, ids and texts of people.
    people: &'static str,
    /// Whether it shows the figures of now.
    live: bool,
    /// Whether files of reports can be downloaded.
    downloads: bool,
    created_at: String,
    /// `null`: it does not expire.
    expires_at: Option<String>,
}

/// The share links of an event.
#[derive(Debug, Serialize, ToSchema)]
pub(crate) struct SharesResponse {
    /// The oldest first.
    shares: Vec<ShareResponse>,
}

const BODY_BYTES_MAX: usize = 16 << 10;

/// Create a share link of an event.
///
/// Everyone with the link sees this event, and nothing else of the organisation.
#[utoipa::path(
    post,
    path = "/api/v1/events/{id}/shares",
    tag = "api",
    params(("id" = String, Path, description = "the event's id")),
    request_body(
        content = Object,
        content_type = "application/json",
        description = "`people`, `hidden` (default) or `shown`; `live` and `downloads`, false by default; \
                       `expires_at`, RFC 3339, absent for no end",
        example = json!({"people": "hidden", "live": true, "downloads": false, "expires_at": "2027-01-01T00:00:00Z"}),
    ),
    responses(
        (status = 200, description = "the link", body = NewShareResponse),
        (status = 400, description = "every wrong field is named"),
        (status = 401, description = "no token, or one that is unknown"),
        (status = 403, description = "the token may not share"),
        (status = 404, description = "no such event"),
        (status = 409, description = "the event has as many share links as it may have"),
        (status = 413, description = "more than 16 KiB"),
    ),
    security(("token" = [])),
)]
pub(crate) async fn create_share(
    State(app): State<App>,
    caller: Caller,
    Segments(id): Segments<String>,
    body: Body,
) -> Result<Json<NewShareResponse>, ApiError> {
    let event = event_id(&id)?;
    let (reader, body) = caller.read_body(&app, body, BODY_BYTES_MAX).await?;
    let (rights, expires_at) = read_share(&body, app.now())?;
    let created = app
        .meta()
        .create_share(&reader.org, &event, rights, expires_at);
    let (share, secret) = created.await?;
    tracing::info!(share.id = %share.id, "created a share link");
    Ok(Json(NewShareResponse {
        id: share.id.to_string(),
        uri: share_uri(&app, secret.expose()),
    }))
}

/// List the share links of an event.
#[utoipa::path(
    get,
    path = "/api/v1/events/{id}/shares",
    tag = "api",
    params(("id" = String, Path, description = "the event's id")),
    responses(
        (status = 200, description = "the links, without their secrets", body = SharesResponse),
        (status = 401, description = "no token, or one that is unknown"),
        (status = 403, description = "the token may not read"),
        (status = 404, description = "no such event"),
    ),
    security(("token" = [])),
)]
pub(crate) async fn list_shares(
    State(app): State<App>,
    reader: Reader,
    Segments(id): Segments<String>,
) -> Result<Json<SharesResponse>, ApiError> {
    let event = event_id(&id)?;
    app.meta().event(&reader.org, &event).await?;
    let shares = app.meta().shares(&reader.org, Some(&event)).await?;
    let shares = shares.into_iter().map(ShareResponse::from).collect();
    Ok(Json(SharesResponse { shares }))
}

/// Revoke a share link, at once and for good.
#[utoipa::path(
    delete,
    path = "/api/v1/events/{id}/shares/{share}",
    tag = "api",
    params(
        ("id" = String, Path, description = "the event's id"),
        ("share" = String, Path, description = "the share link's id"),
    ),
    responses(
        (status = 204, description = "the link opens nothing any more"),
        (status = 401, description = "no token, or one that is unknown"),
        (status = 403, description = "the token may not share"),
        (status = 404, description = "no such event or share link"),
    ),
    security(("token" = [])),
)]
pub(crate) async fn revoke_share(
    State(app): State<App>,
    reader: Reader,
    Segments((event, share)): Segments<(String, String)>,
) -> Result<StatusCode, ApiError> {
    let event = event_id(&event)?;
    app.meta().event(&reader.org, &event).await?;
    let share = share_id(&share)?;
    app.meta()
        .revoke_share(&reader.org, Some(&event), share)
        .await?;
    tracing::info!(share.id = %share, "revoked a share link");
    Ok(StatusCode::NO_CONTENT)
}

/// The id of a share link. A text that is none is treated as an unknown one.
pub(crate) fn share_id(text: &str) -> Result<ShareId, ApiError> {
    text.parse()
        .map_err(|_| ApiError::new(Reason::NotFound, "there is no such share link"))
}

/// The link with a secret.
pub(crate) fn share_uri(app: &App, secret: &str) -> String {
    format!("{}/s/{secret}", app.config().base_url())
}

fn read_share(body: &[u8], now: Timestamp) -> Result<(ShareRights, Option<Timestamp>), ApiError> {
    let value = read_json(body, "an object such as {\"people\": \"hidden\"}")?;
    let mut violations = Violations::default();
    let Value::Object(fields) = &value else {
        return Err(ApiError::violation("body", "must be an object"));
    };
    for name in fields.keys() {
        if !["people", "live", "downloads", "expires_at"].contains(&name.as_str()) {
            let problem = "is no field of a share link: people, live, downloads, expires_at";
            violations.add(name, problem);
        }
    }
    let mut flag = |name: &str| match fields.get(name) {
        None | Some(Value::Null) => false,
        Some(Value::Bool(flag)) => *flag,
        Some(_) => {
            violations.add(name, "must be true or false");
            false
        }
    };
    let (live, downloads) = (flag("live"), flag("downloads"));
    let people = match fields.get("people") {
        None | Some(Value::Null) => false,
        Some(Value::String(text)) if text == "hidden" => false,
        Some(Value::String(text)) if text == "shown" => true,
        Some(_) => {
            violations.add("people", "must be hidden or shown");
            false
        }
    };
    let given = fields.get("expires_at").filter(|given| !given.is_null());
    let expires_at = given.and_then(|given| {
        let at = given.as_str().and_then(|text| text.parse().ok());
        let at = at.filter(|at: &Timestamp| *at > now);
        if at.is_none() {
            let problem = "must be a time in the future such as 2027-01-01T00:00:00Z";
            violations.add("expires_at", problem);
        }
        at
    });
    let rights = ShareRights {
        people,
        live,
        downloads,
    };
    violations.into_result(Some((rights, expires_at)))
}

impl From<Share> for ShareResponse {
    fn from(share: Share) -> Self {
        Self {
            id: share.id.to_string(),
            people: if share.rights.people {
                "shown"
            } else {
                "hidden"
            },
            live: share.rights.live,
            downloads: share.rights.downloads,
            created_at: share.created_at.to_string(),
            expires_at: share.expires_at.map(|at| at.to_string()),
        }
    }
}
