//! `/organisation`: what admins of an organisation see and change.

use askama::Template;
use axum::extract::State;
use axum::http::StatusCode;
use axum::response::Response;
use showreport_meta::{Role, SessionOwner};

use super::layout::{Identity, Layout, Section, respond};
use crate::app::App;
use crate::auth::Visitor;
use crate::error::ApiError;

#[derive(Template)]
#[template(path = "organisation.html")]
struct OrganisationPage {
    layout: Layout,
    session: String,
    tokens: Vec<TokenRow>,
}

struct TokenRow {
    id: String,
    scopes: String,
    created_at: String,
    ends: String,
}

/// Get the page of the organisation: its tokens. For admins.
#[utoipa::path(
    get,
    path = "/organisation",
    tag = "dashboard",
    responses(
        (status = 200, description = "a page", content_type = "text/html", body = String),
        (status = 303, description = "not signed in: to the page for signing in"),
        (status = 403, description = "the role is not admin"),
    ),
    security(("session" = [])),
)]
pub(crate) async fn show_organisation(
    State(app): State<App>,
    visitor: Visitor,
) -> Result<Response, ApiError> {
    visitor.require(Role::Admin)?;
    let now = app.now();
    let tokens = app.meta().tokens(Some(&visitor.org)).await?;
    let valid = tokens
        .into_iter()
        .filter(|token| token.revoked_at.is_none() && token.expires_at.is_none_or(|end| now < end));
    let rows = valid.map(|token| TokenRow {
        id: token.id.to_string(),
        scopes: token.scopes.to_string(),
        created_at: token.created_at.to_string(),
        ends: token
            .expires_at
            .map_or_else(|| "never".to_owned(), |at| at.to_string()),
    });
    let identity = Identity::from(&visitor);
    let SessionOwner::Token(token) = visitor.owner;
    let page = OrganisationPage {
        layout: Layout::new("Organisation", Section::Organisation, identity),
        session: token.to_string(),
        tokens: rows.collect(),
    };
    respond(StatusCode::OK, &page)
}
