//! Authentication: extractors that check the token of a request, its scope and its rate.
//!
//! A handler gets its organisation from a [`Collector`], [`Reader`], [`QueryReader`], [`Caller`] or
//! [`Visitor`]. So it works only for a valid token or session, and only with the data of its
//! organisation.
//!
//! **Invariant:** a session opens reads of the API, and pages. Pages that write refuse requests of
//! other origins (`router::csrf`); no other write takes a cookie.

mod credentials;
mod cookie;
mod share;
mod visitor;

use std::hash::Hash;

use axum::body::Body;
use axum::extract::{FromRequestParts, Query};
use axum::http::header::{AUTHORIZATION, ORIGIN, RETRY_AFTER};
use axum::http::request::Parts;
use axum::http::{HeaderMap, Method};
use serde::Deserialize;
use showreport_meta::{Access, Scope, Session};
use showreport_model::{OrgId, TokenId};
use showreport_origins::Origin;
use tracing::Span;
use tracing::field::display;

use crate::app::App;
use crate::error::{ApiError, Reason};
use crate::extract::{BufferedBody, Parameters, UnknownParameters, read_body};
use crate::origin::origin_of;
use crate::permits::Permit;
use crate::rates::RateLimits;
pub(crate) use cookie::{removed_cookie, session_cookie};
use credentials::{basic_password, basic_user, bearer, no_token, session_secret};
pub(crate) use share::ShareVisitor;
pub(crate) use visitor::Visitor;

/// A client with the scope `collect`. It has no `Debug`, since a viewer token is a secret.
pub(crate) struct Collector {
    pub(crate) org: OrgId,
    /// Looked up again when the records are stored: it may be revoked before.
    pub(crate) token: TokenId,
    /// Whether the token has no other scope, so that it may be in a page.
    pub(crate) is_only_collect: bool,
    /// The viewer token in `?viewer=`, not verified.
    pub(crate) viewer_token: Option<String>,
    /// Whether the request comes from the player itself.
    pub(crate) is_player: bool,
    /// Where the player is then.
    pub(crate) origin: Origin,
}

impl Collector {
    /// A client that sends its token as Segment's write key: as the user name of
    /// `Authorization: Basic`, or as a bearer token.
    pub(crate) async fn by_write_key(parts: &Parts, app: &App) -> Result<Self, ApiError> {
        match basic_user(&parts.headers) {
            Some(secret) => Self::by_secret(&secret, parts, app).await,
            None => Self::by_secret(bearer(&parts.headers)?, parts, app).await,
        }
    }

    /// A client with the secret of a token.
    pub(crate) async fn by_secret(
        secret: &str,
        parts: &Parts,
        app: &App,
    ) -> Result<Self, ApiError> {
        Self::admit(authenticate(app, secret).await?, parts, app)
    }

    fn admit(access: Access, parts: &Parts, app: &App) -> Result<Self, ApiError> {
        check_org(&parts.headers, &access)?;
        check_scope(&access, Scope::Collect)?;
        check_records(app, &access)?;
        let Parameters(ViewerQuery { viewer }) = Parameters::read(&parts.uri)?;
        let is_player = is_of_player(&access, parts);
        let origin = is_player.then(|| origin_of(parts, app));
        Ok(Self {
            is_only_collect: access.scopes.is_only_collect(),
            org: access.org,
            token: access.token,
            viewer_token: viewer,
            is_player,
            origin: origin.unwrap_or_default(),
        })
    }

    /// Counts decoded records, accepted or rejected, against the rates of organisation and token.
    pub(crate) fn charge(&self, app: &App, records: usize) {
        let now = app.now();
        app.records_of_org().charge(&self.org, records, now);
        app.records_of_token().charge(&self.token, records, now);
    }
}

/// A client that may read, and a permit for a request that queries no facts.
#[derive(Debug)]
pub(crate) struct Reader {
    pub(crate) org: OrgId,
    _permit: Permit<OrgId>,
}

/// A client that may read, and a permit for a query of facts. The limit is separate, so
/// that other requests do not wait for queries.
#[derive(Debug)]
pub(crate) struct QueryReader {
    pub(crate) org: OrgId,
    _permit: Permit<OrgId>,
}

/// A client that may read, or with the scope `report` if it writes, and without a permit: for
/// requests with a body, which is buffered before, so that a slow client holds no permit; and for
/// downloads, which have their own.
#[derive(Debug)]
pub(crate) struct Caller {
    pub(crate) org: OrgId,
}

