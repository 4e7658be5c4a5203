//! Reports: asked for, made, published, forgotten.

use std::collections::BTreeSet;

use fail::fail_point;
use showreport_model::report::{
    Heads, Pins, ROWS_MAX, Report, ReportFailure, ReportFile, ReportOrder,
};
use showreport_model::{EventId, OrgId, ReportId, Timestamp};
use sqlx::SqliteConnection;

use super::Meta;
use crate::error::Error;
use crate::queue::{ClaimedJob, IdleWorker, MAKE_REPORT, NewJob};
use crate::reports::{Idempotency, ReportTask};
use crate::room::Addition;
use crate::{events, kept_files, orgs, queue, reports, room};

/// Reports of one organisation that may wait to be made. More could be ordered in a minute than are
/// made in a day.
const WAITING_MAX: u64 = 1_000;

/// Reports of all organisations that may wait: a bound on the rows that a claim looks at.
const WAITING_IN_ALL_MAX: u64 = 10 * WAITING_MAX;

impl Meta {
    /// Creates the reports and a job for each, all or none.
    ///
    /// The same key with the same body gives the reports of the first time, as
    /// they are now; those deleted since are missing. Where too many wait already, none is created.
    pub async fn create_reports(
        &self,
        org: &OrgId,
        orders: &[ReportOrder],
        idempotency: Option<&Idempotency>,
    ) -> Result<Vec<Report>, Error> {
        let (reports, claimed) = self.add_reports(org, orders, idempotency).await?;
        // Not before the connection that writes is free: a job that nobody takes is put back with it.
        self.hand_over(claimed).await;
        Ok(reports)
    }

    /// The reports, and the jobs that idle workers of this process have claimed with them.
    async fn add_reports(
        &self,
        org: &OrgId,
        orders: &[ReportOrder],
        idempotency: Option<&Idempotency>,
    ) -> Result<(Vec<Report>, Vec<(IdleWorker, ClaimedJob)>), Error> {
        let now = self.shared.clock.now();
        let forgets_keys = idempotency.is_some() && !self.clock_in_doubt().await?;
        let mut writer = self.shared.database.writer().await;
        let mut write = writer.begin().await?;
        if forgets_keys {
            reports::forget_old_keys(&mut write, now).await?;
        }
        if let Some(request) = idempotency
            && let Some(reports) = reports::recall(&mut write, org, request).await?
        {
            return Ok((reports, Vec::new()));
        }
        let more = orders.len() as u64;
        ensure_waiting(&mut write, org, more).await?;
        let quotas = &self.shared.quotas;
        room::ensure(&mut write, quotas, org, Addition::Reports(more)).await?;
        let ledger = write.ledger.clone();
        let touches = self.shared.journal.touches();
        let mut created = Vec::with_capacity(orders.len());
        let mut claimed = Vec::new();
        for order in orders {
            // An order for somebody else's event is an order for none.
            if order.org != *org {
                let event = order.event.clone();
                return Err(Error::UnknownEvent { event });
            }
            let event = events::find(&mut *write, org, &order.event).await?;
            let watched = events::watched(&mut *write, org, &order.event).await?;
            let rows = watched.map_or(0, |watched| order.buckets_max(watched));
            if rows > ROWS_MAX {
                let rows_max = ROWS_MAX;
                return Err(Error::ReportTooLarge { rows, rows_max });
            }
            let last = ledger.journal_last;
            let report = reports::insert(&mut write, order, last, now).await?;
            let event_of = (org.clone(), order.event.clone());
            let waiting = touches.event(&mut write, &ledger, &event_of, last).await?;
            if waiting.is_none() {
                // All there is lies in the lake: what the report is made from is known.
                let zone = orgs::zone(&mut *write, org).await?;
                let heads = ledger.heads.clone();
                reports::pin(&mut write, report.id, &Pins { heads, zone, event }).await?;
            }
            let job = NewJob {
                org,
                name: MAKE_REPORT,
                payload: &report.id.to_string(),
                unique_key: &unique_key(report.id),
                run_at: now,
            };
            queue::insert(&mut write, job, now).await?;
            // Dropped before the commit, the worker is free again.
            if let Some(worker) = self.shared.idle_workers.take() {
                let lease_ends_at = now.saturating_add_millis(worker.lease_ms);
                let claimant = self.shared.claimant;
                let job = queue::claim(&mut write, claimant, now, lease_ends_at).await?;
                claimed.extend(job.map(|job| (worker, job)));
            }
            created.push(report);
        }
        if let Some(request) = idempotency {
            reports::remember(&mut write, org, request, &created, now).await?;
        }
        write.commit().await?;
        fail_point!("order-after-commit", |_| std::process::abort());
        for _ in claimed.len()..created.len() {
            self.shared.job_added.notify_one();
        }
        Ok((created, claimed))
    }

    /// A report of an organisation.
    pub async fn report(&self, org: &OrgId, id: ReportId) -> Result<Report, Error> {
        reports::find(self.shared.database.readers(), org, id).await
    }

    /// Reports of an organisation older than `before`, of one event or of all, newest first.
    pub async fn reports(
        &self,
        org: &OrgId,
        event: Option<&EventId>,
        before: Option<ReportId>,
        limit: u32,
    ) -> Result<Vec<Report>, Error> {
        reports::list(self.shared.database.readers(), org, event, before, limit).await
    }

