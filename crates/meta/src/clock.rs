//! Whether the clock is in doubt, as all processes on the database know it.

use showreport_model::Timestamp;
use sqlx::sqlite::SqliteRow;
use sqlx::{SqliteConnection, SqliteExecutor};

use crate::database::{NewDoubt, Stored, Sum};
use crate::error::{Doing, Error};

/// What is kept of the clock. The default is that of a clock that was never in doubt.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub(crate) struct Doubts {
    /// From when until when it is in doubt.
    period: Option<(Timestamp, Timestamp)>,
    /// How often an operator has said that it is right.
    pub(crate) confirmations: i64,
}

const SELECT: &str =
    "SELECT doubted_from, doubted_until, confirmations, sum FROM clock WHERE id = 1";

const UPSERT: &str = "INSERT INTO clock (id, doubted_from, doubted_until, confirmations, sum)
    VALUES (1, ?1, ?2, ?3, ?4)
    ON CONFLICT (id) DO UPDATE SET doubted_from = excluded.doubted_from,
        doubted_until = excluded.doubted_until, confirmations = excluded.confirmations,
        sum = excluded.sum";

impl Doubts {
    /// Whether the clock is in doubt at this time. One that has gone back since is not.
    pub(crate) fn include(&self, now: Timestamp) -> bool {
        self.period
            .is_some_and(|(from, until)| from <= now && now < until)
    }
}

/// What is kept of the clock.
pub(crate) async fn find(read: impl SqliteExecutor<'_>) -> Result<Doubts, Error> {
    let row = sqlx::query(SELECT)
        .fetch_optional(read)
        .await
        .doing("read what is kept of the clock")?;
    row.as_ref().map_or(Ok(Doubts::default()), doubts)
}

fn doubts(row: &SqliteRow) -> Result<Doubts, Error> {
    let row = Stored(row);
    let (from, until) = (row.time("doubted_from")?, row.time("doubted_until")?);
    let confirmations = row.plain("confirmations")?;
    row.check("clock", sum(from, until, confirmations))?;
    Ok(Doubts {
        period: Some((from, until)),
        confirmations,
    })
}

/// Doubts the clock.
pub(crate) async fn doubt(write: &mut SqliteConnection, new: NewDoubt) -> Result<(), Error> {
    let confirmations = find(&mut *write).await?.confirmations;
    keep(write, (new.from, new.until), confirmations).await
}

/// Ends every doubt.
pub(crate) async fn confirm(write: &mut SqliteConnection, now: Timestamp) -> Result<(), Error> {
    let confirmations = find(&mut *write).await?.confirmations;
    keep(write, (now, now), confirmations + 1).await
}

async fn keep(
    write: &mut SqliteConnection,
    (from, until): (Timestamp, Timestamp),
    confirmations: i64,
) -> Result<(), Error> {
    sqlx::query(UPSERT)
        .bind(from.as_millis())
        .bind(until.as_millis())
        .bind(confirmations)
        .bind(sum(from, until, confirmations))
        .execute(write)
        .await
        .doing("keep whether the clock is in doubt")?;
    Ok(())
}

fn sum(from: Timestamp, until: Timestamp, confirmations: i64) -> i64 {
    Sum::of("clock")
        .number(from.as_millis())
        .number(until.as_millis())
        .number(confirmations)
        .finish()
}
