//! The task that takes up jobs, one worker beside the other.

use std::sync::Arc;
use std::sync::atomic::{AtomicU8, Ordering};
use std::time::{Duration, Instant};

use anyhow::Context;
use fail::fail_point;
use futures::future::try_join_all;
use showreport_meta::{Claim, ClaimedJob, MAKE_BULK_REPORT, MAKE_REPORT, ReportTask};
use showreport_model::{ErrorKind, Timestamp};
use showreport_query::Query;
use tokio_util::sync::CancellationToken;

use crate::jobs::Jobs;
use crate::make_bulk_report::{Made, draft_bulk_report, publish_bulk_report};
use crate::make_report::{Verdict, judge, kind_of, lost_too_often, make_report, report_of};

/// Jobs of another process on the same database wake nobody here, so the
/// queue is looked at this often all the same.
const LOOK_AGAIN: Duration = Duration::from_secs(5);

/// The wait after a first failed attempt; it doubles with each one.
const BACK_OFF_MS: i64 = 1_000;
/// The longest wait between attempts.
const BACK_OFF_MS_MAX: i64 = 60_000;

/// The lease of a job that has ended its process in every way.
const LOST_LEASE_MS: i64 = 3_600_000;

/// The first tick comes at once; this one a thirtieth of the lease later.
const HELD_TICK: u64 = 2;

impl Jobs {
    /// Takes up jobs until `shutdown`. Jobs that are not done by then are
    /// given back, and the next process goes on with them at once.
    pub async fn run_reports(self, shutdown: CancellationToken) -> anyhow::Result<()> {
        // The one more is for organisations that have no job running.
        let workers = (0..=self.config.report_workers).map(|_| self.worker(&shutdown));
        try_join_all(workers).await?;
        Ok(())
    }

    /// Takes up one job that is due and sees it through; false if none is due.
    pub async fn run_next(&self, shutdown: &CancellationToken) -> anyhow::Result<bool> {
        let claimed = self.meta.claim_job(self.config.lease_ms).await;
        let Some(job) = claimed.context("claim a job")? else {
            return Ok(false);
        };
        self.run(&job, shutdown).await?;
        Ok(true)
    }

    async fn run(&self, job: &ClaimedJob, shutdown: &CancellationToken) -> anyhow::Result<()> {
        fail_point!("job-begun", |_| std::process::abort());
        match job.name.as_str() {
            MAKE_REPORT => self.see_through(job, shutdown).await,
            MAKE_BULK_REPORT => self.see_bulk_through(job, shutdown).await,
            _ => {
                // A newer version of the program may know it; ours leaves it alone for a while.
                let later = self.later(BACK_OFF_MS_MAX);
                self.meta
                    .retry_job(job, "unknown kind of job", later)
                    .await?;
                Ok(())
            }
        }
    }

    /// A day is never given up: whatever fails is tried again, with a back-off.
    async fn see_bulk_through(
        &self,
        job: &ClaimedJob,
        shutdown: &CancellationToken,
    ) -> anyhow::Result<()> {
        if self.meta.is_clock_in_doubt().await? {
            return self.put_off(job).await;
        }
        let began = Instant::now();
        if job.lost >= Query::WAYS {
            tracing::error!(
                job.about = job.payload,
                lost = job.lost,
                "a bulk report has ended its process in every way; it is tried once an hour"
            );
            if self.has_lost(job).await {
                return Ok(());
            }
        }
        let draft = tokio::select! {
            draft = draft_bulk_report(self, job) => draft,
            () = self.keep_lease(job) => return Ok(()),
            () = shutdown.cancelled() => return self.give_back(job).await,
        };
        // From here on nothing stops it: nobody would come back for a file that nobody needs.
        let made = match draft {
            Ok(Some(draft)) => publish_bulk_report(self, job, draft).await,
            Ok(None) => Ok(None),
            Err(error) => Err(error),
        };
        match made {
            Ok(Some(made)) => {
                if made.outcome.leaves_a_file() {
                    let files = self.lake.report_files();
                    let removed = files.delete_all(&made.org, made.file_id).await;
                    removed.context("remove a file that nobody needs")?;
                }
                self.tell(&made, began);
            }
            // There was no reason any more, or another worker has it.
            Ok(None) => {}
            Err(error) => {
                self.note_damage(&error);
                let reason = format!("{error:#}");
                let (about, attempt) = (&job.payload, job.attempt);
                // Busy is what the organisation keeps too much for, or another process holds up.
                if kind_of(&error) == Some(ErrorKind::Busy) {
                    tracing::warn!(
                        job.about = about,
                        attempt,
                        error = reason,
                        "a bulk report could not be made yet"
                    );
                } else {
                    tracing::error!(
                        job.about = about,
                        attempt,
                        error = reason,
                        "a bulk report could not be made yet"
                    );
                }
                self.metrics.bulk_failed();
                self.try_again(job, &reason).await?;
            }
        }
        Ok(())
    }