impl Caller {
    /// Whether the credentials of a request that is still open are valid. It counts against no
    /// rate.
    pub(crate) async fn may_still_read(&self, parts: &Parts, app: &App) -> bool {
        let access = caller_of(parts, app).await;
        access.is_ok_and(|access| access.org == self.org && access.scopes.allows(Scope::Report))
    }

    /// Buffers the body, of at most `bytes_max` bytes, and then acquires a permit.
    pub(crate) async fn read_body(
        self,
        app: &App,
        body: Body,
        bytes_max: usize,
    ) -> Result<(Reader, BufferedBody), ApiError> {
        let body = read_body(app, &self.org, body, bytes_max).await?;
        Ok((self.acquire(app).await?, body))
    }

    async fn acquire(self, app: &App) -> Result<Reader, ApiError> {
        Ok(Reader {
            _permit: app.report_requests().acquire(&self.org).await?,
            org: self.org,
        })
    }
}

impl FromRequestParts<App> for Collector {
    type Rejection = ApiError;

    async fn from_request_parts(parts: &mut Parts, app: &App) -> Result<Self, ApiError> {
        let access = if parts.headers.contains_key(AUTHORIZATION) {
            authenticate(app, bearer(&parts.headers)?).await?
        } else {
            by_key(parts, app).await?
        };
        Self::admit(access, parts, app)
    }
}

/// Whether the token of a request that was refused is one that was revoked.
pub(crate) async fn is_revoked(app: &App, parts: &Parts) -> Result<bool, ApiError> {
    let key;
    let secret = if parts.headers.contains_key(AUTHORIZATION) {
        bearer(&parts.headers)?
    } else {
        key = key_of(parts)?;
        &key
    };
    Ok(app.meta().is_revoked_collector(secret).await?)
}

impl FromRequestParts<App> for Caller {
    type Rejection = ApiError;

    async fn from_request_parts(parts: &mut Parts, app: &App) -> Result<Self, ApiError> {
        let access = caller_of(parts, app).await?;
        check_org(&parts.headers, &access)?;
        check_scope(&access, Scope::Report)?;
        UnknownParameters::refuse(parts)?;
        within(app.limits(), app, &access.org)?;
        Ok(Self { org: access.org })
    }
}

impl FromRequestParts<App> for Reader {
    type Rejection = ApiError;

    async fn from_request_parts(parts: &mut Parts, app: &App) -> Result<Self, ApiError> {
        let caller = Caller::from_request_parts(parts, app).await?;
        caller.acquire(app).await
    }
}

impl FromRequestParts<App> for QueryReader {
    type Rejection = ApiError;

    async fn from_request_parts(parts: &mut Parts, app: &App) -> Result<Self, ApiError> {
        let Caller { org } = Caller::from_request_parts(parts, app).await?;
        Ok(Self {
            _permit: app.queries().acquire(&org).await?,
            org,
        })
    }
}

/// The rights of a request to an API. Reads take a token as the password of `Authorization: Basic`
/// too, which is all that spreadsheets can send, and the session of a page.
async fn caller_of(parts: &Parts, app: &App) -> Result<Access, ApiError> {
    let headers = &parts.headers;
    if !is_read(&parts.method) {
        return authenticate(app, bearer(headers)?).await;
    }
    if let Some(secret) = basic_password(headers) {
        return authenticate(app, &secret).await;
    }
    if headers.contains_key(AUTHORIZATION) {
        return authenticate(app, bearer(headers)?).await;
    }
    let secret = session_secret(headers).ok_or_else(no_token)?;
    let session = authenticate_session(app, secret).await?;
    Ok(Access {
        token: session.id,
        org: session.org,
        scopes: session.role.scope().into(),
    })
}

fn is_read(method: &Method) -> bool {
    matches!(*method, Method::GET | Method::HEAD)
}

/// A valid session. Lines of the log about the request have its id, as that of a token.
async fn authenticate_session(app: &App, secret: &str) -> Result<Session, ApiError> {
    let session = app.meta().session(secret).await?;
    let request = Span::current();
    request.record("org", display(&session.org));
    request.record("token.id", display(&session.id));
    Ok(session)
}

/// Whether a request has a valid session.
pub(crate) async fn is_signed_in(app: &App, headers: &HeaderMap) -> bool {
    match session_secret(headers) {
        Some(secret) => app.meta().session(secret).await.is_ok(),
        None => false,
    }
}

