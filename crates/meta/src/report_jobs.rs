//! Report jobs: a report a day of one type, one for an organisation and type.

use showreport_model::bulk::{ReportJob, ReportType};
use showreport_model::{OrgId, ReportJobId, Timestamp};
use sqlx::sqlite::SqliteRow;
use sqlx::{SqliteConnection, SqliteExecutor};

use crate::database::{Stored, Sum, check_rows};
use crate::error::{Doing, Error};

/// The columns of a report job, with what follows them.
macro_rules! select {
    ($rest:literal) => {
        concat!(
            "SELECT id, org, report_type, name, created_at, first_day, fetched_at, ends_at, ended_at,
                sum
            FROM report_jobs ",
            $rest
        )
    };
}

const INSERT: &str = "INSERT INTO report_jobs
        (id, org, report_type, name, created_at, first_day, fetched_at, sum)
    VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?5, ?7)
    ON CONFLICT (org, report_type) WHERE ended_at IS NULL DO NOTHING";

const SELECT: &str = select!("WHERE org = ?1 AND id = ?2");

const SELECT_OF_TYPE: &str = select!("WHERE org = ?1 AND report_type = ?2 AND ended_at IS NULL");

const SELECT_OF_ORG: &str = select!("WHERE org = ?1 ORDER BY created_at DESC, id DESC");

const SELECT_ALL: &str = select!("ORDER BY org, created_at DESC, id DESC");

const SELECT_IN_FORCE: &str = select!("WHERE ended_at IS NULL ORDER BY org, id");

const DELETE: &str = "DELETE FROM report_jobs WHERE org = ?1 AND id = ?2";

/// A report job that has ended stays ended.
const FETCHED: &str = "UPDATE report_jobs SET fetched_at = ?3, ends_at = NULL
    WHERE org = ?1 AND id = ?2 AND ended_at IS NULL";

const ANNOUNCE_END: &str = "UPDATE report_jobs SET ends_at = ?3
    WHERE org = ?1 AND id = ?2 AND ended_at IS NULL AND ends_at IS NULL";

const END: &str = "UPDATE report_jobs SET ended_at = ?3
    WHERE org = ?1 AND id = ?2 AND ended_at IS NULL AND ends_at <= ?3";

/// What is over and has no report left is nothing any more.
const FORGET_ENDED: &str = "DELETE FROM report_jobs WHERE ended_at IS NOT NULL
    AND NOT EXISTS (SELECT 1 FROM bulk_reports WHERE report_job = report_jobs.id)";

/// Adds a report job. Fails where one of the type is in force, and names it.
pub(crate) async fn insert(
    write: &mut SqliteConnection,
    report_job: &ReportJob,
) -> Result<(), Error> {
    let done = sqlx::query(INSERT)
        .bind(report_job.id.to_string())
        .bind(report_job.org.as_str())
        .bind(report_job.report_type.name())
        .bind(report_job.name.as_str())
        .bind(report_job.created_at.as_millis())
        .bind(report_job.first_day.to_string())
        .bind(sum(report_job))
        .execute(&mut *write)
        .await
        .doing("create a report job")?;
    if done.rows_affected() == 1 {
        return Ok(());
    }
    let row = sqlx::query(SELECT_OF_TYPE)
        .bind(report_job.org.as_str())
        .bind(report_job.report_type.name())
        .fetch_one(write)
        .await
        .doing("look up a report job")?;
    let existing = self::report_job(&row)?;
    Err(Error::ReportJobExists {
        report_job: existing.id,
        report_type: existing.report_type,
        name: existing.name,
    })
}

/// A report job of an organisation.
pub(crate) async fn find(
    read: impl SqliteExecutor<'_>,
    org: &OrgId,
    id: ReportJobId,
) -> Result<ReportJob, Error> {
    let row = sqlx::query(SELECT)
        .bind(org.as_str())
        .bind(id.to_string())
        .fetch_optional(read)
        .await
        .doing("look up a report job")?;
    report_job(&row.ok_or(Error::UnknownReportJob { report_job: id })?)
}

