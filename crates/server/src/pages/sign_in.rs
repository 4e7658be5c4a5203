//! `/sign-in` and `/sign-out`.

use askama::Template;
use axum::extract::State;
use axum::http::header::{SET_COOKIE, WWW_AUTHENTICATE};
use axum::http::{HeaderMap, StatusCode};
use axum::response::{IntoResponse, Redirect, Response};
use serde::Deserialize;

use super::layout::{Layout, respond};
use crate::app::App;
use crate::auth::{Visitor, end_session, removed_cookie, session_cookie};
use crate::error::{ApiError, CHALLENGE, Reason};
use crate::extract::{Form, Parameters};

#[derive(Template)]
#[template(path = "sign_in.html")]
struct SignInPage<'p> {
    layout: Layout,
    /// Where the visitor goes after signing in.
    next: &'p str,
    /// Why the last attempt was refused.
    problem: Option<&'p str>,
}

#[derive(Deserialize)]
pub(crate) struct SignInQuery {
    next: Option<String>,
}

/// It has no `Debug`, since it has a secret.
#[derive(Deserialize)]
pub(crate) struct SignInForm {
    token: String,
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
    page(StatusCode::OK, query.next.as_deref(), None)
}

/// Sign in.
#[utoipa::path(
    post,
    path = "/sign-in",
    tag = "dashboard",
    request_body(
        content = Object,
        content_type = "application/x-www-form-urlencoded",
        description = "`token`, an API token with the scope `report` or `admin`; `next`, the path of the page to open afterwards",
    ),
    responses(
        (status = 303, description = "signed in; the cookie `showreport_session` is set"),
        (status = 401, description = "the token is unknown, expired or revoked"),
        (status = 403, description = "the token only collects, or the form comes from another site"),
    ),
)]
pub(crate) async fn begin_session(
    State(app): State<App>,
    headers: HeaderMap,
    Form(form): Form<SignInForm>,
) -> Result<Response, ApiError> {
    let next = form.next.as_deref();
    let signed_in = app.meta().sign_in_by_token(form.token.trim()).await;
    let (session, secret) = match signed_in.map_err(ApiError::from) {
        Ok(signed_in) => signed_in,
        Err(error) => {
            let problem = match error.reason() {
                Reason::UnknownToken => "This token is unknown, expired or revoked.",
                Reason::ScopeMissing => {
                    "This token only collects. Signing in needs one with the scope report or admin."
                }
                _ => return Err(error),
            };
            return page(error.reason().status(), next, Some(problem));
        }
    };
    // The session before is of no use any more; a copy of its cookie must not stay valid.
    end_session(&app, &headers).await?;
    tracing::info!(org = %session.org, token.id = %session.id, role = %session.role, "signed in");
    let cookie = session_cookie(&app, secret.expose());
    Ok(([(SET_COOKIE, cookie)], Redirect::to(local_path(next))).into_response())
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
    problem: Option<&str>,
) -> Result<Response, ApiError> {
    let next = local_path(next);
    let mut response = respond(
        status,
        &SignInPage {
            layout: Layout::without_caller("Sign in"),
            next,
            problem,
        },
    )?;
    if status == StatusCode::UNAUTHORIZED {
        response.headers_mut().insert(WWW_AUTHENTICATE, CHALLENGE);
    }
    Ok(response)
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
