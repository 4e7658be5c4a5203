//! Connections to `SQLite`: one that writes, a few that read, and the checkpoints.
//!
//! Every connection syncs each commit to the disk. None checkpoints by itself, because the
//! automatic checkpoint reports no errors. Other processes may write to the same file at any
//! time, so no value that was read is kept across transactions.
//!
//! Every transaction that writes goes through [`Database::write`] or
//! [`Database::write_protected`].

mod dialect;
mod sum;
mod stored;
mod ledger;
mod watermark;
mod log;
mod reserve;
mod room;
mod slot;
mod migrations;
mod timekeeper;
mod transaction;

use std::io;
use std::path::Path;
use std::sync::Arc;
use std::time::Duration;

use fail::fail_point;
use futures::TryStreamExt;
use futures::future::try_join_all;
use showreport_model::{Clock, ErrorKind, Failure};
use sqlx::pool::PoolConnection;
use sqlx::sqlite::{
    SqliteConnectOptions, SqliteJournalMode, SqlitePoolOptions, SqliteRow, SqliteSynchronous,
};
use sqlx::{Sqlite, SqliteConnection, SqlitePool};
use tokio::sync::Mutex;
use tokio::task::spawn_blocking;
use tokio_util::sync::CancellationToken;

pub(crate) use dialect::elements;
pub(crate) use ledger::{JournalRange, Ledger};
use log::Log;
use reserve::{Filled, Released, Reserve};
use room::Room;
use slot::WriterSlot;
pub(crate) use stored::{Stored, checked, to_integer, to_json, to_sealed};
pub(crate) use sum::Sum;
pub(crate) use timekeeper::{ClockCheck, NewDoubt, Timekeeper, is_after};
pub(crate) use transaction::Transaction;
use watermark::Watermark;

use crate::config::Config;
use crate::error::{Doing, Error};
use crate::private;

/// Reads are short, so a few connections serve many requests. More would delay checkpoints, which
/// wait for all of them.
const READERS_MAX: u32 = 4;

/// How long new reads are held back at most, so that those under way end and the log can be
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
    /// Opens the file, and creates and migrates it as needed. On a full disk the reserve is
    /// released and it is opened once more.
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
            .synchronous(synchronous())
            .foreign_keys(true)
            .pragma("wal_autocheckpoint", "0")
            // Checks the structure of each page as it is read: its bytes may have changed.
            .pragma("cell_size_check", "ON")
            // macOS only: there a plain fsync does not reach past the drive's cache.
            .pragma("fullfsync", "ON");
        // Ignores errors: SQLite opens the file next and reports them.
        drop(create_private_file(&config.path));
        let watermark = Watermark::open(&config.path.with_extension("acknowledged"))
            .map_err(Error::watermark)?;
        // Before the log is read: another process may add to both meanwhile.
        let acknowledged = watermark.read().map_err(Error::watermark)??;
        let stopping = CancellationToken::new();
        let mut writer = WriterSlot::new(config, options.clone(), stopping.clone());
        // Before the first write, which would overwrite the lost part of the log.
        writer.ensure_reached(acknowledged).await?;
        migrations::run(&mut writer).await?;
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

    /// Limits every wait for another process that writes to one second, from now on.
    pub(crate) fn stop_waiting(&self) {
        self.stopping.cancel();
    }

    /// Bytes that the disk has left; `None` where the system does not report them.
    pub(crate) fn free_bytes(&self) -> Option<u64> {
        self.room.free_bytes()
    }

    /// Fails while the disk or the user's quota is full, as every write that needs room does.
    pub(crate) async fn ensure_room(&self) -> Result<(), Error> {
        self.ensure_reserve().await?;
        self.room.ensure().await
    }

    /// Releases the reserve until the returned guard is dropped.
    pub(crate) async fn release_reserve(&self) -> Option<Released> {
        release(self.reserve.clone()).await
    }

    /// Fails if the reserve is not whole and cannot be filled.
    async fn ensure_reserve(&self) -> Result<(), Error> {
        if self.reserve.is_whole() {
            return Ok(());
        }
        let reserve = self.reserve.clone();
        let filled = spawn_blocking(move || reserve.fill()).await;
        match filled.expect("writing to a file does not panic") {
            Ok(Filled::Whole) => Ok(()),
            Ok(Filled::DiskFull) => Err(Error::StorageFull {
                doing: "fill the reserve",
            }),
            Err(error) => {
                // The write itself fails if the disk takes nothing.
                tracing::warn!(%error, "cannot fill the reserve");
                Ok(())
            }
        }
    }

    pub(crate) const fn timekeeper(&self) -> &Timekeeper {
        &self.timekeeper
    }

    /// Connections for statements that only read.
    pub(crate) const fn readers(&self) -> &SqlitePool {
        &self.readers
    }

    /// A transaction that only reads: all its statements see the same state.
    pub(crate) async fn snapshot(&self) -> Result<sqlx::Transaction<'static, Sqlite>, Error> {
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

    /// Moves the log into the database file if it has grown large. If readers have prevented that
    /// several times, new reads are held back for it.
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

    /// Takes every connection that reads. `None` if reads under way last too long.
    async fn hold_readers_back(&self) -> Option<Vec<PoolConnection<Sqlite>>> {
        let all = try_join_all((0..READERS_MAX).map(|_| self.readers.acquire()));
        tokio::time::timeout(QUIET_WAIT, all).await.ok()?.ok()
    }

    /// Closes all connections.
    pub(crate) async fn close(&self) {
        self.readers.close().await;
        self.writer.lock().await.close().await;
    }

    /// Limits the size of the file, as a small disk would.
    #[cfg(test)]
    pub(crate) async fn limit_pages(&self, pages: u32) {
        self.writer.lock().await.limit_pages(pages);
    }
}

async fn release(reserve: Arc<Reserve>) -> Option<Released> {
    tracing::warn!(
        "the disk is full: the reserve is released for writes that free room or protect"
    );
    let released = spawn_blocking(move || reserve.release()).await;
    let released = released.expect("emptying a file does not panic");
    released
        .inspect_err(|error| tracing::warn!(%error, "cannot release the reserve"))
        .ok()
}

/// Creates the file if it is missing, readable by its owner only. `SQLite` gives its log the same
/// mode.
fn create_private_file(path: &Path) -> io::Result<()> {
    let mut options = private::options();
    options.write(true).create(true).truncate(false);
    options.open(path).map(drop)
}

/// Every commit is synced. The control of the power-cut tests does not sync, and must lose
/// acknowledged records.
fn synchronous() -> SqliteSynchronous {
    fail_point!("journal-without-sync", |_| SqliteSynchronous::Off);
    SqliteSynchronous::Full
}

/// Reads every row of a query, and checks each.
pub(crate) async fn check_rows(
    read: &mut SqliteConnection,
    query: &'static str,
    check: impl Fn(&SqliteRow) -> Result<(), Error> + Send,
) -> Result<(), Error> {
    let mut rows = sqlx::query(query).fetch(read);
    while let Some(row) = rows.try_next().await.doing("check the database")? {
        check(&row)?;
    }
    Ok(())
}

#[cfg(test)]
mod tests;
