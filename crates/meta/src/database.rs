//! Connections to `SQLite`: one that writes, a few that read, and our own checkpoints.
//!
//! Every connection syncs each commit to the disk and never checkpoints by
//! itself, because the automatic checkpoint keeps its errors to itself. Other
//! processes may write to the same file at any time, so nothing that was read
//! is remembered across transactions.

mod sum;
mod stored;
mod ledger;
mod watermark;
mod log;
mod slot;

use std::ops::{Deref, DerefMut};
use std::time::Duration;

use fail::fail_point;
use futures::TryStreamExt;
use futures::future::try_join_all;
use showreport_model::{ErrorKind, Failure};
use sqlx::migrate::{Migration, MigrationType, Migrator};
use sqlx::pool::PoolConnection;
use sqlx::sqlite::{
    SqliteConnectOptions, SqliteJournalMode, SqlitePoolOptions, SqliteRow, SqliteSynchronous,
};
use sqlx::{SqlSafeStr, Sqlite, SqliteConnection, SqlitePool, Transaction};
use tokio::sync::{Mutex, MutexGuard};
use tokio_util::sync::CancellationToken;

pub(crate) use ledger::Ledger;
use log::Log;
use slot::WriterSlot;
pub(crate) use stored::{Stored, to_integer, to_json, to_sealed};
pub(crate) use sum::Sum;
use watermark::Watermark;

use crate::config::Config;
use crate::error::{Doing, Error};

/// Readers are short, so that a few serve many requests and none holds up a checkpoint.
const READERS_MAX: u32 = 4;

/// How long new reads are held back, at most, so that those under way end and the log can be
/// emptied.
const QUIET_WAIT: Duration = Duration::from_millis(500);

/// The open database.
#[derive(Debug)]
pub(crate) struct Database {
    writer: Mutex<WriterSlot>,
    readers: SqlitePool,
    watermark: Watermark,
    log: Log,
    /// Cancelled when this process stops.
    stopping: CancellationToken,
}

impl Database {
    /// Opens the file, making and migrating it as needed.
    pub(crate) async fn open(config: &Config) -> Result<Self, Error> {
        let options = SqliteConnectOptions::new()
            .filename(&config.path)
            .create_if_missing(true)
            .busy_timeout(Duration::from_millis(config.busy_timeout_ms))
            .journal_mode(SqliteJournalMode::Wal)
            .synchronous(carefulness())
            .foreign_keys(true)
            .pragma("wal_autocheckpoint", "0")
            // A page is looked at more closely when it is read: its bytes may have changed.
            .pragma("cell_size_check", "ON")
            // Only macOS needs it: there a plain fsync stops at the drive's cache.
            .pragma("fullfsync", "ON");
        let watermark = Watermark::open(&config.path.with_extension("acknowledged"))
            .map_err(Error::watermark)?;
        // Before the log is read: afterwards there may be more of both.
        let acknowledged = watermark.read().map_err(Error::watermark)??;
        let stopping = CancellationToken::new();
        let mut writer = WriterSlot::new(config, options.clone(), stopping.clone());
        // Before anything is written, which would be written over the log's lost part.
        writer.ensure_reached(acknowledged).await?;
        migrate(&mut writer).await?;
        let readers = SqlitePoolOptions::new()
            .max_connections(READERS_MAX)
            .idle_timeout(None)
            .max_lifetime(None)
            .test_before_acquire(false)
            .connect_with(options.pragma("query_only", "ON"))
            .await
            .doing("open the database for reading")?;
        Ok(Self {
            writer: Mutex::new(writer),
            readers,
            watermark,
            log: Log::beside(&config.path),
            stopping,
        })
    }

    /// Bounds every wait for another process that writes, now and from now on, to a moment.
    pub(crate) fn stop_waiting(&self) {
        self.stopping.cancel();
    }

    /// Connections for statements that only read.
    pub(crate) const fn readers(&self) -> &SqlitePool {
        &self.readers
    }

