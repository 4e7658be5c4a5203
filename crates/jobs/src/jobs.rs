//! The front of the background work.

use std::sync::Arc;

use anyhow::Context;
use showreport_lake::Lake;
use showreport_meta::{Meta, PendingRows};
use showreport_model::bulk::Settling;
use showreport_model::report::Pins;
use showreport_model::{Damage, EventId, OrgId, ReportJobId};
use showreport_query::Query;

use crate::config::Config;
use crate::metrics::Metrics;

/// Background work. Cheap to clone.
#[derive(Clone)]
pub struct Jobs {
    pub(crate) config: Arc<Config>,
    pub(crate) meta: Meta,
    pub(crate) lake: Lake,
    pub(crate) query: Query,
    pub(crate) metrics: Metrics,
}

impl Jobs {
    /// Work on these parts.
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

    /// What the work tells of itself.
    pub fn metrics(&self) -> &Metrics {
        &self.metrics
    }

    /// When days are settled, and for how long they are kept.
    pub fn settling(&self) -> Settling {
        self.config.settling()
    }

    /// Deletes a report job with all its reports and their files.
    pub async fn delete_report_job(
        &self,
        org: &OrgId,
        report_job: ReportJobId,
    ) -> anyhow::Result<()> {
        let deleted = self.meta.delete_report_job(org, report_job).await;
        let files = self.lake.report_files();
        for id in deleted.context("delete the report job")? {
            let removed = files.delete_all(org, id).await;
            removed.context("delete the file of a bulk report")?;
        }
        Ok(())
    }

    /// Brings everything that has been acknowledged for the event so far into the lake.
    pub async fn flush_event(&self, org: &OrgId, event: &EventId) -> anyhow::Result<()> {
        let last = self.meta.journal_last().await.context("read the journal")?;
        self.flush_up_to(org, event, last).await
    }

    /// The facts as they stand: what a report is made from.
    pub async fn pins(&self, org: &OrgId, event: &EventId) -> anyhow::Result<Pins> {
        // The heads first: what is read after them can only be newer.
        let heads = self.meta.heads().await.context("read the heads")?;
        let zone = self.meta.zone(org).await.context("read the zone")?;
        let event = self
            .meta
            .event(org, event)
            .await
            .context("read the event")?;
        Ok(Pins { heads, zone, event })
    }

    /// Brings everything that has been acknowledged for the organisation so far into the lake.
    pub async fn flush_org(&self, org: &OrgId) -> anyhow::Result<()> {
        let last = self.meta.journal_last().await.context("read the journal")?;
        self.flush_while(|| self.meta.pending_rows_of_org(org, last))
            .await
    }

    /// Names the damaged file that an error comes from, if it does, where the operator looks.
    pub(crate) fn note_damage(&self, error: &anyhow::Error) {
        if let Some(damage) = Damage::below(error.as_ref()) {
            self.lake.damaged_files().note(&damage);
        }
    }

    /// Flushes until no journal row up to `last` that touches the event is left.
    pub(crate) async fn flush_up_to(
        &self,
        org: &OrgId,
        event: &EventId,
        last: i64,
    ) -> anyhow::Result<()> {
        self.flush_while(|| self.meta.pending_rows_of_event(org, event, last))
            .await
    }

    async fn flush_while<F>(&self, waiting: impl Fn() -> F) -> anyhow::Result<()>
    where
        F: Future<Output = Result<Option<PendingRows>, showreport_meta::Error>>,
    {
        while let Some(waiting) = waiting().await.context("read the journal")? {
            self.flush_waiting_rows(waiting).await?;
        }
        Ok(())
    }

    async fn flush_waiting_rows(&self, waiting: PendingRows) -> anyhow::Result<()> {
        let PendingRows {
            rows,
            is_far_behind,
        } = waiting;
        if !is_far_behind {
            let flushed = self.lake.flush().await.context("flush the journal");
            match flushed {
                // A damaged row holds up what comes after it, and is perhaps none of these.
                Err(error) if Damage::below(error.as_ref()).is_some() => self.note_damage(&error),
                flushed => return flushed.map(drop),
            }
        }
        let flushed = self.lake.flush_ahead(rows).await;
        flushed.context("flush the journal ahead").map(drop)
    }
}
