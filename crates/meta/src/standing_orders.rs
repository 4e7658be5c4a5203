//! Standing orders: a report a day of one type, one for an organisation and type.

use showreport_model::bulk::{ReportType, StandingOrder};
use showreport_model::{OrgId, StandingOrderId, Timestamp};
use sqlx::sqlite::SqliteRow;
use sqlx::{SqliteConnection, SqliteExecutor};

use crate::database::{Stored, Sum, check_rows};
use crate::error::{Doing, Error};

/// The columns of a standing order, with what follows them.
macro_rules! select {
    ($rest:literal) => {
        concat!(
            "SELECT id, org, report_type, name, created_at, first_day, fetched_at, ends_at, ended_at,
                sum
            FROM standing_orders ",
            $rest
        )
    };
}

const INSERT: &str = "INSERT INTO standing_orders
        (id, org, report_type, name, created_at, first_day, fetched_at, sum)
    VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?5, ?7)
    ON CONFLICT (org, report_type) WHERE ended_at IS NULL DO NOTHING";

const SELECT: &str = select!("WHERE org = ?1 AND id = ?2");

const SELECT_OF_TYPE: &str = select!("WHERE org = ?1 AND report_type = ?2 AND ended_at IS NULL");

const SELECT_OF_ORG: &str = select!("WHERE org = ?1 ORDER BY created_at DESC, id DESC");

const SELECT_ALL: &str = select!("ORDER BY org, created_at DESC, id DESC");

const SELECT_IN_FORCE: &str = select!("WHERE ended_at IS NULL ORDER BY org, id");

const DELETE: &str = "DELETE FROM standing_orders WHERE org = ?1 AND id = ?2";

/// An order that has ended stays ended.
const FETCHED: &str = "UPDATE standing_orders SET fetched_at = ?3, ends_at = NULL
    WHERE org = ?1 AND id = ?2 AND ended_at IS NULL";

const ANNOUNCE_END: &str = "UPDATE standing_orders SET ends_at = ?3
    WHERE org = ?1 AND id = ?2 AND ended_at IS NULL AND ends_at IS NULL";

const END: &str = "UPDATE standing_orders SET ended_at = ?3
    WHERE org = ?1 AND id = ?2 AND ended_at IS NULL AND ends_at <= ?3";

/// What is over and has no report left is nothing any more.
const FORGET_ENDED: &str = "DELETE FROM standing_orders WHERE ended_at IS NOT NULL
    AND NOT EXISTS (SELECT 1 FROM bulk_reports WHERE standing_order = standing_orders.id)";

/// Adds an order. Fails where one of the type is in force, and names it.
pub(crate) async fn insert(
    write: &mut SqliteConnection,
    order: &StandingOrder,
) -> Result<(), Error> {
    let done = sqlx::query(INSERT)
        .bind(order.id.to_string())
        .bind(order.org.as_str())
        .bind(order.report_type.name())
        .bind(order.name.as_str())
        .bind(order.created_at.as_millis())
        .bind(order.first_day.to_string())
        .bind(sum(order))
        .execute(&mut *write)
        .await
        .doing("create a standing order")?;
    if done.rows_affected() == 1 {
        return Ok(());
    }
    let row = sqlx::query(SELECT_OF_TYPE)
        .bind(order.org.as_str())
        .bind(order.report_type.name())
        .fetch_one(write)
        .await
        .doing("look up a standing order")?;
    let existing = self::order(&row)?;
    Err(Error::StandingOrderExists {
        order: existing.id,
        report_type: existing.report_type,
        name: existing.name,
    })
}

/// An order of an organisation.
pub(crate) async fn find(
    read: impl SqliteExecutor<'_>,
    org: &OrgId,
    id: StandingOrderId,
) -> Result<StandingOrder, Error> {
    let row = sqlx::query(SELECT)
        .bind(org.as_str())
        .bind(id.to_string())
        .fetch_optional(read)
        .await
        .doing("look up a standing order")?;
    order(&row.ok_or(Error::UnknownStandingOrder { order: id })?)
}

/// All orders of an organisation, newest first. There are few: one in force for each type.
pub(crate) async fn of_org(
    read: impl SqliteExecutor<'_>,
    org: &OrgId,
) -> Result<Vec<StandingOrder>, Error> {
    let rows = sqlx::query(SELECT_OF_ORG)
        .bind(org.as_str())
        .fetch_all(read)
        .await
        .doing("list standing orders")?;
    rows.iter().map(order).collect()
}

/// All orders of all organisations.
pub(crate) async fn all(read: impl SqliteExecutor<'_>) -> Result<Vec<StandingOrder>, Error> {
    let rows = sqlx::query(SELECT_ALL)
        .fetch_all(read)
        .await
        .doing("list standing orders")?;
    rows.iter().map(order).collect()
}

/// The orders in force of all organisations, each by itself: one that is damaged keeps none of the others.
pub(crate) async fn in_force(
    read: impl SqliteExecutor<'_>,
) -> Result<Vec<Result<StandingOrder, Error>>, Error> {
    let rows = sqlx::query(SELECT_IN_FORCE)
        .fetch_all(read)
        .await
        .doing("list standing orders")?;
    Ok(rows.iter().map(order).collect())
}

/// Removes an order, and with it all that was made for it.
pub(crate) async fn delete(
    write: &mut SqliteConnection,
    org: &OrgId,
    id: StandingOrderId,
) -> Result<(), Error> {
    let done = sqlx::query(DELETE)
        .bind(org.as_str())
        .bind(id.to_string())
        .execute(write)
        .await
        .doing("delete a standing order")?;
    if done.rows_affected() == 0 {
        return Err(Error::UnknownStandingOrder { order: id });
    }
    Ok(())
}

/// What happens to an order at an instant.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Turn {
    /// Somebody fetched a report: it goes on.
    Fetched,
    /// Nobody has for long: it will end then.
    AnnounceEnd,
    /// Its time has come.
    End,
}

/// Notes what happened to an order; false if that does not apply any more.
pub(crate) async fn turn(
    write: &mut SqliteConnection,
    (org, id): (&OrgId, StandingOrderId),
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
        .doing("keep a standing order")?;
    Ok(done.rows_affected() == 1)
}

/// Removes orders that have ended and whose last report is gone.
pub(crate) async fn forget_ended(write: &mut SqliteConnection) -> Result<(), Error> {
    sqlx::query(FORGET_ENDED)
        .execute(write)
        .await
        .doing("forget standing orders that have ended")?;
    Ok(())
}

/// Reads every order, so that one that is damaged is found.
pub(crate) async fn check_all(read: &mut SqliteConnection) -> Result<(), Error> {
    check_rows(read, SELECT_ALL, |row| order(row).map(drop)).await
}

/// Over what was ordered; how it goes on is written later.
fn sum(order: &StandingOrder) -> i64 {
    Sum::of("standing_orders")
        .text(&order.id.to_string())
        .text(order.org.as_str())
        .text(order.report_type.name())
        .text(&order.name)
        .number(order.created_at.as_millis())
        .text(&order.first_day.to_string())
        .finish()
}

fn order(row: &SqliteRow) -> Result<StandingOrder, Error> {
    let row = Stored(row);
    let order = StandingOrder {
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
    row.check("standing_orders", sum(&order))?;
    Ok(order)
}