    /// Waits for the connection that writes.
    pub(crate) async fn writer(&self) -> Writer<'_> {
        Writer {
            slot: self.writer.lock().await,
            database: self,
        }
    }

    /// A transaction that only reads: all its statements see the same.
    pub(crate) async fn snapshot(&self) -> Result<Transaction<'static, Sqlite>, Error> {
        self.readers.begin().await.doing("begin to read")
    }

    /// Moves the log into the database file if it has grown large.
    pub(crate) async fn checkpoint_if_grown(&self) -> Result<(), Error> {
        let mut slot = self.writer.lock().await;
        self.keep_log_small(&mut slot).await
    }

    /// Moves the log into the database file, as far as readers let it.
    pub(crate) async fn checkpoint(&self) -> Result<(), Error> {
        let result = self.writer.lock().await.checkpoint().await;
        self.log.checkpointed();
        result
    }

    /// Moves the log into the database file if it has grown large. A log that readers have kept
    /// from being emptied several times is emptied while none reads.
    async fn keep_log_small(&self, slot: &mut WriterSlot) -> Result<(), Error> {
        if !self.log.is_due() {
            return Ok(());
        }
        let mut result = slot.checkpoint().await;
        if result.is_ok() && self.log.is_too_large() {
            let quiet = self.hold_readers_back().await;
            result = slot.checkpoint().await;
            drop(quiet);
        }
        self.log.checkpointed();
        result
    }

    /// Takes every connection that reads. Nothing, if reads under way last too long.
    async fn hold_readers_back(&self) -> Option<Vec<PoolConnection<Sqlite>>> {
        let all = try_join_all((0..READERS_MAX).map(|_| self.readers.acquire()));
        tokio::time::timeout(QUIET_WAIT, all).await.ok()?.ok()
    }

    /// Closes all connections.
    pub(crate) async fn close(&self) {
        self.readers.close().await;
        self.writer.lock().await.close().await;
    }

    /// Bounds the file, as a small disk would.
    #[cfg(test)]
    pub(crate) async fn limit_pages(&self, pages: u32) {
        self.writer.lock().await.limit_pages(pages);
    }
}

/// The connection that writes, for as long as this is held.
#[derive(Debug)]
pub(crate) struct Writer<'d> {
    slot: MutexGuard<'d, WriterSlot>,
    database: &'d Database,
}

impl Writer<'_> {
    /// Begins a transaction that may write at once. Every writer keeps the log small, whatever it
    /// writes and in whichever process.
    pub(crate) async fn begin(&mut self) -> Result<Write<'_>, Error> {
        match self.database.keep_log_small(&mut self.slot).await {
            Err(error) if matches!(error.kind(), ErrorKind::StorageFull | ErrorKind::Busy) => {
                // What is in the log is safe there; it is tried again when it has grown further.
                tracing::warn!(%error, "cannot checkpoint");
            }
            result => result?,
        }
        let mut transaction = self.slot.begin().await?;
        let ledger = Ledger::read(&mut *transaction).await?;
        Ok(Write {
            transaction,
            ledger,
            watermark: &self.database.watermark,
        })
    }
}

/// A transaction that writes. Dropped without [`Write::commit`] it is undone.
///
/// The future that holds it may be dropped at any point. The commands of a
/// connection go through one queue to a thread of its own, and dropping an
/// open transaction puts `ROLLBACK` into that queue; so whatever the next
/// transaction sends comes after it. If the future was dropped while `COMMIT`
/// ran, the driver leaves that rollback out: the transaction is then
/// committed, and nobody was told. Should the disk fail in just that `COMMIT`,
/// the error is lost, and does no harm: the next commit writes the same part
/// of the log anew before it syncs, so nothing is acknowledged on the strength
/// of a second sync alone.
#[derive(Debug)]
pub(crate) struct Write<'w> {
    transaction: Transaction<'w, Sqlite>,
    /// What there must be; as it is left here, so it is written.
    pub(crate) ledger: Ledger,
    watermark: &'w Watermark,
}

impl Write<'_> {
    /// Makes it durable.
    pub(crate) async fn commit(mut self) -> Result<(), Error> {
        self.ledger.commits += 1;
        self.ledger.write(&mut self.transaction).await?;
        self.transaction.commit().await.doing("commit")?;
        if let Err(error) = self.watermark.raise(self.ledger.commits) {
            // It was committed all the same. Damage to the log is noticed less surely until the next.
            tracing::warn!(%error, "cannot note how many transactions were acknowledged");
        }
        Ok(())
    }
}

