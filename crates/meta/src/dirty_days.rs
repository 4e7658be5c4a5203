//! Days of report jobs whose file is to be made, for the first time or again.
//!
//! A row is a reason to make a file; the job in the queue is the doing. Reasons
//! are counted, so that one that comes up while the file is made is not lost.

use showreport_model::{ReportDay, ReportId, ReportJobId};
use sqlx::sqlite::SqliteRow;
use sqlx::{SqliteConnection, SqliteExecutor};

use crate::database::{Stored, Sum, check_rows, to_json};
use crate::error::{Doing, Error};

/// The days come as a JSON array of `[report job, day, file id, sum]`: one statement, however many.
const WANT: &str = "INSERT INTO dirty_days (report_job, day, number, file_id, sum)
    SELECT value ->> 0, value ->> 1, 1, value ->> 2, value ->> 3 FROM json_each(?1)
    WHERE EXISTS
        (SELECT 1 FROM report_jobs WHERE id = value ->> 0 AND ended_at IS NULL)
    ON CONFLICT (report_job, day) DO UPDATE SET number = number + 1";

const SELECT_ALL: &str = "SELECT report_job, day, file_id, sum FROM dirty_days
    WHERE report_job = ?1 ORDER BY day";

const SELECT: &str = "SELECT number, file_id FROM dirty_days WHERE report_job = ?1 AND day = ?2";

const EVERY: &str = "SELECT report_job, day, file_id, sum FROM dirty_days";

const DONE: &str = "DELETE FROM dirty_days WHERE report_job = ?1 AND day = ?2 AND number = ?3";

const MOVE: &str = "UPDATE dirty_days SET file_id = ?3 WHERE report_job = ?1 AND day = ?2";

/// Gives a reason to make the file of each of these days of orders.
pub(crate) async fn want(
    write: &mut SqliteConnection,
    days: impl IntoIterator<Item = (ReportJobId, ReportDay)>,
) -> Result<(), Error> {
    let wanted = days.into_iter().map(|(report_job, day)| {
        let (report_job, day) = (report_job.to_string(), day.to_string());
        let sum = sum(&report_job, &day);
        (report_job, day, ReportId::generate().to_string(), sum)
    });
    let wanted: Vec<_> = wanted.collect();
    sqlx::query(WANT)
        .bind(to_json(&wanted))
        .execute(write)
        .await
        .doing("note days to report on")?;
    Ok(())
}

/// The days of a report job that are due, and where their files will lie.
pub(crate) async fn of_report_job(
    read: impl SqliteExecutor<'_>,
    report_job: ReportJobId,
) -> Result<Vec<(ReportDay, ReportId)>, Error> {
    let rows = sqlx::query(SELECT_ALL)
        .bind(report_job.to_string())
        .fetch_all(read)
        .await
        .doing("list days to report on")?;
    rows.iter().map(due).collect()
}

/// Reads every day that is due, so that one that is damaged is found.
pub(crate) async fn check_all(read: &mut SqliteConnection) -> Result<(), Error> {
    check_rows(read, EVERY, |row| due(row).map(drop)).await
}

fn due(row: &SqliteRow) -> Result<(ReportDay, ReportId), Error> {
    let row = Stored(row);
    let (report_job, day): (String, String) = (row.plain("report_job")?, row.plain("day")?);
    row.check("dirty_days", sum(&report_job, &day))?;
    Ok((row.parsed("day")?, row.parsed("file_id")?))
}

/// Over which day it is; how often and where it is made changes.
fn sum(report_job: &str, day: &str) -> i64 {
    Sum::of("due_days").text(report_job).text(day).finish()
}

/// The number of the latest reason, and where the file will lie. Nothing, if there is no reason.
pub(crate) async fn find(
    read: impl SqliteExecutor<'_>,
    report_job: ReportJobId,
    day: ReportDay,
) -> Result<Option<(i64, ReportId)>, Error> {
    let row = sqlx::query(SELECT)
        .bind(report_job.to_string())
        .bind(day.to_string())
        .fetch_optional(read)
        .await
        .doing("look up a day to report on")?;
    row.map(|row| {
        Ok((
            Stored(&row).plain("number")?,
            Stored(&row).parsed("file_id")?,
        ))
    })
    .transpose()
}

/// Ends the reasons up to a number. Later ones get another place for their file.
pub(crate) async fn done(
    write: &mut SqliteConnection,
    report_job: ReportJobId,
    day: ReportDay,
    number: i64,
) -> Result<(), Error> {
    sqlx::query(DONE)
        .bind(report_job.to_string())
        .bind(day.to_string())
        .bind(number)
        .execute(&mut *write)
        .await
        .doing("end a day to report on")?;
    sqlx::query(MOVE)
        .bind(report_job.to_string())
        .bind(day.to_string())
        .bind(ReportId::generate().to_string())
        .execute(write)
        .await
        .doing("move the file of a day to report on")?;
    Ok(())
}
