//! What was collected: events, the journal, and the heads that replace its rows.

use std::collections::BTreeMap;

use fail::fail_point;
use showreport_model::facts::Collected;
use showreport_model::report::{Event, Heads};
use showreport_model::{EventId, OrgId};

use super::Meta;
use crate::database::Ledger;
use crate::error::Error;
use crate::events::{self, Mentions};
use crate::heads::{self, KnownLake, NewHeads};
use crate::journal::{self, Journal, JournalDepth, JournalRow, JournalWriter, Waiting};
use crate::{orgs, totals};

impl Meta {
    /// An event of an organisation.
    pub async fn event(&self, org: &OrgId, event: &EventId) -> Result<Event, Error> {
        events::find(self.shared.database.readers(), org, event).await
    }

    /// Those of these events that an organisation has.
    pub async fn events_by_id(
        &self,
        org: &OrgId,
        ids: &[EventId],
    ) -> Result<BTreeMap<EventId, Event>, Error> {
        events::find_all(self.shared.database.readers(), org, ids).await
    }

    /// Events of an organisation after `after`, by id.
    pub async fn events(
        &self,
        org: &OrgId,
        after: Option<&EventId>,
        limit: u32,
    ) -> Result<Vec<Event>, Error> {
        events::list(self.shared.database.readers(), org, after, limit).await
    }

    /// Where records go to be made durable.
    pub fn journal(&self) -> Journal {
        self.shared.journal.clone()
    }

    /// The writer that [`Journal::append`] waits for. There is one: it is taken once.
    pub fn journal_writer(&self) -> JournalWriter {
        let receiver = self
            .shared
            .journal_receiver
            .lock()
            .expect("nothing panics while it is held")
            .take();
        JournalWriter {
            receiver: receiver.expect("the journal's writer is taken once"),
            journal: self.journal(),
            clock: self.shared.clock.clone(),
            metrics: self.shared.metrics.clone(),
            bytes_max: self.shared.journal_bytes_max,
            quotas: self.shared.quotas,
        }
    }

    /// The oldest rows of the journal after a number, up to so many packed bytes, at least
    /// one if there is any.
    pub async fn journal_rows(&self, after: i64, bytes_max: u64) -> Result<Vec<JournalRow>, Error> {
        let mut read = self.shared.database.snapshot().await?;
        journal::oldest(&mut read, after, bytes_max).await
    }

    /// The last number that the journal ever gave, 0 if none.
    pub async fn journal_last(&self) -> Result<i64, Error> {
        Ok(self.ledger().await?.journal_last)
    }

    /// A row of the journal, if it still waits.
    pub async fn journal_row(&self, seq: i64) -> Result<Option<JournalRow>, Error> {
        let mut read = self.shared.database.snapshot().await?;
        journal::one(&mut read, seq).await
    }

    /// What has to be flushed until no row up to number `up_to` waits that has facts of the event. It is
    /// asked again after each flush.
    pub async fn journal_waiting(
        &self,
        org: &OrgId,
        event: &EventId,
        up_to: i64,
    ) -> Result<Option<Waiting>, Error> {
        let mut read = self.shared.database.snapshot().await?;
        let ledger = Ledger::read(&mut *read).await?;
        let event = (org.clone(), event.clone());
        let touches = self.shared.journal.touches();
        touches.event(&mut read, &ledger, &event, up_to).await
    }

    /// What has to be flushed until no row up to number `up_to` waits that has facts of the organisation.
    pub async fn journal_waiting_of_org(
        &self,
        org: &OrgId,
        up_to: i64,
    ) -> Result<Option<Waiting>, Error> {
        let mut read = self.shared.database.snapshot().await?;
        let ledger = Ledger::read(&mut *read).await?;
        let touches = self.shared.journal.touches();
        touches.org(&mut read, &ledger, org, up_to).await
    }

    /// Those of these rows of the journal that are not in the lake yet, as far as this process knows.
    pub fn journal_unflushed(&self, rows: &[i64]) -> Vec<i64> {
        self.shared.journal.touches().unflushed(rows)
    }

    /// How much waits for the flush.
    pub async fn journal_depth(&self) -> Result<JournalDepth, Error> {
        let mut read = self.shared.database.snapshot().await?;
        journal::depth(&mut read).await
    }

    /// The version of each table of the lake that counts.
    pub async fn heads(&self) -> Result<Heads, Error> {
        Ok(self.ledger().await?.heads)
    }

    pub(super) async fn ledger(&self) -> Result<Ledger, Error> {
        Ledger::read(self.shared.database.readers()).await
    }

    /// What a lake must be that goes with this database.
    pub async fn known_lake(&self) -> Result<KnownLake, Error> {
        let mut read = self.shared.database.snapshot().await?;
        let ledger = Ledger::read(&mut *read).await?;
        heads::known(&mut read, ledger).await
    }

    /// Announces that the lake is about to get new versions, and says what it must be before.
    ///
    /// It is a transaction of its own, so that what the versions are written after is more than any
    /// database of before has had: put together with one of those, they are known as newer.
    pub async fn announce_versions(&self) -> Result<KnownLake, Error> {
        let database = &self.shared.database;
        // A flush frees what the journal holds.
        let write = || async move {
            let mut writer = database.writer().await;
            let mut write = writer.begin_protected().await?;
            let ledger = write.ledger.clone();
            let mut known = heads::known(&mut write, ledger).await?;
            write.commit().await?;
            known.commits += 1;
            Ok(known)
        };
        database.protect(write).await
    }

    /// Moves these heads and removes the rows of the journal that they hold, or neither.
    pub async fn move_heads(&self, moved: &NewHeads, flushed: &[i64]) -> Result<(), Error> {
        let database = &self.shared.database;
        let write = || async move {
            let mut writer = database.writer().await;
            let mut write = writer.begin_protected().await?;
            heads::advance(&mut write, moved).await?;
            journal::delete(&mut write, flushed).await?;
            let size = write.ledger.journal_bytes;
            fail_point!("heads-before-commit", |_| std::process::abort());
            write.commit().await?;
            fail_point!("heads-after-commit", |_| std::process::abort());
            self.shared.journal.announce_size(size);
            Ok(())
        };
        database.protect(write).await
    }

    /// Moves these heads to versions with the facts of these rows, which stay in the journal until the flush
    /// comes to them: the ledger knows only rows without a gap.
    pub async fn move_heads_ahead(&self, moved: &NewHeads, rows: &[i64]) -> Result<(), Error> {
        self.move_heads(moved, &[]).await?;
        self.shared.journal.touches().flushed_ahead(rows);
        Ok(())
    }

    /// Moves these heads and registers the events of what was loaded past the journal.
    pub async fn load_heads(
        &self,
        moved: &NewHeads,
        org: &OrgId,
        collected: &[Collected],
    ) -> Result<(), Error> {
        let mut mentions = Mentions::default();
        for part in collected {
            mentions.add(org, part);
        }
        let mut writer = self.shared.database.writer().await;
        let mut write = writer.begin().await?;
        orgs::zone(&mut *write, org).await?;
        heads::advance(&mut write, moved).await?;
        let new = events::mention(&mut write, &mentions, self.shared.clock.now()).await?;
        // The operator's own files count, and are bound by no quota.
        drop(totals::add(&mut write, (&mentions, &new), &self.shared.quotas).await?);
        fail_point!("load-before-commit", |_| std::process::abort());
        write.commit().await?;
        fail_point!("load-after-commit", |_| std::process::abort());
        Ok(())
    }
}

#[cfg(test)]
mod tests;
