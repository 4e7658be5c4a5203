//! The number of events and records of each organisation, for its quotas.
//!
//! Every commit needs them, and counting takes longer the more there are.

use std::collections::BTreeMap;

use showreport_model::OrgId;
use sqlx::SqliteConnection;

use super::events::{EventChanges, NewEvents};
use crate::database::{Stored, elements, to_json};
use crate::error::{Doing, Error};
use crate::quotas::{Quota, Quotas};

/// The organisations come as a JSON array of `[org, records]`. Events are counted by a trigger.
const ADD: &str = concat!(
    "INSERT INTO org_totals (org, events, records)
    SELECT value ->> 0, 0, value ->> 1 FROM ",
    elements!("$1"),
    " WHERE true
    ON CONFLICT (org) DO UPDATE SET records = org_totals.records + excluded.records
    RETURNING org, events, records"
);

/// Adds the records of a commit, after its new events. Returns an organisation that then exceeds a
/// quota, and the error for it. One that adds no event is not refused for the events that it has.
pub(super) async fn add(
    tx: &mut SqliteConnection,
    changes: &EventChanges,
    new: &NewEvents,
    quotas: &Quotas,
) -> Result<Option<(OrgId, Error)>, Error> {
    let counts: Vec<_> = changes.records().iter().collect();
    let rows = sqlx::query(ADD)
        .bind(to_json(&counts))
        .fetch_all(tx)
        .await
        .doing("count records")?;
    for row in &rows {
        let row = Stored(row);
        let org: OrgId = row.parsed("org")?;
        let exceeded = |quota, all: u64, added: &BTreeMap<OrgId, u64>, max| {
            let added = added.get(&org).copied().unwrap_or(0);
            let kept = all.saturating_sub(added);
            (added > 0 && all > max).then_some(Error::QuotaExceeded { quota, kept, max })
        };
        let (events, records) = (row.number("events")?, row.number("records")?);
        let events = exceeded(Quota::Events, events, new, quotas.events_max);
        let records = || {
            let added = changes.records();
            exceeded(Quota::Records, records, added, quotas.records_max)
        };
        if let Some(refusal) = events.or_else(records) {
            return Ok(Some((org, refusal)));
        }
    }
    Ok(None)
}
