//! What every way to collect has in common: decode a body and store its records.

use axum::body::Body;
use showreport_records::{GivenFields, Rejections};

use super::decode::{DecodedBody, decode};
use super::written::BodyFormat;
use crate::app::App;
use crate::auth::Collector;
use crate::error::ApiError;

/// What became of the records of a body.
pub(super) struct Stored {
    /// How many are durable now.
    pub(super) accepted: usize,
    pub(super) rejections: Rejections,
}

/// Decodes a body and stores its good records. `given` is what the request says for all of them.
pub(super) async fn store(
    app: &App,
    collector: &Collector,
    body: Body,
    written: BodyFormat,
    given: GivenFields,
) -> Result<Stored, ApiError> {
    ensure_clock(app).await?;
    let DecodedBody {
        good,
        rejections,
        permits: _permits,
    } = decode(app, collector, body, written, given).await?;
    collector.charge(app, good.records() + rejections.total);
    app.metrics().rejected.inc_by(rejections.total as u64);
    let rejected = &rejections.listed;
    app.rejected()
        .add(&collector.org, collector.token, rejected, app.now());
    let accepted = good.records();
    if accepted > 0 {
        let event = good.last_event().cloned();
        app.meta().journal().append(collector.token, good).await?;
        app.metrics().accepted.inc_by(accepted as u64);
        if let Some(event) = event.filter(|_| collector.is_player) {
            let (org, token) = (&collector.org, collector.token);
            app.arrivals().add(org, token, &event, accepted, app.now());
        }
    }
    Ok(Stored {
        accepted,
        rejections,
    })
}

/// Refuses records while the server's clock is wrong. With a clock that is a day behind, every live
/// record would be rejected as one of the future.
async fn ensure_clock(app: &App) -> Result<(), ApiError> {
    let clock = app.meta().ensure_clock().await;
    clock.map_err(|error| ApiError::from(error).logged())
}
