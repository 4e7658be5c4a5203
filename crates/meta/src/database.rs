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
mod reserve;
mod room;
mod slot;
mod timekeeper;

use std::io;
use std::ops::{Deref, DerefMut};
use std::path::Path;
use std::sync::Arc;
use std::time::Duration;

use fail::fail_point;
use futures::TryStreamExt;
use futures::future::try_join_all;
use showreport_model::{Clock, ErrorKind, Failure};
use sqlx::migrate::{Migration, MigrationType, Migrator};
use sqlx::pool::PoolConnection;
use sqlx::sqlite::{
    SqliteConnectOptions, SqliteJournalMode, SqlitePoolOptions, SqliteRow, SqliteSynchronous,
};
use sqlx::{SqlSafeStr, Sqlite, SqliteConnection, SqlitePool, Transaction};
use tokio::sync::{Mutex, MutexGuard};
use tokio::task::spawn_blocking;
use tokio_util::sync::CancellationToken;

pub(crate) use ledger::Ledger;
use log::Log;
use reserve::{Released, Reserve};
use room::Room;
use slot::WriterSlot;
pub(crate) use stored::{Stored, checked, to_integer, to_json, to_sealed};
pub(crate) use sum::Sum;
pub(crate) use timekeeper::{NewDoubt, Timekeeper, is_after};
use watermark::Watermark;

use crate::config::Config;
use crate::error::{Doing, Error};
use crate::private;

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
    reserve: Arc<Reserve>,
    room: Room,
    timekeeper: Timekeeper,
    /// Cancelled when this process stops.
    stopping: CancellationToken,
}

impl Database {
    /// Opens the file, making and migrating it as needed. On a full disk the reserve is given up
    /// for it.
    pub(crate) async fn open(config: &Config, clock: Arc<dyn Clock>) -> Result<Self, Error> {
        let reserve = Arc::new(Reserve::beside(config));
        let database = match Self::open_once(config, clock.clone(), reserve.clone()).await {
            Err(error) if error.kind() == ErrorKind::StorageFull => {
                let _released = release(reserve.clone()).await;
                Self::open_once(config, clock, reserve).await?
            }
            opened => opened?,
        };
        if let Err(error) = database.ensure_reserve().await {
            tracing::warn!(%error, "there is no room left on the disk");
        }
        Ok(database)
    }

    async fn open_once(
        config: &Config,
        clock: Arc<dyn Clock>,
        reserve: Arc<Reserve>,
    ) -> Result<Self, Error> {
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
        // Where it fails, SQLite says why: it opens the file next.
        drop(make_private_file(&config.path));
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
            reserve,
            room: Room::beside(&config.path),
            timekeeper: Timekeeper::new(clock),
            stopping,
        })
    }

    /// Bounds every wait for another process that writes, now and from now on, to a moment.
    pub(crate) fn stop_waiting(&self) {
        self.stopping.cancel();
    }

    /// How many bytes the disk has left, where the system says it.
    pub(crate) fn free_bytes(&self) -> Option<u64> {
        self.room.free_bytes()
    }

    /// Refuses, as every write that takes room is, while the disk or the quota is full.
    pub(crate) async fn ensure_room(&self) -> Result<(), Error> {
        self.ensure_reserve().await?;
        self.room.ensure().await
    }

    /// Does a write that frees room or protects, again if the disk is full: then the reserve is
    /// given up for it.
    pub(crate) async fn protect<T, F>(&self, write: impl Fn() -> F) -> Result<T, Error>
    where
        F: Future<Output = Result<T, Error>>,
    {
        match write().await {
            Err(error) if error.kind() == ErrorKind::StorageFull => {
                let _released = self.release_reserve().await;
                write().await
            }
            done => done,
        }
    }

    /// Gives up the room that is kept for what frees room or protects, until the answer is dropped.
    pub(crate) async fn release_reserve(&self) -> Option<Released> {
        release(self.reserve.clone()).await
    }

    /// Refuses while the room in reserve is not there and cannot be had.
    async fn ensure_reserve(&self) -> Result<(), Error> {
        if self.reserve.is_whole() {
            return Ok(());
        }
        let reserve = self.reserve.clone();
        let filled = spawn_blocking(move || reserve.fill()).await;
        match filled.expect("writing to a file does not panic") {
            Ok(true) => Ok(()),
            Ok(false) => Err(Error::StorageFull {
                doing: "keep room in reserve",
            }),
            Err(error) => {
                // What stores the records will say if the disk takes nothing.
                tracing::warn!(%error, "cannot keep room in reserve");
                Ok(())
            }
        }
    }

    /// The clock, and whether it can be trusted.
    pub(crate) const fn timekeeper(&self) -> &Timekeeper {
        &self.timekeeper
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

async fn release(reserve: Arc<Reserve>) -> Option<Released> {
    tracing::warn!("the disk is full: room in reserve is given up for what frees room or protects");
    let released = spawn_blocking(move || reserve.release()).await;
    let released = released.expect("emptying a file does not panic");
    released
        .inspect_err(|error| tracing::warn!(%error, "cannot give up the room in reserve"))
        .ok()
}

/// The connection that writes, for as long as this is held.
#[derive(Debug)]
pub(crate) struct Writer<'d> {
    slot: MutexGuard<'d, WriterSlot>,
    database: &'d Database,
}

