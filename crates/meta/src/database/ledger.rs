//! [`Ledger`]: the one row that counts rows and transactions.
//!
//! The checksum of a row cannot show that a whole row is missing. So the ledger has the numbers of
//! the rows of the journal, the heads of the lake and the number of transactions. Every transaction
//! reads it first and writes it last.

use showreport_model::Timestamp;
use showreport_model::report::Heads;
use sqlx::{SqliteConnection, SqliteExecutor};

use super::stored::{Stored, to_integer, to_json};
use super::sum::Sum;
use crate::error::{Doing, Error};

/// The ledger, as a transaction reads and writes it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Ledger {
    /// The number of transactions so far.
    pub(crate) commits: i64,
    /// The oldest row of the journal, if there is one; else `journal_last + 1`.
    pub(crate) journal_first: i64,
    /// The newest row that there ever was. All rows from the oldest to it must be there.
    pub(crate) journal_last: i64,
    /// Bytes of all rows of the journal.
    pub(crate) journal_bytes: u64,
    pub(crate) heads: Heads,
    /// The latest time of a transaction. `None` in databases of versions that did not store it.
    pub(crate) committed_at: Option<Timestamp>,
}

/// The rows of the journal: all from the first to the last.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct JournalRange {
    pub(crate) first: i64,
    pub(crate) last: i64,
}

const SELECT: &str =
    "SELECT commits, journal_first, journal_last, journal_bytes, heads, committed_at, sum
    FROM ledger WHERE id = 1";

const UPDATE: &str = "UPDATE ledger SET commits = $1, journal_first = $2, journal_last = $3,
        journal_bytes = $4, heads = $5, committed_at = $6, sum = $7
    WHERE id = 1";

impl Ledger {
    /// Whether the database has a ledger. It has none before the first start.
    pub(crate) async fn is_there(read: impl SqliteExecutor<'_>) -> Result<bool, Error> {
        sqlx::query_scalar("SELECT EXISTS (SELECT 1 FROM sqlite_schema WHERE name = 'ledger')")
            .fetch_one(read)
            .await
            .doing("look for the ledger")
    }

    /// The number of transactions so far, of a database of any version.
    pub(super) async fn commits(read: impl SqliteExecutor<'_>) -> Result<i64, Error> {
        sqlx::query_scalar("SELECT commits FROM ledger WHERE id = 1")
            .fetch_optional(read)
            .await
            .doing("read the ledger")?
            .ok_or_else(|| Error::damaged("the row of the ledger is missing"))
    }

    /// Reads the ledger and compares it with its checksum.
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

    /// The rows of the journal.
    pub(crate) const fn journal_range(&self) -> JournalRange {
        JournalRange {
            first: self.journal_first,
            last: self.journal_last,
        }
    }

    fn sum(&self) -> i64 {
        let sum = Sum::of("ledger")
            .number(self.commits)
            .number(self.journal_first)
            .number(self.journal_last)
            .number(to_integer(self.journal_bytes))
            .text(&to_json(&self.heads));
        // The migration that added the time did not change the checksums of existing rows.
        match self.committed_at {
            Some(at) => sum.number(at.as_millis()).finish(),
            None => sum.finish(),
        }
    }
}

impl JournalRange {
    /// The number of rows.
    pub(crate) fn rows(self) -> u64 {
        u64::try_from(self.last + 1 - self.first).unwrap_or(0)
    }
}
