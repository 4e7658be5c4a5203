//! [`ShareVisitor`]: the extractor of pages that a share link opens.

use std::collections::HashMap;

use axum::extract::{FromRequestParts, Path};
use axum::http::request::Parts;
use showreport_meta::ShareRights;
use showreport_model::{EventId, OrgId};
use tracing::Span;
use tracing::field::display;

use super::within;
use crate::app::App;
use crate::error::{ApiError, Reason};

/// A caller with a share link. The secret of the link is the part `{secret}` of the path. Such a
/// caller sees one event, and of it only what the link shows.
///
/// An unknown or revoked link is 404, an expired one 403, as for links to files.
#[derive(Debug, Clone)]
pub(crate) struct ShareVisitor {
    pub(crate) org: OrgId,
    pub(crate) event: EventId,
    pub(crate) rights: ShareRights,
}

impl FromRequestParts<App> for ShareVisitor {
    type Rejection = ApiError;

    async fn from_request_parts(parts: &mut Parts, app: &App) -> Result<Self, ApiError> {
        let names = Path::<HashMap<String, String>>::from_request_parts(parts, app).await;
        let secret = names
            .ok()
            .and_then(|Path(mut names)| names.remove("secret"));
        let unknown = || ApiError::new(Reason::LinkNotFound, "this link was changed");
        let share = app.meta().share(&secret.ok_or_else(unknown)?).await?;
        let request = Span::current();
        request.record("org", display(&share.org));
        // Anyone may have a link, so it does not use up the rate of the organisation's own requests.
        within(app.download_limits(), app, &share.org)?;
        Ok(Self {
            org: share.org,
            event: share.event,
            rights: share.rights,
        })
    }
}
