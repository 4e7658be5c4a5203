//! The queue of jobs: work that outlives a request, or the process.
//!
//! A job is claimed for the time of a lease, and run with no transaction open. Each claim has a
//! greater number than the one before, the fence. After its lease has run out, a worker finds
//! that its number no longer counts.
//!
//! Jobs are claimed round robin: first for the organisation that has the fewest jobs running in
//! this process, then for the one with the oldest last claim. The jobs of one organisation are
//! claimed round robin by kind, so that bulk reports do not wait for all event reports. Without
//! this, one organisation that orders a thousand reports delays those of all others.

mod idle_workers;

use fail::fail_point;
use showreport_model::{ClaimantId, JobId, OrgId, Timestamp};
use sqlx::{SqliteConnection, SqliteExecutor};

pub use idle_workers::Offer;
pub(super) use idle_workers::{IdleWorker, IdleWorkers};

use super::Meta;
use crate::database::{Stored, Transaction, elements};
use crate::error::{Doing, Error};

/// The name of the job that makes an event report; its payload is the report's id.
pub const MAKE_REPORT: &str = "make_report";

/// The name of the job that makes a bulk report; its payload is the dirty day, as JSON.
pub const MAKE_BULK_REPORT: &str = "make_bulk_report";

/// A job that this process runs, as long as its lease lasts.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ClaimedJob {
    pub id: JobId,
    pub name: String,
    pub payload: String,
    /// Counted from 1.
    pub attempt: u32,
    /// The number of this claim.
    pub fence: i64,
    /// Earlier claims with a lease that ran out: the job may have ended their process.
    pub lost: u32,
}

/// Whether a claim still holds.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Claim {
    Holds,
    /// The lease ran out and the job was claimed again, or the job was cancelled. Nothing was
    /// changed.
    Lost,
}

/// A job to be added.
#[derive(Debug, Clone, Copy)]
pub(super) struct NewJob<'a> {
    /// The organisation that it is for.
    pub(super) org: &'a OrgId,
    pub(super) name: &'a str,
    pub(super) payload: &'a str,
    /// Two jobs with the same key are the same job.
    pub(super) unique_key: &'a str,
    pub(super) run_at: Timestamp,
}

/// The process that claims jobs.
#[derive(Debug, Clone)]
pub(super) struct Claimant {
    pub(super) id: ClaimantId,
    /// Jobs of one organisation that it runs at one time.
    pub(super) running_each_max: u32,
    /// [`crate::Config::job_priorities`] as JSON.
    pub(super) priorities: String,
}

const INSERT: &str =
    "INSERT INTO jobs (id, name, payload, unique_key, due_at, attempts, fence, org, queued_at)
    VALUES ($1, $2, $3, $4, $5, 0, 0, $6, $7)
    ON CONFLICT (unique_key) DO NOTHING";

/// An organisation's first job of a kind is claimed before the jobs of those that had a turn.
const JOIN_TURNS: &str = "INSERT INTO job_turns (org, name, number) VALUES ($1, $2, 0)
    ON CONFLICT (org, name) DO NOTHING";

/// Only claims of this process count as running: otherwise the leases of a process that died
/// would block the jobs of its organisations until they run out.
const SELECT_NEXT: &str = concat!(
    "SELECT jobs.id
    FROM job_turns
    JOIN jobs ON jobs.id = (SELECT id FROM jobs AS due
        WHERE due.org = job_turns.org AND due.name = job_turns.name AND due.due_at <= $1
        ORDER BY due.due_at, due.id LIMIT 1)
    LEFT JOIN (SELECT org, count(*) AS jobs FROM jobs
        WHERE claimed_by = $2 AND due_at > $1 GROUP BY org) AS running
        ON running.org = job_turns.org
    LEFT JOIN (SELECT org, max(number) AS number FROM job_turns GROUP BY org) AS last
        ON last.org = job_turns.org
    LEFT JOIN ",
    elements!("$4"),
    " AS priority ON priority.value ->> 0 = jobs.name
    WHERE coalesce(running.jobs, 0) < $3
    ORDER BY coalesce(running.jobs, 0), last.number, job_turns.number,
        priority.value IS NULL, priority.value ->> 1, jobs.due_at, jobs.id
    LIMIT 1"
);

