//! Event reports: their orders, and the results.

mod idempotency;
mod ordering;

use fail::fail_point;
use showreport_model::report::{
    Heads, Pins, Report, ReportFailure, ReportFile, ReportOrder, ReportStatus,
};
use showreport_model::{EventId, OrgId, ReportId, Timestamp};
use sqlx::sqlite::SqliteRow;
use sqlx::{SqliteConnection, SqliteExecutor};

pub use idempotency::Idempotency;
pub(super) use idempotency::delete_old_keys;

use super::jobs::{Claim, ClaimedJob, MAKE_REPORT};
use super::{Meta, jobs};
use crate::database::{
    Stored, Sum, Transaction, check_rows, elements, to_integer, to_json, to_sealed,
};
use crate::error::{Doing, Error};

/// Everything that a worker needs to make a report.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ReportTask {
    pub report: Report,
    /// The number of the newest row of the journal when the report was ordered. It must be in the
    /// lake before the report is made.
    pub journal_last: i64,
    /// `None` before the first attempt has pinned the heads.
    pub pins: Option<Pins>,
}

/// Which reports are listed.
#[derive(Debug, Clone, Copy, Default)]
pub struct ReportFilter<'f> {
    /// `None`: those of all events.
    pub event: Option<&'f EventId>,
    /// Only those that have succeeded.
    pub is_finished: bool,
}

/// What an attempt to end a report did.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum ReportEnd {
    /// The report has ended, and its job is done.
    Ended,
    /// The claim of the job no longer holds. Nothing was changed.
    ClaimLost,
    /// The report was deleted or had ended before. Its job is done.
    NotRunning,
}

/// Selects all columns of a report.
macro_rules! select {
    ($($rest:expr),*) => {
        concat!(
            "SELECT id, org, event_id, ordered, status, progress_percent, created_at, finished_at,
                expires_at, file, failure, journal_last, pins, sum
            FROM reports ",
            $($rest),*
        )
    };
}

const INSERT: &str = "INSERT INTO reports
        (id, org, event_id, ordered, status, progress_percent, created_at, journal_last, sum)
    VALUES ($1, $2, $3, $4, 'running', 0, $5, $6, $7)";

const SELECT: &str = select!("WHERE org = $1 AND id = $2");

const SELECT_TASK: &str = select!("WHERE id = $1");

const SELECT_PAGE: &str = select!(
    "WHERE org = $1 AND id < $2 AND (NOT $4 OR status = 'succeeded')
    ORDER BY id DESC LIMIT $3"
);

const SELECT_PAGE_OF_EVENT: &str = select!(
    "WHERE org = $1 AND event_id = $5 AND id < $2 AND (NOT $4 OR status = 'succeeded')
    ORDER BY id DESC LIMIT $3"
);

/// The reports come as a JSON array of their ids.
const SELECT_THESE: &str = select!(
    "WHERE org = $1 AND id IN (SELECT value FROM ",
    elements!("$2"),
    ") ORDER BY id"
);

const SELECT_EXPIRED: &str =
    select!("WHERE file IS NOT NULL AND expires_at <= $1 ORDER BY expires_at LIMIT $2");

const SELECT_ALL: &str = select!("");

const DELETE: &str = "DELETE FROM reports WHERE org = $1 AND id = $2 RETURNING file";

const PIN: &str = "UPDATE reports SET pins = coalesce(pins, $2) WHERE id = $1 RETURNING pins";

const SELECT_PINS: &str =
    "SELECT id, pins FROM reports WHERE status = 'running' AND pins IS NOT NULL";

/// A later attempt begins at 0, and the progress that clients see does not go back.
const SET_PROGRESS: &str = "UPDATE reports SET progress_percent = $2
    WHERE id = $1 AND status = 'running' AND progress_percent < $2";

const PUBLISH: &str = "UPDATE reports SET status = 'succeeded', progress_percent = 100,
        finished_at = $2, file = $3, expires_at = $4, file_bytes = $5
    WHERE id = $1 AND status = 'running'";

