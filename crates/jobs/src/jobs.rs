//! [`Jobs`]: the parts that background work uses, and what requests use of it.

use std::sync::Arc;

use showreport_lake::Lake;
use showreport_meta::{Meta, PendingRows};
use showreport_model::bulk::DayClosing;
use showreport_model::report::Pins;
use showreport_model::{EventId, Failure, OrgId, ReportJobId};
use showreport_query::Query;

use crate::config::Config;
use crate::error::{Doing, Error};
use crate::metrics::Metrics;

/// Background work. Clones share everything.
#[derive(Clone)]
pub struct Jobs {
    pub(crate) config: Arc<Config>,
    pub(crate) meta: Meta,
    pub(crate) lake: Lake,
    pub(crate) query: Query,
    pub(crate) metrics: Metrics,
}

impl Jobs {
    pub fn new(config: Config, meta: Meta, lake: Lake, query: Query) -> Self {
        let metrics = Metrics::new(meta.clock().clone());
        Self {
            config: Arc::new(config),
            meta,
            lake,
            query,
            metrics,
        }
    }

    /// The metrics of the background work.
    pub fn metrics(&self) -> &Metrics {
        &self.metrics
    }

    /// When days are settled, and for how long they are kept.
    pub fn day_closing(&self) -> DayClosing {
        self.config.day_closing()
    }

    /// Deletes a report job with all its reports and their files.
    pub async fn delete_report_job(
        &self,
        org: &OrgId,
        report_job: ReportJobId,
    ) -> Result<(), Error> {
        let deleted = self.meta.delete_report_job(org, report_job).await;
        let files = self.lake.report_files();
        for id in deleted.doing("delete the report job")? {
            let removed = files.delete_all(org, id).await;
            removed.doing("delete the file of a bulk report")?;
        }
        Ok(())
    }

    /// Moves everything that was acknowledged for the event so far to the lake.
    pub async fn flush_event(&self, org: &OrgId, event: &EventId) -> Result<(), Error> {
        let last = self.meta.journal_last().await.doing("read the journal")?;
        self.flush_up_to(org, event, last).await
    }

    /// What a report is made from at present.
    pub async fn pins(&self, org: &OrgId, event: &EventId) -> Result<Pins, Error> {
        // The heads first, so that what is read after them is not older.
        let heads = self.meta.heads().await.doing("read the heads")?;
        let zone = self.meta.zone(org).await.doing("read the zone")?;
        let event = self.meta.event(org, event).await.doing("read the event")?;
        Ok(Pins { heads, zone, event })
    }

    /// Moves everything that was acknowledged for the organisation so far to the lake.
    pub async fn flush_org(&self, org: &OrgId) -> Result<(), Error> {
        let last = self.meta.journal_last().await.doing("read the journal")?;
        self.flush_while(|| self.meta.pending_rows_of_org(org, last))
            .await
    }

    /// Fails by a clock that is in doubt.
    pub(crate) async fn demand_clock(&self) -> Result<(), Error> {
        if self.is_clock_in_doubt().await? {
            return Err(Error::ClockInDoubt);
        }
        Ok(())
    }

    pub(crate) async fn is_clock_in_doubt(&self) -> Result<bool, Error> {
        self.meta.is_clock_in_doubt().await.doing("check the clock")
    }

    /// Adds the file that caused an error, if one did, to those that the status names.
    pub(crate) fn record_damage(&self, error: &Error) {
        if let Some(damage) = error.damage() {
            self.lake.damaged_files().add(damage);
        }
    }

    /// Flushes until no journal row up to `last` has facts of the event.
    pub(crate) async fn flush_up_to(
        &self,
        org: &OrgId,
        event: &EventId,
        last: i64,
    ) -> Result<(), Error> {
        self.flush_while(|| self.meta.pending_rows_of_event(org, event, last))
            .await
    }

    async fn flush_while<F>(&self, waiting: impl Fn() -> F) -> Result<(), Error>
    where
        F: Future<Output = Result<Option<PendingRows>, showreport_meta::Error>>,
    {
        while let Some(waiting) = waiting().await.doing("read the journal")? {
            self.flush_waiting_rows(waiting).await?;
        }
        Ok(())
    }

    async fn flush_waiting_rows(&self, waiting: PendingRows) -> Result<(), Error> {
        let PendingRows {
            rows,
            is_far_behind,
        } = waiting;
        if !is_far_behind {
            let flushed = self.lake.flush().await.doing("flush the journal");
            match flushed {
                // The damaged row may be another one: flush ahead of it.
                Err(error) if error.damage().is_some() => self.record_damage(&error),
                flushed => return flushed.map(drop),
            }
        }
        let flushed = self.lake.flush_ahead(rows).await;
        flushed.doing("flush the journal ahead").map(drop)
    }
}
