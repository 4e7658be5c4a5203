//! The time zone, and whether viewer tokens are required.

use axum::extract::State;
use axum::response::Response;
use serde::Deserialize;
use showreport_meta::{Role, ViewerTokens};
use showreport_model::Zone;

use super::changed;
use crate::app::App;
use crate::auth::Visitor;
use crate::error::ApiError;
use crate::extract::Form;

#[derive(Debug, Deserialize)]
pub(crate) struct ZoneForm {
    time_zone: String,
}

#[derive(Debug, Deserialize)]
pub(crate) struct ViewerTokensForm {
    require: String,
}

/// Change the time zone of the organisation. For admins.
#[utoipa::path(
    post,
    path = "/organisation/time-zone",
    tag = "dashboard",
    request_body(
        content = Object,
        content_type = "application/x-www-form-urlencoded",
        description = "`time_zone`, an IANA name such as `Europe/Berlin`",
    ),
    responses(
        (status = 303, description = "changed"),
        (status = 400, description = "no such time zone"),
        (status = 403, description = "the role is not admin, or the form comes from another site"),
    ),
    security(("session" = [])),
)]
pub(crate) async fn set_zone(
    State(app): State<App>,
    visitor: Visitor,
    Form(form): Form<ZoneForm>,
) -> Result<Response, ApiError> {
    visitor.require(Role::Admin)?;
    let Ok(zone) = form.time_zone.trim().parse::<Zone>() else {
        let problem = "must be an IANA name such as Europe/Berlin or UTC";
        return Err(ApiError::violation("time_zone", problem));
    };
    app.meta().set_zone(&visitor.org, &zone).await?;
    tracing::info!(zone = zone.name(), "changed the zone of an organisation");
    Ok(changed())
}

/// Say whether records of viewers need a viewer token. For admins.
#[utoipa::path(
    post,
    path = "/organisation/viewer-tokens",
    tag = "dashboard",
    request_body(
        content = Object,
        content_type = "application/x-www-form-urlencoded",
        description = "`require`: `on` or `off`",
    ),
    responses(
        (status = 303, description = "changed"),
        (status = 400, description = "neither on nor off"),
        (status = 403, description = "the role is not admin, or the form comes from another site"),
    ),
    security(("session" = [])),
)]
pub(crate) async fn set_viewer_tokens(
    State(app): State<App>,
    visitor: Visitor,
    Form(form): Form<ViewerTokensForm>,
) -> Result<Response, ApiError> {
    visitor.require(Role::Admin)?;
    let viewer_tokens = match form.require.as_str() {
        "on" => ViewerTokens::Required,
        "off" => ViewerTokens::Optional,
        _ => return Err(ApiError::violation("require", "must be on or off")),
    };
    app.meta()
        .set_viewer_tokens(&visitor.org, viewer_tokens)
        .await?;
    tracing::info!(
        required = form.require,
        "changed whether viewer tokens are required"
    );
    Ok(changed())
}
