//! [`Visitor`]: the extractor of pages.

use axum::extract::FromRequestParts;
use axum::http::request::Parts;
use axum::http::uri::PathAndQuery;
use axum::response::{IntoResponse, Redirect, Response};
use percent_encoding::{NON_ALPHANUMERIC, utf8_percent_encode};
use showreport_meta::{Role, Session, SessionOwner};
use showreport_model::{OrgId, TokenId};

use super::credentials::session_secret;
use super::{authenticate_session, is_read, within};
use crate::app::App;
use crate::error::{ApiError, Reason};

/// A caller of a page, signed in.
///
/// Without a valid session the response is 303 to the page for signing in. Requests that write and
/// come from another origin are refused before (`router::csrf`).
#[derive(Debug, Clone)]
pub(crate) struct Visitor {
    pub(crate) org: OrgId,
    pub(crate) role: Role,
    pub(crate) session: TokenId,
    pub(crate) owner: SessionOwner,
}

impl Visitor {
    /// The session as the database has it.
    pub(crate) fn session(&self) -> Session {
        Session {
            id: self.session,
            org: self.org.clone(),
            role: self.role,
            owner: self.owner,
        }
    }

    /// Refuses visitors with a lesser role.
    pub(crate) fn require(&self, role: Role) -> Result<(), ApiError> {
        if self.role >= role {
            return Ok(());
        }
        Err(ApiError::new(
            Reason::RoleMissing,
            format!(
                "this is for the role {role}; yours is {}, which an admin of the organisation can \
                 change",
                self.role
            ),
        )
        .with_metadata("role", role.name()))
    }
}

/// Why a request has no visitor.
#[derive(Debug)]
pub(crate) enum NoVisitor {
    /// The address of the page for signing in, which leads back afterwards.
    SignIn(String),
    Refused(ApiError),
}

impl FromRequestParts<App> for Visitor {
    type Rejection = NoVisitor;

    async fn from_request_parts(parts: &mut Parts, app: &App) -> Result<Self, NoVisitor> {
        let Some(secret) = session_secret(&parts.headers) else {
            return Err(sign_in(parts));
        };
        let session = match authenticate_session(app, secret).await {
            Err(error) if error.reason() == Reason::SessionEnded => return Err(sign_in(parts)),
            found => found?,
        };
        within(app.limits(), app, &session.org)?;
        Ok(Self {
            org: session.org,
            role: session.role,
            session: session.id,
            owner: session.owner,
        })
    }
}

/// The page for signing in. A request that writes is not repeated afterwards.
fn sign_in(parts: &Parts) -> NoVisitor {
    let page = parts.uri.path_and_query().map(PathAndQuery::as_str);
    NoVisitor::SignIn(match page {
        Some(page) if is_read(&parts.method) && page != "/" => {
            let page = utf8_percent_encode(page, NON_ALPHANUMERIC);
            format!("/sign-in?next={page}")
        }
        _ => "/sign-in".to_owned(),
    })
}

impl From<ApiError> for NoVisitor {
    fn from(error: ApiError) -> Self {
        Self::Refused(error)
    }
}

impl IntoResponse for NoVisitor {
    fn into_response(self) -> Response {
        match self {
            Self::SignIn(address) => Redirect::to(&address).into_response(),
            Self::Refused(error) => error.into_response(),
        }
    }
}
