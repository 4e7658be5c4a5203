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

use std::ops::{Deref, DerefMut};
use std::path::PathBuf;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::{Duration, Instant};

use fail::fail_point;
use futures::TryStreamExt;
use showreport_model::{ErrorKind, Failure};
use sqlx::migrate::{Migration, MigrationType, Migrator};
use sqlx::sqlite::{
    SqliteConnectOptions, SqliteJournalMode, SqlitePoolOptions, SqliteRow, SqliteSynchronous,
};
use sqlx::{
    AssertSqlSafe, ConnectOptions, Connection, SqlSafeStr, Sqlite, SqliteConnection, SqlitePool,
    Transaction,
};
use tokio::sync::{Mutex, MutexGuard};

pub(crate) use ledger::Ledger;
pub(crate) use stored::{Stored, to_integer, to_json, to_sealed};
pub(crate) use sum::Sum;
use watermark::Watermark;

use crate::config::Config;
use crate::error::{Doing, Error};

/// Readers are short, so that a few serve many requests and none holds up a checkpoint.
const READERS_MAX: u32 = 4;

/// How far the log grows until it is moved into the database file. Larger
/// means rarer pauses of the writer, smaller means a faster start after a crash.
const LOG_BYTES: u64 = 16 << 20;

/// How soon a new database is opened again that another process is making.
const OPEN_AGAIN: Duration = Duration::from_millis(10);

/// The open database.
#[derive(Debug)]
pub(crate) struct Database {
    writer: Mutex<WriterSlot>,
    readers: SqlitePool,
    watermark: Watermark,
    log_path: PathBuf,
    /// The size of the log at which the next checkpoint is due.
    checkpoint_at_bytes: AtomicU64,
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
        let mut writer = WriterSlot {
            options: options.clone(),
            busy_timeout_ms: config.busy_timeout_ms,
            connection: None,
        };
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
        let mut log_path = config.path.clone().into_os_string();
        log_path.push("-wal");
        Ok(Self {
            writer: Mutex::new(writer),
            readers,
            watermark,
            log_path: log_path.into(),
            checkpoint_at_bytes: AtomicU64::new(LOG_BYTES),
        })
    }

    /// Connections for statements that only read.
    pub(crate) const fn readers(&self) -> &SqlitePool {
        &self.readers
    }

    /// Waits for the connection that writes.
    pub(crate) async fn writer(&self) -> Writer<'_> {
        Writer {
            slot: self.writer.lock().await,
            watermark: &self.watermark,
        }
    }

    /// A transaction that only reads: all its statements see the same.
    pub(crate) async fn snapshot(&self) -> Result<Transaction<'static, Sqlite>, Error> {
        self.readers.begin().await.doing("begin to read")
    }

    /// Moves the log into the database file if it has grown large.
    pub(crate) async fn checkpoint_if_grown(&self) -> Result<(), Error> {
        if self.log_bytes() < self.checkpoint_at_bytes.load(Ordering::Relaxed) {
            return Ok(());
        }
        self.checkpoint().await
    }

    /// Moves the log into the database file, as far as readers let it.
    pub(crate) async fn checkpoint(&self) -> Result<(), Error> {
        let result = self.writer.lock().await.checkpoint().await;
        // A reader or a full disk kept it from being emptied: not at every commit again.
        let next = self.log_bytes().saturating_add(LOG_BYTES);
        self.checkpoint_at_bytes.store(next, Ordering::Relaxed);
        result
    }

    /// Closes all connections.
    pub(crate) async fn close(&self) {
        self.readers.close().await;
        if let Some(connection) = self.writer.lock().await.connection.take()
            && let Err(error) = connection.close().await
        {
            tracing::warn!(%error, "close the database");
        }
    }

    /// Bounds the file, as a small disk would.
    #[cfg(test)]
    pub(crate) async fn limit_pages(&self, pages: u32) {
        let mut slot = self.writer.lock().await;
        slot.options = slot
            .options
            .clone()
            .pragma("max_page_count", pages.to_string());
        slot.connection = None;
    }

    /// How large the log is. Asking the file system takes microseconds; no thread is worth it.
    fn log_bytes(&self) -> u64 {
        std::fs::metadata(&self.log_path).map_or(0, |file| file.len())
    }
}

/// The connection that writes, for as long as this is held.
#[derive(Debug)]
pub(crate) struct Writer<'d> {
    slot: MutexGuard<'d, WriterSlot>,
    watermark: &'d Watermark,
}