/// A claim that was never renewed does not count as lost: its process ended within a second, for
/// another reason.
const CLAIM: &str = "UPDATE jobs
    SET due_at = $2, attempts = attempts + 1, fence = fence + 1,
        lost = lost + CASE WHEN claimed_by IS NOT NULL AND held = 1 THEN 1 ELSE 0 END,
        held = 0, claimed_by = $3
    WHERE id = $1
    RETURNING id, name, payload, attempts, fence, lost, org";

const TAKE_TURN: &str = "UPDATE job_turns
    SET number = (SELECT max(number) + 1 FROM job_turns) WHERE org = $1 AND name = $2";

/// A time that no lease and no back-off reaches was set by a clock that has gone back since.
const REVIVE: &str = "UPDATE jobs SET due_at = $1, fence = fence + 1, claimed_by = NULL
    WHERE due_at > $2";

const RENEW: &str = "UPDATE jobs SET due_at = $3, held = 1 WHERE id = $1 AND fence = $2";

/// The fence grows, so that this claim cannot publish any more.
const RETRY: &str = "UPDATE jobs
    SET due_at = $3, last_error = $4, fence = fence + 1, claimed_by = NULL
    WHERE id = $1 AND fence = $2";

const FINISH: &str = "DELETE FROM jobs WHERE id = $1 AND fence = $2";

const CANCEL: &str = "DELETE FROM jobs WHERE unique_key = $1";

const SELECT_LAST: &str = "SELECT max(due_at) AS due_at FROM jobs";

const SELECT_NEXT_DUE: &str = "SELECT min(due_at) AS due_at FROM jobs WHERE due_at > $1";

const SELECT_OLDEST: &str = "SELECT min(queued_at) AS queued_at FROM jobs WHERE name = $1";

const COUNT: &str = "SELECT count(*) FROM jobs";

const COUNT_OF_NAME: &str = "SELECT count(*) AS jobs, count(*) FILTER (WHERE org = $2) AS of_org
    FROM jobs WHERE name = $1";

impl Claim {
    fn of_rows(changed: u64) -> Self {
        if changed == 1 {
            Self::Holds
        } else {
            Self::Lost
        }
    }
}

impl Meta {
    /// Claims a job that is due, or has a lease that ran out. `None`: no job is due, or each
    /// organisation that has one due has as many running as it may.
    pub async fn claim_job(&self, lease_ms: i64) -> Result<Option<ClaimedJob>, Error> {
        // Reading is cheap, and mostly finds nothing.
        let now = self.now();
        let claimant = &self.shared.claimant;
        if next(self.readers(), claimant, now).await?.is_none() {
            return Ok(None);
        }
        let lease_ends_at = now.saturating_add_millis(lease_ms);
        let claim = async |tx: &mut Transaction<'_>| {
            let job = claim(tx, claimant, now, lease_ends_at).await?;
            fail_point!("claim-before-commit", |_| std::process::abort());
            Ok(job)
        };
        let job = self.database().write(claim).await?;
        fail_point!("claim-after-commit", |_| std::process::abort());
        Ok(job)
    }

    /// Registers an idle worker: a job that this process adds may be claimed for it directly, with
    /// this lease.
    pub fn offer_work(&self, lease_ms: i64) -> Offer {
        self.shared.idle_workers.join(lease_ms)
    }

    /// Hands jobs to the idle workers for which they were claimed.
    pub(super) async fn hand_over(&self, claimed: Vec<(IdleWorker, ClaimedJob)>) {
        // All before the first await: this future may be dropped when the client disconnects.
        let handed = claimed.into_iter();
        let refused: Vec<_> = handed
            .filter_map(|(worker, job)| worker.hand(job).err())
            .collect();
        for job in refused {
            // The worker has stopped waiting: give the job back.
            match self.retry_job(&job, "its worker left", self.now()).await {
                Ok(_) => self.shared.job_added.notify_one(),
                Err(error) => tracing::warn!(%error, "a job waits until its lease has run out"),
            }
        }
    }

    /// Extends the lease of a claim: it ends `lease_ms` from now.
    pub async fn renew_job(&self, job: &ClaimedJob, lease_ms: i64) -> Result<Claim, Error> {
        let lease_ends_at = self.now().saturating_add_millis(lease_ms);
        let renew = async |tx: &mut Transaction<'_>| renew(tx, job, lease_ends_at).await;
        let claim = self.database().write(renew).await?;
        fail_point!("renew-after-commit", |_| std::process::abort());
        Ok(claim)
    }

    /// Removes a job that is done.
    pub async fn finish_job(&self, job: &ClaimedJob) -> Result<Claim, Error> {
        self.database()
            .write(async |tx| finish(tx, job).await)
            .await
    }

    /// Ends a claim. The job is tried again at `run_at`.
    pub async fn retry_job(
        &self,
        job: &ClaimedJob,
        error: &str,
        run_at: Timestamp,
    ) -> Result<Claim, Error> {
        self.database()
            .write(async |tx| retry(tx, job, error, run_at).await)
            .await
    }

    /// Makes jobs due now that would wait longer than `wait_ms_max`. No job does, unless the clock
    /// has gone back since.
    pub async fn revive_jobs(&self, wait_ms_max: i64) -> Result<(), Error> {
        let now = self.now();
        let latest = now.saturating_add_millis(wait_ms_max);
        // Reading is cheap, and mostly finds nothing.
        let last = last_due_at(self.readers()).await?;
        if last.is_none_or(|last| last <= latest) {
            return Ok(());
        }
        self.database()
            .write(async |tx| revive(tx, now, latest).await)
            .await
    }

    /// When the next job that is due later than `after` may be claimed: the earliest time to run,
    /// or end of a lease.
    pub async fn next_job_after(&self, after: Timestamp) -> Result<Option<Timestamp>, Error> {
        next_due_at(self.readers(), after).await
    }

    /// How many jobs are unfinished.
    pub async fn queue_depth(&self) -> Result<u64, Error> {
        depth(self.readers()).await
    }

    /// Waits until this process adds a job. One that was added before the call counts.
    pub async fn job_added(&self) {
        self.shared.job_added.notified().await;
    }
}