impl Deref for Write<'_> {
    type Target = SqliteConnection;

    fn deref(&self) -> &SqliteConnection {
        &self.transaction
    }
}

impl DerefMut for Write<'_> {
    fn deref_mut(&mut self) -> &mut SqliteConnection {
        &mut self.transaction
    }
}

/// Every commit is synced. Tests that cut the power leave it out as their control, and must then
/// lose what was acknowledged.
fn carefulness() -> SqliteSynchronous {
    fail_point!("journal-without-sync", |_| SqliteSynchronous::Off);
    SqliteSynchronous::Full
}

/// Reads every row of a question, and checks each.
pub(crate) async fn check_rows(
    read: &mut SqliteConnection,
    question: &'static str,
    check: impl Fn(&SqliteRow) -> Result<(), Error> + Send,
) -> Result<(), Error> {
    let mut rows = sqlx::query(question).fetch(read);
    while let Some(row) = rows.try_next().await.doing("check the database")? {
        check(&row)?;
    }
    Ok(())
}

/// Brings the tables to this version of the program.
async fn migrate(writer: &mut WriterSlot) -> Result<(), Error> {
    // One transaction around all, so that two processes that start at the
    // same time do it one after the other.
    let mut write = writer.begin().await?;
    let migration = |number, name: &'static str, statements: &'static str| {
        let statements = statements.into_sql_str();
        Migration::new(
            number,
            name.into(),
            MigrationType::Simple,
            statements,
            false,
        )
    };
    Migrator::with_migrations(vec![
        migration(
            1,
            "first",
            include_str!("../migrations/sqlite/0001_first.sql"),
        ),
        migration(
            2,
            "bulk reports",
            include_str!("../migrations/sqlite/0002_bulk_reports.sql"),
        ),
        migration(
            4,
            "memory",
            include_str!("../migrations/sqlite/0004_memory.sql"),
        ),
        migration(
            5,
            "turns",
            include_str!("../migrations/sqlite/0005_turns.sql"),
        ),
        migration(
            8,
            "head entries",
            include_str!("../migrations/sqlite/0008_head_entries.sql"),
        ),
        migration(
            9,
            "quotas",
            include_str!("../migrations/sqlite/0009_quotas.sql"),
        ),
    ])
    .run_direct(None, &mut *write, false)
    .await
    .map_err(Error::from_migrate)?;
    write.commit().await.doing("migrate the database")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn a_transaction_that_the_database_undid_by_itself_does_not_stop_the_next() {
        let directory = tempfile::tempdir().unwrap();
        let config = Config::new(directory.path().join("meta.sqlite"));
        let database = Database::open(&config).await.unwrap();
        for _ in 0..3 {
            let mut writer = database.writer().await;
            let mut write = writer.begin().await.unwrap();
            // As on a full disk: the driver does not learn of it.
            sqlx::raw_sql("ROLLBACK")
                .execute(&mut *write)
                .await
                .unwrap();
        }
        let mut writer = database.writer().await;
        writer.begin().await.unwrap().commit().await.unwrap();
    }

    #[tokio::test]
    async fn every_connection_is_as_careful() {
        let directory = tempfile::tempdir().unwrap();
        let config = Config::new(directory.path().join("meta.sqlite"));
        let database = Database::open(&config).await.unwrap();
        let mut writer = database.writer().await;
        let mut write = writer.begin().await.unwrap();
        let mut reader = database.readers().acquire().await.unwrap();
        for connection in [&mut *write, &mut *reader] {
            for (pragma, expected) in [
                ("PRAGMA synchronous", 2),
                ("PRAGMA wal_autocheckpoint", 0),
                ("PRAGMA foreign_keys", 1),
                ("PRAGMA busy_timeout", 60_000),
            ] {
                let found: i64 = sqlx::query_scalar(pragma)
                    .fetch_one(&mut *connection)
                    .await
                    .unwrap();
                assert_eq!(found, expected, "{pragma}");
            }
        }
        let mode: String = sqlx::query_scalar("PRAGMA journal_mode")
            .fetch_one(&mut *reader)
            .await
            .unwrap();
        assert_eq!(mode, "wal");
    }

    #[tokio::test]
    async fn a_checkpoint_waits_for_no_reader_and_leaves_the_writer_patient() {
        let directory = tempfile::tempdir().unwrap();
        let config = Config::new(directory.path().join("meta.sqlite"));
        let database = Database::open(&config).await.unwrap();
        let mut reader = database.readers().begin().await.unwrap();
        sqlx::query("SELECT count(*) FROM orgs")
            .execute(&mut *reader)
            .await
            .unwrap();
        database.checkpoint().await.unwrap();
        assert!(database.log.bytes() > 0);
        // Dropped, it would end some time later.
        reader.rollback().await.unwrap();
        database.checkpoint().await.unwrap();
        assert_eq!(database.log.bytes(), 0);
        let mut writer = database.writer().await;
        let mut write = writer.begin().await.unwrap();
        let timeout: i64 = sqlx::query_scalar("PRAGMA busy_timeout")
            .fetch_one(&mut *write)
            .await
            .unwrap();
        assert_eq!(timeout, 60_000);
    }

    /// Writes a mebibyte, as many small transactions do in the end.
    async fn write_much(database: &Database) {
        let mut writer = database.writer().await;
        let mut write = writer.begin().await.unwrap();
        let insert = "INSERT INTO jobs (id, name, payload, unique_key, due_at, attempts, fence)
            VALUES (hex(randomblob(8)), 'test', ?1, hex(randomblob(8)), 0, 0, 0)";
        sqlx::query(insert)
            .bind("x".repeat(1 << 20))
            .execute(&mut *write)
            .await
            .unwrap();
        write.commit().await.unwrap();
    }

    #[tokio::test]
    async fn every_writer_keeps_the_log_small() {
        let directory = tempfile::tempdir().unwrap();
        let config = Config::new(directory.path().join("meta.sqlite"));
        let database = Database::open(&config).await.unwrap();
        let mut largest = 0;
        for _ in 0..40 {
            write_much(&database).await;
            largest = largest.max(database.log.bytes());
        }
        assert!(largest < 20 << 20, "the log grew to {largest} bytes");
    }

    #[tokio::test]
    async fn readers_that_follow_each_other_do_not_keep_the_log_growing() {
        let directory = tempfile::tempdir().unwrap();
        let config = Config::new(directory.path().join("meta.sqlite"));
        let database = Database::open(&config).await.unwrap();
        let read = async || {
            loop {
                let mut read = database.snapshot().await.unwrap();
                sqlx::query("SELECT count(*) FROM orgs")
                    .execute(&mut *read)
                    .await
                    .unwrap();
                tokio::time::sleep(Duration::from_millis(20)).await;
                read.rollback().await.unwrap();
            }
        };
        let write = async {
            let mut largest = 0;
            for _ in 0..160 {
                write_much(&database).await;
                largest = largest.max(database.log.bytes());
            }
            largest
        };
        let largest = tokio::select! {
            largest = write => largest,
            () = async { tokio::join!(read(), read(), read()); } => unreachable!("they read for ever"),
        };
        assert!(largest < 84 << 20, "the log grew to {largest} bytes");
    }

    #[tokio::test]
    async fn a_stop_bounds_the_wait_for_another_process_that_writes() {
        let directory = tempfile::tempdir().unwrap();
        let config = Config::new(directory.path().join("meta.sqlite"));
        let database = Database::open(&config).await.unwrap();
        let other = Database::open(&config).await.unwrap();
        let mut theirs = other.writer().await;
        let write = theirs.begin().await.unwrap();
        let begun = std::time::Instant::now();
        let waiting = async {
            let mut ours = database.writer().await;
            ours.begin().await.map(drop)
        };
        let stopping = async {
            tokio::time::sleep(Duration::from_millis(50)).await;
            database.stop_waiting();
        };
        let (refused, ()) = tokio::join!(waiting, stopping);
        assert_eq!(refused.unwrap_err().kind(), ErrorKind::Busy);
        database.close().await;
        let took = begun.elapsed();
        assert!(took < Duration::from_secs(15), "it took {took:?}");
        write.commit().await.unwrap();
    }
}
