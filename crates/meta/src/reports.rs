//! Reports: what was asked for, and what became of it.

mod idempotency;

use showreport_model::report::{
    Pins, Report, ReportFailure, ReportFile, ReportOrder, ReportStatus,
};
use showreport_model::{EventId, OrgId, ReportId, Timestamp};
use sqlx::sqlite::SqliteRow;
use sqlx::{SqliteConnection, SqliteExecutor};

pub use idempotency::Idempotency;
pub(crate) use idempotency::{recall, remember};

use crate::database::{Stored, Sum, check_rows, to_integer, to_json, to_sealed};
use crate::error::{Doing, Error};

/// A report as the worker that makes it needs it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ReportTask {
    /// The report.
    pub report: Report,
    /// The last number of the journal when the report was asked for: what it waits for.
    pub journal_last: i64,
    /// What it is made from, once that is chosen.
    pub pins: Option<Pins>,
}

/// The columns of a report, with what follows them.
macro_rules! select {
    ($rest:literal) => {
        concat!(
            "SELECT id, org, event_id, ordered, status, progress_percent, created_at, finished_at, expires_at,
                file, failure, journal_last, pins, sum
            FROM reports ",
            $rest
        )
    };
}

const INSERT: &str = "INSERT INTO reports
        (id, org, event_id, ordered, status, progress_percent, created_at, journal_last, sum)
    VALUES (?1, ?2, ?3, ?4, 'running', 0, ?5, ?6, ?7)";

const SELECT: &str = select!("WHERE org = ?1 AND id = ?2");

const SELECT_TASK: &str = select!("WHERE id = ?1");

const SELECT_PAGE: &str = select!("WHERE org = ?1 AND id < ?2 ORDER BY id DESC LIMIT ?3");

const SELECT_PAGE_OF_EVENT: &str =
    select!("WHERE org = ?1 AND event_id = ?4 AND id < ?2 ORDER BY id DESC LIMIT ?3");

const SELECT_THESE: &str =
    select!("WHERE org = ?1 AND id IN (SELECT value FROM json_each(?2)) ORDER BY id");

const SELECT_EXPIRED: &str =
    select!("WHERE file IS NOT NULL AND expires_at <= ?1 ORDER BY expires_at LIMIT ?2");

const SELECT_ALL: &str = select!("");

const DELETE: &str = "DELETE FROM reports WHERE org = ?1 AND id = ?2 RETURNING file";

const PIN: &str = "UPDATE reports SET pins = coalesce(pins, ?2) WHERE id = ?1 RETURNING pins";

const SELECT_PINS: &str =
    "SELECT id, pins FROM reports WHERE status = 'running' AND pins IS NOT NULL";

/// A later attempt begins anew; what was shown does not go back.
const SET_PROGRESS: &str = "UPDATE reports SET progress_percent = max(progress_percent, ?2)
    WHERE id = ?1 AND status = 'running'";

const PUBLISH: &str = "UPDATE reports SET status = 'succeeded', progress_percent = 100,
        finished_at = ?2, file = ?3, expires_at = ?4, file_bytes = ?5
    WHERE id = ?1 AND status = 'running'";

const FAIL: &str = "UPDATE reports SET status = 'failed', finished_at = ?2, failure = ?3
    WHERE id = ?1 AND status = 'running'";

const FORGET_FILE: &str = "UPDATE reports SET file = NULL WHERE id = ?1";

/// Greater than every id, which is hexadecimal.
const AFTER_ALL: &str = "g";

/// Adds a report that is running from now on.
pub(crate) async fn insert(
    write: &mut SqliteConnection,
    order: &ReportOrder,
    journal_last: i64,
    now: Timestamp,
) -> Result<Report, Error> {
    let id = ReportId::generate();
    let placed = (now.as_millis(), journal_last);
    sqlx::query(INSERT)
        .bind(id.to_string())
        .bind(order.org.as_str())
        .bind(order.event.as_str())
        .bind(to_json(order))
        .bind(placed.0)
        .bind(placed.1)
        .bind(sum(&id.to_string(), order, &to_json(order), placed))
        .execute(write)
        .await
        .doing("create a report")?;
    Ok(Report {
        id,
        order: order.clone(),
        status: ReportStatus::Running,
        progress_percent: 0,
        created_at: now,
        finished_at: None,
        expires_at: None,
        file: None,
        failure: None,
    })
}

