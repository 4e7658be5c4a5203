//! `/sign-in` and `/sign-out`.

use std::net::{IpAddr, Ipv4Addr};

use askama::Template;
use axum::extract::State;
use axum::http::StatusCode;
use axum::http::header::{RETRY_AFTER, SET_COOKIE, WWW_AUTHENTICATE};
use axum::http::request::Parts;
use axum::response::{IntoResponse, Redirect, Response};
use serde::Deserialize;
use showreport_meta::{EmailAddress, Session, TokenSecret};
use showreport_model::OrgId;

use super::layout::{Layout, respond};
use crate::app::App;
use crate::auth::{Visitor, end_session, is_signed_in, removed_cookie, session_cookie};
use crate::error::{ApiError, Reason};
use crate::extract::{Form, Parameters, Segments};
use crate::network::client_network;
use crate::origin::address_of;
use crate::sign_ins::{Attempt, NoAttempt};

#[derive(Template)]
#[template(path = "sign_in.html")]
struct SignInPage<'p> {
    layout: Layout,
    /// Where the visitor goes after signing in.
    next: &'p str,
    email: &'p str,
    /// Why the last attempt was refused.
    problem: Option<&'p str>,
    /// Whether the last attempt was with a token.
    is_by_token: bool,
}

#[derive(Deserialize)]
pub(crate) struct SignInQuery {
    next: Option<String>,
}

/// It has no `Debug`, since it has secrets.
#[derive(Deserialize)]
pub(crate) struct SignInForm {
    token: Option<String>,
    email: Option<String>,
    password: Option<String>,
    org: Option<String>,
    next: Option<String>,
}

/// Get the page for signing in.
#[utoipa::path(
    get,
    path = "/sign-in",
    tag = "dashboard",
    params(("next" = Option<String>, Query, description = "the path of the page to open afterwards; other hosts are ignored")),
    responses((status = 200, description = "a page", content_type = "text/html", body = String)),
)]
pub(crate) async fn show_sign_in(
    Parameters(query): Parameters<SignInQuery>,
) -> Result<Response, ApiError> {
    page(StatusCode::OK, query.next.as_deref(), "", None)
}

/// Sign in.
#[utoipa::path(
    post,
    path = "/sign-in",
    tag = "dashboard",
    request_body(
        content = Object,
        content_type = "application/x-www-form-urlencoded",
        description = "`email` and `password`, and `org` if the address has the same password in \
                       several organisations; or `token`, an API token with the scope `report` or \
                       `admin`. `next` is the path of the page to open afterwards",
    ),
    responses(
        (status = 303, description = "signed in; the cookie `showreport_session` is set"),
        (status = 401, description = "the password is wrong, or the token is unknown, expired or revoked"),
        (status = 403, description = "the token only collects, or the form comes from another site"),
        (status = 429, description = "five wrong passwords within 15 minutes"),
        (status = 503, description = "too many passwords are being checked"),
    ),
)]
pub(crate) async fn begin_session(
    State(app): State<App>,
    head: Parts,
    Form(form): Form<SignInForm>,
) -> Result<Response, ApiError> {
    let next = form.next.as_deref();
    match signed_in(&app, &head, &form).await {
        Ok((session, secret)) => {
            // The session before is of no use any more; a copy of its cookie must not stay valid.
            end_session(&app, &head.headers).await?;
            Ok(welcome(&app, &session, &secret, local_path(next)))
        }
        Err(error) => refused(error, &form),
    }
}

async fn signed_in(
    app: &App,
    head: &Parts,
    form: &SignInForm,
) -> Result<(Session, TokenSecret), ApiError> {
    if let Some(token) = form.token.as_deref().filter(|token| !token.is_empty()) {
        return Ok(app.meta().sign_in_by_token(token.trim()).await?);
    }
    let email = form.email.as_deref().unwrap_or_default();
    let org = form.org.as_deref().map(str::trim);
    let org = org.filter(|org| !org.is_empty()).map(OrgId::new);
    let (Ok(email), Ok(org)) = (email.parse::<EmailAddress>(), org.transpose()) else {
        // No account has such a name.
        return Err(showreport_meta::Error::WrongPassword.into());
    };
    let attempt = begin_attempt(app, head, email.as_str()).await?;
    let password = form.password.as_deref().unwrap_or_default();
    let signed_in = app
        .meta()
        .sign_in_by_password(&email, org.as_ref(), password)
        .await?;
    app.sign_ins().succeeded(&attempt);
    Ok(signed_in)
}

/// Counts an attempt to sign in from the client of a request.
pub(super) async fn begin_attempt(
    app: &App,
    head: &Parts,
    name: &str,
) -> Result<Attempt, ApiError> {
    let client = address_of(head, app).map_or(IpAddr::V4(Ipv4Addr::UNSPECIFIED), client_network);
    let attempt = app.sign_ins().begin(client, name, app.now()).await;
    attempt.map_err(|refusal| match refusal {
        NoAttempt::Refused(error) => error,
        NoAttempt::Exceeded { wait_ms } => {
            let wait_seconds = wait_ms.div_euclid(1000) + 1;
            let message = "too many wrong passwords were tried from here";
            ApiError::new(Reason::SignInsExceeded, message)
                .with_header(RETRY_AFTER, wait_seconds.into())
        }
    })
}

