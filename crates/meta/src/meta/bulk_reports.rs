//! Bulk reports: the files that were made for report jobs.

use std::collections::BTreeMap;

use showreport_model::bulk::{BulkReport, BulkReportId, DirtyDay, ReportJob};
use showreport_model::report::ReportFile;
use showreport_model::{OrgId, ReportDay, ReportId, ReportJobId, Timestamp};
use sqlx::sqlite::SqliteRow;
use sqlx::{SqliteConnection, SqliteExecutor};

use super::file_quotas::Addition;
use super::jobs::{Claim, ClaimedJob, MAKE_BULK_REPORT, NewJob};
use super::{Meta, dirty_days, file_quotas, jobs};
use crate::database::{Stored, Sum, check_rows, to_integer, to_json};
use crate::error::{Doing, Error};

/// Limits the list of a report job's reports.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct BulkFilter {
    pub created_after: Option<Timestamp>,
    pub created_before: Option<Timestamp>,
    /// Limits the beginning of the day.
    pub starts_at_or_after: Option<Timestamp>,
    /// Limits the beginning of the day.
    pub starts_before: Option<Timestamp>,
}

/// The reports of one day.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct DayMade {
    /// The number of reports.
    pub reports: u32,
    /// When the latest was created.
    pub last_created_at: Timestamp,
    /// The rows of the latest.
    pub last_row_count: u64,
}

/// A report to be published.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct NewBulkReport {
    /// When the day begins and ends.
    pub bounds: (Timestamp, Timestamp),
    /// The name of the day's zone.
    pub zone: String,
    pub file: ReportFile,
    pub retention_ms: i64,
}

/// Everything that a worker needs to make a bulk report.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct BulkReportTask {
    pub report_job: ReportJob,
    pub day: ReportDay,
    pub file_id: ReportId,
    /// The number of the dirty day. It grows if the day becomes dirty again meanwhile.
    number: i64,
}

/// What [`Meta::publish_bulk_report`] did.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Published {
    /// The file is a report.
    New(Box<BulkReport>),
    /// The latest report of the day has the same content. The file is not needed.
    Unchanged,
    /// The day is no longer dirty. The file is not needed.
    Unwanted,
    /// Another worker has claimed the job, and may write to the same place.
    TakenOver,
}

/// Selects all columns of a bulk report.
macro_rules! select {
    ($rest:literal) => {
        concat!(
            "SELECT id, org, report_job, day, starts_at, ends_at, created_at, expires_at,
                supersedes, file_id, file, zone, sum
            FROM bulk_reports ",
            $rest
        )
    };
}

const SELECT: &str = select!("WHERE org = $1 AND report_job = $2 AND id = $3");

const SELECT_PAGE: &str = select!(
    "WHERE org = $1 AND report_job = $2
        AND created_at > $3 AND created_at < $4 AND starts_at >= $5 AND starts_at < $6
    ORDER BY created_at DESC LIMIT $7"
);

const SELECT_LATEST: &str = select!("WHERE report_job = $1 AND day = $2 ORDER BY id DESC LIMIT 1");

const SELECT_FILES: &str = "SELECT file_id FROM bulk_reports WHERE org = $1 AND report_job = $2";

const SELECT_EXPIRED: &str = select!("WHERE expires_at <= $1 ORDER BY expires_at LIMIT $2");

const SELECT_DAYS: &str = "SELECT day, reports, created_at, file
    FROM (SELECT day, created_at, file,
            count(*) OVER (PARTITION BY day) AS reports,
            row_number() OVER (PARTITION BY day ORDER BY id DESC) AS place
        FROM bulk_reports WHERE report_job = $1) AS of_days
    WHERE place = 1";

/// `created_at` is later than that of every report of the report job, whatever the clock's time is:
/// a client that has listed reports up to an instant must find this one after it.
const INSERT: &str = "INSERT INTO bulk_reports
        (org, report_job, day, starts_at, ends_at, created_at, expires_at, supersedes, file_id,
        file, sum, file_bytes, zone)
    SELECT org, id, $2, $3, $4, 
        CASE WHEN last_made_at >= $5 THEN last_made_at + 1 ELSE $5 END, $6, $7, $8, $9, 0, $10, $11
    FROM report_jobs WHERE id = $1
    RETURNING id, org, report_job, day, starts_at, ends_at, created_at, expires_at,
        supersedes, file_id, file, zone";

