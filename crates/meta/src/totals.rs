//! What each organisation has sent in all, kept as counts: its quotas are looked up in every commit.

use std::collections::BTreeMap;

use showreport_model::OrgId;
use sqlx::SqliteConnection;

use crate::database::{Stored, to_json};
use crate::error::{Doing, Error};
use crate::events::{Mentions, NewEvents};
use crate::quotas::{Quota, Quotas};

/// The organisations come as a JSON array of `[org, records]`. Events are counted by a trigger.
const ADD: &str = "INSERT INTO org_totals (org, events, records)
    SELECT value ->> 0, 0, value ->> 1 FROM json_each(?1) WHERE true
    ON CONFLICT (org) DO UPDATE SET records = records + excluded.records
    RETURNING org, events, records";

/// Counts the records of a commit, whose new events are added already. Gives an organisation that then has
/// more than it may, and the refusal that says so. One that adds no event is not refused for those it has.
pub(crate) async fn add(
    write: &mut SqliteConnection,
    (mentions, new): (&Mentions, &NewEvents),
    quotas: &Quotas,
) -> Result<Option<(OrgId, Error)>, Error> {
    let counts: Vec<_> = mentions.records().iter().collect();
    let rows = sqlx::query(ADD)
        .bind(to_json(&counts))
        .fetch_all(write)
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
            let added = mentions.records();
            exceeded(Quota::Records, records, added, quotas.records_max)
        };
        if let Some(refusal) = events.or_else(records) {
            return Ok(Some((org, refusal)));
        }
    }
    Ok(None)
}
