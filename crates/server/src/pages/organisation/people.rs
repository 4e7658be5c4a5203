//! Inviting, changing and removing people.

use axum::extract::State;
use axum::response::Response;
use serde::Deserialize;
use showreport_meta::{EmailAddress, Role, SessionOwner};
use showreport_model::PersonId;

use super::changed;
use crate::app::App;
use crate::auth::Visitor;
use crate::error::{ApiError, Reason};
use crate::extract::{Form, Segments};
use crate::notices::Notice;

/// It has no `Debug`, since an address must not be logged.
#[derive(Deserialize)]
pub(crate) struct InvitationForm {
    email: String,
    role: String,
}

#[derive(Debug, Deserialize)]
pub(crate) struct RoleForm {
    role: String,
}

/// Invite a person, or again. The next page shows the link once. For admins.
#[utoipa::path(
    post,
    path = "/organisation/people",
    tag = "dashboard",
    request_body(
        content = Object,
        content_type = "application/x-www-form-urlencoded",
        description = "`email` and `role`: reader, analyst or admin",
    ),
    responses(
        (status = 303, description = "invited"),
        (status = 400, description = "the address or the role is wrong"),
        (status = 403, description = "the role is not admin, or the form comes from another site"),
        (status = 409, description = "there are as many people as there may be"),
    ),
    security(("session" = [])),
)]
pub(crate) async fn invite_person(
    State(app): State<App>,
    visitor: Visitor,
    Form(form): Form<InvitationForm>,
) -> Result<Response, ApiError> {
    visitor.require(Role::Admin)?;
    let role = role(&form.role)?;
    let email: EmailAddress =
        form.email
            .parse()
            .map_err(|problem: showreport_meta::EmailError| {
                ApiError::violation("email", problem.to_string())
            })?;
    let invited = app.meta().invite_person(&visitor.org, &email, role);
    let (id, secret) = invited.await?;
    tracing::info!(person.id = %id, %role, "invited a person");
    let link = format!(
        "{}/invitations/{}",
        app.config().base_url(),
        secret.expose()
    );
    let notice = Notice {
        title: format!("Invitation of {email}"),
        secret: link,
        advice: "Send this link yourself: no mail is sent. It is good once, for 24 hours, and this \
                 page shows it once.",
    };
    app.notices().put(visitor.session, notice, app.now());
    Ok(changed())
}

/// Give a person another role. For admins.
#[utoipa::path(
    post,
    path = "/organisation/people/{id}/role",
    tag = "dashboard",
    params(("id" = String, Path, description = "the person's id")),
    request_body(
        content = Object,
        content_type = "application/x-www-form-urlencoded",
        description = "`role`: reader, analyst or admin",
    ),
    responses(
        (status = 303, description = "changed"),
        (status = 400, description = "no such role"),
        (status = 403, description = "the role is not admin, or the form comes from another site"),
        (status = 404, description = "no such person"),
        (status = 409, description = "the person is the visitor"),
    ),
    security(("session" = [])),
)]
pub(crate) async fn set_role(
    State(app): State<App>,
    visitor: Visitor,
    Segments(id): Segments<String>,
    Form(form): Form<RoleForm>,
) -> Result<Response, ApiError> {
    let id = other_person(&visitor, &id)?;
    let role = role(&form.role)?;
    app.meta().set_role(&visitor.org, id, role).await?;
    tracing::info!(person.id = %id, %role, "changed a role");
    Ok(changed())
}

/// Remove a person, with all sessions. For admins.
#[utoipa::path(
    post,
    path = "/organisation/people/{id}/remove",
    tag = "dashboard",
    params(("id" = String, Path, description = "the person's id")),
    responses(
        (status = 303, description = "removed"),
        (status = 403, description = "the role is not admin, or the form comes from another site"),
        (status = 404, description = "no such person"),
        (status = 409, description = "the person is the visitor"),
    ),
    security(("session" = [])),
)]
pub(crate) async fn remove_person(
    State(app): State<App>,
    visitor: Visitor,
    Segments(id): Segments<String>,
) -> Result<Response, ApiError> {
    let id = other_person(&visitor, &id)?;
    app.meta().remove_person(&visitor.org, id).await?;
    tracing::info!(person.id = %id, "removed a person");
    Ok(changed())
}

/// End all sessions of a person. For admins.
#[utoipa::path(
    post,
    path = "/organisation/people/{id}/sign-out",
    tag = "dashboard",
    params(("id" = String, Path, description = "the person's id")),
    responses(
        (status = 303, description = "ended"),
        (status = 403, description = "the role is not admin, or the form comes from another site"),
        (status = 404, description = "no such person"),
    ),
    security(("session" = [])),
)]
pub(crate) async fn end_sessions_of_person(
    State(app): State<App>,
    visitor: Visitor,
    Segments(id): Segments<String>,
) -> Result<Response, ApiError> {
    visitor.require(Role::Admin)?;
    let id = person_id(&id)?;
    app.meta().person(&visitor.org, id).await?;
    app.meta().end_sessions_of(SessionOwner::Person(id)).await?;
    tracing::info!(person.id = %id, "ended the sessions of a person");
    Ok(changed())
}

fn role(text: &str) -> Result<Role, ApiError> {
    text.parse().map_err(|problem: showreport_meta::RoleError| {
        ApiError::violation("role", problem.to_string())
    })
}

fn person_id(text: &str) -> Result<PersonId, ApiError> {
    text.parse()
        .map_err(|_| showreport_meta::Error::UnknownPerson.into())
}

/// A person that an admin changes. It is another one than the admin: otherwise the organisation
/// could be left without an admin by mistake.
fn other_person(visitor: &Visitor, id: &str) -> Result<PersonId, ApiError> {
    visitor.require(Role::Admin)?;
    let id = person_id(id)?;
    if visitor.owner == SessionOwner::Person(id) {
        let message = "this is you: another admin can change your role or remove you";
        return Err(ApiError::new(Reason::Conflict, message));
    }
    Ok(id)
}
