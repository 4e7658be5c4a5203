//! The journal: what was acknowledged and is not yet in the lake.
//!
//! A group commit adds a row, or several: an organisation that brought much has one of its own, so that
//! the few facts of another can be flushed without it. A row has the facts that requests brought, and the
//! events that they are about. Rows are numbered in the order of their
//! commits and go when the flush has moved the heads past them.
//!
//! Each row has checksums, and the ledger knows which rows there must be; so
//! what is read here is what was acknowledged, all of it, or an error.

mod touches;
mod queue;
mod group;

use showreport_model::Timestamp;
use sqlx::sqlite::SqliteRow;
use sqlx::{SqliteConnection, SqliteExecutor};

pub(crate) use group::JournalReceiver;
pub use group::{Journal, JournalWriter};
pub(crate) use touches::Touches;
pub use touches::Waiting;

use crate::database::{Ledger, Stored, Sum, Write, to_integer};
use crate::error::{Doing, Error};

/// Facts that were committed together and wait for the flush.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct JournalRow {
    /// Its number; later ones are greater.
    pub seq: i64,
    /// Bytes that it takes in the journal: the packed payload, and the text of its events.
    pub bytes: u64,
    /// Bytes of its facts once they are unpacked.
    pub unpacked_bytes: u64,
    packed: Vec<u8>,
}

impl JournalRow {
    /// The facts, as `Facts::encode` gave them.
    pub fn unpack(&self) -> Result<Vec<u8>, Error> {
        let damaged = |problem: &dyn std::fmt::Display| {
            let seq = self.seq;
            Error::damaged(&format!(
                "row {seq} of the journal cannot be unpacked: {problem}"
            ))
        };
        let capacity = usize::try_from(self.unpacked_bytes).map_err(|error| damaged(&error))?;
        zstd::bulk::decompress(&self.packed, capacity).map_err(|error| damaged(&error))
    }
}

/// How much waits for the flush.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct JournalDepth {
    /// Rows.
    pub rows: u64,
    /// Bytes that they take in the journal, as in [`JournalRow::bytes`].
    pub bytes: u64,
    /// When the oldest of them was committed.
    pub oldest: Option<Timestamp>,
}

/// A row to be added.
#[derive(Debug)]
pub(crate) struct NewRow<'a> {
    /// The facts, encoded and packed.
    pub(crate) payload: &'a [u8],
    /// How many facts.
    pub(crate) rows: usize,
    /// The events that they are about, as a JSON array of `[org, event]`.
    pub(crate) events_json: &'a str,
}

impl NewRow<'_> {
    /// Bytes that the row takes in the journal. A thousand events may pack to nothing, so their text
    /// counts too.
    pub(crate) const fn bytes(&self) -> u64 {
        (self.payload.len() + self.events_json.len()) as u64
    }
}

const INSERT: &str = "INSERT INTO journal
        (seq, appended_at, rows, bytes, payload_sum, sum, events, payload)
    VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8)";

const SELECT_APPENDED_AT: &str = "SELECT appended_at FROM journal WHERE seq = ?1";

/// Rows from the oldest after a number on, as long as all of them together are
/// small enough; the oldest in any case.
const SELECT_ROWS: &str =
    "SELECT seq, appended_at, rows, bytes, payload_sum, sum, events, payload FROM journal
    WHERE seq > ?1 AND seq <= (
        SELECT max(seq)
        FROM (SELECT seq, bytes, sum(bytes) OVER (ORDER BY seq) AS total FROM journal WHERE seq > ?1)
        WHERE total <= ?2 OR total = bytes)
    ORDER BY seq";

const SELECT_ROW: &str =
    "SELECT seq, appended_at, rows, bytes, payload_sum, sum, events, payload FROM journal
    WHERE seq = ?1";

const DELETE: &str = "DELETE FROM journal WHERE seq BETWEEN ?1 AND ?2 RETURNING bytes";

/// Encoded facts as they are stored. A group is mostly the same few texts, so it
/// packs to a fraction, and writing that to the log takes less than packing it.
pub(crate) fn pack(facts: &[u8]) -> Vec<u8> {
    zstd::bulk::compress(facts, PACK_LEVEL).expect("compressing in memory cannot fail")
}