    fn tell(&self, made: &Made, began: Instant) {
        let outcome = made.outcome.name();
        self.metrics.bulk_made(made.report_type, outcome);
        let duration_ms = began.elapsed().as_millis();
        let (report_job, day, report_type) = (made.report_job, made.day, made.report_type);
        tracing::info!(report_job.id = %report_job, %day, %report_type, outcome, duration_ms, "made a bulk report");
    }

    /// Nothing is published by a clock that is in doubt.
    async fn put_off(&self, job: &ClaimedJob) -> anyhow::Result<()> {
        let later = self.later(BACK_OFF_MS_MAX);
        let reason = "the clock is in doubt";
        self.meta.retry_job(job, reason, later).await?;
        Ok(())
    }

    async fn give_back(&self, job: &ClaimedJob) -> anyhow::Result<()> {
        let now = self.meta.clock().now();
        self.meta
            .retry_job(job, "the server was stopped", now)
            .await?;
        Ok(())
    }

    async fn try_again(&self, job: &ClaimedJob, reason: &str) -> anyhow::Result<()> {
        let doubled = BACK_OFF_MS << (job.attempt - 1).min(16);
        let later = self.later(doubled.min(BACK_OFF_MS_MAX));
        self.meta.retry_job(job, reason, later).await?;
        Ok(())
    }

    /// Renews the lease; ends when it is lost.
    async fn keep_lease(&self, job: &ClaimedJob) {
        let lease = u64::try_from(self.lease_ms(job)).unwrap_or(0);
        // From the first renewal on the job counts as lost if its process ends.
        tokio::time::sleep(Duration::from_millis((lease / 30).max(1))).await;
        let every = Duration::from_millis((lease / 3).max(1));
        let mut ticks = tokio::time::interval(every);
        loop {
            ticks.tick().await;
            if self.has_lost(job).await {
                return;
            }
        }
    }

    /// Renews the lease. Three renewals fit into one; a failed one is made up for by the next.
    async fn has_lost(&self, job: &ClaimedJob) -> bool {
        let renewed = self.meta.renew_job(job, self.lease_ms(job)).await;
        let lost = matches!(renewed, Ok(Claim::Lost));
        if lost {
            tracing::warn!(job.id = %job.id, "another worker has taken the job over");
        }
        lost
    }

    /// How long a claim is good for. Where every way has ended the process, the next claim waits long:
    /// a server that ends every few seconds does nothing else either.
    fn lease_ms(&self, job: &ClaimedJob) -> i64 {
        if job.lost < Query::WAYS {
            return self.config.lease_ms;
        }
        self.config.lease_ms.max(LOST_LEASE_MS)
    }

    async fn worker(&self, shutdown: &CancellationToken) -> anyhow::Result<()> {
        while !shutdown.is_cancelled() {
            if let Err(error) = self.work(shutdown).await {
                tracing::error!(error = format!("{error:#}"), "a job could not be taken up");
                wait(LOOK_AGAIN, shutdown).await;
            }
        }
        Ok(())
    }

    /// Sees a job through that is due, or else waits for one.
    async fn work(&self, shutdown: &CancellationToken) -> anyhow::Result<()> {
        let looked_at = self.meta.clock().now();
        if self.run_next(shutdown).await? {
            return Ok(());
        }
        match self.wait_for_work(looked_at, shutdown).await {
            Some(job) => self.run(&job, shutdown).await,
            None => Ok(()),
        }
    }

