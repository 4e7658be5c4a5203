//! Ordering reports: creates them, and a job for each.

use fail::fail_point;
use showreport_model::report::{Dimension, Event, Pins, ROWS_MAX, Report, ReportOrder};
use showreport_model::retention::{ContentBuckets, Division};
use showreport_model::{OrgId, Timestamp};
use sqlx::SqliteConnection;

use super::idempotency::{self, Idempotency, delete_old_keys};
use super::{insert, pin, unique_key};
use crate::database::Transaction;
use crate::error::Error;
use crate::meta::file_quotas::Addition;
use crate::meta::jobs::{ClaimedJob, IdleWorker, MAKE_REPORT, NewJob};
use crate::meta::{Meta, events, file_quotas, jobs, orgs};

/// Reports of one organisation that may wait to be made. More could be ordered in a minute than are
/// made in a day.
pub(super) const WAITING_MAX: u64 = 1_000;

/// Reports of all organisations that may wait: limits the rows that a claim reads.
const WAITING_IN_ALL_MAX: u64 = 10 * WAITING_MAX;

impl Meta {
    /// Creates the reports and a job for each, all or none.
    ///
    /// The same idempotency key with the same body returns the reports of the first call, as they
    /// are now, without those deleted since. Fails if too many reports wait already.
    pub async fn create_reports(
        &self,
        org: &OrgId,
        orders: &[ReportOrder],
        idempotency: Option<&Idempotency>,
    ) -> Result<Vec<Report>, Error> {
        let now = self.now();
        let deletes_keys = idempotency.is_some() && !self.is_clock_in_doubt().await?;
        let (reports, claimed) = self
            .database()
            .write(async |tx| {
                if deletes_keys {
                    delete_old_keys(tx, now).await?;
                }
                if let Some(request) = idempotency
                    && let Some(reports) = idempotency::find_reports(tx, org, request).await?
                {
                    tx.discard();
                    return Ok((reports, Vec::new()));
                }
                self.add_reports(tx, org, orders, idempotency, now).await
            })
            .await?;
        // Outside the transaction: if a worker has left, its job is put back by another one.
        self.hand_over(claimed).await;
        Ok(reports)
    }

    /// Fails as [`Meta::create_reports`] would, if the report is one that is never made.
    pub async fn ensure_can_be_made(&self, order: &ReportOrder) -> Result<(), Error> {
        let mut read = self.database().snapshot().await?;
        possible(&mut read, order).await.map(drop)
    }

    /// Adds the reports and their jobs. Returns the jobs that were claimed for idle workers of this
    /// process.
    async fn add_reports(
        &self,
        tx: &mut Transaction<'_>,
        org: &OrgId,
        orders: &[ReportOrder],
        idempotency: Option<&Idempotency>,
        now: Timestamp,
    ) -> Result<(Vec<Report>, Vec<(IdleWorker, ClaimedJob)>), Error> {
        let more = orders.len() as u64;
        ensure_waiting(tx, org, more).await?;
        file_quotas::ensure(tx, &self.shared.quotas, org, Addition::Reports(more)).await?;
        let mut created = Vec::with_capacity(orders.len());
        let mut claimed = Vec::new();
        for order in orders {
            // The event of another organisation is unknown in this one.
            if order.org != *org {
                let event = order.event.clone();
                return Err(Error::UnknownEvent { event });
            }
            created.push(self.add_report(tx, order, now).await?);
            // Dropped before the commit, the worker is idle again.
            if let Some(worker) = self.shared.idle_workers.take() {
                let lease_ends_at = now.saturating_add_millis(worker.lease_ms);
                let claimant = &self.shared.claimant;
                let job = jobs::claim(tx, claimant, now, lease_ends_at).await?;
                claimed.extend(job.map(|job| (worker, job)));
            }
        }
        if let Some(request) = idempotency {
            idempotency::insert(tx, org, request, &created, now).await?;
        }
        let unclaimed = created.len() - claimed.len();
        let meta = self.clone();
        tx.after_commit(move || {
            fail_point!("order-after-commit", |_| std::process::abort());
            for _ in 0..unclaimed {
                meta.shared.job_added.notify_one();
            }
        });
        Ok((created, claimed))
    }

    async fn add_report(
        &self,
        tx: &mut Transaction<'_>,
        order: &ReportOrder,
        now: Timestamp,
    ) -> Result<Report, Error> {
        let org = &order.org;
        let event = possible(tx, order).await?;
        let range = tx.ledger.journal_range();
        let report = insert(tx, order, range.last, now).await?;
        let event_of = (org.clone(), order.event.clone());
        let pending = self.shared.journal.pending_events();
        let rows = pending.rows_of_event(tx, range, &event_of, range.last);
        if rows.await?.is_none() {
            // All facts of the event are in the lake: the heads can be pinned now.
            let zone = orgs::zone(&mut **tx, org).await?;
            let heads = tx.ledger.heads.clone();
            pin(tx, report.id, &Pins { heads, zone, event }).await?;
        }
        let job = NewJob {
            org,
            name: MAKE_REPORT,
            payload: &report.id.to_string(),
            unique_key: &unique_key(report.id),
            run_at: now,
        };
        jobs::insert(tx, job, now).await?;
        Ok(report)
    }
}

/// The event of a report. Fails if the report would have more rows than any may have.
async fn possible(read: &mut SqliteConnection, order: &ReportOrder) -> Result<Event, Error> {
    let (org, id) = (&order.org, &order.event);
    let event = events::find(&mut *read, org, id).await?;
    let watched = events::watched(&mut *read, org, id).await?;
    let rows = watched.map_or(0, |watched| order.buckets_max(watched));
    if rows > ROWS_MAX {
        let rows_max = ROWS_MAX;
        return Err(Error::ReportTooLarge { rows, rows_max });
    }
    if order.dimension == Dimension::Retention
        && let Some(length_ms) = event.duration_ms
    {
        ContentBuckets::new(length_ms, Division::Width(order.granularity))?;
    }
    Ok(event)
}

/// Fails if more reports would wait than may, of this organisation or of all.
async fn ensure_waiting(tx: &mut SqliteConnection, org: &OrgId, more: u64) -> Result<(), Error> {
    let (in_all, of_org) = jobs::depth_of(&mut *tx, MAKE_REPORT, org).await?;
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
