//! [`Ledger`]: the one row that says what there must be.
//!
//! A checksum of a row says nothing of a row that is gone. So this one counts:
//! which rows of the journal wait, which versions of the lake count, and how many
//! transactions there were. Every transaction reads it first and writes it last.

use showreport_model::Timestamp;
use showreport_model::report::Heads;
use sqlx::{SqliteConnection, SqliteExecutor};

use super::stored::{Stored, to_integer, to_json};
use super::sum::Sum;
use crate::error::{Doing, Error};

/// What there must be.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Ledger {
    /// Transactions so far.
    pub(crate) commits: i64,
    /// The oldest row of the journal that waits, if any does.
    pub(crate) journal_first: i64,
    /// The newest row that there ever was. Every row from the oldest to it is there.
    pub(crate) journal_last: i64,
    /// Bytes of the rows that wait.
    pub(crate) journal_bytes: u64,
    /// The version of each table of the lake that counts.
    pub(crate) heads: Heads,
    /// The latest time of a transaction, by the clock. Databases of earlier versions have none.
    pub(crate) committed_at: Option<Timestamp>,
}

const SELECT: &str =
    "SELECT commits, journal_first, journal_last, journal_bytes, heads, committed_at, sum
    FROM ledger WHERE id = 1";

const UPDATE: &str = "UPDATE ledger SET commits = ?1, journal_first = ?2, journal_last = ?3,
        journal_bytes = ?4, heads = ?5, committed_at = ?6, sum = ?7
    WHERE id = 1";

impl Ledger {
    /// Whether there is a ledger at all, as there is none before the first start.
    pub(crate) async fn is_there(read: impl SqliteExecutor<'_>) -> Result<bool, Error> {
        sqlx::query_scalar("SELECT EXISTS (SELECT 1 FROM sqlite_schema WHERE name = 'ledger')")
            .fetch_one(read)
            .await
            .doing("look for the ledger")
    }

    /// Transactions so far, of a database of any version.
    pub(super) async fn commits(read: impl SqliteExecutor<'_>) -> Result<i64, Error> {
        sqlx::query_scalar("SELECT commits FROM ledger WHERE id = 1")
            .fetch_optional(read)
            .await
            .doing("read the ledger")?
            .ok_or_else(|| Error::damaged("the row of the ledger is missing"))
    }

    /// What the database says.
    pub(crate) async fn read(read: impl SqliteExecutor<'_>) -> Result<Self, Error> {
        let row = sqlx::query(SELECT)
            .fetch_optional(read)
            .await
            .doing("read the ledger")?;
        let row = row.ok_or_else(|| Error::damaged("the row of the ledger is missing"))?;
        let row = Stored(&row);
        let ledger = Self {
            commits: row.plain("commits")?,
            journal_first: row.plain("journal_first")?,
            journal_last: row.plain("journal_last")?,
            journal_bytes: row.number("journal_bytes")?,
            heads: row.json("heads")?,
            committed_at: row.time_if_any("committed_at")?,
        };
        row.check("ledger", ledger.sum())?;
        Ok(ledger)
    }

    /// Writes it in the place of the former.
    pub(super) async fn write(&self, write: &mut SqliteConnection) -> Result<(), Error> {
        let done = sqlx::query(UPDATE)
            .bind(self.commits)
            .bind(self.journal_first)
            .bind(self.journal_last)
            .bind(to_integer(self.journal_bytes))
            .bind(to_json(&self.heads))
            .bind(self.committed_at.map(Timestamp::as_millis))
            .bind(self.sum())
            .execute(write)
            .await
            .doing("write the ledger")?;
        match done.rows_affected() {
            1 => Ok(()),
            _ => Err(Error::damaged("the row of the ledger is missing")),
        }
    }

    /// How many rows of the journal wait.
    pub(crate) fn journal_rows(&self) -> u64 {
        u64::try_from(self.journal_last + 1 - self.journal_first).unwrap_or(0)
    }

    fn sum(&self) -> i64 {
        let sum = Sum::of("ledger")
            .number(self.commits)
            .number(self.journal_first)
            .number(self.journal_last)
            .number(to_integer(self.journal_bytes))
            .text(&to_json(&self.heads));
        // The migration that adds the time leaves the row as it was, and its sum right.
        match self.committed_at {
            Some(at) => sum.number(at.as_millis()).finish(),
            None => sum.finish(),
        }
    }
}
