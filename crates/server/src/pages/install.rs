//! `/install`: the lines that a player needs, a light that turns green with its first record, and
//! the newest rejected records.

mod snippets;
mod light;

use askama::Template;
use axum::extract::State;
use axum::http::StatusCode;
use axum::response::{IntoResponse, Redirect, Response};
use serde::Deserialize;
use showreport_meta::{Role, Scope};
use showreport_model::{EventId, OrgId, TokenId, Zone};

use self::light::Light;
use self::snippets::{Own, Snippet};
use super::address::encoded;
use super::layout::{Identity, Layout, Section, respond};
use crate::app::App;
use crate::auth::Visitor;
use crate::error::{ApiError, Reason};
use crate::extract::{Form, Parameters};
use crate::rejected::{REJECTED_MAX, RejectedRecord};
use crate::texts::date_time;

#[derive(Template)]
#[template(path = "install.html")]
struct InstallPage {
    layout: Layout,
    zone: String,
    is_admin: bool,
    org: String,
    event_id: String,
    event_problem: Option<String>,
    key: String,
    key_problem: Option<&'static str>,
    /// The id of the token that the key belongs to.
    token: Option<String>,
    /// The keys of the organisation, for admins.
    keys: Vec<KeyChoice>,
    script: Snippet,
    elements: Vec<Snippet>,
    cmcd: Vec<Snippet>,
    light: Light,
    started_at: String,
    rejected: Vec<RejectedRow>,
    rejected_max: usize,
}

/// A key that was made before. Its text is not kept.
struct KeyChoice {
    id: String,
    text: String,
    is_chosen: bool,
}

struct RejectedRow {
    at: String,
    token: String,
    index: usize,
    reason: &'static str,
    message: String,
    field: Option<String>,
}

/// What is chosen on the page.
#[derive(Debug, Default, Deserialize)]
pub(crate) struct InstallQuery {
    event_id: Option<String>,
    key: Option<String>,
    token: Option<String>,
}

/// Get the page for installing a player.
#[utoipa::path(
    get,
    path = "/install",
    tag = "dashboard",
    params(
        ("event_id" = Option<String>, Query, description = "the event of the lines and of the light"),
        ("key" = Option<String>, Query, description = "a token whose one scope is `collect`"),
        ("token" = Option<String>, Query, description = "the id of such a token, if its text is not at hand"),
    ),
    responses(
        (status = 200, description = "a page", content_type = "text/html", body = String),
        (status = 303, description = "not signed in: to the page for signing in"),
    ),
    security(("session" = [])),
)]
pub(crate) async fn show_install(
    State(app): State<App>,
    visitor: Visitor,
    Parameters(query): Parameters<InstallQuery>,
) -> Result<Response, ApiError> {
    let org = &visitor.org;
    let _permit = app.report_requests().acquire(org).await?;
    let zone = app.meta().zone(org).await?;
    let text = |text: Option<String>| text.unwrap_or_default().trim().to_owned();
    let (event_id, key) = (text(query.event_id), text(query.key));
    let (event, event_problem) = match EventId::new(event_id.as_str()) {
        Ok(event) => (Some(event), None),
        Err(_) if event_id.is_empty() => (None, None),
        Err(error) => (None, Some(error.to_string())),
    };
    let (of_key, key_problem) = match collect_key(&app, org, &key).await? {
        Ok(token) => (token, None),
        Err(problem) => (None, Some(problem)),
    };
    let is_admin = visitor.role >= Role::Admin;
    let chosen: Option<TokenId> = query.token.and_then(|id| id.parse().ok());
    let token = of_key.or(chosen.filter(|_| is_admin));
    let rejected = app.rejected().newest(org);
    let light = Light::of(
        &app.arrivals().newest(org),
        &rejected,
        token,
        event.as_ref(),
        &zone,
    );
    let own = Own {
        base_url: app.config().base_url(),
        key: of_key.map(|_| key.as_str()),
        event: event.as_ref().map(EventId::as_str),
    };
    let mut layout = Layout::new("Install", Section::Install, Identity::from(&visitor));
    let watches = token.is_some() || event.is_some();
    layout.refresh_seconds = (watches && !light.is_green()).then_some(REFRESH_SECONDS);
    let page = InstallPage {
        layout,
        zone: zone.name().to_owned(),
        is_admin,
        org: org.to_string(),
        script: own.script(),
        elements: own.elements(),
        cmcd: own.cmcd(),
        event_problem,
        key_problem,
        token: token.map(|token| token.to_string()),
        keys: if is_admin {
            keys(&app, org, token, &zone).await?
        } else {
            Vec::new()
        },
        light,
        started_at: date_time(app.started_at(), &zone),
        rejected: rejected
            .into_iter()
            .map(|it| RejectedRow::new(it, &zone))
            .collect(),
        rejected_max: REJECTED_MAX,
        event_id,
        key,
    };
    respond(StatusCode::OK, &page)
}