/// Sets the cookie of a new session, and leads to a page.
pub(super) fn welcome(app: &App, session: &Session, secret: &TokenSecret, path: &str) -> Response {
    tracing::info!(org = %session.org, token.id = %session.id, role = %session.role, "signed in");
    let cookie = session_cookie(app, secret.expose());
    ([(SET_COOKIE, cookie)], Redirect::to(path)).into_response()
}

/// The page again, with what was wrong.
fn refused(error: ApiError, form: &SignInForm) -> Result<Response, ApiError> {
    let problem = match error.reason() {
        Reason::WrongPassword => {
            "This e-mail address and this password do not belong together. An admin of your \
             organisation can invite you again, to set a new password."
        }
        Reason::UnknownToken => "This token is unknown, expired or revoked.",
        Reason::ScopeMissing => {
            "This token only collects. Signing in needs one with the scope report or admin."
        }
        Reason::SignInsExceeded => {
            "There were five wrong passwords within 15 minutes. Wait until that time is over."
        }
        _ => return Err(error),
    };
    let email = form.email.as_deref().unwrap_or_default();
    let status = error.reason().status();
    let mut page = page(status, form.next.as_deref(), email, Some(problem))?;
    let error = error.into_response();
    for name in [WWW_AUTHENTICATE, RETRY_AFTER] {
        if let Some(value) = error.headers().get(&name) {
            page.headers_mut().insert(name, value.clone());
        }
    }
    Ok(page)
}

/// Sign in by a link that works once, such as that of the demo.
#[utoipa::path(
    get,
    path = "/sign-in/{secret}",
    tag = "dashboard",
    params(
        ("secret" = String, Path, description = "the secret of the link"),
        ("next" = Option<String>, Query, description = "the path of the page to open; other hosts are ignored"),
    ),
    responses(
        (status = 303, description = "signed in; the cookie `showreport_session` is set"),
        (status = 404, description = "the link was changed, used or has expired"),
    ),
)]
pub(crate) async fn open_sign_in_link(
    State(app): State<App>,
    head: Parts,
    Segments(secret): Segments<String>,
    Parameters(query): Parameters<SignInQuery>,
) -> Result<Response, ApiError> {
    let next = local_path(query.next.as_deref());
    match app.meta().sign_in_by_link(&secret).await {
        Ok((session, secret)) => {
            end_session(&app, &head.headers).await?;
            Ok(welcome(&app, &session, &secret, next))
        }
        // Opened again in the browser that it has signed in.
        Err(_) if is_signed_in(&app, &head.headers).await => Ok(Redirect::to(next).into_response()),
        Err(error) => Err(error.into()),
    }
}

/// Sign out: end the session of the cookie.
#[utoipa::path(
    post,
    path = "/sign-out",
    tag = "dashboard",
    responses(
        (status = 303, description = "signed out; the cookie is removed"),
        (status = 403, description = "the form comes from another site"),
    ),
    security(("session" = [])),
)]
pub(crate) async fn sign_out(
    State(app): State<App>,
    visitor: Visitor,
) -> Result<Response, ApiError> {
    app.meta().end_session(visitor.session).await?;
    tracing::info!("signed out");
    let removed = [(SET_COOKIE, removed_cookie(&app))];
    Ok((removed, Redirect::to("/sign-in")).into_response())
}

fn page(
    status: StatusCode,
    next: Option<&str>,
    email: &str,
    problem: Option<&str>,
) -> Result<Response, ApiError> {
    let page = SignInPage {
        layout: Layout::without_caller("Sign in"),
        next: local_path(next),
        email,
        problem,
        is_by_token: email.is_empty() && problem.is_some(),
    };
    respond(status, &page)
}

/// The path of a page of this server; `/` if it is absent or leads elsewhere.
///
/// Browsers take `//host` and `/\host` for other hosts, and skip control characters.
fn local_path(next: Option<&str>) -> &str {
    let next = next.unwrap_or("/");
    let is_local = next.starts_with('/')
        && !next.starts_with("//")
        && next
            .bytes()
            .all(|byte| byte.is_ascii_graphic() && byte != b'\\')
        && !next.starts_with("/sign-");
    if is_local { next } else { "/" }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_visitor_is_sent_to_pages_of_this_server_alone() {
        for local in [
            "/",
            "/events/keynote?from=2026-11-22",
            "/events/a%20b",
            "/a//b",
        ] {
            assert_eq!(local_path(Some(local)), local);
        }
        for elsewhere in [
            "",
            "//evil.example",
            "/\\evil.example",
            "\\\\evil.example",
            "/\t/evil.example",
            "/\n/evil.example",
            "https://evil.example",
            "javascript:alert(1)",
            "evil.example",
            " //evil.example",
            "/a b",
            "/é",
            "/sign-in?next=/",
            "/sign-out",
        ] {
            assert_eq!(local_path(Some(elsewhere)), "/", "{elsewhere:?}");
        }
        assert_eq!(local_path(None), "/");
    }
}
