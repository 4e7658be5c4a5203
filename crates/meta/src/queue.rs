//! The queue: work that outlives a request, or the process.
//!
//! A job is claimed for a while, its lease, and then worked on with no
//! transaction open. Each claim has a greater number, the fence; whoever comes
//! back late finds that its own number no longer counts.
//!
//! Jobs are claimed in turns: first for the organisation that has the fewest jobs running in this
//! process, then for the one whose last claim is longest ago. The jobs of one organisation are
//! claimed in turns by kind, so that bulk reports do not wait for the end of all event reports.
//! Without turns, one organisation that orders a thousand reports delays those of all others.

mod idle;

use showreport_model::{ClaimantId, JobId, OrgId, Timestamp};
use sqlx::{SqliteConnection, SqliteExecutor};

pub use idle::Offer;
pub(crate) use idle::{Idle, IdleWorker};

use crate::database::Stored;
use crate::error::{Doing, Error};

/// The name of the job that makes a report; its payload is the report's id.
pub const MAKE_REPORT: &str = "make_report";

/// The name of the job that makes the file of a day; its payload is the due day, as JSON.
pub const MAKE_BULK_REPORT: &str = "make_bulk_report";

/// A job that this process works on, for as long as nobody else claims it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ClaimedJob {
    /// The job.
    pub id: JobId,
    /// What kind of work it is.
    pub name: String,
    /// What about.
    pub payload: String,
    /// Which attempt this is, counted from 1.
    pub attempt: u32,
    /// The number of this claim.
    pub fence: i64,
    /// Earlier claims that ended with their lease: the job may have ended their process.
    pub lost: u32,
}

/// A job to be added.
#[derive(Debug, Clone, Copy)]
pub(crate) struct NewJob<'a> {
    /// The organisation that it is for.
    pub(crate) org: &'a OrgId,
    /// What kind of work it is.
    pub(crate) name: &'a str,
    /// What about.
    pub(crate) payload: &'a str,
    /// What makes it the same job as another.
    pub(crate) unique_key: &'a str,
    /// Not before.
    pub(crate) run_at: Timestamp,
}

/// The process that claims, and its bounds.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Claimant {
    /// The process.
    pub(crate) id: ClaimantId,
    /// Jobs of one organisation that it runs at one time.
    pub(crate) running_each_max: u32,
}

const INSERT: &str =
    "INSERT INTO jobs (id, name, payload, unique_key, due_at, attempts, fence, org, queued_at)
    VALUES (?1, ?2, ?3, ?4, ?5, 0, 0, ?6, ?7)
    ON CONFLICT (unique_key) DO NOTHING";

/// An organisation's first job of a kind is claimed before those of all who had a turn.
const JOIN_TURNS: &str = "INSERT INTO job_turns (org, name, number) VALUES (?1, ?2, 0)
    ON CONFLICT (org, name) DO NOTHING";

/// Only what this process claimed counts as running: the leases of a process that died would
/// otherwise keep its organisations waiting until they end.
const SELECT_NEXT: &str = "SELECT jobs.id
    FROM job_turns
    JOIN jobs ON jobs.id = (SELECT id FROM jobs AS due
        WHERE due.org = job_turns.org AND due.name = job_turns.name AND due.due_at <= ?1
        ORDER BY due.due_at, due.id LIMIT 1)
    LEFT JOIN (SELECT org, count(*) AS jobs FROM jobs
        WHERE claimed_by = ?2 AND due_at > ?1 GROUP BY org) AS running
        ON running.org = job_turns.org
    LEFT JOIN (SELECT org, max(number) AS number FROM job_turns GROUP BY org) AS last
        ON last.org = job_turns.org
    WHERE coalesce(running.jobs, 0) < ?3
    ORDER BY coalesce(running.jobs, 0), last.number, job_turns.number,
        jobs.name = 'make_bulk_report', jobs.due_at, jobs.id
    LIMIT 1";

/// A claim that was neither given back nor ever renewed counts as no loss: its process ended within a
/// second, of something else.
const CLAIM: &str = "UPDATE jobs
    SET due_at = ?2, attempts = attempts + 1, fence = fence + 1,
        lost = lost + (claimed_by IS NOT NULL AND held), held = 0, claimed_by = ?3
    WHERE id = ?1
    RETURNING id, name, payload, attempts, fence, lost, org";

const TAKE_TURN: &str = "UPDATE job_turns
    SET number = (SELECT max(number) + 1 FROM job_turns) WHERE org = ?1 AND name = ?2";

/// A time that no lease and no back-off reaches was set by a clock that has gone back since.
const REVIVE: &str = "UPDATE jobs SET due_at = ?1, fence = fence + 1, claimed_by = NULL
    WHERE due_at > ?2";

const RENEW: &str = "UPDATE jobs SET due_at = ?3, held = 1 WHERE id = ?1 AND fence = ?2";

/// The fence grows, so that the claim that gave up cannot publish any more.
const RETRY: &str = "UPDATE jobs
    SET due_at = ?3, last_error = ?4, fence = fence + 1, claimed_by = NULL
    WHERE id = ?1 AND fence = ?2";

const FINISH: &str = "DELETE FROM jobs WHERE id = ?1 AND fence = ?2";

const CANCEL: &str = "DELETE FROM jobs WHERE unique_key = ?1";

const SELECT_LAST: &str = "SELECT max(due_at) AS due_at FROM jobs";

