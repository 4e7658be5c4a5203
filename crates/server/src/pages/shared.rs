//! `/s/{secret}`: the page that a share link opens.

use askama::Template;
use axum::extract::State;
use axum::http::header::REFERRER_POLICY;
use axum::http::{HeaderName, HeaderValue, StatusCode};
use axum::response::{IntoResponse, Response};
use serde_json::Value;
use showreport_model::Window;
use showreport_model::figures::FIGURES;

use super::layout::{Layout, respond};
use crate::answers::Freshness;
use crate::api::figures_json;
use crate::app::App;
use crate::auth::ShareVisitor;
use crate::error::ApiError;

/// The address is a secret: no other host learns it, and no search engine lists it.
const PRIVATE: [(HeaderName, HeaderValue); 2] = [
    (REFERRER_POLICY, HeaderValue::from_static("no-referrer")),
    (
        HeaderName::from_static("x-robots-tag"),
        HeaderValue::from_static("noindex"),
    ),
];

#[derive(Template)]
#[template(path = "shared.html")]
struct SharedPage {
    layout: Layout,
    figures: Vec<SharedFigure>,
}

struct SharedFigure {
    name: &'static str,
    meaning: &'static str,
    /// As in JSON.
    value: String,
    text: String,
}

/// Get the page of a share link: the figures of one event.
#[utoipa::path(
    get,
    path = "/s/{secret}",
    tag = "dashboard",
    params(("secret" = String, Path, description = "the secret of the link")),
    responses(
        (status = 200, description = "a page", content_type = "text/html", body = String),
        (status = 403, description = "the link has expired"),
        (status = 404, description = "the link was changed or revoked"),
    ),
)]
pub(crate) async fn show_shared(
    State(app): State<App>,
    share: ShareVisitor,
) -> Result<Response, ApiError> {
    let answers = app.answers();
    let snapshot = answers
        .snapshot(&share.org, &share.event, Freshness::Recent)
        .await?;
    let figures = answers.figures(&snapshot, Window::ALL).await?;
    let event = snapshot.event();
    let title = event.title.clone().unwrap_or_else(|| event.id.to_string());
    // As the API has them, so that both say the same.
    let json = figures_json(&event.id, snapshot.as_of(), &figures);
    let json: Value = serde_json::from_str(&json).map_err(ApiError::internal)?;
    let figures = FIGURES.iter().map(|column| SharedFigure {
        name: column.name,
        meaning: column.meaning,
        value: json[column.name].to_string(),
        text: match &json[column.name] {
            Value::Null => "–".to_owned(),
            Value::String(text) => text.clone(),
            value => value.to_string(),
        },
    });
    let page = SharedPage {
        layout: Layout::without_caller(title),
        figures: figures.collect(),
    };
    Ok((PRIVATE, respond(StatusCode::OK, &page)?).into_response())
}
