//! Days of standing orders whose file is to be made, for the first time or again.
//!
//! A row is a reason to make a file; the job in the queue is the doing. Reasons
//! are counted, so that one that comes up while the file is made is not lost.

use showreport_model::{ReportDay, ReportId, StandingOrderId};
use sqlx::sqlite::SqliteRow;
use sqlx::{SqliteConnection, SqliteExecutor};

use crate::database::{Stored, Sum, check_rows, to_json};
use crate::error::{Doing, Error};

/// The days come as a JSON array of `[order, day, file id, sum]`: one statement, however many.
const WANT: &str = "INSERT INTO due_days (standing_order, day, number, file_id, sum)
    SELECT value ->> 0, value ->> 1, 1, value ->> 2, value ->> 3 FROM json_each(?1)
    WHERE EXISTS
        (SELECT 1 FROM standing_orders WHERE id = value ->> 0 AND ended_at IS NULL)
    ON CONFLICT (standing_order, day) DO UPDATE SET number = number + 1";

const SELECT_ALL: &str = "SELECT standing_order, day, file_id, sum FROM due_days
    WHERE standing_order = ?1 ORDER BY day";

const SELECT: &str = "SELECT number, file_id FROM due_days WHERE standing_order = ?1 AND day = ?2";

const EVERY: &str = "SELECT standing_order, day, file_id, sum FROM due_days";

const DONE: &str = "DELETE FROM due_days WHERE standing_order = ?1 AND day = ?2 AND number = ?3";

const MOVE: &str = "UPDATE due_days SET file_id = ?3 WHERE standing_order = ?1 AND day = ?2";

/// Gives a reason to make the file of each of these days of orders.
pub(crate) async fn want(
    write: &mut SqliteConnection,
    days: impl IntoIterator<Item = (StandingOrderId, ReportDay)>,
) -> Result<(), Error> {
    let wanted = days.into_iter().map(|(order, day)| {
        let (order, day) = (order.to_string(), day.to_string());
        let sum = sum(&order, &day);
        (order, day, ReportId::generate().to_string(), sum)
    });
    let wanted: Vec<_> = wanted.collect();
    sqlx::query(WANT)
        .bind(to_json(&wanted))
        .execute(write)
        .await
        .doing("note days to report on")?;
    Ok(())
}

/// The days of an order that are due, and where their files will lie.
pub(crate) async fn of_order(
    read: impl SqliteExecutor<'_>,
    order: StandingOrderId,
) -> Result<Vec<(ReportDay, ReportId)>, Error> {
    let rows = sqlx::query(SELECT_ALL)
        .bind(order.to_string())
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
    let (order, day): (String, String) = (row.plain("standing_order")?, row.plain("day")?);
    row.check("due_days", sum(&order, &day))?;
    Ok((row.parsed("day")?, row.parsed("file_id")?))
}

/// Over which day it is; how often and where it is made changes.
fn sum(order: &str, day: &str) -> i64 {
    Sum::of("due_days").text(order).text(day).finish()
}

/// The number of the latest reason, and where the file will lie. Nothing, if there is no reason.
pub(crate) async fn find(
    read: impl SqliteExecutor<'_>,
    order: StandingOrderId,
    day: ReportDay,
) -> Result<Option<(i64, ReportId)>, Error> {
    let row = sqlx::query(SELECT)
        .bind(order.to_string())
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
    order: StandingOrderId,
    day: ReportDay,
    number: i64,
) -> Result<(), Error> {
    sqlx::query(DONE)
        .bind(order.to_string())
        .bind(day.to_string())
        .bind(number)
        .execute(&mut *write)
        .await
        .doing("end a day to report on")?;
    sqlx::query(MOVE)
        .bind(order.to_string())
        .bind(day.to_string())
        .bind(ReportId::generate().to_string())
        .execute(write)
        .await
        .doing("move the file of a day to report on")?;
    Ok(())
}
