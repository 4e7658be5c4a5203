//! The journal: acknowledged facts that are not in the lake yet.
//!
//! A group commit adds one row or several: an organisation with many facts has a row of its own,
//! so that the few facts of others can be flushed without them. A row has facts and the events that
//! they are of. Rows are numbered in the order of their commits, and deleted when the flush moves
//! the heads.
//!
//! Each row has checksums, and the ledger has the numbers of all rows. So a read returns all
//! acknowledged facts, or an error.

mod pending_events;
mod commits;
mod queue;
mod group;

use showreport_model::report::Heads;
use showreport_model::{EventId, OrgId, Timestamp};
use sqlx::sqlite::SqliteRow;
use sqlx::{SqliteConnection, SqliteExecutor};

pub use commits::{Commit, Commits, CommittedRow, MovedHead, TakenCommits};
pub(super) use group::JournalReceiver;
pub use group::{Journal, JournalWriter};
pub(super) use pending_events::PendingEvents;
pub use pending_events::PendingRows;

use super::Meta;
use crate::database::{Ledger, Stored, Sum, Transaction, to_integer};
use crate::error::{Doing, Error};

/// Facts that were committed together.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct JournalRow {
    /// Later rows have greater numbers.
    pub seq: i64,
    /// Bytes of the compressed payload and of the text of its events.
    pub bytes: u64,
    /// Bytes of the payload without compression.
    pub decompressed_bytes: u64,
    payload: Vec<u8>,
}

impl JournalRow {
    /// The facts, in the encoding of `Facts::encode`.
    pub fn decompress(&self) -> Result<Vec<u8>, Error> {
        let damaged = |problem: &dyn std::fmt::Display| {
            let seq = self.seq;
            Error::damaged(&format!(
                "row {seq} of the journal cannot be decompressed: {problem}"
            ))
        };
        let capacity = usize::try_from(self.decompressed_bytes).map_err(|error| damaged(&error))?;
        zstd::bulk::decompress(&self.payload, capacity).map_err(|error| damaged(&error))
    }
}

/// The size of the journal.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct JournalDepth {
    pub rows: u64,
    /// The sum of [`JournalRow::bytes`].
    pub bytes: u64,
    /// When the oldest row was committed.
    pub oldest: Option<Timestamp>,
}

/// Where the facts are: in the rows of the journal from the first to the last, and in the lake at
/// the heads. All is of one transaction.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Storage {
    /// The oldest row, if there is one; else `journal_last + 1`.
    pub journal_first: i64,
    /// The newest row that there ever was.
    pub journal_last: i64,
    pub heads: Heads,
}

/// A row to be added.
#[derive(Debug)]
pub(super) struct NewRow<'a> {
    /// The facts, encoded and compressed.
    pub(super) payload: &'a [u8],
    /// The number of facts.
    pub(super) rows: usize,
    /// The events that the facts are of, as a JSON array of `[org, event]`.
    pub(super) events_json: &'a str,
}

impl NewRow<'_> {
    /// The facts of a thousand events may compress to a few bytes, so the text of the events counts
    /// too.
    const fn bytes(&self) -> u64 {
        (self.payload.len() + self.events_json.len()) as u64
    }
}

const INSERT: &str = "INSERT INTO journal
        (seq, appended_at, rows, bytes, payload_sum, sum, events, payload)
    VALUES ($1, $2, $3, $4, $5, $6, $7, $8)";

const SELECT_APPENDED_AT: &str = "SELECT appended_at FROM journal WHERE seq = $1";

/// The oldest rows after a number, up to a number of bytes, at least one.
const SELECT_ROWS: &str =
    "SELECT seq, appended_at, rows, bytes, payload_sum, sum, events, payload FROM journal
    WHERE seq > $1 AND seq <= (
        SELECT max(seq)
        FROM (SELECT seq, bytes, sum(bytes) OVER (ORDER BY seq) AS total
            FROM journal WHERE seq > $1) AS rows_after
        WHERE total <= $2 OR total = bytes)
    ORDER BY seq";

const SELECT_ROW: &str =
    "SELECT seq, appended_at, rows, bytes, payload_sum, sum, events, payload FROM journal
    WHERE seq = $1";

const DELETE: &str = "DELETE FROM journal WHERE seq BETWEEN $1 AND $2 RETURNING bytes";

impl Meta {
    /// The journal, for requests that append records.
    pub fn journal(&self) -> Journal {
        self.shared.journal.clone()
    }

    /// The task that commits what [`Journal::append`] is called with. There is one a process.
    ///
    /// # Panics
    ///
    /// If it is called twice.
    pub fn journal_writer(&self) -> JournalWriter {
        let receiver = self
            .shared
            .journal_receiver
            .lock()
            .expect("no code panics while it is locked")
            .take();
        JournalWriter {
            receiver: receiver.expect("the journal's writer is taken once"),
            journal: self.journal(),
            clock: self.shared.clock.clone(),
            metrics: self.shared.metrics.clone(),
            bytes_max: self.shared.journal_bytes_max,
            quotas: self.shared.quotas,
        }
    }