const SELECT_NEXT_DUE: &str = "SELECT min(due_at) AS due_at FROM jobs WHERE due_at > ?1";

const SELECT_OLDEST: &str = "SELECT min(queued_at) AS queued_at FROM jobs WHERE name = ?1";

const COUNT: &str = "SELECT count(*) FROM jobs";

const COUNT_OF_NAME: &str = "SELECT count(*) AS jobs, sum(org = ?2) AS of_org
    FROM jobs WHERE name = ?1";

/// Adds a job, or nothing while the same job is unfinished.
pub(crate) async fn insert(
    write: &mut SqliteConnection,
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
        .execute(&mut *write)
        .await
        .doing("add a job")?;
    sqlx::query(JOIN_TURNS)
        .bind(job.org.as_str())
        .bind(job.name)
        .execute(write)
        .await
        .doing("add an organisation to the turns")?;
    Ok(())
}

/// The job whose turn it is. None: no job is due, or every organisation that has one due has as
/// many running as it may.
pub(crate) async fn next(
    read: impl SqliteExecutor<'_>,
    claimant: Claimant,
    now: Timestamp,
) -> Result<Option<JobId>, Error> {
    let row = sqlx::query(SELECT_NEXT)
        .bind(now.as_millis())
        .bind(claimant.id.to_string())
        .bind(claimant.running_each_max)
        .fetch_optional(read)
        .await
        .doing("look whose turn it is")?;
    row.map(|row| Stored(&row).parsed("id")).transpose()
}

/// Claims the job whose turn it is, as [`next`] chooses it.
pub(crate) async fn claim(
    write: &mut SqliteConnection,
    claimant: Claimant,
    now: Timestamp,
    lease_ends_at: Timestamp,
) -> Result<Option<ClaimedJob>, Error> {
    let Some(id) = next(&mut *write, claimant, now).await? else {
        return Ok(None);
    };
    let row = sqlx::query(CLAIM)
        .bind(id.to_string())
        .bind(lease_ends_at.as_millis())
        .bind(claimant.id.to_string())
        .fetch_one(&mut *write)
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
        .execute(write)
        .await
        .doing("take a turn")?;
    Ok(Some(job))
}

/// Keeps the claim until then; false if it no longer holds.
pub(crate) async fn renew(
    write: &mut SqliteConnection,
    job: &ClaimedJob,
    lease_ends_at: Timestamp,
) -> Result<bool, Error> {
    let done = sqlx::query(RENEW)
        .bind(job.id.to_string())
        .bind(job.fence)
        .bind(lease_ends_at.as_millis())
        .execute(write)
        .await
        .doing("renew a lease")?;
    Ok(done.rows_affected() == 1)
}

/// Gives the job back to be tried again; false if the claim no longer holds.
pub(crate) async fn retry(
    write: &mut SqliteConnection,
    job: &ClaimedJob,
    error: &str,
    run_at: Timestamp,
) -> Result<bool, Error> {
    let done = sqlx::query(RETRY)
        .bind(job.id.to_string())
        .bind(job.fence)
        .bind(run_at.as_millis())
        .bind(error)
        .execute(write)
        .await
        .doing("put a job back")?;
    Ok(done.rows_affected() == 1)
}

/// Removes the job as done; false if the claim no longer holds.
pub(crate) async fn finish(write: &mut SqliteConnection, job: &ClaimedJob) -> Result<bool, Error> {
    let done = sqlx::query(FINISH)
        .bind(job.id.to_string())
        .bind(job.fence)
        .execute(write)
        .await
        .doing("finish a job")?;
    Ok(done.rows_affected() == 1)
}

/// Removes the job of that key, whoever works on it.
pub(crate) async fn cancel(write: &mut SqliteConnection, unique_key: &str) -> Result<(), Error> {
    sqlx::query(CANCEL)
        .bind(unique_key)
        .execute(write)
        .await
        .doing("cancel a job")?;
    Ok(())
}

/// When the last job may be claimed.
pub(crate) async fn last_due_at(read: impl SqliteExecutor<'_>) -> Result<Option<Timestamp>, Error> {
    let row = sqlx::query(SELECT_LAST)
        .fetch_one(read)
        .await
        .doing("look for the last job")?;
    Stored(&row).time_if_any("due_at")
}

/// Lets jobs be claimed that would wait past `latest`.
pub(crate) async fn revive(
    write: &mut SqliteConnection,
    now: Timestamp,
    latest: Timestamp,
) -> Result<(), Error> {
    sqlx::query(REVIVE)
        .bind(now.as_millis())
        .bind(latest.as_millis())
        .execute(write)
        .await
        .doing("revive jobs")?;
    Ok(())
}

/// When the next job that is due later than `after` may be claimed.
pub(crate) async fn next_due_at(
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

/// Since when the oldest unfinished job of a kind is queued.
pub(crate) async fn queued_since(
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
pub(crate) async fn depth(read: impl SqliteExecutor<'_>) -> Result<u64, Error> {
    let count: i64 = sqlx::query_scalar(COUNT)
        .fetch_one(read)
        .await
        .doing("count jobs")?;
    Ok(count.unsigned_abs())
}

/// How many jobs of a kind are unfinished: of all organisations, and of this one.
pub(crate) async fn depth_of(
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
    let of_org: Option<i64> = Stored(&row).plain("of_org")?;
    let all: i64 = Stored(&row).plain("jobs")?;
    Ok((all.unsigned_abs(), of_org.unwrap_or(0).unsigned_abs()))
}
