//! `/invitations/{secret}`: where an invited person sets a password.

use askama::Template;
use axum::extract::State;
use axum::http::StatusCode;
use axum::http::request::Parts;
use axum::response::Response;
use serde::Deserialize;
use showreport_meta::{NewPassword, PASSWORD_CHARACTERS_MIN, Person};

use super::layout::{Layout, respond};
use super::sign_in::{begin_attempt, welcome};
use crate::app::App;
use crate::auth::end_session;
use crate::error::ApiError;
use crate::extract::{Form, Segments};

#[derive(Template)]
#[template(path = "invitation.html")]
struct InvitationPage<'p> {
    layout: Layout,
    secret: &'p str,
    org: String,
    email: String,
    role: &'static str,
    characters_min: usize,
    problem: Option<String>,
}

/// It has no `Debug`, since it has passwords.
#[derive(Deserialize)]
pub(crate) struct NewPasswordForm {
    password: String,
    again: String,
}

/// Get the page of an invitation.
#[utoipa::path(
    get,
    path = "/invitations/{secret}",
    tag = "dashboard",
    params(("secret" = String, Path, description = "the secret of the invitation")),
    responses(
        (status = 200, description = "a page", content_type = "text/html", body = String),
        (status = 403, description = "the invitation has expired"),
        (status = 404, description = "the invitation was changed, accepted or replaced"),
    ),
)]
pub(crate) async fn show_invitation(
    State(app): State<App>,
    Segments(secret): Segments<String>,
) -> Result<Response, ApiError> {
    let person = app.meta().invited_person(&secret).await?;
    page(StatusCode::OK, &secret, &person, None)
}

/// Accept an invitation: set the password and sign in.
#[utoipa::path(
    post,
    path = "/invitations/{secret}",
    tag = "dashboard",
    params(("secret" = String, Path, description = "the secret of the invitation")),
    request_body(
        content = Object,
        content_type = "application/x-www-form-urlencoded",
        description = "`password`, 12 to 256 characters, and `again`, the same",
    ),
    responses(
        (status = 303, description = "the password is set; the cookie `showreport_session` is set"),
        (status = 400, description = "the password is too short or easily guessed, or the two differ"),
        (status = 403, description = "the invitation has expired, or the form comes from another site"),
        (status = 404, description = "the invitation was changed, accepted or replaced"),
    ),
)]
pub(crate) async fn accept_invitation(
    State(app): State<App>,
    head: Parts,
    Segments(secret): Segments<String>,
    Form(form): Form<NewPasswordForm>,
) -> Result<Response, ApiError> {
    let person = app.meta().invited_person(&secret).await?;
    let password = match NewPassword::new(&form.password, &form.again, &person.email) {
        Ok(password) => password,
        Err(problem) => {
            let problem = Some(problem.to_string());
            return page(StatusCode::BAD_REQUEST, &secret, &person, problem);
        }
    };
    // Hashing a password takes as much as checking one.
    let attempt = begin_attempt(&app, &head, &secret).await?;
    let (session, session_secret) = app.meta().accept_invitation(&secret, password).await?;
    app.sign_ins().succeeded(&attempt);
    end_session(&app, &head.headers).await?;
    tracing::info!(org = %person.org, person.id = %person.id, "accepted an invitation");
    Ok(welcome(&app, &session, &session_secret, "/"))
}

fn page(
    status: StatusCode,
    secret: &str,
    person: &Person,
    problem: Option<String>,
) -> Result<Response, ApiError> {
    let page = InvitationPage {
        layout: Layout::without_caller("Set your password"),
        secret,
        org: person.org.to_string(),
        email: person.email.to_string(),
        role: person.role.name(),
        characters_min: PASSWORD_CHARACTERS_MIN,
        problem,
    };
    respond(status, &page)
}
