//! The task that claims jobs and runs them, by several workers.

use std::time::Duration;

use fail::fail_point;
use futures::future::join_all;
use showreport_meta::{Claim, ClaimedJob};
use showreport_model::{ErrorChain, ErrorKind, Failure, Timestamp};
use showreport_query::Query;
use tokio_util::sync::CancellationToken;

use crate::error::{Doing, Error};
use crate::job::{Attempt, Job};
use crate::jobs::Jobs;
use crate::registry;

/// The longest wait between two looks at the queue: another process that adds a job does not
/// notify this one.
const LOOK_AGAIN: Duration = Duration::from_secs(5);

/// The wait after the first failed attempt; it doubles with each one.
const BACK_OFF_MS: i64 = 1_000;
const BACK_OFF_MS_MAX: i64 = 60_000;

/// The least lease of a job that was lost with every memory profile. A server that ends every few
/// seconds does nothing else either, so such a job is tried once an hour.
const LOST_LEASE_MS: i64 = 3_600_000;

/// Claims of a job for each attempt that it may fail. Those that were given back when the server
/// stopped count as claims.
const CLAIMS_PER_ATTEMPT: u32 = 3;

/// When the lease is renewed for the first time. From then on the job counts as lost if its process
/// ends.
const FIRST_RENEWAL_PER_LEASE: u64 = 30;

/// A failed renewal is made up for by the next.
const RENEWALS_PER_LEASE: u64 = 3;

impl Jobs {
    /// Runs jobs until `shutdown`. Jobs that are not done by then are given back to the queue, and
    /// the next process claims them at once.
    pub async fn run_jobs(self, shutdown: CancellationToken) {
        // One more than an organisation may occupy.
        let workers = (0..=self.config.report_workers).map(|_| self.worker(&shutdown));
        join_all(workers).await;
    }

    /// Claims and runs one job that is due. False: none is due.
    pub async fn run_next(&self, shutdown: &CancellationToken) -> Result<bool, Error> {
        let claimed = self.meta.claim_job(self.config.lease_ms).await;
        let Some(claimed) = claimed.doing("claim a job")? else {
            return Ok(false);
        };
        self.run(&claimed, shutdown).await?;
        Ok(true)
    }

    async fn run(&self, claimed: &ClaimedJob, shutdown: &CancellationToken) -> Result<(), Error> {
        fail_point!("job-begun", |_| std::process::abort());
        let Some(job) = registry::find(&claimed.name) else {
            // A newer version of the program has queued it, and may run it.
            return self
                .put_back(claimed, "unknown kind of job", BACK_OFF_MS_MAX)
                .await;
        };
        let attempt = Attempt::new(self, claimed);
        if let Some(attempts_max) = job.attempts_max() {
            if has_lost_every_profile(claimed)
                || claimed.attempt > CLAIMS_PER_ATTEMPT * attempts_max
            {
                let (begun, lost) = (claimed.attempt - 1, claimed.lost);
                return job.give_up(&attempt, &Error::Lost { begun, lost }).await;
            }
        } else if has_lost_every_profile(claimed) {
            tracing::error!(
                job.name = claimed.name,
                job.about = claimed.payload,
                lost = claimed.lost,
                "a job has ended its process with every memory profile; it is tried once an hour"
            );
            if !self.renew_lease(claimed).await {
                return Ok(());
            }
        }
        self.run_attempt(job, &attempt, shutdown).await
    }

    async fn run_attempt(
        &self,
        job: &dyn Job,
        attempt: &Attempt<'_>,
        shutdown: &CancellationToken,
    ) -> Result<(), Error> {
        let mut running = job.run(attempt);
        let is_claimed = tokio::select! {
            done = &mut running => return self.end(job, attempt, done).await,
            () = self.keep_lease(attempt.claimed) => false,
            () = shutdown.cancelled() => true,
        };
        if attempt.must_finish() {
            return self.end(job, attempt, running.await).await;
        }
        drop(running);
        if is_claimed {
            return self
                .put_back(attempt.claimed, "the server was stopped", 0)
                .await;
        }
        Ok(())
    }