/// Ends the session of a request, if it has one.
pub(crate) async fn end_session(app: &App, headers: &HeaderMap) -> Result<(), ApiError> {
    let Some(secret) = session_secret(headers) else {
        return Ok(());
    };
    match app.meta().session(secret).await.map_err(ApiError::from) {
        Ok(session) => Ok(app.meta().end_session(session.id).await?),
        Err(error) if error.reason() == Reason::SessionEnded => Ok(()),
        Err(error) => Err(error),
    }
}

/// The organisation and scopes of a token. Lines of the log about the request have the ids of both
/// from here on.
async fn authenticate(app: &App, secret: &str) -> Result<Access, ApiError> {
    let access = app.meta().authenticate(secret).await?;
    let request = Span::current();
    request.record("org", display(&access.org));
    request.record("token.id", display(&access.token));
    Ok(access)
}

#[derive(Deserialize)]
struct KeyQuery {
    key: Option<String>,
}

#[derive(Deserialize)]
struct ViewerQuery {
    viewer: Option<String>,
}

/// Authenticates by `?key=`, since beacons cannot set headers. Addresses end up in logs and
/// histories, so only tokens that can do nothing but collect are accepted there.
async fn by_key(parts: &Parts, app: &App) -> Result<Access, ApiError> {
    let access = authenticate(app, &key_of(parts)?).await?;
    if access.scopes.is_only_collect() {
        Ok(access)
    } else {
        Err(ApiError::new(
            Reason::KeyTooPowerful,
            "`?key=` takes only a token with the single scope `collect`; send this one as \
             `Authorization: Bearer <token>`",
        ))
    }
}

/// The token in `?key=`.
fn key_of(parts: &Parts) -> Result<String, ApiError> {
    let query = Query::<KeyQuery>::try_from_uri(&parts.uri).map_err(|_| no_token())?;
    query.0.key.ok_or_else(no_token)
}

/// Whether the player itself sends a request. Back ends send for others: they set no `Origin`, and
/// need not put the token into the address.
fn is_of_player(access: &Access, parts: &Parts) -> bool {
    let mut parameters = parts.uri.query().unwrap_or_default().split('&');
    access.scopes.is_only_collect()
        && (parts.headers.contains_key(ORIGIN) || parameters.any(|it| it.starts_with("key=")))
}

/// Refuses a request if its `x-bv-org-id`, which `BlendVision`'s clients send, is not the token's
/// organisation.
fn check_org(headers: &HeaderMap, access: &Access) -> Result<(), ApiError> {
    let foreign = headers
        .get_all("x-bv-org-id")
        .iter()
        .any(|value| !value.is_empty() && value.as_bytes() != access.org.as_str().as_bytes());
    if foreign {
        return Err(ApiError::new(
            Reason::ForeignOrganization,
            "`x-bv-org-id` names another organisation than the token's; send the token's or none",
        ));
    }
    Ok(())
}

/// Counts a request against the organisation's rate, or refuses it.
pub(crate) fn within(limits: &RateLimits<OrgId>, app: &App, org: &OrgId) -> Result<(), ApiError> {
    let taken = limits.take(org, app.now());
    taken.map_err(|wait_ms| too_many("the organisation made", "requests", limits, wait_ms))
}

/// Refuses a request while the records of earlier ones exceed a rate.
fn check_records(app: &App, access: &Access) -> Result<(), ApiError> {
    let now = app.now();
    let limits = app.records_of_org();
    let of_org = limits.check(&access.org, now);
    of_org.map_err(|wait_ms| too_many("the organisation sent", "records", limits, wait_ms))?;
    let limits = app.records_of_token();
    let of_token = limits.check(&access.token, now);
    of_token.map_err(|wait_ms| too_many("the token brought", "records", limits, wait_ms))
}

fn too_many<K: Clone + Eq + Hash>(
    subject: &str,
    what: &str,
    limits: &RateLimits<K>,
    wait_ms: i64,
) -> ApiError {
    let limit = limits.per_minute();
    let wait_seconds = wait_ms.div_euclid(1000) + 1;
    ApiError::new(
        Reason::RateLimitExceeded,
        format!("{subject} more than {limit} {what} a minute; go on in {wait_seconds} s"),
    )
    .with_header(RETRY_AFTER, wait_seconds.into())
    .with_metadata("quota_limit", limits.name())
    .with_metadata("quota_limit_value", limit.to_string())
}

fn check_scope(access: &Access, scope: Scope) -> Result<(), ApiError> {
    if access.scopes.allows(scope) {
        return Ok(());
    }
    Err(ApiError::new(
        Reason::ScopeMissing,
        format!(
            "this needs the scope `{}`; the token has `{}`",
            scope.name(),
            access.scopes
        ),
    )
    .with_metadata("scope", scope.name()))
}