/// Adds a job, unless the same job is unfinished.
pub(super) async fn insert(
    tx: &mut SqliteConnection,
    job: NewJob<'_>,
    now: Timestamp,
) -> Result<(), Error> {
    sqlx::query(INSERT)
        .bind(JobId::generate().to_string())
        .bind(job.name)
        .bind(job.payload)
        .bind(job.unique_key)
        .bind(job.run_at.as_millis())
        .bind(job.org.as_str())
        .bind(now.as_millis())
        .execute(&mut *tx)
        .await
        .doing("add a job")?;
    sqlx::query(JOIN_TURNS)
        .bind(job.org.as_str())
        .bind(job.name)
        .execute(tx)
        .await
        .doing("add an organisation to the turns")?;
    Ok(())
}

/// The job that is claimed next. `None`: no job is due, or each organisation that has one due has
/// as many running as it may.
async fn next(
    read: impl SqliteExecutor<'_>,
    claimant: &Claimant,
    now: Timestamp,
) -> Result<Option<JobId>, Error> {
    let row = sqlx::query(SELECT_NEXT)
        .bind(now.as_millis())
        .bind(claimant.id.to_string())
        .bind(claimant.running_each_max)
        .bind(&claimant.priorities)
        .fetch_optional(read)
        .await
        .doing("look for the next job")?;
    row.map(|row| Stored(&row).parsed("id")).transpose()
}

/// Claims the job that [`next`] chooses.
pub(super) async fn claim(
    tx: &mut SqliteConnection,
    claimant: &Claimant,
    now: Timestamp,
    lease_ends_at: Timestamp,
) -> Result<Option<ClaimedJob>, Error> {
    let Some(id) = next(&mut *tx, claimant, now).await? else {
        return Ok(None);
    };
    let row = sqlx::query(CLAIM)
        .bind(id.to_string())
        .bind(lease_ends_at.as_millis())
        .bind(claimant.id.to_string())
        .fetch_one(&mut *tx)
        .await
        .doing("claim a job")?;
    let row = Stored(&row);
    let job = ClaimedJob {
        id: row.parsed("id")?,
        name: row.plain("name")?,
        payload: row.plain("payload")?,
        attempt: row.number("attempts")?,
        fence: row.plain("fence")?,
        lost: row.number("lost")?,
    };
    sqlx::query(TAKE_TURN)
        .bind(row.plain::<String>("org")?)
        .bind(&job.name)
        .execute(tx)
        .await
        .doing("take a turn")?;
    Ok(Some(job))
}