    /// Deletes a report and its job; who works on it can publish nothing any
    /// more. Gives its file, if it had one, for the caller to remove.
    pub async fn delete_report(
        &self,
        org: &OrgId,
        id: ReportId,
    ) -> Result<Option<ReportFile>, Error> {
        let database = &self.shared.database;
        let write = || async move {
            let mut writer = database.writer().await;
            let mut write = writer.begin_protected().await?;
            let file = reports::delete(&mut write, org, id).await?;
            queue::cancel(&mut write, &unique_key(id)).await?;
            write.commit().await?;
            Ok(file)
        };
        database.protect(write).await
    }

    /// What a worker needs to make a report. None: it was deleted.
    pub async fn report_task(&self, id: ReportId) -> Result<Option<ReportTask>, Error> {
        reports::task(self.shared.database.readers(), id).await
    }

    /// Pins what a report is made from. The first pins stay; gives those that hold.
    pub async fn pin_report(&self, id: ReportId, pins: &Pins) -> Result<Pins, Error> {
        let mut writer = self.shared.database.writer().await;
        let mut write = writer.begin().await?;
        let pins = reports::pin(&mut write, id, pins).await?;
        fail_point!("pin-before-commit", |_| std::process::abort());
        write.commit().await?;
        fail_point!("pin-after-commit", |_| std::process::abort());
        Ok(pins)
    }

    /// The heads that reports being made are pinned to: their versions must stay readable.
    pub async fn pinned_heads(&self) -> Result<Vec<Heads>, Error> {
        let pins = reports::pins(self.shared.database.readers()).await?;
        Ok(pins.into_iter().map(|pins| pins.heads).collect())
    }

    /// Notes how far a report is. It never goes back.
    pub async fn set_progress(&self, id: ReportId, percent: u8) -> Result<(), Error> {
        let mut writer = self.shared.database.writer().await;
        let mut write = writer.begin().await?;
        reports::set_progress(&mut write, id, percent).await?;
        write.commit().await
    }

    /// Publishes a report and finishes its job. False: the claim no longer
    /// holds, or the report is no longer running, and the file is nobody's.
    pub async fn publish_report(
        &self,
        job: &ClaimedJob,
        id: ReportId,
        file: &ReportFile,
        expires_at: Timestamp,
    ) -> Result<bool, Error> {
        let now = self.shared.clock.now();
        let mut writer = self.shared.database.writer().await;
        let mut write = writer.begin().await?;
        if !queue::finish(&mut write, job).await? {
            return Ok(false);
        }
        let published = reports::publish(&mut write, id, file, now, expires_at).await?;
        fail_point!("publish-before-commit", |_| std::process::abort());
        write.commit().await?;
        fail_point!("publish-after-commit", |_| std::process::abort());
        Ok(published)
    }

    /// Ends a report without a file and finishes its job. False: as in [`Meta::publish_report`].
    pub async fn fail_report(
        &self,
        job: &ClaimedJob,
        id: ReportId,
        failure: &ReportFailure,
    ) -> Result<bool, Error> {
        let now = self.shared.clock.now();
        let mut writer = self.shared.database.writer().await;
        let mut write = writer.begin().await?;
        if !queue::finish(&mut write, job).await? {
            return Ok(false);
        }
        let failed = reports::fail(&mut write, id, failure, now).await?;
        write.commit().await?;
        Ok(failed)
    }

    /// Reports of all organisations whose file is past its time, oldest first. A row that is
    /// damaged is an error of its own.
    pub async fn expired_reports(&self, limit: u32) -> Result<Vec<Result<Report, Error>>, Error> {
        let now = self.shared.clock.now();
        reports::expired(self.shared.database.readers(), now, limit).await
    }

    /// Notes that the file of a report is gone. The report stays, as succeeded.
    pub async fn forget_file(&self, id: ReportId) -> Result<(), Error> {
        let database = &self.shared.database;
        let write = || async move {
            let mut writer = database.writer().await;
            let mut write = writer.begin_protected().await?;
            reports::forget_file(&mut write, id).await?;
            write.commit().await
        };
        database.protect(write).await
    }

    /// Those of these files that a report of any kind, made or being made, or a link needs.
    pub async fn kept_files(&self, ids: &BTreeSet<ReportId>) -> Result<BTreeSet<ReportId>, Error> {
        kept_files::among(self.shared.database.readers(), ids).await
    }
}

/// Refuses more reports than may wait, of this organisation and of all.
async fn ensure_waiting(write: &mut SqliteConnection, org: &OrgId, more: u64) -> Result<(), Error> {
    let (in_all, of_org) = queue::depth_of(&mut *write, MAKE_REPORT, org).await?;
    for (waiting, waiting_max) in [(of_org, WAITING_MAX), (in_all, WAITING_IN_ALL_MAX)] {
        if waiting + more > waiting_max {
            return Err(Error::ReportsFull {
                waiting,
                waiting_max,
            });
        }
    }
    Ok(())
}

fn unique_key(id: ReportId) -> String {
    format!("{MAKE_REPORT}:{id}")
}

#[cfg(test)]
mod tests;