/// All orders of an organisation, newest first. There are few: one in force for each type.
pub(crate) async fn of_org(
    read: impl SqliteExecutor<'_>,
    org: &OrgId,
) -> Result<Vec<ReportJob>, Error> {
    let rows = sqlx::query(SELECT_OF_ORG)
        .bind(org.as_str())
        .fetch_all(read)
        .await
        .doing("list report jobs")?;
    rows.iter().map(report_job).collect()
}

/// All orders of all organisations.
pub(crate) async fn all(read: impl SqliteExecutor<'_>) -> Result<Vec<ReportJob>, Error> {
    let rows = sqlx::query(SELECT_ALL)
        .fetch_all(read)
        .await
        .doing("list report jobs")?;
    rows.iter().map(report_job).collect()
}

/// The orders in force of all organisations, each by itself: one that is damaged keeps none of the others.
pub(crate) async fn in_force(
    read: impl SqliteExecutor<'_>,
) -> Result<Vec<Result<ReportJob, Error>>, Error> {
    let rows = sqlx::query(SELECT_IN_FORCE)
        .fetch_all(read)
        .await
        .doing("list report jobs")?;
    Ok(rows.iter().map(report_job).collect())
}

/// Removes a report job, and with it all that was made for it.
pub(crate) async fn delete(
    write: &mut SqliteConnection,
    org: &OrgId,
    id: ReportJobId,
) -> Result<(), Error> {
    let done = sqlx::query(DELETE)
        .bind(org.as_str())
        .bind(id.to_string())
        .execute(write)
        .await
        .doing("delete a report job")?;
    if done.rows_affected() == 0 {
        return Err(Error::UnknownReportJob { report_job: id });
    }
    Ok(())
}

/// What happens to a report job at an instant.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Turn {
    /// Somebody fetched a report: it goes on.
    Fetched,
    /// Nobody has for long: it will end then.
    AnnounceEnd,
    /// Its time has come.
    End,
}

/// Notes what happened to a report job; false if that does not apply any more.
pub(crate) async fn turn(
    write: &mut SqliteConnection,
    (org, id): (&OrgId, ReportJobId),
    turn: Turn,
    at: Timestamp,
) -> Result<bool, Error> {
    let statement = match turn {
        Turn::Fetched => FETCHED,
        Turn::AnnounceEnd => ANNOUNCE_END,
        Turn::End => END,
    };
    let done = sqlx::query(statement)
        .bind(org.as_str())
        .bind(id.to_string())
        .bind(at.as_millis())
        .execute(write)
        .await
        .doing("keep a report job")?;
    Ok(done.rows_affected() == 1)
}

/// Removes orders that have ended and whose last report is gone.
pub(crate) async fn forget_ended(write: &mut SqliteConnection) -> Result<(), Error> {
    sqlx::query(FORGET_ENDED)
        .execute(write)
        .await
        .doing("forget report jobs that have ended")?;
    Ok(())
}

/// Reads every report job, so that one that is damaged is found.
pub(crate) async fn check_all(read: &mut SqliteConnection) -> Result<(), Error> {
    check_rows(read, SELECT_ALL, |row| report_job(row).map(drop)).await
}

/// Over what was ordered; how it goes on is written later.
fn sum(report_job: &ReportJob) -> i64 {
    Sum::of("standing_orders")
        .text(&report_job.id.to_string())
        .text(report_job.org.as_str())
        .text(report_job.report_type.name())
        .text(&report_job.name)
        .number(report_job.created_at.as_millis())
        .text(&report_job.first_day.to_string())
        .finish()
}

fn report_job(row: &SqliteRow) -> Result<ReportJob, Error> {
    let row = Stored(row);
    let report_job = ReportJob {
        id: row.parsed("id")?,
        org: row.parsed("org")?,
        report_type: row.named("report_type", ReportType::from_name)?,
        name: row.plain("name")?,
        created_at: row.time("created_at")?,
        first_day: row.parsed("first_day")?,
        fetched_at: row.time("fetched_at")?,
        ends_at: row.time_if_any("ends_at")?,
        ended_at: row.time_if_any("ended_at")?,
    };
    row.check("report_jobs", sum(&report_job))?;
    Ok(report_job)
}