    /// The oldest rows of the journal after a number, up to `bytes_max` compressed bytes, at least
    /// one if there is any. They stay compressed: a row of a few kilobytes may have many megabytes.
    pub async fn journal_rows(&self, after: i64, bytes_max: u64) -> Result<Vec<JournalRow>, Error> {
        let mut read = self.database().snapshot().await?;
        oldest(&mut read, after, bytes_max).await
    }

    /// The number of the newest row that the journal ever had; 0 if it never had one.
    pub async fn journal_last(&self) -> Result<i64, Error> {
        Ok(self.ledger().await?.journal_last)
    }

    /// A row of the journal. `None`: it was flushed.
    pub async fn journal_row(&self, seq: i64) -> Result<Option<JournalRow>, Error> {
        let mut read = self.database().snapshot().await?;
        one(&mut read, seq).await
    }

    /// The rows to be flushed until none up to `up_to` is left that has facts of the event. Call it
    /// again after each flush.
    pub async fn pending_rows_of_event(
        &self,
        org: &OrgId,
        event: &EventId,
        up_to: i64,
    ) -> Result<Option<PendingRows>, Error> {
        let mut read = self.database().snapshot().await?;
        let range = Ledger::read(&mut *read).await?.journal_range();
        let event = (org.clone(), event.clone());
        let pending = self.shared.journal.pending_events();
        pending.rows_of_event(&mut read, range, &event, up_to).await
    }

    /// The same for all facts of an organisation.
    pub async fn pending_rows_of_org(
        &self,
        org: &OrgId,
        up_to: i64,
    ) -> Result<Option<PendingRows>, Error> {
        let mut read = self.database().snapshot().await?;
        let range = Ledger::read(&mut *read).await?.journal_range();
        let pending = self.shared.journal.pending_events();
        pending.rows_of_org(&mut read, range, org, up_to).await
    }

    /// All rows of the journal that may have facts of the event, oldest first.
    pub async fn journal_rows_of_event(
        &self,
        org: &OrgId,
        event: &EventId,
    ) -> Result<Vec<i64>, Error> {
        let mut read = self.database().snapshot().await?;
        let range = Ledger::read(&mut *read).await?.journal_range();
        let event = (org.clone(), event.clone());
        let pending = self.shared.journal.pending_events();
        pending.all_rows_of_event(&mut read, range, &event).await
    }

    /// What this process commits, for a reader that keeps facts in memory.
    pub fn commits(&self) -> Commits {
        self.shared.journal.commits().clone()
    }

    /// Where the facts are at present.
    pub async fn storage(&self) -> Result<Storage, Error> {
        let ledger = self.ledger().await?;
        Ok(Storage {
            journal_first: ledger.journal_first,
            journal_last: ledger.journal_last,
            heads: ledger.heads,
        })
    }

    /// Those of these rows of the journal that are not in the lake yet, as far as this process has
    /// seen.
    pub fn journal_unflushed(&self, rows: &[i64]) -> Vec<i64> {
        self.shared.journal.pending_events().unflushed(rows)
    }

    /// The size of the journal.
    pub async fn journal_depth(&self) -> Result<JournalDepth, Error> {
        let mut read = self.database().snapshot().await?;
        depth(&mut read).await
    }
}
/// Encoded facts as they are stored. The texts of a group repeat, so compressing and writing them
/// takes less time than writing them as they are.
fn compress(facts: &[u8]) -> Vec<u8> {
    zstd::bulk::compress(facts, COMPRESSION_LEVEL).expect("compressing in memory cannot fail")
}

/// The fastest of zstd's usual levels.
const COMPRESSION_LEVEL: i32 = 1;

/// The length of a payload without compression, which [`compress`] writes at its beginning.
fn decompressed_bytes(payload: &[u8]) -> Option<u64> {
    zstd::zstd_safe::get_frame_content_size(payload).ok()?
}

/// Adds a row.
pub(super) async fn insert(
    tx: &mut Transaction<'_>,
    row: NewRow<'_>,
    now: Timestamp,
) -> Result<(), Error> {
    let head = RowHead {
        seq: tx.ledger.journal_last + 1,
        appended_at: now.as_millis(),
        rows: i64::try_from(row.rows).expect("a group is bounded"),
        bytes: to_integer(row.bytes()),
        payload_sum: crc32fast::hash(row.payload).into(),
    };
    sqlx::query(INSERT)
        .bind(head.seq)
        .bind(head.appended_at)
        .bind(head.rows)
        .bind(head.bytes)
        .bind(head.payload_sum)
        .bind(head.sum(row.events_json))
        .bind(row.events_json)
        .bind(row.payload)
        .execute(&mut **tx)
        .await
        .doing("append to the journal")?;
    tx.ledger.journal_last = head.seq;
    tx.ledger.journal_bytes += head.bytes.unsigned_abs();
    Ok(())
}

