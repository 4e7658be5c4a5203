//! `/events/{id}/shares`: the share links of an event.

use askama::Template;
use axum::extract::State;
use axum::http::StatusCode;
use axum::response::{IntoResponse, Redirect, Response};
use serde::Deserialize;
use showreport_meta::{Role, Share, ShareRights};
use showreport_model::{EventId, Zone};

use super::address::encoded;
use super::expiry::expires_at;
use super::layout::{Identity, Layout, Section, respond};
use crate::api::{event_id, share_id, share_uri};
use crate::app::App;
use crate::auth::Visitor;
use crate::error::ApiError;
use crate::extract::{Form, Segments};
use crate::notices::Notice;
use crate::texts::date_minute;

#[derive(Template)]
#[template(path = "shares.html")]
struct SharesPage {
    layout: Layout,
    notice: Option<Notice>,
    /// The path of the event's page.
    event_path: String,
    event: String,
    shares: Vec<ShareRow>,
    /// That of the times.
    zone: String,
    may_change: bool,
}

/// A share link in a list.
pub(super) struct ShareRow {
    pub(super) id: String,
    pub(super) event: String,
    pub(super) shows: String,
    pub(super) created_at: String,
    pub(super) ends: String,
    /// The path of the form that revokes it.
    pub(super) revoke_path: String,
}

#[derive(Debug, Deserialize)]
pub(crate) struct ShareForm {
    people: Option<String>,
    live: Option<String>,
    downloads: Option<String>,
    /// Empty: it does not expire.
    expires_days: Option<String>,
}

/// Get the page of an event's share links.
#[utoipa::path(
    get,
    path = "/events/{id}/shares",
    tag = "dashboard",
    params(("id" = String, Path, description = "the event's id")),
    responses(
        (status = 200, description = "a page; a new link is on it once", content_type = "text/html", body = String),
        (status = 303, description = "not signed in: to the page for signing in"),
        (status = 404, description = "no such event"),
    ),
    security(("session" = [])),
)]
pub(crate) async fn show_shares(
    State(app): State<App>,
    visitor: Visitor,
    Segments(id): Segments<String>,
) -> Result<Response, ApiError> {
    let event = event_id(&id)?;
    let found = app.meta().event(&visitor.org, &event).await?;
    let shares = app.meta().shares(&visitor.org, Some(&event)).await?;
    let (now, zone) = (app.now(), app.meta().zone(&visitor.org).await?);
    let valid = shares
        .iter()
        .filter(|share| share.expires_at.is_none_or(|end| now < end));
    let page = SharesPage {
        layout: Layout::new("Share links", Section::Shows, Identity::from(&visitor)),
        notice: app.notices().take(visitor.session, now),
        event_path: event_path(&event),
        event: found.title.unwrap_or(id),
        shares: valid.map(|share| share_row(share, &zone)).collect(),
        zone: zone.name().to_owned(),
        may_change: visitor.role >= Role::Analyst,
    };
    respond(StatusCode::OK, &page)
}

/// Create a share link. The next page shows it once. For analysts and admins.
#[utoipa::path(
    post,
    path = "/events/{id}/shares",
    tag = "dashboard",
    params(("id" = String, Path, description = "the event's id")),
    request_body(
        content = Object,
        content_type = "application/x-www-form-urlencoded",
        description = "`people`, `live` and `downloads`, each there or not; `expires_days`, empty for no end",
    ),
    responses(
        (status = 303, description = "created"),
        (status = 400, description = "the number of days is wrong"),
        (status = 403, description = "the role is reader, or the form comes from another site"),
        (status = 404, description = "no such event"),
        (status = 409, description = "the event has as many share links as it may have"),
    ),
    security(("session" = [])),
)]
pub(crate) async fn share_event(
    State(app): State<App>,
    visitor: Visitor,
    Segments(id): Segments<String>,
    Form(form): Form<ShareForm>,
) -> Result<Response, ApiError> {
    visitor.require(Role::Analyst)?;
    let event = event_id(&id)?;
    let now = app.now();
    let expires_at = expires_at(form.expires_days.as_deref(), now)?;
    let created = app
        .meta()
        .create_share(&visitor.org, &event, form.rights(), expires_at);
    let (share, secret) = created.await?;
    tracing::info!(share.id = %share.id, "created a share link");
    let notice = Notice {
        title: "New share link".to_owned(),
        secret: share_uri(&app, secret.expose()),
        advice: "Everyone with this link sees the event. It is not stored, and this page shows it once.",
    };
    app.notices().put(visitor.session, notice, now);
    Ok(Redirect::to(&format!("{}/shares", event_path(&event))).into_response())
}

/// Revoke a share link. For analysts and admins.
#[utoipa::path(
    post,
    path = "/events/{id}/shares/{share}/revoke",
    tag = "dashboard",
    params(
        ("id" = String, Path, description = "the event's id"),
        ("share" = String, Path, description = "the share link's id"),
    ),
    responses(
        (status = 303, description = "revoked"),
        (status = 403, description = "the role is reader, or the form comes from another site"),
        (status = 404, description = "no such share link"),
    ),
    security(("session" = [])),
)]
pub(crate) async fn revoke_share_by_form(
    State(app): State<App>,
    visitor: Visitor,
    Segments((id, share)): Segments<(String, String)>,
) -> Result<Response, ApiError> {
    visitor.require(Role::Analyst)?;
    let (event, share) = (event_id(&id)?, share_id(&share)?);
    app.meta()
        .revoke_share(&visitor.org, Some(&event), share)
        .await?;
    tracing::info!(share.id = %share, "revoked a share link");
    Ok(Redirect::to(&format!("{}/shares", event_path(&event))).into_response())
}

pub(super) fn share_row(share: &Share, zone: &Zone) -> ShareRow {
    let rights = share.rights;
    let mut shows = vec!["figures"];
    for (is_shown, what) in [
        (rights.people, "people"),
        (rights.live, "live"),
        (rights.downloads, "downloads"),
    ] {
        if is_shown {
            shows.push(what);
        }
    }
    ShareRow {
        id: share.id.to_string(),
        event: share.event.to_string(),
        shows: shows.join(", "),
        created_at: date_minute(share.created_at, zone),
        ends: share
            .expires_at
            .map_or_else(|| "never".to_owned(), |at| date_minute(at, zone)),
        revoke_path: format!("{}/shares/{}/revoke", event_path(&share.event), share.id),
    }
}

fn event_path(event: &EventId) -> String {
    format!("/events/{}", encoded(event.as_str()))
}

impl ShareForm {
    fn rights(&self) -> ShareRights {
        ShareRights {
            people: self.people.is_some(),
            live: self.live.is_some(),
            downloads: self.downloads.is_some(),
        }
    }
}