impl Writer<'_> {
    /// Begins a transaction that may write at once, unless the disk is full.
    pub(crate) async fn begin(&mut self) -> Result<Write<'_>, Error> {
        self.database.ensure_reserve().await?;
        self.begin_protected().await
    }

    /// Begins a transaction that frees room or protects, inside [`Database::protect`]. Every writer
    /// keeps the log small, whatever it writes and in whichever process.
    pub(crate) async fn begin_protected(&mut self) -> Result<Write<'_>, Error> {
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
            database: self.database,
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
    database: &'w Database,
}

impl Write<'_> {
    /// Makes it durable.
    pub(crate) async fn commit(mut self) -> Result<(), Error> {
        let timekeeper = &self.database.timekeeper;
        let committed_at = self.ledger.committed_at.max(Some(timekeeper.commit_time()));
        self.ledger.committed_at = committed_at;
        self.ledger.commits += 1;
        self.ledger.write(&mut self.transaction).await?;
        self.transaction.commit().await.doing("commit")?;
        if let Some(at) = committed_at {
            timekeeper.note_commit(at);
        }
        if let Err(error) = self.database.watermark.raise(self.ledger.commits) {
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

/// Makes the file if it is missing, for its owner alone; `SQLite` gives its log the same mode.
fn make_private_file(path: &Path) -> io::Result<()> {
    let mut options = private::options();
    options.write(true).create(true).truncate(false);
    options.open(path).map(drop)
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

/// What brought the tables from one version of the program to the next: a number, a name, the statements.
/// Numbers that are missing were never used.
const MIGRATIONS: [(i64, &str, &str); 13] = [
    (
        1,
        "first",
        include_str!("../migrations/sqlite/0001_first.sql"),
    ),
    (
        2,
        "bulk reports",
        include_str!("../migrations/sqlite/0002_bulk_reports.sql"),
    ),
    (
        4,
        "memory",
        include_str!("../migrations/sqlite/0004_memory.sql"),
    ),
    (
        5,
        "turns",
        include_str!("../migrations/sqlite/0005_turns.sql"),
    ),
    (
        6,
        "clock",
        include_str!("../migrations/sqlite/0006_clock.sql"),
    ),
    (
        7,
        "growth",
        include_str!("../migrations/sqlite/0007_growth.sql"),
    ),
    (
        8,
        "head entries",
        include_str!("../migrations/sqlite/0008_head_entries.sql"),
    ),
    (
        9,
        "quotas",
        include_str!("../migrations/sqlite/0009_quotas.sql"),
    ),
    (
        10,
        "org totals",
        include_str!("../migrations/sqlite/0010_org_totals.sql"),
    ),
    (
        11,
        "held jobs",
        include_str!("../migrations/sqlite/0011_held_jobs.sql"),
    ),
    (
        12,
        "plain words",
        include_str!("../migrations/sqlite/0012_plain_words.sql"),
    ),
    (
        13,
        "bulk zones",
        include_str!("../migrations/sqlite/0013_bulk_zones.sql"),
    ),
    (
        15,
        "viewer names",
        include_str!("../migrations/sqlite/0015_viewer_names.sql"),
    ),
];

/// Brings the tables to this version of the program.
async fn migrate(writer: &mut WriterSlot) -> Result<(), Error> {
    // One transaction around all, so that two processes that start at the
    // same time do it one after the other.
    let mut write = writer.begin().await?;
    let migrations = MIGRATIONS.map(|(number, name, statements)| {
        let statements = statements.into_sql_str();
        Migration::new(
            number,
            name.into(),
            MigrationType::Simple,
            statements,
            false,
        )
    });
    Migrator::with_migrations(migrations.to_vec())
        .run_direct(None, &mut *write, false)
        .await
        .map_err(Error::from_migrate)?;
    write.commit().await.doing("migrate the database")
}

#[cfg(test)]
mod tests;
