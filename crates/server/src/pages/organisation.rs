//! `/organisation`: what admins of an organisation see and change.

mod people;
mod settings;
mod tokens;

use askama::Template;
use axum::extract::State;
use axum::http::StatusCode;
use axum::response::{IntoResponse, Redirect, Response};
use showreport_meta::{Person, Role, SessionOwner, Token, ViewerTokens};
use showreport_model::Zone;

use super::layout::{Identity, Layout, Section, respond};
use super::shares::{ShareRow, share_row};
use crate::app::App;
use crate::auth::Visitor;
use crate::error::ApiError;
use crate::notices::Notice;
use crate::texts::date_minute;

pub(crate) use people::{
    __path_end_sessions_of_person, __path_invite_person, __path_remove_person, __path_set_role,
    end_sessions_of_person, invite_person, remove_person, set_role,
};
pub(crate) use settings::{__path_set_viewer_tokens, __path_set_zone, set_viewer_tokens, set_zone};
pub(crate) use tokens::{__path_create_token, __path_revoke_token, create_token, revoke_token};

#[derive(Template)]
#[template(path = "organisation.html")]
struct OrganisationPage {
    layout: Layout,
    notice: Option<Notice>,
    tokens: Vec<TokenRow>,
    people: Vec<PersonRow>,
    shares: Vec<ShareRow>,
    roles: [Role; 3],
    zone: String,
    requires_viewer_tokens: bool,
}

struct TokenRow {
    id: String,
    scopes: String,
    created_at: String,
    ends: String,
    /// Whether the visitor's session acts for it.
    is_own: bool,
}

struct PersonRow {
    id: String,
    email: String,
    role: Role,
    state: String,
    is_own: bool,
}

/// Get the page of the organisation: its tokens, people and settings. For admins.
#[utoipa::path(
    get,
    path = "/organisation",
    tag = "dashboard",
    responses(
        (status = 200, description = "a page; a new token or link is on it once", content_type = "text/html", body = String),
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
    let (meta, now) = (app.meta(), app.now());
    let tokens = meta.tokens(Some(&visitor.org)).await?;
    let people = meta.people(Some(&visitor.org)).await?;
    let org = meta.org(&visitor.org).await?;
    let shares = meta.shares(&visitor.org, None).await?;
    let shares = shares
        .iter()
        .filter(|it| it.expires_at.is_none_or(|end| now < end));
    let valid = tokens
        .into_iter()
        .filter(|it| it.revoked_at.is_none() && it.expires_at.is_none_or(|end| now < end));
    let page = OrganisationPage {
        layout: Layout::new(
            "Organisation",
            Section::Organisation,
            Identity::from(&visitor),
        ),
        notice: app.notices().take(visitor.session, now),
        tokens: valid
            .map(|token| token_row(&token, &visitor, &org.zone))
            .collect(),
        people: people
            .into_iter()
            .map(|person| person_row(&person, &visitor, &org.zone))
            .collect(),
        shares: shares.map(|share| share_row(share, &org.zone)).collect(),
        roles: Role::ALL,
        zone: org.zone.name().to_owned(),
        requires_viewer_tokens: org.viewer_tokens == ViewerTokens::Required,
    };
    respond(StatusCode::OK, &page)
}

fn token_row(token: &Token, visitor: &Visitor, zone: &Zone) -> TokenRow {
    TokenRow {
        id: token.id.to_string(),
        scopes: token.scopes.to_string(),
        created_at: date_minute(token.created_at, zone),
        ends: token
            .expires_at
            .map_or_else(|| "never".to_owned(), |at| date_minute(at, zone)),
        is_own: visitor.owner == SessionOwner::Token(token.id),
    }
}

fn person_row(person: &Person, visitor: &Visitor, zone: &Zone) -> PersonRow {
    PersonRow {
        id: person.id.to_string(),
        email: person.email.to_string(),
        role: person.role,
        state: match (person.has_password, person.invited_until) {
            (true, None) => "active".to_owned(),
            (true, Some(until)) => {
                format!("active, and invited until {}", date_minute(until, zone))
            }
            (false, Some(until)) => format!("invited until {}", date_minute(until, zone)),
            (false, None) => "invitation expired; invite again".to_owned(),
        },
        is_own: visitor.owner == SessionOwner::Person(person.id),
    }
}

/// Leads back to the page after a change.
fn changed() -> Response {
    Redirect::to("/organisation").into_response()
}
