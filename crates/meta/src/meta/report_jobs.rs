//! Report jobs: each makes the bulk reports of one type, one a day.
//!
//! An organisation has at most one report job of a type in force.

use showreport_model::bulk::{DAYS_BEFORE, ReportJob, ReportType};
use showreport_model::{OrgId, ReportId, ReportJobId, Timestamp};
use sqlx::sqlite::SqliteRow;
use sqlx::{SqliteConnection, SqliteExecutor};

use super::{Meta, bulk_reports, dirty_days, jobs, orgs};
use crate::database::{Stored, Sum, check_rows};
use crate::error::{Doing, Error};

/// Selects all columns of a report job.
macro_rules! select {
    ($rest:literal) => {
        concat!(
            "SELECT id, org, report_type, name, created_at, first_day, fetched_at, ends_at,
                ended_at, sum
            FROM report_jobs ",
            $rest
        )
    };
}

const INSERT: &str = "INSERT INTO report_jobs
        (id, org, report_type, name, created_at, first_day, fetched_at, sum)
    VALUES ($1, $2, $3, $4, $5, $6, $5, $7)
    ON CONFLICT (org, report_type) WHERE ended_at IS NULL DO NOTHING";

const SELECT: &str = select!("WHERE org = $1 AND id = $2");

const SELECT_OF_TYPE: &str = select!("WHERE org = $1 AND report_type = $2 AND ended_at IS NULL");

const SELECT_OF_ORG: &str = select!("WHERE org = $1 ORDER BY created_at DESC, id DESC");

const SELECT_ALL: &str = select!("ORDER BY org, created_at DESC, id DESC");

const SELECT_IN_FORCE: &str = select!("WHERE ended_at IS NULL ORDER BY org, id");

const DELETE: &str = "DELETE FROM report_jobs WHERE org = $1 AND id = $2";

/// A report job that has ended stays ended.
const FETCHED: &str = "UPDATE report_jobs SET fetched_at = $3, ends_at = NULL
    WHERE org = $1 AND id = $2 AND ended_at IS NULL";

const ANNOUNCE_END: &str = "UPDATE report_jobs SET ends_at = $3
    WHERE org = $1 AND id = $2 AND ended_at IS NULL AND ends_at IS NULL";

const END: &str = "UPDATE report_jobs SET ended_at = $3
    WHERE org = $1 AND id = $2 AND ended_at IS NULL AND ends_at <= $3";

const DELETE_ENDED: &str = "DELETE FROM report_jobs WHERE ended_at IS NOT NULL
    AND NOT EXISTS (SELECT 1 FROM bulk_reports WHERE report_job = report_jobs.id)";

/// What a change of a report job did.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum ReportJobUpdate {
    Applied,
    /// The report job has changed since or has ended. Nothing was changed.
    Outdated,
}

impl Meta {
    /// Creates a report job. It covers [`DAYS_BEFORE`] its creation, too. Fails if one of the type
    /// is in force.
    pub async fn create_report_job(
        &self,
        org: &OrgId,
        report_type: ReportType,
        name: &str,
    ) -> Result<ReportJob, Error> {
        let now = self.now();
        let meta = self.clone();
        self.database()
            .write(async |tx| {
                let zone = orgs::zone(&mut **tx, org).await?;
                let report_job = ReportJob {
                    id: ReportJobId::generate(),
                    org: org.clone(),
                    report_type,
                    name: name.to_owned(),
                    created_at: now,
                    first_day: zone.day_of(now).plus(-DAYS_BEFORE),
                    fetched_at: now,
                    ends_at: None,
                    ended_at: None,
                };
                insert(tx, &report_job).await?;
                tx.after_commit(move || meta.shared.report_job_created.notify_one());
                Ok(report_job)
            })
            .await
    }

    /// Waits until this process creates a report job. One that was created before the call counts.
    pub async fn report_job_created(&self) {
        self.shared.report_job_created.notified().await;
    }

    /// A report job of an organisation.
    pub async fn report_job(&self, org: &OrgId, id: ReportJobId) -> Result<ReportJob, Error> {
        let row = sqlx::query(SELECT)
            .bind(org.as_str())
            .bind(id.to_string())
            .fetch_optional(self.readers())
            .await
            .doing("look up a report job")?;
        report_job(&row.ok_or(Error::UnknownReportJob { report_job: id })?)
    }

    /// All report jobs of an organisation, newest first, with those that have ended. There are few:
    /// one in force of each type.
    pub async fn report_jobs(&self, org: &OrgId) -> Result<Vec<ReportJob>, Error> {
        of_org(self.readers(), org).await
    }

    /// All report jobs of all organisations, for the operator.
    pub async fn all_report_jobs(&self) -> Result<Vec<ReportJob>, Error> {
        let rows = sqlx::query(SELECT_ALL)
            .fetch_all(self.readers())
            .await
            .doing("list report jobs")?;
        rows.iter().map(report_job).collect()
    }

    /// The report jobs in force of all organisations, those of one together. A damaged row is an
    /// error of its own.
    pub async fn report_jobs_in_force(&self) -> Result<Vec<Result<ReportJob, Error>>, Error> {
        let rows = sqlx::query(SELECT_IN_FORCE)
            .fetch_all(self.readers())
            .await
            .doing("list report jobs")?;
        Ok(rows.iter().map(report_job).collect())
    }