/// Apart from `INSERT`, because the number and the time of a report are only known after it.
const SET_SUM: &str = "UPDATE bulk_reports SET sum = $2 WHERE id = $1";

const SELECT_ALL: &str = select!("");

const NOTE_MADE: &str = "UPDATE report_jobs SET last_made_at = $2 WHERE id = $1";

const DELETE: &str = "DELETE FROM bulk_reports WHERE id = $1";

impl Meta {
    /// The days of a report job that have reports.
    pub async fn days_made(
        &self,
        report_job: ReportJobId,
    ) -> Result<BTreeMap<ReportDay, DayMade>, Error> {
        days(self.readers(), report_job).await
    }

    /// Queues a job for each of these days, unless it is queued already.
    pub async fn queue_days(
        &self,
        org: &OrgId,
        report_job: ReportJobId,
        days: &[ReportDay],
    ) -> Result<(), Error> {
        let now = self.now();
        self.database()
            .write(async |tx| {
                for &day in days {
                    let job = NewJob {
                        org,
                        name: MAKE_BULK_REPORT,
                        payload: &to_json(&DirtyDay { report_job, day }),
                        unique_key: &unique_key(report_job, day),
                        run_at: now,
                    };
                    jobs::insert(tx, job, now).await?;
                }
                Ok(())
            })
            .await?;
        for _ in days {
            self.shared.job_added.notify_one();
        }
        Ok(())
    }

    /// When the oldest unfinished job of bulk reports was queued.
    pub async fn bulk_queued_since(&self) -> Result<Option<Timestamp>, Error> {
        jobs::queued_since(self.readers(), MAKE_BULK_REPORT).await
    }

    /// Everything that a worker needs to make a bulk report. `None`: the day is no longer dirty, or
    /// the report job is not in force.
    pub async fn bulk_report_task(
        &self,
        dirty: &DirtyDay,
    ) -> Result<Option<BulkReportTask>, Error> {
        let report_job = self.report_job_in_force(dirty.report_job).await?;
        let found = dirty_days::find(self.readers(), dirty.report_job, dirty.day).await?;
        let found = found.zip(report_job);
        Ok(found.map(|((number, file_id), report_job)| BulkReportTask {
            report_job,
            day: dirty.day,
            file_id,
            number,
        }))
    }

    /// A report job, if it is in force. Fails if it is not found and any row is damaged, which may
    /// be its own.
    async fn report_job_in_force(&self, id: ReportJobId) -> Result<Option<ReportJob>, Error> {
        let mut damaged = None;
        for report_job in self.report_jobs_in_force().await? {
            match report_job {
                Ok(report_job) if report_job.id == id => return Ok(Some(report_job)),
                Ok(_) => {}
                Err(error) => damaged = Some(error),
            }
        }
        damaged.map_or(Ok(None), Err)
    }

    /// Publishes the file of a day, if its content is new, and finishes the job.
    pub async fn publish_bulk_report(
        &self,
        job: &ClaimedJob,
        task: &BulkReportTask,
        new: &NewBulkReport,
    ) -> Result<Published, Error> {
        let now = self.now();
        self.database()
            .write(async |tx| {
                if jobs::finish(tx, job).await? == Claim::Lost {
                    return Ok(Published::TakenOver);
                }
                publish(tx, task, new, now).await
            })
            .await
    }

    /// A report of an organisation's report job.
    pub async fn bulk_report(
        &self,
        org: &OrgId,
        report_job: ReportJobId,
        id: BulkReportId,
    ) -> Result<BulkReport, Error> {
        let row = sqlx::query(SELECT)
            .bind(org.as_str())
            .bind(report_job.to_string())
            .bind(id.number())
            .fetch_optional(self.readers())
            .await
            .doing("look up a bulk report")?;
        report(&row.ok_or(Error::UnknownBulkReport { report: id })?)
    }