/// The quickest of zstd's usual levels.
const PACK_LEVEL: i32 = 1;

/// How many bytes a packed payload unpacks to. [`pack`] writes the number at its beginning.
fn unpacked_bytes(packed: &[u8]) -> Option<u64> {
    zstd::zstd_safe::get_frame_content_size(packed).ok()?
}

/// Adds a row.
pub(crate) async fn insert(
    write: &mut Write<'_>,
    row: NewRow<'_>,
    now: Timestamp,
) -> Result<(), Error> {
    let head = RowHead {
        seq: write.ledger.journal_last + 1,
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
        .execute(&mut **write)
        .await
        .doing("append to the journal")?;
    write.ledger.journal_last = head.seq;
    write.ledger.journal_bytes += head.bytes.unsigned_abs();
    Ok(())
}

/// Removes rows that the lake has: the oldest, in their order.
pub(crate) async fn delete(write: &mut Write<'_>, rows: &[i64]) -> Result<(), Error> {
    let (Some(&first), Some(&last)) = (rows.first(), rows.last()) else {
        return Ok(());
    };
    let deleted: Vec<i64> = sqlx::query_scalar(DELETE)
        .bind(first)
        .bind(last)
        .fetch_all(&mut **write)
        .await
        .doing("remove flushed rows of the journal")?;
    if first != write.ledger.journal_first || deleted.len() != rows.len() {
        let problem = format!("the rows {first} to {last} of the journal are not all there");
        return Err(Error::damaged(&problem));
    }
    let bytes: i64 = deleted.iter().sum();
    write.ledger.journal_first = last + 1;
    write.ledger.journal_bytes = write
        .ledger
        .journal_bytes
        .saturating_sub(bytes.unsigned_abs());
    Ok(())
}

/// How many bytes wait.
pub(crate) async fn size(read: impl SqliteExecutor<'_>) -> Result<u64, Error> {
    Ok(Ledger::read(read).await?.journal_bytes)
}

/// How much waits, and since when.
pub(crate) async fn depth(read: &mut SqliteConnection) -> Result<JournalDepth, Error> {
    let ledger = Ledger::read(&mut *read).await?;
    let oldest = sqlx::query(SELECT_APPENDED_AT)
        .bind(ledger.journal_first)
        .fetch_optional(read)
        .await
        .doing("measure the journal")?;
    let oldest = oldest.map(|row| Stored(&row).time("appended_at"));
    Ok(JournalDepth {
        rows: ledger.journal_rows(),
        bytes: ledger.journal_bytes,
        oldest: oldest.transpose()?,
    })
}

/// The oldest rows after a number, up to so many packed bytes, at least one. They stay packed: a
/// row of a few kilobytes may unpack to many megabytes.
pub(crate) async fn oldest(
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

/// One row, if it still waits.
pub(crate) async fn one(
    read: &mut SqliteConnection,
    seq: i64,
) -> Result<Option<JournalRow>, Error> {
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

/// Reads a row that must be this one, and compares it with its checksums.
fn whole(row: &SqliteRow, seq: i64) -> Result<JournalRow, Error> {
    let head = RowHead::read(row, seq)?;
    let payload: Vec<u8> = Stored(row).plain("payload")?;
    if i64::from(crc32fast::hash(&payload)) != head.payload_sum {
        let problem = format!("row {seq} of the journal does not match its checksum");
        return Err(Error::damaged(&problem));
    }
    let unpacked_bytes = unpacked_bytes(&payload).ok_or_else(|| {
        Error::damaged(&format!(
            "row {seq} of the journal does not say how large it is"
        ))
    })?;
    Ok(JournalRow {
        seq,
        bytes: head.bytes.unsigned_abs(),
        unpacked_bytes,
        packed: payload,
    })
}

fn missing(seq: i64) -> Error {
    Error::damaged(&format!("row {seq} of the journal is missing"))
}

/// What a row says of itself.
#[derive(Debug, Clone, Copy)]
struct RowHead {
    seq: i64,
    appended_at: i64,
    rows: i64,
    bytes: i64,
    payload_sum: i64,
}

impl RowHead {
    /// Reads the head of a row that must be this one, and compares it with its checksum.
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
