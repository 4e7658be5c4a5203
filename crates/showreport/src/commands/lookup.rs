//! Looking up what a command names, with an error that says how to create what is missing.

use anyhow::{Context, bail};
use showreport_meta::Meta;
use showreport_model::{ErrorKind, EventId, Failure, OrgId, Zone};

/// The time zone of an organisation, which must exist.
pub(super) async fn zone_of(meta: &Meta, org: &OrgId) -> anyhow::Result<Zone> {
    match meta.zone(org).await {
        Ok(zone) => Ok(zone),
        Err(error) if error.kind() == ErrorKind::NotFound => {
            bail!("{error}; create it with `showreport org create {org}`")
        }
        Err(error) => Err(error).context("look up the organisation"),
    }
}

/// Fails unless the organisation and the event exist.
pub(super) async fn require_event(meta: &Meta, org: &OrgId, event: &EventId) -> anyhow::Result<()> {
    zone_of(meta, org).await?;
    match meta.event(org, event).await {
        Ok(_) => Ok(()),
        Err(error) if error.kind() == ErrorKind::NotFound => {
            bail!("{error} in {org}; the first record of an event creates it")
        }
        Err(error) => Err(error).context("look up the event"),
    }
}
