//! Creating and revoking API tokens.

use axum::extract::State;
use axum::response::Response;
use serde::Deserialize;
use showreport_meta::{Role, Scopes};
use showreport_model::TokenId;

use super::changed;
use crate::app::App;
use crate::auth::Visitor;
use crate::error::{ApiError, Reason};
use crate::extract::{Form, Segments};
use crate::notices::Notice;
use crate::pages::expiry::expires_at;

#[derive(Debug, Deserialize)]
pub(crate) struct NewTokenForm {
    collect: Option<String>,
    report: Option<String>,
    admin: Option<String>,
    viewer: Option<String>,
    /// Empty: it does not expire.
    expires_days: Option<String>,
}

/// Create an API token. The next page shows it once. For admins.
#[utoipa::path(
    post,
    path = "/organisation/tokens",
    tag = "dashboard",
    request_body(
        content = Object,
        content_type = "application/x-www-form-urlencoded",
        description = "a field for each scope: `collect`, `report`, `admin`, `viewer` (alone); \
                       `expires_days`, empty for no end",
    ),
    responses(
        (status = 303, description = "created"),
        (status = 400, description = "every wrong field is named"),
        (status = 403, description = "the role is not admin, or the form comes from another site"),
        (status = 409, description = "there are as many tokens with the scope viewer as there may be"),
    ),
    security(("session" = [])),
)]
pub(crate) async fn create_token(
    State(app): State<App>,
    visitor: Visitor,
    Form(form): Form<NewTokenForm>,
) -> Result<Response, ApiError> {
    visitor.require(Role::Admin)?;
    let scopes = form.scopes()?;
    let now = app.now();
    let expires_at = expires_at(form.expires_days.as_deref(), now)?;
    let created = app
        .meta()
        .create_token(&visitor.org, scopes.clone(), expires_at);
    let (id, secret) = created.await?;
    tracing::info!(created.token.id = %id, %scopes, "created a token");
    let notice = Notice {
        title: format!("New token with the scopes {scopes}"),
        secret: secret.expose().to_owned(),
        advice: "Copy it now: it is not stored, and this page shows it once.",
    };
    app.notices().put(visitor.session, notice, now);
    Ok(changed())
}

/// Revoke an API token, at once and for good. For admins.
#[utoipa::path(
    post,
    path = "/organisation/tokens/{id}/revoke",
    tag = "dashboard",
    params(("id" = String, Path, description = "the token's id")),
    responses(
        (status = 303, description = "revoked"),
        (status = 403, description = "the role is not admin, or the form comes from another site"),
        (status = 404, description = "no such token"),
    ),
    security(("session" = [])),
)]
pub(crate) async fn revoke_token(
    State(app): State<App>,
    visitor: Visitor,
    Segments(id): Segments<String>,
) -> Result<Response, ApiError> {
    visitor.require(Role::Admin)?;
    let unknown = |_| ApiError::new(Reason::NotFound, "the organisation has no such token");
    let id: TokenId = id.parse().map_err(unknown)?;
    app.meta().revoke_token_of(&visitor.org, id).await?;
    tracing::info!(revoked.token.id = %id, "revoked a token");
    Ok(changed())
}

impl NewTokenForm {
    fn scopes(&self) -> Result<Scopes, ApiError> {
        let fields = [
            (&self.collect, "collect"),
            (&self.report, "report"),
            (&self.admin, "admin"),
            (&self.viewer, "viewer"),
        ];
        let chosen = fields.iter().filter(|(field, _)| field.is_some());
        let names: Vec<_> = chosen.map(|(_, name)| *name).collect();
        if names.is_empty() {
            return Err(ApiError::violation(
                "scope",
                "is missing; choose one or more",
            ));
        }
        let scopes = Scopes::parse(&names.join(","));
        scopes.map_err(|problem| ApiError::violation("scope", problem.to_string()))
    }
}