    /// Waits until there may be something in the queue, or something is handed over. What was due
    /// before `looked_at` and was not claimed is of an organisation that has enough jobs running:
    /// the worker that ends one of them takes it.
    async fn wait_for_work(
        &self,
        looked_at: Timestamp,
        shutdown: &CancellationToken,
    ) -> Option<ClaimedJob> {
        let mut offer = self.meta.offer_work(self.config.lease_ms);
        let now = self.meta.clock().now();
        let due = match self.meta.next_job_after(looked_at).await {
            Ok(Some(at)) => {
                Duration::from_millis(u64::try_from(at.as_millis() - now.as_millis()).unwrap_or(0))
            }
            _ => LOOK_AGAIN,
        };
        tokio::select! {
            handed = offer.job() => return handed,
            () = self.meta.job_added() => {}
            () = wait(due.clamp(Duration::from_millis(10), LOOK_AGAIN), shutdown) => {}
        }
        offer.withdraw()
    }

    async fn see_through(
        &self,
        job: &ClaimedJob,
        shutdown: &CancellationToken,
    ) -> anyhow::Result<()> {
        let id = report_of(job)?;
        let task = self.meta.report_task(id).await.context("load the report")?;
        let Some(task) = task else {
            // Deleted meanwhile.
            self.meta.finish_job(job).await?;
            return Ok(());
        };
        if let Some(failure) = lost_too_often(job) {
            tracing::error!(report.id = %id, attempt = job.attempt, "a report failed: nobody who began it came back");
            self.meta.fail_report(job, id, &failure).await?;
            return Ok(());
        }
        let began = Instant::now();
        let dimension = task.report.order.dimension.name();
        let told = Arc::new(AtomicU8::new(0));
        let progress = {
            let told = Arc::clone(&told);
            Arc::new(move |percent| told.store(percent, Ordering::Relaxed))
        };
        let outcome = tokio::select! {
            made = make_report(self, job, &task, progress) => made,
            () = self.keep(job, &task, &told) => return Ok(()),
            () = shutdown.cancelled() => return self.give_back(job).await,
        };
        let seconds = began.elapsed().as_secs_f64();
        let name = match &outcome {
            Ok(()) => "succeeded",
            Err(error) if matches!(judge(error, job.attempt), Verdict::Refuse(_)) => "refused",
            Err(_) => "failed",
        };
        self.metrics.report_ended(dimension, name, seconds);
        match outcome {
            Ok(()) => {
                tracing::info!(report.id = %id, dimension, duration_ms = began.elapsed().as_millis(), "made a report");
                Ok(())
            }
            Err(error) => self.settle(job, &task, &error).await,
        }
    }

    /// Renews the lease and tells how far the report is; ends when the lease is lost. The first renewal
    /// comes soon: from there on the job counts as lost if its process ends.
    async fn keep(&self, job: &ClaimedJob, task: &ReportTask, told: &AtomicU8) {
        let lease = u64::try_from(self.config.lease_ms).unwrap_or(0);
        let mut ticks = tokio::time::interval(Duration::from_millis((lease / 30).max(1)));
        let mut shown = 0;
        for tick in 1_u64.. {
            ticks.tick().await;
            let percent = told.load(Ordering::Relaxed);
            if percent != shown {
                shown = percent;
                if let Err(error) = self.meta.set_progress(task.report.id, percent).await {
                    tracing::warn!(%error, "progress could not be stored");
                }
            }
            if (tick == HELD_TICK || tick % 10 == 0) && self.has_lost(job).await {
                return;
            }
        }
    }

    async fn settle(
        &self,
        job: &ClaimedJob,
        task: &ReportTask,
        error: &anyhow::Error,
    ) -> anyhow::Result<()> {
        self.note_damage(error);
        let id = task.report.id;
        let reason = format!("{error:#}");
        match judge(error, job.attempt) {
            Verdict::TryAgain => {
                tracing::warn!(report.id = %id, attempt = job.attempt, error = reason, "a report could not be made yet");
                self.try_again(job, &reason).await?;
            }
            Verdict::Refuse(failure) => {
                tracing::info!(report.id = %id, reason = failure.reason, "a report asks for too much");
                self.meta.fail_report(job, id, &failure).await?;
            }
            Verdict::Fail(failure) => {
                tracing::error!(report.id = %id, attempt = job.attempt, error = reason, "a report failed");
                self.meta.fail_report(job, id, &failure).await?;
            }
        }
        Ok(())
    }

    fn later(&self, millis: i64) -> Timestamp {
        self.meta.clock().now().saturating_add_millis(millis)
    }
}

/// Waits, but not past a shutdown.
pub(crate) async fn wait(time: Duration, shutdown: &CancellationToken) {
    tokio::select! {
        () = tokio::time::sleep(time) => {}
        () = shutdown.cancelled() => {}
    }
}