    /// Reports of an organisation's report job, newest first.
    pub async fn bulk_reports(
        &self,
        org: &OrgId,
        report_job: ReportJobId,
        filter: BulkFilter,
        limit: u32,
    ) -> Result<Vec<BulkReport>, Error> {
        let at_least = |bound: Option<Timestamp>| bound.map_or(i64::MIN, Timestamp::as_millis);
        let before = |bound: Option<Timestamp>| bound.map_or(i64::MAX, Timestamp::as_millis);
        let rows = sqlx::query(SELECT_PAGE)
            .bind(org.as_str())
            .bind(report_job.to_string())
            .bind(at_least(filter.created_after))
            .bind(before(filter.created_before))
            .bind(at_least(filter.starts_at_or_after))
            .bind(before(filter.starts_before))
            .bind(limit)
            .fetch_all(self.readers())
            .await
            .doing("list bulk reports")?;
        rows.iter().map(report).collect()
    }

    /// Expired bulk reports of all organisations, oldest first. A damaged row is an error of its
    /// own.
    pub async fn expired_bulk_reports(
        &self,
        limit: u32,
    ) -> Result<Vec<Result<(OrgId, BulkReport), Error>>, Error> {
        let rows = sqlx::query(SELECT_EXPIRED)
            .bind(self.now().as_millis())
            .bind(limit)
            .fetch_all(self.readers())
            .await
            .doing("look for expired bulk reports")?;
        let expired = rows
            .iter()
            .map(|row| Ok((Stored(row).parsed("org")?, report(row)?)));
        Ok(expired.collect())
    }

    /// Removes a bulk report after its file was deleted.
    pub async fn remove_bulk_report(&self, id: BulkReportId) -> Result<(), Error> {
        self.database()
            .write_protected(async |tx| delete(tx, id).await)
            .await
    }

    /// Fails if the organisation may have no more bytes of files.
    pub async fn ensure_bulk_report_room(&self, org: &OrgId) -> Result<(), Error> {
        let mut read = self.database().snapshot().await?;
        file_quotas::ensure(&mut read, &self.shared.quotas, org, Addition::BulkReport).await
    }
}

/// The key of the job that makes the report of a day.
pub(super) fn unique_key(report_job: ReportJobId, day: ReportDay) -> String {
    format!("{MAKE_BULK_REPORT}:{report_job}:{day}")
}

/// Adds a report for a file, unless the day is no longer dirty or the content is not new.
async fn publish(
    tx: &mut SqliteConnection,
    task: &BulkReportTask,
    new: &NewBulkReport,
    now: Timestamp,
) -> Result<Published, Error> {
    let (report_job, day) = (task.report_job.id, task.day);
    if dirty_days::find(&mut *tx, report_job, day).await?.is_none() {
        return Ok(Published::Unwanted);
    }
    let latest = latest(&mut *tx, report_job, day).await?;
    // The bounds count too: the file of a day without facts has the same bytes in every zone.
    let is_same = latest.as_ref().is_some_and(|latest| {
        let bounds = (latest.starts_at, latest.ends_at);
        latest.file.sha256 == new.file.sha256 && bounds == new.bounds
    });
    let published = if is_same {
        Published::Unchanged
    } else {
        let supersedes = latest.map(|latest| latest.id);
        let report = insert(tx, task, new, supersedes, now).await?;
        Published::New(Box::new(report))
    };
    dirty_days::resolve(tx, report_job, day, task.number).await?;
    Ok(published)
}

/// Adds a report of a day.
async fn insert(
    tx: &mut SqliteConnection,
    task: &BulkReportTask,
    new: &NewBulkReport,
    supersedes: Option<BulkReportId>,
    now: Timestamp,
) -> Result<BulkReport, Error> {
    let report_job = task.report_job.id;
    let expires_at = now.saturating_add_millis(new.retention_ms);
    let row = sqlx::query(INSERT)
        .bind(report_job.to_string())
        .bind(task.day.to_string())
        .bind(new.bounds.0.as_millis())
        .bind(new.bounds.1.as_millis())
        .bind(now.as_millis())
        .bind(expires_at.as_millis())
        .bind(supersedes.map(BulkReportId::number))
        .bind(task.file_id.to_string())
        .bind(to_json(&new.file))
        .bind(to_integer(new.file.stored_bytes()))
        .bind(&new.zone)
        .fetch_one(&mut *tx)
        .await
        .doing("publish a bulk report")?;
    let report = read(&row)?;
    sqlx::query(SET_SUM)
        .bind(report.id.number())
        .bind(sum(&row)?)
        .execute(&mut *tx)
        .await
        .doing("publish a bulk report")?;
    sqlx::query(NOTE_MADE)
        .bind(report_job.to_string())
        .bind(report.created_at.as_millis())
        .execute(tx)
        .await
        .doing("note when a bulk report was made")?;
    Ok(report)
}

