//! `/account`: what a visitor sees and changes of the own account.

use askama::Template;
use axum::extract::State;
use axum::http::StatusCode;
use axum::http::header::SET_COOKIE;
use axum::http::request::Parts;
use axum::response::{IntoResponse, Redirect, Response};
use serde::Deserialize;
use showreport_meta::{NewPassword, PASSWORD_CHARACTERS_MIN, SessionOwner};

use super::layout::{Identity, Layout, Section, respond};
use super::sign_in::begin_attempt;
use crate::app::App;
use crate::auth::{Visitor, removed_cookie};
use crate::error::{ApiError, Reason};
use crate::extract::{Form, Parameters};

#[derive(Template)]
#[template(path = "account.html")]
struct AccountPage {
    layout: Layout,
    org: String,
    role: &'static str,
    /// `None` for a session by an API token.
    email: Option<String>,
    token: Option<String>,
    characters_min: usize,
    problem: Option<String>,
    is_changed: bool,
}

#[derive(Deserialize)]
pub(crate) struct AccountQuery {
    changed: Option<String>,
}

/// It has no `Debug`, since it has passwords.
#[derive(Deserialize)]
pub(crate) struct PasswordForm {
    present: String,
    password: String,
    again: String,
}

/// Get the page of the own account.
#[utoipa::path(
    get,
    path = "/account",
    tag = "dashboard",
    params(("changed" = Option<String>, Query, description = "says that the password was changed")),
    responses(
        (status = 200, description = "a page", content_type = "text/html", body = String),
        (status = 303, description = "not signed in: to the page for signing in"),
    ),
    security(("session" = [])),
)]
pub(crate) async fn show_account(
    State(app): State<App>,
    visitor: Visitor,
    Parameters(query): Parameters<AccountQuery>,
) -> Result<Response, ApiError> {
    let mut page = page(&app, &visitor).await?;
    page.is_changed = query.changed.is_some();
    respond(StatusCode::OK, &page)
}

/// Change the own password. All other sessions of the person end.
#[utoipa::path(
    post,
    path = "/account/password",
    tag = "dashboard",
    request_body(
        content = Object,
        content_type = "application/x-www-form-urlencoded",
        description = "`present`, the present password; `password`, the new one, and `again`, the same",
    ),
    responses(
        (status = 303, description = "changed"),
        (status = 400, description = "the new password is too short or easily guessed, or the two differ"),
        (status = 403, description = "the present password is wrong, or the form comes from another site"),
        (status = 404, description = "a session by an API token has no password"),
        (status = 429, description = "five wrong passwords within 15 minutes"),
    ),
    security(("session" = [])),
)]
pub(crate) async fn change_password(
    State(app): State<App>,
    visitor: Visitor,
    head: Parts,
    Form(form): Form<PasswordForm>,
) -> Result<Response, ApiError> {
    let SessionOwner::Person(id) = visitor.owner else {
        return Err(showreport_meta::Error::UnknownPerson.into());
    };
    let person = app.meta().person(&visitor.org, id).await?;
    let refused = async |status, problem: String| {
        let mut page = page(&app, &visitor).await?;
        page.problem = Some(problem);
        respond(status, &page)
    };
    let new = match NewPassword::new(&form.password, &form.again, &person.email) {
        Ok(new) => new,
        Err(problem) => return refused(StatusCode::BAD_REQUEST, problem.to_string()).await,
    };
    let attempt = begin_attempt(&app, &head, person.email.as_str()).await?;
    let session = visitor.session();
    let changed = app.meta().change_password(&session, &form.present, new);
    match changed.await.map_err(ApiError::from) {
        Err(error) if error.reason() == Reason::WrongPassword => {
            let problem = "the present password is another one".to_owned();
            return refused(StatusCode::FORBIDDEN, problem).await;
        }
        changed => changed?,
    }
    app.sign_ins().succeeded(&attempt);
    tracing::info!(person.id = %id, "changed a password");
    Ok(Redirect::to("/account?changed=yes").into_response())
}

/// End all sessions of the person or the token, this one too.
#[utoipa::path(
    post,
    path = "/account/sign-out-everywhere",
    tag = "dashboard",
    responses((status = 303, description = "signed out; the cookie is removed")),
    security(("session" = [])),
)]
pub(crate) async fn sign_out_everywhere(
    State(app): State<App>,
    visitor: Visitor,
) -> Result<Response, ApiError> {
    app.meta().end_sessions_of(visitor.owner).await?;
    tracing::info!("signed out everywhere");
    let removed = [(SET_COOKIE, removed_cookie(&app))];
    Ok((removed, Redirect::to("/sign-in")).into_response())
}

async fn page(app: &App, visitor: &Visitor) -> Result<AccountPage, ApiError> {
    let (email, token) = match visitor.owner {
        SessionOwner::Token(token) => (None, Some(token.to_string())),
        SessionOwner::Person(id) => {
            let person = app.meta().person(&visitor.org, id).await?;
            (Some(person.email.to_string()), None)
        }
    };
    Ok(AccountPage {
        layout: Layout::new("Your account", Section::Account, Identity::from(visitor)),
        org: visitor.org.to_string(),
        role: visitor.role.name(),
        email,
        token,
        characters_min: PASSWORD_CHARACTERS_MIN,
        problem: None,
        is_changed: false,
    })
}