impl Writer<'_> {
    /// Begins a transaction that may write at once.
    pub(crate) async fn begin(&mut self) -> Result<Write<'_>, Error> {
        let mut transaction = self.slot.begin().await?;
        let ledger = Ledger::read(&mut *transaction).await?;
        Ok(Write {
            transaction,
            ledger,
            watermark: self.watermark,
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

#[derive(Debug)]
struct WriterSlot {
    options: SqliteConnectOptions,
    busy_timeout_ms: u64,
    /// Absent before the first use and after a failure.
    connection: Option<SqliteConnection>,
}

impl WriterSlot {
    /// A connection without a transaction, out of its slot: whoever is dropped
    /// before putting it back leaves the next one to open another.
    async fn take(&mut self) -> Result<SqliteConnection, Error> {
        if let Some(mut connection) = self.connection.take() {
            // The answer comes after the rollback of whatever was dropped.
            let alive = connection.ping().await.is_ok();
            // SQLite undoes a transaction by itself when the disk is full. The
            // driver's own rollback then fails, and it counts the transaction
            // as open for ever; only a new connection forgets it.
            if alive && !connection.is_in_transaction() {
                return Ok(connection);
            }
        }
        self.connect().await
    }

    /// Opens a connection. While another process makes the same new database, `SQLite` refuses to
    /// switch it to WAL at once, whatever it was told of waiting.
    async fn connect(&self) -> Result<SqliteConnection, Error> {
        let begun = Instant::now();
        loop {
            let opened = self.options.connect().await;
            match opened.doing("open the database for writing") {
                Err(error)
                    if error.kind() == ErrorKind::Busy
                        && begun.elapsed() < Duration::from_millis(self.busy_timeout_ms) =>
                {
                    tokio::time::sleep(OPEN_AGAIN).await;
                }
                opened => return opened,
            }
        }
    }

    /// Refuses a database that no longer has what was acknowledged.
    async fn ensure_reached(&mut self, acknowledged: i64) -> Result<(), Error> {
        if acknowledged == 0 {
            return Ok(());
        }
        let mut connection = self.take().await?;
        let there = if Ledger::is_there(&mut connection).await? {
            Ledger::read(&mut connection).await?.commits
        } else {
            0
        };
        if there < acknowledged {
            return Err(Error::log_damaged(acknowledged, there));
        }
        self.connection = Some(connection);
        Ok(())
    }

    async fn begin(&mut self) -> Result<Transaction<'_, Sqlite>, Error> {
        let connection = self.take().await?;
        self.connection
            .insert(connection)
            .begin_with("BEGIN IMMEDIATE")
            .await
            .doing("begin a transaction")
    }

    async fn checkpoint(&mut self) -> Result<(), Error> {
        let mut connection = self.take().await?;
        // Emptying the log waits for readers, and meanwhile nobody could
        // write. One process that was stopped while it read would stop us all.
        set_busy_timeout(&mut connection, 0).await?;
        fail_point!("checkpoint-before", |_| std::process::abort());
        sqlx::query("PRAGMA wal_checkpoint(TRUNCATE)")
            .execute(&mut connection)
            .await
            .doing("move the log into the database file")?;
        fail_point!("checkpoint-after", |_| std::process::abort());
        set_busy_timeout(&mut connection, self.busy_timeout_ms).await?;
        self.connection = Some(connection);
        Ok(())
    }
}

/// Every commit is synced. Tests that cut the power leave it out as their control, and must then
/// lose what was acknowledged.
fn carefulness() -> SqliteSynchronous {
    fail_point!("journal-without-sync", |_| SqliteSynchronous::Off);
    SqliteSynchronous::Full
}

async fn set_busy_timeout(connection: &mut SqliteConnection, millis: u64) -> Result<(), Error> {
    // A pragma takes no parameters; a number is safe to print.
    let statement = AssertSqlSafe(format!("PRAGMA busy_timeout = {millis}"));
    sqlx::query(statement)
        .execute(connection)
        .await
        .doing("set how long to wait for others")?;
    Ok(())
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
            8,
            "head entries",
            include_str!("../migrations/sqlite/0008_head_entries.sql"),
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
        assert!(database.log_bytes() > 0);
        // Dropped, it would end some time later.
        reader.rollback().await.unwrap();
        database.checkpoint().await.unwrap();
        assert_eq!(database.log_bytes(), 0);
        let mut writer = database.writer().await;
        let mut write = writer.begin().await.unwrap();
        let timeout: i64 = sqlx::query_scalar("PRAGMA busy_timeout")
            .fetch_one(&mut *write)
            .await
            .unwrap();
        assert_eq!(timeout, 60_000);
    }
}