    /// Puts a job back that failed, or gives it up.
    async fn end(
        &self,
        job: &dyn Job,
        attempt: &Attempt<'_>,
        done: Result<(), Error>,
    ) -> Result<(), Error> {
        let Err(error) = done else { return Ok(()) };
        self.record_damage(&error);
        let claimed = attempt.claimed;
        let reason = ErrorChain(&error).to_string();
        if matches!(error, Error::ClockInDoubt) {
            return self.put_back(claimed, &reason, BACK_OFF_MS_MAX).await;
        }
        let attempts_max = job.attempts_max();
        if attempts_max.is_some_and(|max| error.is_final() || claimed.attempt >= max) {
            return job.give_up(attempt, &error).await;
        }
        log_failed(claimed, &error, attempts_max.is_some());
        let doubled = BACK_OFF_MS << (claimed.attempt - 1).min(16);
        self.put_back(claimed, &reason, doubled.min(BACK_OFF_MS_MAX))
            .await
    }

    /// Ends the claim, and lets the job be claimed again after so long.
    async fn put_back(
        &self,
        claimed: &ClaimedJob,
        reason: &str,
        wait_ms: i64,
    ) -> Result<(), Error> {
        let later = self.meta.clock().now().saturating_add_millis(wait_ms);
        let retried = self.meta.retry_job(claimed, reason, later).await;
        retried.doing("put the job back").map(drop)
    }

    /// Renews the lease; returns when it is lost.
    async fn keep_lease(&self, claimed: &ClaimedJob) {
        let lease_ms = u64::try_from(self.lease_ms(claimed)).unwrap_or(0);
        let part = |parts: u64| Duration::from_millis((lease_ms / parts).max(1));
        tokio::time::sleep(part(FIRST_RENEWAL_PER_LEASE)).await;
        let mut ticks = tokio::time::interval(part(RENEWALS_PER_LEASE));
        loop {
            ticks.tick().await;
            if !self.renew_lease(claimed).await {
                return;
            }
        }
    }

    /// Renews the lease. False: it is lost.
    async fn renew_lease(&self, claimed: &ClaimedJob) -> bool {
        let renewed = self.meta.renew_job(claimed, self.lease_ms(claimed)).await;
        let is_lost = matches!(renewed, Ok(Claim::Lost));
        if is_lost {
            tracing::warn!(job.id = %claimed.id, "another worker has claimed the job");
        }
        !is_lost
    }

    fn lease_ms(&self, claimed: &ClaimedJob) -> i64 {
        if has_lost_every_profile(claimed) {
            return self.config.lease_ms.max(LOST_LEASE_MS);
        }
        self.config.lease_ms
    }

    async fn worker(&self, shutdown: &CancellationToken) {
        while !shutdown.is_cancelled() {
            if let Err(error) = self.work(shutdown).await {
                let error = ErrorChain(&error).to_string();
                tracing::error!(error, "a job could not be claimed, or not be put back");
                wait(LOOK_AGAIN, shutdown).await;
            }
        }
    }

    /// Runs a job that is due, or else waits for one.
    async fn work(&self, shutdown: &CancellationToken) -> Result<(), Error> {
        let looked_at = self.meta.clock().now();
        if self.run_next(shutdown).await? {
            return Ok(());
        }
        match self.wait_for_work(looked_at, shutdown).await {
            Some(claimed) => self.run(&claimed, shutdown).await,
            None => Ok(()),
        }
    }

    /// Waits until there may be a job to claim, or this process adds one and hands it over.
    ///
    /// A job that was due before `looked_at` and was not claimed belongs to an organisation with
    /// as many running jobs as it may have. The worker that ends one of them claims it.
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
}

/// Whether attempts with each memory profile were lost, so that there is none left to try.
fn has_lost_every_profile(claimed: &ClaimedJob) -> bool {
    claimed.lost >= Query::MEMORY_PROFILES
}

/// Logs a failed attempt that is tried again. It is an error if nothing else would ever be logged
/// about it: such a job is not given up.
fn log_failed(claimed: &ClaimedJob, error: &Error, is_given_up_later: bool) {
    let (name, about, attempt) = (&claimed.name, &claimed.payload, claimed.attempt);
    let reason = ErrorChain(error).to_string();
    // Busy: a quota of the organisation is used up, or another process holds a lock.
    if is_given_up_later || error.kind() == ErrorKind::Busy {
        tracing::warn!(
            job.name = name,
            job.about = about,
            attempt,
            error = reason,
            "a job failed; it is tried again"
        );
    } else {
        tracing::error!(
            job.name = name,
            job.about = about,
            attempt,
            error = reason,
            "a job failed; it is tried again"
        );
    }
}

/// Waits, at most until the shutdown.
pub(crate) async fn wait(time: Duration, shutdown: &CancellationToken) {
    tokio::select! {
        () = tokio::time::sleep(time) => {}
        () = shutdown.cancelled() => {}
    }
}