/// How often a browser without scripts looks whether the first record has come.
const REFRESH_SECONDS: u32 = 5;

#[derive(Deserialize)]
pub(crate) struct KeyFields {
    event_id: Option<String>,
}

/// Make a collect key.
#[utoipa::path(
    post,
    path = "/install/key",
    tag = "dashboard",
    request_body(
        content = Object,
        content_type = "application/x-www-form-urlencoded",
        description = "`event_id`: the event of the page that follows",
    ),
    responses(
        (status = 303, description = "to the page with the new key; everybody may see such a key"),
        (status = 403, description = "the role may not make keys, or the form comes from another site"),
    ),
    security(("session" = [])),
)]
pub(crate) async fn make_key(
    State(app): State<App>,
    visitor: Visitor,
    Form(fields): Form<KeyFields>,
) -> Result<Response, ApiError> {
    visitor.require(Role::Admin)?;
    let _permit = app.report_requests().acquire(&visitor.org).await?;
    let made = app
        .meta()
        .create_token(&visitor.org, Scope::Collect.into(), None);
    let (id, secret) = made.await?;
    tracing::info!(token.id = %id, "created a token");
    let event = fields.event_id.unwrap_or_default();
    // The key is in the address, as in every page that has the line. It can only collect.
    let address = format!(
        "/install?event_id={}&key={}",
        encoded(event.trim()),
        secret.expose()
    );
    Ok(Redirect::to(&address).into_response())
}

/// The token of a key; nothing if the field is empty. The inner error says what is wrong with it.
async fn collect_key(
    app: &App,
    org: &OrgId,
    key: &str,
) -> Result<Result<Option<TokenId>, &'static str>, ApiError> {
    if key.is_empty() {
        return Ok(Ok(None));
    }
    let unknown = "This is no valid key of the organisation. A key begins with sr_, and may have been revoked.";
    let access = match app.meta().authenticate(key).await.map_err(ApiError::from) {
        Ok(access) if access.org == *org => access,
        Ok(_) => return Ok(Err(unknown)),
        Err(error) if error.reason() == Reason::UnknownToken => return Ok(Err(unknown)),
        Err(error) => return Err(error),
    };
    if !access.scopes.is_only_collect() {
        return Ok(Err(
            "This key has more scopes than collect, so it must not be in a page. Take one that can only collect.",
        ));
    }
    Ok(Ok(Some(access.token)))
}

/// The valid keys of an organisation, the newest first.
async fn keys(
    app: &App,
    org: &OrgId,
    chosen: Option<TokenId>,
    zone: &Zone,
) -> Result<Vec<KeyChoice>, ApiError> {
    let now = app.now();
    let mut tokens = app.meta().tokens(Some(org)).await?;
    tokens.retain(|token| {
        let is_valid = token.revoked_at.is_none() && token.expires_at.is_none_or(|at| at > now);
        token.scopes.is_only_collect() && is_valid
    });
    let choice = |token: showreport_meta::Token| KeyChoice {
        id: token.id.to_string(),
        text: format!("{}, made {}", token.id, date_time(token.created_at, zone)),
        is_chosen: chosen == Some(token.id),
    };
    Ok(tokens.into_iter().rev().map(choice).collect())
}

impl RejectedRow {
    fn new(record: RejectedRecord, zone: &Zone) -> Self {
        Self {
            at: date_time(record.at, zone),
            token: record.token.to_string(),
            index: record.index,
            reason: record.reason.as_str(),
            message: record.message,
            field: record.field,
        }
    }
}