/// A report of an organisation.
pub(crate) async fn find(
    read: impl SqliteExecutor<'_>,
    org: &OrgId,
    id: ReportId,
) -> Result<Report, Error> {
    let row = sqlx::query(SELECT)
        .bind(org.as_str())
        .bind(id.to_string())
        .fetch_optional(read)
        .await
        .doing("look up a report")?;
    report(&row.ok_or(Error::UnknownReport { report: id })?)
}

/// Reports of an organisation, of one event or of all, newest first.
pub(crate) async fn list(
    read: impl SqliteExecutor<'_>,
    org: &OrgId,
    event: Option<&EventId>,
    before: Option<ReportId>,
    limit: u32,
) -> Result<Vec<Report>, Error> {
    let before = before.map_or_else(|| AFTER_ALL.to_owned(), |id| id.to_string());
    let query = match event {
        None => sqlx::query(SELECT_PAGE),
        Some(_) => sqlx::query(SELECT_PAGE_OF_EVENT),
    };
    let query = query.bind(org.as_str()).bind(before).bind(limit);
    let query = match event {
        None => query,
        Some(event) => query.bind(event.as_str()),
    };
    let rows = query.fetch_all(read).await.doing("list reports")?;
    rows.iter().map(report).collect()
}

/// Those of these reports that an organisation has, in the order of their creation.
pub(crate) async fn find_all(
    read: impl SqliteExecutor<'_>,
    org: &OrgId,
    ids_json: &str,
) -> Result<Vec<Report>, Error> {
    let rows = sqlx::query(SELECT_THESE)
        .bind(org.as_str())
        .bind(ids_json)
        .fetch_all(read)
        .await
        .doing("look up reports")?;
    rows.iter().map(report).collect()
}

/// Removes a report and gives its file, if it had one.
pub(crate) async fn delete(
    write: &mut SqliteConnection,
    org: &OrgId,
    id: ReportId,
) -> Result<Option<ReportFile>, Error> {
    let row = sqlx::query(DELETE)
        .bind(org.as_str())
        .bind(id.to_string())
        .fetch_optional(write)
        .await
        .doing("delete a report")?;
    let row = row.ok_or(Error::UnknownReport { report: id })?;
    Stored(&row).unsealed_if_any("file", &id.to_string())
}

/// A report with what its worker needs, whosever it is.
pub(crate) async fn task(
    read: impl SqliteExecutor<'_>,
    id: ReportId,
) -> Result<Option<ReportTask>, Error> {
    let row = sqlx::query(SELECT_TASK)
        .bind(id.to_string())
        .fetch_optional(read)
        .await
        .doing("look up a report")?;
    row.map(|row| {
        Ok(ReportTask {
            report: report(&row)?,
            journal_last: Stored(&row).plain("journal_last")?,
            pins: Stored(&row).unsealed_if_any("pins", &id.to_string())?,
        })
    })
    .transpose()
}

/// Pins what a report is made from, unless it is pinned already; gives the pins that hold.
pub(crate) async fn pin(
    write: &mut SqliteConnection,
    id: ReportId,
    pins: &Pins,
) -> Result<Pins, Error> {
    let row = sqlx::query(PIN)
        .bind(id.to_string())
        .bind(to_sealed("pins", &id.to_string(), pins))
        .fetch_optional(write)
        .await
        .doing("pin a report")?;
    let row = row.ok_or(Error::UnknownReport { report: id })?;
    let pins = Stored(&row).unsealed_if_any("pins", &id.to_string())?;
    pins.ok_or_else(|| Error::damaged("the pins of a report are missing"))
}

/// The pins of reports that are being made.
pub(crate) async fn pins(read: impl SqliteExecutor<'_>) -> Result<Vec<Pins>, Error> {
    let rows = sqlx::query(SELECT_PINS)
        .fetch_all(read)
        .await
        .doing("list pins")?;
    let pins = rows.iter().map(|row| {
        let row = Stored(row);
        row.unsealed_if_any("pins", &row.plain::<String>("id")?)
    });
    pins.filter_map(Result::transpose).collect()
}

