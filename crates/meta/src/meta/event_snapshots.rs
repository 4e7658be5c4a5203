//! [`EventSnapshot`]: what the database says of an event at one instant.

use showreport_model::report::{Event, Heads};
use showreport_model::{EventId, OrgId, Timestamp, Zone};

use super::journal::PendingRows;
use super::{Meta, events, orgs};
use crate::database::Ledger;
use crate::error::Error;

/// What the database says of an event at one instant.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct EventSnapshot {
    pub event: Event,
    /// Grows with each commit that has facts or a record of the event.
    pub changed_at: Timestamp,
    /// The organisation's zone.
    pub zone: Zone,
    pub heads: Heads,
    /// The number of the newest row that the journal ever had.
    pub journal_last: i64,
    /// The rows to be flushed until the heads have all facts of the event; more may follow. `None`:
    /// they have exactly the facts of `changed_at`.
    pub pending: Option<PendingRows>,
}

impl Meta {
    /// What the database says of an event now.
    pub async fn event_snapshot(
        &self,
        org: &OrgId,
        event: &EventId,
    ) -> Result<EventSnapshot, Error> {
        let mut read = self.database().snapshot().await?;
        let ledger = Ledger::read(&mut *read).await?;
        let (found, changed_at) = events::find_changed(&mut *read, org, event).await?;
        let zone = orgs::zone(&mut *read, org).await?;
        let range = ledger.journal_range();
        let key = (org.clone(), event.clone());
        let pending = self.shared.journal.pending_events();
        let pending = pending
            .rows_of_event(&mut read, range, &key, range.last)
            .await?;
        Ok(EventSnapshot {
            event: found,
            changed_at,
            zone,
            heads: ledger.heads,
            journal_last: range.last,
            pending,
        })
    }
}

#[cfg(test)]
mod tests;
