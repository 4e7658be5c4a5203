//! Downloads: signed links that open without a token until they expire, and the files of reports.

mod link;
mod name;
mod range;
mod negotiate;
mod stream;
mod edition;
mod response;
mod serve;

use showreport_model::ReportId;

use crate::app::App;
use crate::error::ApiError;
pub(crate) use edition::Edition;
#[cfg(any(test, fuzzing))]
pub(crate) use link::LinkParts;
pub(crate) use link::{Link, percent_encoded};
pub(crate) use name::{FileName, title};
pub(crate) use negotiate::{Coding, acceptable, has_already};
#[cfg(any(test, fuzzing))]
pub(crate) use range::{RequestedRange, parse_range};
pub(crate) use serve::{__path_download, StoredFile, download, send_file};

/// A new signed link to the file of a report.
pub(crate) async fn signed_url(
    app: &App,
    report: ReportId,
    file_name: String,
) -> Result<String, ApiError> {
    let (config, now) = (app.config(), app.now());
    let link = Link {
        report,
        expires_at: now.saturating_add_millis(config.link_lifetime_ms),
        file_name,
    };
    let keys = app.meta().signing_keys().await?;
    Ok(format!(
        "{}{}",
        config.base_url(),
        link.path(keys.signing(now))
    ))
}