/// The latest report of a day.
async fn latest(
    read: impl SqliteExecutor<'_>,
    report_job: ReportJobId,
    day: ReportDay,
) -> Result<Option<BulkReport>, Error> {
    let row = sqlx::query(SELECT_LATEST)
        .bind(report_job.to_string())
        .bind(day.to_string())
        .fetch_optional(read)
        .await
        .doing("look up the latest report of a day")?;
    row.as_ref().map(report).transpose()
}

/// The days of a report job that have reports.
pub(super) async fn days(
    read: impl SqliteExecutor<'_>,
    report_job: ReportJobId,
) -> Result<BTreeMap<ReportDay, DayMade>, Error> {
    let rows = sqlx::query(SELECT_DAYS)
        .bind(report_job.to_string())
        .fetch_all(read)
        .await
        .doing("list the days of a report job")?;
    rows.iter()
        .map(|row| {
            let row = Stored(row);
            let file: ReportFile = row.json("file")?;
            let made = DayMade {
                reports: row.number("reports")?,
                last_created_at: row.time("created_at")?,
                last_row_count: file.row_count,
            };
            Ok((row.parsed("day")?, made))
        })
        .collect()
}

/// The ids of the files of a report job.
pub(super) async fn files(
    read: impl SqliteExecutor<'_>,
    org: &OrgId,
    report_job: ReportJobId,
) -> Result<Vec<ReportId>, Error> {
    let rows = sqlx::query(SELECT_FILES)
        .bind(org.as_str())
        .bind(report_job.to_string())
        .fetch_all(read)
        .await
        .doing("list the files of a report job")?;
    rows.iter()
        .map(|row| Stored(row).parsed("file_id"))
        .collect()
}

async fn delete(tx: &mut SqliteConnection, id: BulkReportId) -> Result<(), Error> {
    sqlx::query(DELETE)
        .bind(id.number())
        .execute(tx)
        .await
        .doing("delete a bulk report")?;
    Ok(())
}

/// Checks every row of the table.
pub(super) async fn check_all(read: &mut SqliteConnection) -> Result<(), Error> {
    check_rows(read, SELECT_ALL, |row| report(row).map(drop)).await
}

/// Covers all columns: a report never changes.
fn sum(row: &SqliteRow) -> Result<i64, Error> {
    let row = Stored(row);
    let text = |column| row.plain::<String>(column);
    let number = |column| row.plain::<i64>(column);
    let sum = Sum::of("bulk_reports")
        .number(number("id")?)
        .text(&text("org")?)
        .text(&text("report_job")?)
        .text(&text("day")?)
        .number(number("starts_at")?)
        .number(number("ends_at")?)
        .number(number("created_at")?)
        .number(number("expires_at")?)
        .number_if_any(row.plain("supersedes")?)
        .text(&text("file_id")?)
        .text(&text("file")?);
    // The checksums of rows without a zone do not cover it.
    let zone: Option<String> = row.plain("zone")?;
    Ok(zone.iter().fold(sum, |sum, zone| sum.text(zone)).finish())
}

fn report(row: &SqliteRow) -> Result<BulkReport, Error> {
    Stored(row).check("bulk_reports", sum(row)?)?;
    read(row)
}

fn read(row: &SqliteRow) -> Result<BulkReport, Error> {
    let row = Stored(row);
    Ok(BulkReport {
        id: BulkReportId::new(row.plain("id")?),
        report_job: row.parsed("report_job")?,
        day: row.parsed("day")?,
        starts_at: row.time("starts_at")?,
        ends_at: row.time("ends_at")?,
        created_at: row.time("created_at")?,
        expires_at: row.time("expires_at")?,
        supersedes: row
            .plain::<Option<i64>>("supersedes")?
            .map(BulkReportId::new),
        file_id: row.parsed("file_id")?,
        file: row.json("file")?,
        zone: row.plain("zone")?,
    })
}

#[cfg(test)]
mod tests;
