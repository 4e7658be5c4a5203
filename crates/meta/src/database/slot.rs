//! [`WriterSlot`]: the one connection that writes, opened again after a failure.
//!
//! A sqlx pool of one connection takes twice as long for a transaction that is not synced: 100 µs
//! against 52 µs, whether 1 or 64 tasks write, because it checks a connection in a spawned task
//! when it is returned. It also keeps a connection that waits in `BEGIN` during a stop, where this
//! opens another one.

use std::time::{Duration, Instant};

use fail::fail_point;
use showreport_model::{ErrorKind, Failure};
use sqlx::sqlite::SqliteConnectOptions;
use sqlx::{AssertSqlSafe, ConnectOptions, Connection, Sqlite, SqliteConnection, Transaction};
use tokio_util::sync::CancellationToken;

use super::ledger::Ledger;
use crate::config::Config;
use crate::error::{Doing, Error};

/// The time between attempts to open a new database that another process is creating.
const OPEN_AGAIN: Duration = Duration::from_millis(10);

/// How long a process that stops waits for another that writes. Usual transactions are shorter; an
/// import may hold the lock for a minute, and a stop has 30 s.
const WAIT_WHILE_STOPPING: Duration = Duration::from_secs(1);

#[derive(Debug)]
pub(super) struct WriterSlot {
    options: SqliteConnectOptions,
    busy_timeout_ms: u64,
    /// Absent before the first use and after a failure.
    connection: Option<SqliteConnection>,
    /// Cancelled when this process stops.
    stopping: CancellationToken,
}

impl WriterSlot {
    pub(super) fn new(
        config: &Config,
        options: SqliteConnectOptions,
        stopping: CancellationToken,
    ) -> Self {
        Self {
            options,
            busy_timeout_ms: config.busy_timeout_ms,
            connection: None,
            stopping,
        }
    }

    /// Takes a connection without a transaction out of the slot. If the future is dropped before
    /// the caller puts the connection back, the next call opens another.
    async fn take(&mut self) -> Result<SqliteConnection, Error> {
        if let Some(mut connection) = self.connection.take() {
            // The connection answers after the rollback of a transaction that was dropped.
            let alive = self.ping(&mut connection).await;
            // SQLite rolls a transaction back itself when the disk is full. The driver's own
            // rollback then fails, and it counts the transaction as open from then on. Only a new
            // connection helps.
            if alive && !connection.is_in_transaction() {
                return Ok(connection);
            }
        }
        self.connect().await
    }

    /// Whether the connection answers. After a `BEGIN` that was given up during a stop it may
    /// answer only when the busy timeout has passed, and is then dropped.
    async fn ping(&self, connection: &mut SqliteConnection) -> bool {
        tokio::select! {
            answer = connection.ping() => answer.is_ok(),
            () = wait_has_ended(&self.stopping) => false,
        }
    }

    /// Opens a connection. While another process creates the same database, `SQLite` refuses to
    /// switch it to WAL at once, without the busy timeout.
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

    /// Fails if the database has fewer transactions than were acknowledged.
    pub(super) async fn ensure_reached(&mut self, acknowledged: i64) -> Result<(), Error> {
        if acknowledged == 0 {
            return Ok(());
        }
        let mut connection = self.take().await?;
        let there = if Ledger::is_there(&mut connection).await? {
            Ledger::commits(&mut connection).await?
        } else {
            0
        };
        if there < acknowledged {
            return Err(Error::log_damaged(acknowledged, there));
        }
        self.connection = Some(connection);
        Ok(())
    }

    /// Begins a transaction. Waits while another process writes, but only shortly during a stop.
    pub(super) async fn begin(&mut self) -> Result<Transaction<'_, Sqlite>, Error> {
        const DOING: &str = "begin a transaction";
        let connection = self.take().await?;
        let stopping = self.stopping.clone();
        let connection = self.connection.insert(connection);
        tokio::select! {
            begun = connection.begin_with("BEGIN IMMEDIATE") => begun.doing(DOING),
            () = wait_has_ended(&stopping) => Err(Error::DatabaseBusy { doing: DOING }),
        }
    }

    /// Moves the log into the database file, as far as readers let it.
    pub(super) async fn checkpoint(&mut self) -> Result<(), Error> {
        let mut connection = self.take().await?;
        // Emptying the log waits for readers and blocks writers. Without this, a process that is
        // suspended in the middle of a read blocks all writes.
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

    /// Closes the connection, if it is open.
    pub(super) async fn close(&mut self) {
        let Some(connection) = self.connection.take() else {
            return;
        };
        tokio::select! {
            closed = connection.close() => {
                if let Err(error) = closed {
                    tracing::warn!(%error, "close the database");
                }
            }
            // As in `ping`: its `BEGIN` may still be waiting.
            () = wait_has_ended(&self.stopping) => {}
        }
    }

    /// Limits the size of the file, as a small disk would.
    #[cfg(test)]
    pub(super) fn limit_pages(&mut self, pages: u32) {
        let options = self.options.clone();
        self.options = options.pragma("max_page_count", pages.to_string());
        self.connection = None;
    }
}

/// Ends one second after this process has begun to stop.
async fn wait_has_ended(stopping: &CancellationToken) {
    stopping.cancelled().await;
    tokio::time::sleep(WAIT_WHILE_STOPPING).await;
}

async fn set_busy_timeout(connection: &mut SqliteConnection, millis: u64) -> Result<(), Error> {
    // A pragma takes no parameters; a number is safe to print.
    let statement = AssertSqlSafe(format!("PRAGMA busy_timeout = {millis}"));
    sqlx::query(statement)
        .execute(connection)
        .await
        .doing("set the busy timeout")?;
    Ok(())
}