/// Notes how far a report is.
pub(crate) async fn set_progress(
    write: &mut SqliteConnection,
    id: ReportId,
    percent: u8,
) -> Result<(), Error> {
    sqlx::query(SET_PROGRESS)
        .bind(id.to_string())
        .bind(percent.min(100))
        .execute(write)
        .await
        .doing("note the progress of a report")?;
    Ok(())
}

/// Makes the file the report's; false if the report is not running.
pub(crate) async fn publish(
    write: &mut SqliteConnection,
    id: ReportId,
    file: &ReportFile,
    now: Timestamp,
    expires_at: Timestamp,
) -> Result<bool, Error> {
    let done = sqlx::query(PUBLISH)
        .bind(id.to_string())
        .bind(now.as_millis())
        .bind(to_sealed("file", &id.to_string(), file))
        .bind(expires_at.as_millis())
        .bind(to_integer(file.stored_bytes()))
        .execute(write)
        .await
        .doing("publish a report")?;
    Ok(done.rows_affected() == 1)
}

/// Ends a report without a file; false if the report is not running.
pub(crate) async fn fail(
    write: &mut SqliteConnection,
    id: ReportId,
    failure: &ReportFailure,
    now: Timestamp,
) -> Result<bool, Error> {
    let done = sqlx::query(FAIL)
        .bind(id.to_string())
        .bind(now.as_millis())
        .bind(to_sealed("failure", &id.to_string(), failure))
        .execute(write)
        .await
        .doing("fail a report")?;
    Ok(done.rows_affected() == 1)
}

/// Reports whose file is past its time, of all organisations.
pub(crate) async fn expired(
    read: impl SqliteExecutor<'_>,
    now: Timestamp,
    limit: u32,
) -> Result<Vec<Report>, Error> {
    let rows = sqlx::query(SELECT_EXPIRED)
        .bind(now.as_millis())
        .bind(limit)
        .fetch_all(read)
        .await
        .doing("look for expired reports")?;
    rows.iter().map(report).collect()
}

/// Notes that the file is gone.
pub(crate) async fn forget_file(write: &mut SqliteConnection, id: ReportId) -> Result<(), Error> {
    sqlx::query(FORGET_FILE)
        .bind(id.to_string())
        .execute(write)
        .await
        .doing("forget the file of a report")?;
    Ok(())
}

fn report(row: &SqliteRow) -> Result<Report, Error> {
    let row = Stored(row);
    let id: String = row.plain("id")?;
    let order: ReportOrder = row.json("ordered")?;
    let placed = (row.plain("created_at")?, row.plain("journal_last")?);
    let stored = sum(&id, &order, &row.plain::<String>("ordered")?, placed);
    row.check("reports", stored)?;
    let (org, event): (String, String) = (row.plain("org")?, row.plain("event_id")?);
    if org != order.org.as_str() || event != order.event.as_str() {
        return Err(Error::damaged("a row of reports contradicts its order"));
    }
    Ok(Report {
        id: row.parsed("id")?,
        status: row.named("status", ReportStatus::from_name)?,
        progress_percent: row.number("progress_percent")?,
        created_at: row.time("created_at")?,
        finished_at: row.time_if_any("finished_at")?,
        expires_at: row.time_if_any("expires_at")?,
        file: row.unsealed_if_any("file", &id)?,
        failure: row.unsealed_if_any("failure", &id)?,
        order,
    })
}

/// Over what was asked for, when, and up to where in the journal. What becomes of it is sealed apart.
fn sum(
    id: &str,
    order: &ReportOrder,
    order_json: &str,
    (created_at, journal_last): (i64, i64),
) -> i64 {
    Sum::of("reports")
        .text(id)
        .text(order.org.as_str())
        .text(order.event.as_str())
        .text(order_json)
        .number(created_at)
        .number(journal_last)
        .finish()
}

/// Reads every report, so that one that is damaged is found.
pub(crate) async fn check_all(read: &mut SqliteConnection) -> Result<(), Error> {
    check_rows(read, SELECT_ALL, |row| {
        report(row)?;
        let row = Stored(row);
        row.unsealed_if_any::<Pins>("pins", &row.plain::<String>("id")?)?;
        Ok(())
    })
    .await
}
