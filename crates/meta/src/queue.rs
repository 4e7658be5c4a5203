//! The queue: work that outlives a request, or the process.
//!
//! A job is claimed for a while, its lease, and then worked on with no
//! transaction open. Each claim has a greater number, the fence; whoever comes
//! back late finds that its own number no longer counts.

mod idle;

use showreport_model::{JobId, Timestamp};
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
}

/// A job to be added.
#[derive(Debug, Clone, Copy)]
pub(crate) struct NewJob<'a> {
    /// What kind of work it is.
    pub(crate) name: &'a str,
    /// What about.
    pub(crate) payload: &'a str,
    /// What makes it the same job as another.
    pub(crate) unique_key: &'a str,
    /// Not before.
    pub(crate) run_at: Timestamp,
}

const INSERT: &str = "INSERT INTO jobs (id, name, payload, unique_key, due_at, attempts, fence)
    VALUES (?1, ?2, ?3, ?4, ?5, 0, 0)
    ON CONFLICT (unique_key) DO NOTHING";

/// Somebody waits for a report; nobody waits for a bulk report as eagerly.
const CLAIM: &str = "UPDATE jobs SET due_at = ?2, attempts = attempts + 1, fence = fence + 1
    WHERE id = (SELECT id FROM jobs WHERE due_at <= ?1
        ORDER BY name = 'make_bulk_report', due_at, id LIMIT 1)
    RETURNING id, name, payload, attempts, fence";

/// A time that no lease and no back-off reaches was set by a clock that has gone back since.
const REVIVE: &str = "UPDATE jobs SET due_at = ?1, fence = fence + 1 WHERE due_at > ?2";

const RENEW: &str = "UPDATE jobs SET due_at = ?3 WHERE id = ?1 AND fence = ?2";

/// The fence grows, so that the claim that gave up cannot publish any more.
const RETRY: &str = "UPDATE jobs SET due_at = ?3, last_error = ?4, fence = fence + 1
    WHERE id = ?1 AND fence = ?2";

const FINISH: &str = "DELETE FROM jobs WHERE id = ?1 AND fence = ?2";

const CANCEL: &str = "DELETE FROM jobs WHERE unique_key = ?1";

const SELECT_LAST: &str = "SELECT max(due_at) AS due_at FROM jobs";

const SELECT_NEXT: &str = "SELECT min(due_at) AS due_at FROM jobs";

const COUNT: &str = "SELECT count(*) FROM jobs";

const COUNT_OF_NAME: &str = "SELECT count(*) FROM jobs WHERE name = ?1";

/// Adds a job, or nothing while the same job is unfinished.
pub(crate) async fn insert(write: &mut SqliteConnection, job: NewJob<'_>) -> Result<(), Error> {
    sqlx::query(INSERT)
        .bind(JobId::generate().to_string())
        .bind(job.name)
        .bind(job.payload)
        .bind(job.unique_key)
        .bind(job.run_at.as_millis())
        .execute(write)
        .await
        .doing("add a job")?;
    Ok(())
}

/// Claims the job that has been due for longest.
pub(crate) async fn claim(
    write: &mut SqliteConnection,
    now: Timestamp,
    lease_ends_at: Timestamp,
) -> Result<Option<ClaimedJob>, Error> {
    let row = sqlx::query(CLAIM)
        .bind(now.as_millis())
        .bind(lease_ends_at.as_millis())
        .fetch_optional(write)
        .await
        .doing("claim a job")?;
    row.map(|row| {
        let row = Stored(&row);
        Ok(ClaimedJob {
            id: row.parsed("id")?,
            name: row.plain("name")?,
            payload: row.plain("payload")?,
            attempt: row.number("attempts")?,
            fence: row.plain("fence")?,
        })
    })
    .transpose()
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

/// When the next job may be claimed.
pub(crate) async fn next_due_at(read: impl SqliteExecutor<'_>) -> Result<Option<Timestamp>, Error> {
    let row = sqlx::query(SELECT_NEXT)
        .fetch_one(read)
        .await
        .doing("look for the next job")?;
    Stored(&row).time_if_any("due_at")
}

/// How many jobs are unfinished.
pub(crate) async fn depth(read: impl SqliteExecutor<'_>) -> Result<u64, Error> {
    let count: i64 = sqlx::query_scalar(COUNT)
        .fetch_one(read)
        .await
        .doing("count jobs")?;
    Ok(count.unsigned_abs())
}

/// How many jobs of a kind are unfinished.
pub(crate) async fn depth_of(read: impl SqliteExecutor<'_>, name: &str) -> Result<u64, Error> {
    let count: i64 = sqlx::query_scalar(COUNT_OF_NAME)
        .bind(name)
        .fetch_one(read)
        .await
        .doing("count jobs of a kind")?;
    Ok(count.unsigned_abs())
}
