//! The journal: what was acknowledged and is not yet in the lake.
//!
//! A row is a group commit: the facts that several requests brought, and the
//! events that they are about. Rows are numbered in the order of their
//! commits and go when the flush has moved the heads past them.

mod group;

use showreport_model::{EventId, OrgId, Timestamp};
use sqlx::{SqliteConnection, SqliteExecutor};

pub(crate) use group::JournalReceiver;
pub use group::{Journal, JournalWriter};

use crate::database::{Stored, to_json};
use crate::error::{Doing, Error};

/// A group commit that waits for the flush.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct JournalRow {
    /// Its number; later ones are greater.
    pub seq: i64,
    /// Bytes that it takes in the journal, packed.
    pub bytes: u64,
    /// The facts, as `Facts::encode` gave them.
    pub payload: Vec<u8>,
}

/// How much waits for the flush.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct JournalDepth {
    /// Group commits.
    pub rows: u64,
    /// Bytes of their payloads.
    pub bytes: u64,
    /// When the oldest of them was committed.
    pub oldest: Option<Timestamp>,
}

/// A row to be added.
#[derive(Debug)]
pub(crate) struct NewRow<'a> {
    /// The facts, encoded and packed.
    pub(crate) payload: Vec<u8>,
    /// How many facts.
    pub(crate) rows: usize,
    /// The events that they are about, as a JSON array of `[org, event]`.
    pub(crate) touched_json: &'a str,
}

const INSERT: &str = "INSERT INTO journal (appended_at, rows, bytes, payload)
    VALUES (?1, ?2, ?3, ?4)";

const INSERT_EVENTS: &str = "INSERT INTO journal_events (org, event_id, seq)
    SELECT value ->> 0, value ->> 1, ?2 FROM json_each(?1)";

const SELECT_SIZE: &str = "SELECT bytes FROM journal_size";

const SELECT_DEPTH: &str = "SELECT rows, bytes,
        (SELECT appended_at FROM journal ORDER BY seq LIMIT 1) AS oldest
    FROM journal_size";

/// Rows from the oldest after a number on, as long as all of them together are
/// small enough; the oldest in any case.
const SELECT_ROWS: &str = "SELECT seq, bytes, payload FROM journal
    WHERE seq > ?1 AND seq <= (
        SELECT max(seq)
        FROM (SELECT seq, bytes, sum(bytes) OVER (ORDER BY seq) AS total FROM journal WHERE seq > ?1)
        WHERE total <= ?2 OR total = bytes)
    ORDER BY seq";

/// `SQLite` remembers the last number it gave, also of rows that are gone.
const SELECT_LAST: &str = "SELECT seq FROM sqlite_sequence WHERE name = 'journal'";

const SELECT_TOUCHES: &str = "SELECT EXISTS (SELECT 1 FROM journal_events
    WHERE org = ?1 AND event_id = ?2 AND seq <= ?3)";

const SELECT_TOUCHES_ORG: &str = "SELECT EXISTS (SELECT 1 FROM journal_events
    WHERE org = ?1 AND seq <= ?2)";

const DELETE: &str = "DELETE FROM journal WHERE seq IN (SELECT value FROM json_each(?1))";

/// Encoded facts as they are stored. A group is mostly the same few texts, so it
/// packs to a fraction, and writing that to the log takes less than packing it.
pub(crate) fn pack(facts: &[u8]) -> Vec<u8> {
    zstd::bulk::compress(facts, PACK_LEVEL).expect("compressing in memory cannot fail")
}

/// The quickest of zstd's usual levels.
const PACK_LEVEL: i32 = 1;

fn unpack(payload: &[u8]) -> Result<Vec<u8>, Error> {
    zstd::stream::decode_all(payload).map_err(|problem| Error::Malformed {
        what: "payload",
        problem: problem.to_string(),
    })
}

/// Adds a row.
pub(crate) async fn insert(
    write: &mut SqliteConnection,
    row: NewRow<'_>,
    now: Timestamp,
) -> Result<(), Error> {
    let bytes = row.payload.len();
    let done = sqlx::query(INSERT)
        .bind(now.as_millis())
        .bind(i64::try_from(row.rows).expect("a group is bounded"))
        .bind(i64::try_from(bytes).expect("a group is bounded"))
        .bind(row.payload)
        .execute(&mut *write)
        .await
        .doing("append to the journal")?;
    sqlx::query(INSERT_EVENTS)
        .bind(row.touched_json)
        .bind(done.last_insert_rowid())
        .execute(write)
        .await
        .doing("note the events of a journal row")?;
    Ok(())
}

/// Removes rows that the lake has.
pub(crate) async fn delete(write: &mut SqliteConnection, rows: &[i64]) -> Result<(), Error> {
    sqlx::query(DELETE)
        .bind(to_json(&rows))
        .execute(write)
        .await
        .doing("remove flushed rows of the journal")?;
    Ok(())
}

/// How many bytes wait.
pub(crate) async fn size(read: impl SqliteExecutor<'_>) -> Result<u64, Error> {
    let row = sqlx::query(SELECT_SIZE)
        .fetch_one(read)
        .await
        .doing("measure the journal")?;
    Stored(&row).number("bytes")
}

/// How much waits, and since when.
pub(crate) async fn depth(read: impl SqliteExecutor<'_>) -> Result<JournalDepth, Error> {
    let row = sqlx::query(SELECT_DEPTH)
        .fetch_one(read)
        .await
        .doing("measure the journal")?;
    let row = Stored(&row);
    Ok(JournalDepth {
        rows: row.number("rows")?,
        bytes: row.number("bytes")?,
        oldest: row.time_if_any("oldest")?,
    })
}

/// The oldest rows after a number, up to so many bytes, at least one.
pub(crate) async fn oldest(
    read: impl SqliteExecutor<'_>,
    after: i64,
    bytes_max: u64,
) -> Result<Vec<JournalRow>, Error> {
    let rows = sqlx::query(SELECT_ROWS)
        .bind(after)
        .bind(i64::try_from(bytes_max).unwrap_or(i64::MAX))
        .fetch_all(read)
        .await
        .doing("read the journal")?;
    rows.iter()
        .map(|row| {
            let row = Stored(row);
            Ok(JournalRow {
                seq: row.plain("seq")?,
                bytes: row.number("bytes")?,
                payload: unpack(&row.plain::<Vec<u8>>("payload")?)?,
            })
        })
        .collect()
}

/// The last number ever given, 0 if none was.
pub(crate) async fn last(read: impl SqliteExecutor<'_>) -> Result<i64, Error> {
    let last = sqlx::query_scalar(SELECT_LAST)
        .fetch_optional(read)
        .await
        .doing("look for the end of the journal")?;
    Ok(last.unwrap_or(0))
}

/// Whether a row up to that number has facts of the organisation.
pub(crate) async fn touches_org(
    read: impl SqliteExecutor<'_>,
    org: &OrgId,
    up_to: i64,
) -> Result<bool, Error> {
    sqlx::query_scalar(SELECT_TOUCHES_ORG)
        .bind(org.as_str())
        .bind(up_to)
        .fetch_one(read)
        .await
        .doing("look for an organisation in the journal")
}

/// Whether a row up to that number has facts of the event.
pub(crate) async fn touches(
    read: impl SqliteExecutor<'_>,
    org: &OrgId,
    event: &EventId,
    up_to: i64,
) -> Result<bool, Error> {
    sqlx::query_scalar(SELECT_TOUCHES)
        .bind(org.as_str())
        .bind(event.as_str())
        .bind(up_to)
        .fetch_one(read)
        .await
        .doing("look for an event in the journal")
}
