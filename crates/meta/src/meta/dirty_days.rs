//! Dirty days: days of report jobs of which a file is to be made, for the first time or again.
//!
//! A row counts the reasons to make the file; the job in the queue makes it. A reason that comes
//! up while the file is made changes the number, so that the row stays.

use std::collections::BTreeSet;

use showreport_model::{OrgId, ReportDay, ReportId, ReportJobId};
use sqlx::sqlite::SqliteRow;
use sqlx::{SqliteConnection, SqliteExecutor};

use super::dirty_events::DirtyEvent;
use super::{Meta, dirty_events};
use crate::database::{Stored, Sum, check_rows, elements, to_json};
use crate::error::{Doing, Error};

/// The days come as a JSON array of `[report job, day, file id, sum]`.
const MARK: &str = concat!(
    "INSERT INTO dirty_days (report_job, day, number, file_id, sum)
    SELECT value ->> 0, value ->> 1, 1, value ->> 2, value ->> 3 FROM ",
    elements!("$1"),
    " WHERE EXISTS
        (SELECT 1 FROM report_jobs WHERE id = value ->> 0 AND ended_at IS NULL)
    ON CONFLICT (report_job, day) DO UPDATE SET number = dirty_days.number + 1"
);

const SELECT_OF_REPORT_JOB: &str = "SELECT report_job, day, file_id, sum FROM dirty_days
    WHERE report_job = $1 ORDER BY day";

const SELECT: &str = "SELECT number, file_id FROM dirty_days WHERE report_job = $1 AND day = $2";

const SELECT_ALL: &str = "SELECT report_job, day, file_id, sum FROM dirty_days";

const DELETE: &str = "DELETE FROM dirty_days WHERE report_job = $1 AND day = $2 AND number = $3";

const MOVE_FILE: &str = "UPDATE dirty_days SET file_id = $3 WHERE report_job = $1 AND day = $2";

impl Meta {
    /// The dirty days of a report job.
    pub async fn dirty_days(&self, report_job: ReportJobId) -> Result<BTreeSet<ReportDay>, Error> {
        let dirty = of_report_job(self.readers(), report_job).await?;
        Ok(dirty.into_iter().map(|(day, _)| day).collect())
    }

    /// Marks days of a report job dirty.
    pub async fn mark_days_dirty(
        &self,
        report_job: ReportJobId,
        days: &[ReportDay],
    ) -> Result<(), Error> {
        let days = days.iter().map(|&day| (report_job, day));
        self.database().write(async |tx| mark(tx, days).await).await
    }

    /// Marks the days dirty that these events reach, and the events no longer dirty.
    pub async fn resolve_dirty_events(
        &self,
        org: &OrgId,
        events: &[DirtyEvent],
        days: &[(ReportJobId, ReportDay)],
    ) -> Result<(), Error> {
        self.database()
            .write(async |tx| {
                mark(tx, days.iter().copied()).await?;
                dirty_events::delete(tx, org, events).await
            })
            .await
    }
}

/// Marks days of report jobs dirty.
pub(super) async fn mark(
    tx: &mut SqliteConnection,
    days: impl IntoIterator<Item = (ReportJobId, ReportDay)>,
) -> Result<(), Error> {
    let marked = days.into_iter().map(|(report_job, day)| {
        let (report_job, day) = (report_job.to_string(), day.to_string());
        let sum = sum(&report_job, &day);
        (report_job, day, ReportId::generate().to_string(), sum)
    });
    let marked: Vec<_> = marked.collect();
    sqlx::query(MARK)
        .bind(to_json(&marked))
        .execute(tx)
        .await
        .doing("mark days dirty")?;
    Ok(())
}

/// The dirty days of a report job, and the ids of their files.
pub(super) async fn of_report_job(
    read: impl SqliteExecutor<'_>,
    report_job: ReportJobId,
) -> Result<Vec<(ReportDay, ReportId)>, Error> {
    let rows = sqlx::query(SELECT_OF_REPORT_JOB)
        .bind(report_job.to_string())
        .fetch_all(read)
        .await
        .doing("list dirty days")?;
    rows.iter().map(dirty_day).collect()
}

/// Checks every row of the table.
pub(super) async fn check_all(read: &mut SqliteConnection) -> Result<(), Error> {
    check_rows(read, SELECT_ALL, |row| dirty_day(row).map(drop)).await
}

fn dirty_day(row: &SqliteRow) -> Result<(ReportDay, ReportId), Error> {
    let row = Stored(row);
    let (report_job, day): (String, String) = (row.plain("report_job")?, row.plain("day")?);
    row.check("dirty_days", sum(&report_job, &day))?;
    Ok((row.parsed("day")?, row.parsed("file_id")?))
}

/// Covers the report job and the day, not the number and the file, which change. The name is the
/// one that the table had when the first checksums were stored.
fn sum(report_job: &str, day: &str) -> i64 {
    Sum::of("due_days").text(report_job).text(day).finish()
}

/// The number of the latest reason, and the id of the file. `None` if the day is not dirty.
pub(super) async fn find(
    read: impl SqliteExecutor<'_>,
    report_job: ReportJobId,
    day: ReportDay,
) -> Result<Option<(i64, ReportId)>, Error> {
    let row = sqlx::query(SELECT)
        .bind(report_job.to_string())
        .bind(day.to_string())
        .fetch_optional(read)
        .await
        .doing("look up a dirty day")?;
    row.map(|row| {
        let row = Stored(&row);
        Ok((row.plain("number")?, row.parsed("file_id")?))
    })
    .transpose()
}

/// Marks a day no longer dirty, if its number is still this one. Otherwise the next file gets
/// another id.
pub(super) async fn resolve(
    tx: &mut SqliteConnection,
    report_job: ReportJobId,
    day: ReportDay,
    number: i64,
) -> Result<(), Error> {
    sqlx::query(DELETE)
        .bind(report_job.to_string())
        .bind(day.to_string())
        .bind(number)
        .execute(&mut *tx)
        .await
        .doing("delete a dirty day")?;
    sqlx::query(MOVE_FILE)
        .bind(report_job.to_string())
        .bind(day.to_string())
        .bind(ReportId::generate().to_string())
        .execute(tx)
        .await
        .doing("move the file of a dirty day")?;
    Ok(())
}