    /// Deletes a report job with all its reports. Returns the ids of their files, to be deleted by
    /// the caller.
    pub async fn delete_report_job(
        &self,
        org: &OrgId,
        id: ReportJobId,
    ) -> Result<Vec<ReportId>, Error> {
        self.database()
            .write_protected(async |tx| {
                let mut files = bulk_reports::files(&mut **tx, org, id).await?;
                let dirty = dirty_days::of_report_job(&mut **tx, id).await?;
                delete(tx, org, id).await?;
                for (day, file_id) in dirty {
                    jobs::cancel(tx, &bulk_reports::unique_key(id, day)).await?;
                    files.push(file_id);
                }
                Ok(files)
            })
            .await
    }

    /// Notes that a report of the report job was fetched, so that the report job does not end.
    pub async fn note_fetched(&self, org: &OrgId, id: ReportJobId) -> Result<(), Error> {
        self.update_report_job(FETCHED, org, id, self.now()).await?;
        Ok(())
    }

    /// Announces that a report job will end at a time.
    pub async fn announce_end(
        &self,
        org: &OrgId,
        id: ReportJobId,
        ends_at: Timestamp,
    ) -> Result<ReportJobUpdate, Error> {
        self.update_report_job(ANNOUNCE_END, org, id, ends_at).await
    }

    /// Ends a report job if its announced end has come.
    pub async fn end_report_job(
        &self,
        org: &OrgId,
        id: ReportJobId,
    ) -> Result<ReportJobUpdate, Error> {
        self.update_report_job(END, org, id, self.now()).await
    }

    async fn update_report_job(
        &self,
        statement: &'static str,
        org: &OrgId,
        id: ReportJobId,
        at: Timestamp,
    ) -> Result<ReportJobUpdate, Error> {
        self.database()
            .write(async |tx| update(tx, statement, org, id, at).await)
            .await
    }

    /// Deletes report jobs that have ended and have no report left.
    pub async fn delete_ended_report_jobs(&self) -> Result<(), Error> {
        self.database()
            .write_protected(async |tx| delete_ended(tx).await)
            .await
    }
}

/// All report jobs of an organisation, newest first.
pub(super) async fn of_org(
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

/// Adds a report job. Fails if one of the type is in force, and names it.
async fn insert(tx: &mut SqliteConnection, report_job: &ReportJob) -> Result<(), Error> {
    let done = sqlx::query(INSERT)
        .bind(report_job.id.to_string())
        .bind(report_job.org.as_str())
        .bind(report_job.report_type.name())
        .bind(report_job.name.as_str())
        .bind(report_job.created_at.as_millis())
        .bind(report_job.first_day.to_string())
        .bind(sum(report_job))
        .execute(&mut *tx)
        .await
        .doing("create a report job")?;
    if done.rows_affected() == 1 {
        return Ok(());
    }
    let row = sqlx::query(SELECT_OF_TYPE)
        .bind(report_job.org.as_str())
        .bind(report_job.report_type.name())
        .fetch_one(tx)
        .await
        .doing("look up a report job")?;
    let existing = self::report_job(&row)?;
    Err(Error::ReportJobExists {
        report_job: existing.id,
        report_type: existing.report_type,
        name: existing.name,
    })
}

/// Deletes a report job, with its dirty days and reports.
async fn delete(tx: &mut SqliteConnection, org: &OrgId, id: ReportJobId) -> Result<(), Error> {
    let done = sqlx::query(DELETE)
        .bind(org.as_str())
        .bind(id.to_string())
        .execute(tx)
        .await
        .doing("delete a report job")?;
    if done.rows_affected() == 0 {
        return Err(Error::UnknownReportJob { report_job: id });
    }
    Ok(())
}

/// Changes a report job, if the condition of the statement still holds.
async fn update(
    tx: &mut SqliteConnection,
    statement: &'static str,
    org: &OrgId,
    id: ReportJobId,
    at: Timestamp,
) -> Result<ReportJobUpdate, Error> {
    let done = sqlx::query(statement)
        .bind(org.as_str())
        .bind(id.to_string())
        .bind(at.as_millis())
        .execute(tx)
        .await
        .doing("change a report job")?;
    Ok(match done.rows_affected() {
        1 => ReportJobUpdate::Applied,
        _ => ReportJobUpdate::Outdated,
    })
}

/// Deletes report jobs that have ended and have no report left.
async fn delete_ended(tx: &mut SqliteConnection) -> Result<(), Error> {
    sqlx::query(DELETE_ENDED)
        .execute(tx)
        .await
        .doing("delete report jobs that have ended")?;
    Ok(())
}

/// Checks every row of the table.
pub(super) async fn check_all(read: &mut SqliteConnection) -> Result<(), Error> {
    check_rows(read, SELECT_ALL, |row| report_job(row).map(drop)).await
}

/// Covers what was ordered, not `fetched_at`, `ends_at` and `ended_at`, which change. The name is
/// the one that the table had when the first checksums were stored.
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