const FAIL: &str = "UPDATE reports SET status = 'failed', finished_at = $2, failure = $3
    WHERE id = $1 AND status = 'running'";

const CLEAR_FILE: &str = "UPDATE reports SET file = NULL WHERE id = $1";

/// `file` is null before the end, and after the file was deleted.
const DELETE_ENDED: &str = "DELETE FROM reports WHERE id IN (
        SELECT id FROM reports WHERE file IS NULL AND finished_at <= $1
        ORDER BY finished_at LIMIT $2
    )";

/// Greater than every id: ids are hexadecimal.
const AFTER_ALL: &str = "g";

impl Meta {
    /// A report of an organisation.
    pub async fn report(&self, org: &OrgId, id: ReportId) -> Result<Report, Error> {
        let row = sqlx::query(SELECT)
            .bind(org.as_str())
            .bind(id.to_string())
            .fetch_optional(self.readers())
            .await
            .doing("look up a report")?;
        report(&row.ok_or(Error::UnknownReport { report: id })?)
    }

    /// Reports of an organisation older than `before`, newest first.
    pub async fn reports(
        &self,
        org: &OrgId,
        filter: ReportFilter<'_>,
        before: Option<ReportId>,
        limit: u32,
    ) -> Result<Vec<Report>, Error> {
        let before = before.map_or_else(|| AFTER_ALL.to_owned(), |id| id.to_string());
        let ReportFilter { event, is_finished } = filter;
        let query = match event {
            None => sqlx::query(SELECT_PAGE),
            Some(_) => sqlx::query(SELECT_PAGE_OF_EVENT),
        };
        let query = query.bind(org.as_str()).bind(before).bind(limit);
        let query = query.bind(is_finished);
        let query = match event {
            None => query,
            Some(event) => query.bind(event.as_str()),
        };
        let rows = query.fetch_all(self.readers()).await;
        rows.doing("list reports")?.iter().map(report).collect()
    }

    /// Deletes a report and its job: a worker that makes it can no longer publish it. Returns its
    /// file, if it has one, to be deleted by the caller.
    pub async fn delete_report(
        &self,
        org: &OrgId,
        id: ReportId,
    ) -> Result<Option<ReportFile>, Error> {
        self.database()
            .write_protected(async |tx| {
                let file = delete(tx, org, id).await?;
                jobs::cancel(tx, &unique_key(id)).await?;
                Ok(file)
            })
            .await
    }

    /// Everything that a worker needs to make a report. `None`: the report was deleted.
    pub async fn report_task(&self, id: ReportId) -> Result<Option<ReportTask>, Error> {
        let row = sqlx::query(SELECT_TASK)
            .bind(id.to_string())
            .fetch_optional(self.readers())
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

    /// Pins the heads, zone and event that a report is made from, and returns them. If it has pins
    /// already, these stay and are returned.
    pub async fn pin_report(&self, id: ReportId, pins: &Pins) -> Result<Pins, Error> {
        let pin = async |tx: &mut Transaction<'_>| {
            let pins = pin(tx, id, pins).await?;
            fail_point!("pin-before-commit", |_| std::process::abort());
            Ok(pins)
        };
        let pins = self.database().write(pin).await?;
        fail_point!("pin-after-commit", |_| std::process::abort());
        Ok(pins)
    }

    /// The pinned heads of running reports: these versions must stay readable.
    pub async fn pinned_heads(&self) -> Result<Vec<Heads>, Error> {
        let pins = pins(self.readers()).await?;
        Ok(pins.into_iter().map(|pins| pins.heads).collect())
    }

    /// Stores the progress of a report. It never goes back.
    pub async fn set_progress(&self, id: ReportId, percent: u8) -> Result<(), Error> {
        self.database()
            .write(async |tx| set_progress(tx, id, percent).await)
            .await
    }