/// Deletes rows that are in the lake: the oldest, in their order.
pub(super) async fn delete(tx: &mut Transaction<'_>, rows: &[i64]) -> Result<(), Error> {
    let (Some(&first), Some(&last)) = (rows.first(), rows.last()) else {
        return Ok(());
    };
    let deleted: Vec<i64> = sqlx::query_scalar(DELETE)
        .bind(first)
        .bind(last)
        .fetch_all(&mut **tx)
        .await
        .doing("delete flushed rows of the journal")?;
    if first != tx.ledger.journal_first || deleted.len() != rows.len() {
        let problem = format!("the rows {first} to {last} of the journal are not all there");
        return Err(Error::damaged(&problem));
    }
    let bytes: i64 = deleted.iter().sum();
    tx.ledger.journal_first = last + 1;
    tx.ledger.journal_bytes = tx.ledger.journal_bytes.saturating_sub(bytes.unsigned_abs());
    Ok(())
}

/// Bytes of all rows.
pub(super) async fn size(read: impl SqliteExecutor<'_>) -> Result<u64, Error> {
    Ok(Ledger::read(read).await?.journal_bytes)
}

async fn depth(read: &mut SqliteConnection) -> Result<JournalDepth, Error> {
    let ledger = Ledger::read(&mut *read).await?;
    let oldest = sqlx::query(SELECT_APPENDED_AT)
        .bind(ledger.journal_first)
        .fetch_optional(read)
        .await
        .doing("measure the journal")?;
    let oldest = oldest.map(|row| Stored(&row).time("appended_at"));
    Ok(JournalDepth {
        rows: ledger.journal_range().rows(),
        bytes: ledger.journal_bytes,
        oldest: oldest.transpose()?,
    })
}

async fn oldest(
    read: &mut SqliteConnection,
    after: i64,
    bytes_max: u64,
) -> Result<Vec<JournalRow>, Error> {
    let ledger = Ledger::read(&mut *read).await?;
    let first = ledger.journal_first.max(after + 1);
    let rows = sqlx::query(SELECT_ROWS)
        .bind(first - 1)
        .bind(i64::try_from(bytes_max).unwrap_or(i64::MAX))
        .fetch_all(read)
        .await
        .doing("read the journal")?;
    let checked = rows.iter().zip(first..);
    let checked = checked.map(|(row, seq)| whole(row, seq));
    let checked: Vec<_> = checked.collect::<Result<_, _>>()?;
    if checked.is_empty() && first <= ledger.journal_last {
        return Err(missing(first));
    }
    Ok(checked)
}

async fn one(read: &mut SqliteConnection, seq: i64) -> Result<Option<JournalRow>, Error> {
    let ledger = Ledger::read(&mut *read).await?;
    if seq < ledger.journal_first {
        return Ok(None);
    }
    let row = sqlx::query(SELECT_ROW)
        .bind(seq)
        .fetch_optional(read)
        .await
        .doing("read the journal")?;
    let row = row.ok_or_else(|| missing(seq))?;
    whole(&row, seq).map(Some)
}

/// Reads a row that must have this number, and compares it with its checksums.
fn whole(row: &SqliteRow, seq: i64) -> Result<JournalRow, Error> {
    let head = RowHead::read(row, seq)?;
    let payload: Vec<u8> = Stored(row).plain("payload")?;
    if i64::from(crc32fast::hash(&payload)) != head.payload_sum {
        let problem = format!("row {seq} of the journal does not match its checksum");
        return Err(Error::damaged(&problem));
    }
    let decompressed_bytes = decompressed_bytes(&payload).ok_or_else(|| {
        Error::damaged(&format!(
            "the payload of row {seq} of the journal does not begin with its length"
        ))
    })?;
    Ok(JournalRow {
        seq,
        bytes: head.bytes.unsigned_abs(),
        decompressed_bytes,
        payload,
    })
}

fn missing(seq: i64) -> Error {
    Error::damaged(&format!("row {seq} of the journal is missing"))
}

/// The columns of a row but its events and its payload.
#[derive(Debug, Clone, Copy)]
struct RowHead {
    seq: i64,
    appended_at: i64,
    rows: i64,
    bytes: i64,
    payload_sum: i64,
}

impl RowHead {
    /// Reads the head of a row that must have this number, and compares it with its checksum.
    fn read(row: &SqliteRow, seq: i64) -> Result<Self, Error> {
        let row = Stored(row);
        if row.plain::<i64>("seq")? != seq {
            return Err(missing(seq));
        }
        let head = Self {
            seq,
            appended_at: row.plain("appended_at")?,
            rows: row.plain("rows")?,
            bytes: row.plain("bytes")?,
            payload_sum: row.plain("payload_sum")?,
        };
        row.check("the journal", head.sum(&row.plain::<String>("events")?))?;
        Ok(head)
    }

    fn sum(&self, events_json: &str) -> i64 {
        Sum::of("journal")
            .number(self.seq)
            .number(self.appended_at)
            .number(self.rows)
            .number(self.bytes)
            .number(self.payload_sum)
            .text(events_json)
            .finish()
    }
}

#[cfg(test)]
mod tests;
