//! Bulk reports: what was made for report jobs.

use std::collections::BTreeMap;

use showreport_model::bulk::{BulkReport, BulkReportId};
use showreport_model::report::ReportFile;
use showreport_model::{OrgId, ReportDay, ReportId, ReportJobId, Timestamp};
use sqlx::sqlite::SqliteRow;
use sqlx::{SqliteConnection, SqliteExecutor};

use crate::database::{Stored, Sum, check_rows, to_integer, to_json};
use crate::error::{Doing, Error};

/// Which reports of a report job are listed.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct BulkFilter {
    /// Made later than this.
    pub created_after: Option<Timestamp>,
    /// Made earlier than this: where a page goes on.
    pub created_before: Option<Timestamp>,
    /// Of days that begin then or later.
    pub starts_at_or_after: Option<Timestamp>,
    /// Of days that begin earlier.
    pub starts_before: Option<Timestamp>,
}

/// What there is of one day.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct DayMade {
    /// How many reports.
    pub reports: u32,
    /// When the latest was made.
    pub last_created_at: Timestamp,
    /// Rows of the latest.
    pub last_row_count: u64,
}

/// A report to be published.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct NewBulkReport {
    /// When the day begins, and ends.
    pub bounds: (Timestamp, Timestamp),
    /// The zone whose day it is, by its name.
    pub zone: String,
    /// Its file.
    pub file: ReportFile,
    /// How long it is kept.
    pub retention_ms: i64,
}

/// The columns of a bulk report, with what follows them.
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

const SELECT: &str = select!("WHERE org = ?1 AND report_job = ?2 AND id = ?3");

const SELECT_PAGE: &str = select!(
    "WHERE org = ?1 AND report_job = ?2
        AND created_at > ?3 AND created_at < ?4 AND starts_at >= ?5 AND starts_at < ?6
    ORDER BY created_at DESC LIMIT ?7"
);

const SELECT_LATEST: &str = select!("WHERE report_job = ?1 AND day = ?2 ORDER BY id DESC LIMIT 1");

const SELECT_FILES: &str = "SELECT file_id FROM bulk_reports WHERE org = ?1 AND report_job = ?2";

const SELECT_EXPIRED: &str = select!("WHERE expires_at <= ?1 ORDER BY expires_at LIMIT ?2");

/// With `max`, the other columns are those of the row that has it.
const SELECT_DAYS: &str = "SELECT day, count(*) AS reports, max(id), created_at,
        file ->> 'row_count' AS row_count
    FROM bulk_reports WHERE report_job = ?1 GROUP BY day";

/// Later than every report of its report job, whatever the clock says: who has
/// listed them up to an instant will find it after that.
const INSERT: &str = "INSERT INTO bulk_reports
        (org, report_job, day, starts_at, ends_at, created_at, expires_at, supersedes, file_id, file,
        sum, file_bytes, zone)
    SELECT org, id, ?2, ?3, ?4, max(?5, coalesce(last_made_at + 1, 0)), ?6, ?7, ?8, ?9, 0, ?10, ?11
    FROM report_jobs WHERE id = ?1
    RETURNING id, org, report_job, day, starts_at, ends_at, created_at, expires_at,
        supersedes, file_id, file, zone";

/// The number and the time of a report are only known once it is there.
const SET_SUM: &str = "UPDATE bulk_reports SET sum = ?2 WHERE id = ?1";

const SELECT_ALL: &str = select!("");

const NOTE_MADE: &str = "UPDATE report_jobs SET last_made_at = ?2 WHERE id = ?1";

const DELETE: &str = "DELETE FROM bulk_reports WHERE id = ?1";

/// Adds a report of a day.
pub(crate) async fn insert(
    write: &mut SqliteConnection,
    (report_job, day, file_id): (ReportJobId, ReportDay, ReportId),
    new: &NewBulkReport,
    supersedes: Option<BulkReportId>,
    now: Timestamp,
) -> Result<BulkReport, Error> {
    let expires_at = now.saturating_add_millis(new.retention_ms);
    let row = sqlx::query(INSERT)
        .bind(report_job.to_string())
        .bind(day.to_string())
        .bind(new.bounds.0.as_millis())
        .bind(new.bounds.1.as_millis())
        .bind(now.as_millis())
        .bind(expires_at.as_millis())
        .bind(supersedes.map(BulkReportId::number))
        .bind(file_id.to_string())
        .bind(to_json(&new.file))
        .bind(to_integer(new.file.stored_bytes()))
        .bind(&new.zone)
        .fetch_one(&mut *write)
        .await
        .doing("publish a bulk report")?;
    let report = read(&row)?;
    sqlx::query(SET_SUM)
        .bind(report.id.number())
        .bind(sum(&row)?)
        .execute(&mut *write)
        .await
        .doing("publish a bulk report")?;
    sqlx::query(NOTE_MADE)
        .bind(report_job.to_string())
        .bind(report.created_at.as_millis())
        .execute(write)
        .await
        .doing("note when a bulk report was made")?;
    Ok(report)
}

/// A report of a report job of an organisation.
pub(crate) async fn find(
    read: impl SqliteExecutor<'_>,
    org: &OrgId,
    report_job: ReportJobId,
    id: BulkReportId,
) -> Result<BulkReport, Error> {
    let row = sqlx::query(SELECT)
        .bind(org.as_str())
        .bind(report_job.to_string())
        .bind(id.number())
        .fetch_optional(read)
        .await
        .doing("look up a bulk report")?;
    report(&row.ok_or(Error::UnknownBulkReport { report: id })?)
}

/// Reports of a report job, newest first.
pub(crate) async fn list(
    read: impl SqliteExecutor<'_>,
    (org, report_job): (&OrgId, ReportJobId),
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
        .fetch_all(read)
        .await
        .doing("list bulk reports")?;
    rows.iter().map(report).collect()
}

/// The latest report of a day.
pub(crate) async fn latest(
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

/// What there is of each day of a report job.
pub(crate) async fn days(
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
            let made = DayMade {
                reports: row.number("reports")?,
                last_created_at: row.time("created_at")?,
                last_row_count: row.number("row_count")?,
            };
            Ok((row.parsed("day")?, made))
        })
        .collect()
}

/// Where the files of a report job lie.
pub(crate) async fn files(
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

/// Reports that are past their time, with whose they are.
pub(crate) async fn expired(
    read: impl SqliteExecutor<'_>,
    now: Timestamp,
    limit: u32,
) -> Result<Vec<Result<(OrgId, BulkReport), Error>>, Error> {
    let rows = sqlx::query(SELECT_EXPIRED)
        .bind(now.as_millis())
        .bind(limit)
        .fetch_all(read)
        .await
        .doing("look for expired bulk reports")?;
    let expired = rows
        .iter()
        .map(|row| Ok((Stored(row).parsed("org")?, report(row)?)));
    Ok(expired.collect())
}

/// Removes a report.
pub(crate) async fn delete(write: &mut SqliteConnection, id: BulkReportId) -> Result<(), Error> {
    sqlx::query(DELETE)
        .bind(id.number())
        .execute(write)
        .await
        .doing("delete a bulk report")?;
    Ok(())
}

/// Reads every report, so that one that is damaged is found.
pub(crate) async fn check_all(read: &mut SqliteConnection) -> Result<(), Error> {
    check_rows(read, SELECT_ALL, |row| report(row).map(drop)).await
}

/// Over all of it: a report never changes.
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
    // Rows that were made before there was a zone have checksums without one.
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