    /// Publishes the file of a report, and finishes its job. Unless it returns
    /// [`ReportEnd::Ended`], the file belongs to no report.
    pub async fn publish_report(
        &self,
        job: &ClaimedJob,
        id: ReportId,
        file: &ReportFile,
        expires_at: Timestamp,
    ) -> Result<ReportEnd, Error> {
        let now = self.now();
        let publish = async |tx: &mut Transaction<'_>| {
            if jobs::finish(tx, job).await? == Claim::Lost {
                return Ok(ReportEnd::ClaimLost);
            }
            let published = publish(tx, id, file, now, expires_at).await?;
            fail_point!("publish-before-commit", |_| std::process::abort());
            Ok(published)
        };
        let published = self.database().write(publish).await?;
        if published != ReportEnd::ClaimLost {
            fail_point!("publish-after-commit", |_| std::process::abort());
        }
        Ok(published)
    }

    /// Ends a report without a file, and finishes its job.
    pub async fn fail_report(
        &self,
        job: &ClaimedJob,
        id: ReportId,
        failure: &ReportFailure,
    ) -> Result<ReportEnd, Error> {
        let now = self.now();
        self.database()
            .write(async |tx| {
                if jobs::finish(tx, job).await? == Claim::Lost {
                    return Ok(ReportEnd::ClaimLost);
                }
                fail(tx, id, failure, now).await
            })
            .await
    }

    /// Reports of all organisations with an expired file, oldest first. A damaged row is an error
    /// of its own.
    pub async fn expired_reports(&self, limit: u32) -> Result<Vec<Result<Report, Error>>, Error> {
        let rows = sqlx::query(SELECT_EXPIRED)
            .bind(self.now().as_millis())
            .bind(limit)
            .fetch_all(self.readers())
            .await
            .doing("look for expired reports")?;
        Ok(rows.iter().map(report).collect())
    }

    /// Notes that the file of a report was deleted. The report stays, as succeeded.
    pub async fn clear_report_file(&self, id: ReportId) -> Result<(), Error> {
        self.database()
            .write_protected(async |tx| clear_file(tx, id).await)
            .await
    }
}

impl ReportEnd {
    const fn of_rows(changed: u64) -> Self {
        if changed == 1 {
            Self::Ended
        } else {
            Self::NotRunning
        }
    }
}

fn unique_key(id: ReportId) -> String {
    format!("{MAKE_REPORT}:{id}")
}