/// Extends the lease.
async fn renew(
    tx: &mut SqliteConnection,
    job: &ClaimedJob,
    lease_ends_at: Timestamp,
) -> Result<Claim, Error> {
    let done = sqlx::query(RENEW)
        .bind(job.id.to_string())
        .bind(job.fence)
        .bind(lease_ends_at.as_millis())
        .execute(tx)
        .await
        .doing("renew a lease")?;
    Ok(Claim::of_rows(done.rows_affected()))
}

/// Ends the claim. The job is tried again at `run_at`.
async fn retry(
    tx: &mut SqliteConnection,
    job: &ClaimedJob,
    error: &str,
    run_at: Timestamp,
) -> Result<Claim, Error> {
    let done = sqlx::query(RETRY)
        .bind(job.id.to_string())
        .bind(job.fence)
        .bind(run_at.as_millis())
        .bind(error)
        .execute(tx)
        .await
        .doing("put a job back")?;
    Ok(Claim::of_rows(done.rows_affected()))
}

/// Removes a job that is done. If its claim is lost, the transaction is discarded.
pub(super) async fn finish(tx: &mut Transaction<'_>, job: &ClaimedJob) -> Result<Claim, Error> {
    let done = sqlx::query(FINISH)
        .bind(job.id.to_string())
        .bind(job.fence)
        .execute(&mut **tx)
        .await
        .doing("finish a job")?;
    let claim = Claim::of_rows(done.rows_affected());
    if claim == Claim::Lost {
        tx.discard();
    }
    Ok(claim)
}

/// Removes the job of that key. A worker that runs it loses its claim.
pub(super) async fn cancel(tx: &mut SqliteConnection, unique_key: &str) -> Result<(), Error> {
    sqlx::query(CANCEL)
        .bind(unique_key)
        .execute(tx)
        .await
        .doing("cancel a job")?;
    Ok(())
}

/// When the last job may be claimed.
async fn last_due_at(read: impl SqliteExecutor<'_>) -> Result<Option<Timestamp>, Error> {
    let row = sqlx::query(SELECT_LAST)
        .fetch_one(read)
        .await
        .doing("look for the last job")?;
    Stored(&row).time_if_any("due_at")
}

/// Lets jobs be claimed that would wait past `latest`.
async fn revive(tx: &mut SqliteConnection, now: Timestamp, latest: Timestamp) -> Result<(), Error> {
    sqlx::query(REVIVE)
        .bind(now.as_millis())
        .bind(latest.as_millis())
        .execute(tx)
        .await
        .doing("revive jobs")?;
    Ok(())
}

/// When the next job that is due later than `after` may be claimed.
async fn next_due_at(
    read: impl SqliteExecutor<'_>,
    after: Timestamp,
) -> Result<Option<Timestamp>, Error> {
    let row = sqlx::query(SELECT_NEXT_DUE)
        .bind(after.as_millis())
        .fetch_one(read)
        .await
        .doing("look for the next job")?;
    Stored(&row).time_if_any("due_at")
}

/// When the oldest unfinished job of a kind was queued.
pub(super) async fn queued_since(
    read: impl SqliteExecutor<'_>,
    name: &str,
) -> Result<Option<Timestamp>, Error> {
    let row = sqlx::query(SELECT_OLDEST)
        .bind(name)
        .fetch_one(read)
        .await
        .doing("look for the oldest job")?;
    Stored(&row).time_if_any("queued_at")
}

/// How many jobs are unfinished.
async fn depth(read: impl SqliteExecutor<'_>) -> Result<u64, Error> {
    let count: i64 = sqlx::query_scalar(COUNT)
        .fetch_one(read)
        .await
        .doing("count jobs")?;
    Ok(count.unsigned_abs())
}

/// How many jobs of a kind are unfinished: of all organisations, and of this one.
pub(super) async fn depth_of(
    read: impl SqliteExecutor<'_>,
    name: &str,
    org: &OrgId,
) -> Result<(u64, u64), Error> {
    let row = sqlx::query(COUNT_OF_NAME)
        .bind(name)
        .bind(org.as_str())
        .fetch_one(read)
        .await
        .doing("count jobs of a kind")?;
    let row = Stored(&row);
    Ok((row.number("jobs")?, row.number("of_org")?))
}

#[cfg(test)]
mod tests;