/// Adds a report, which is running from now on.
async fn insert(
    tx: &mut SqliteConnection,
    order: &ReportOrder,
    journal_last: i64,
    now: Timestamp,
) -> Result<Report, Error> {
    let id = ReportId::generate();
    let created_at = now.as_millis();
    let ordered = to_json(order);
    let checksum = sum(&id.to_string(), order, &ordered, created_at, journal_last);
    sqlx::query(INSERT)
        .bind(id.to_string())
        .bind(order.org.as_str())
        .bind(order.event.as_str())
        .bind(ordered)
        .bind(created_at)
        .bind(journal_last)
        .bind(checksum)
        .execute(tx)
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

/// Deletes a report, and returns its file, if it has one.
async fn delete(
    tx: &mut SqliteConnection,
    org: &OrgId,
    id: ReportId,
) -> Result<Option<ReportFile>, Error> {
    let row = sqlx::query(DELETE)
        .bind(org.as_str())
        .bind(id.to_string())
        .fetch_optional(tx)
        .await
        .doing("delete a report")?;
    let row = row.ok_or(Error::UnknownReport { report: id })?;
    Stored(&row).unsealed_if_any("file", &id.to_string())
}

/// Pins a report, unless it is pinned already. Returns its pins.
async fn pin(tx: &mut SqliteConnection, id: ReportId, pins: &Pins) -> Result<Pins, Error> {
    let row = sqlx::query(PIN)
        .bind(id.to_string())
        .bind(to_sealed("pins", &id.to_string(), pins))
        .fetch_optional(tx)
        .await
        .doing("pin a report")?;
    let row = row.ok_or(Error::UnknownReport { report: id })?;
    let pins = Stored(&row).unsealed_if_any("pins", &id.to_string())?;
    pins.ok_or_else(|| Error::damaged("the pins of a report are missing"))
}

/// The pins of running reports.
async fn pins(read: impl SqliteExecutor<'_>) -> Result<Vec<Pins>, Error> {
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

async fn set_progress(tx: &mut SqliteConnection, id: ReportId, percent: u8) -> Result<(), Error> {
    sqlx::query(SET_PROGRESS)
        .bind(id.to_string())
        .bind(percent.min(100))
        .execute(tx)
        .await
        .doing("store the progress of a report")?;
    Ok(())
}

async fn publish(
    tx: &mut SqliteConnection,
    id: ReportId,
    file: &ReportFile,
    now: Timestamp,
    expires_at: Timestamp,
) -> Result<ReportEnd, Error> {
    let done = sqlx::query(PUBLISH)
        .bind(id.to_string())
        .bind(now.as_millis())
        .bind(to_sealed("file", &id.to_string(), file))
        .bind(expires_at.as_millis())
        .bind(to_integer(file.stored_bytes()))
        .execute(tx)
        .await
        .doing("publish a report")?;
    Ok(ReportEnd::of_rows(done.rows_affected()))
}

/// Ends a report without a file.
async fn fail(
    tx: &mut SqliteConnection,
    id: ReportId,
    failure: &ReportFailure,
    now: Timestamp,
) -> Result<ReportEnd, Error> {
    let done = sqlx::query(FAIL)
        .bind(id.to_string())
        .bind(now.as_millis())
        .bind(to_sealed("failure", &id.to_string(), failure))
        .execute(tx)
        .await
        .doing("fail a report")?;
    Ok(ReportEnd::of_rows(done.rows_affected()))
}

/// Notes that the file was deleted.
async fn clear_file(tx: &mut SqliteConnection, id: ReportId) -> Result<(), Error> {
    sqlx::query(CLEAR_FILE)
        .bind(id.to_string())
        .execute(tx)
        .await
        .doing("clear the file of a report")?;
    Ok(())
}

/// Deletes at most `limit` reports without a file that ended by then, the oldest first. Returns
/// their number.
pub(super) async fn delete_ended(
    tx: &mut SqliteConnection,
    ended_by: Timestamp,
    limit: u32,
) -> Result<u64, Error> {
    let done = sqlx::query(DELETE_ENDED)
        .bind(ended_by.as_millis())
        .bind(limit)
        .execute(tx)
        .await
        .doing("delete old reports")?;
    Ok(done.rows_affected())
}

fn report(row: &SqliteRow) -> Result<Report, Error> {
    let row = Stored(row);
    let id: String = row.plain("id")?;
    let order: ReportOrder = row.json("ordered")?;
    let ordered: String = row.plain("ordered")?;
    let (created_at, journal_last) = (row.plain("created_at")?, row.plain("journal_last")?);
    let stored = sum(&id, &order, &ordered, created_at, journal_last);
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

/// Covers the order, its time and its place in the journal. The results have checksums of their
/// own.
fn sum(id: &str, order: &ReportOrder, order_json: &str, created_at: i64, journal_last: i64) -> i64 {
    Sum::of("reports")
        .text(id)
        .text(order.org.as_str())
        .text(order.event.as_str())
        .text(order_json)
        .number(created_at)
        .number(journal_last)
        .finish()
}

/// Checks every row of the table.
pub(super) async fn check_all(read: &mut SqliteConnection) -> Result<(), Error> {
    check_rows(read, SELECT_ALL, |row| {
        report(row)?;
        let row = Stored(row);
        row.unsealed_if_any::<Pins>("pins", &row.plain::<String>("id")?)?;
        Ok(())
    })
    .await
}

#[cfg(test)]
mod tests;
