//! [`WriterSlot`]: the one connection that writes, opened anew after a failure.

use std::time::{Duration, Instant};

use fail::fail_point;
use showreport_model::{ErrorKind, Failure};
use sqlx::sqlite::SqliteConnectOptions;
use sqlx::{AssertSqlSafe, ConnectOptions, Connection, Sqlite, SqliteConnection, Transaction};
use tokio_util::sync::CancellationToken;

use super::ledger::Ledger;
use crate::config::Config;
use crate::error::{Doing, Error};

/// How soon a new database is opened again that another process is making.
const OPEN_AGAIN: Duration = Duration::from_millis(10);

/// How long a process that stops waits for another that writes. Long enough for usual
/// transactions; an import may hold the lock for a minute, and a stop has 30 s.
const PATIENCE: Duration = Duration::from_secs(1);

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

    /// A connection without a transaction, out of its slot. If the future is dropped before it
    /// puts the connection back, the next call opens another.
    async fn take(&mut self) -> Result<SqliteConnection, Error> {
        if let Some(mut connection) = self.connection.take() {
            // The answer comes after the rollback of whatever was dropped.
            let alive = self.ping(&mut connection).await;
            // SQLite undoes a transaction by itself when the disk is full. The
            // driver's own rollback then fails, and it counts the transaction
            // as open for ever; only a new connection forgets it.
            if alive && !connection.is_in_transaction() {
                return Ok(connection);
            }
        }
        self.connect().await
    }

    /// Whether the connection answers. One whose `BEGIN` was given up during a stop may answer only
    /// when its own wait has ended, and is left behind.
    async fn ping(&self, connection: &mut SqliteConnection) -> bool {
        tokio::select! {
            answer = connection.ping() => answer.is_ok(),
            () = patience_ended(&self.stopping) => false,
        }
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

    /// Begins a transaction. While another process writes this waits, but hardly during a stop.
    pub(super) async fn begin(&mut self) -> Result<Transaction<'_, Sqlite>, Error> {
        const DOING: &str = "begin a transaction";
        let connection = self.take().await?;
        let stopping = self.stopping.clone();
        let connection = self.connection.insert(connection);
        tokio::select! {
            begun = connection.begin_with("BEGIN IMMEDIATE") => begun.doing(DOING),
            () = patience_ended(&stopping) => Err(Error::DatabaseBusy { doing: DOING }),
        }
    }

    /// Moves the log into the database file, as far as readers let it.
    pub(super) async fn checkpoint(&mut self) -> Result<(), Error> {
        let mut connection = self.take().await?;
        // Emptying the log waits for readers, and nothing is written meanwhile: without this, a
        // process that is stopped in the middle of a read stops all writes.
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
            () = patience_ended(&self.stopping) => {}
        }
    }

    /// Bounds the file, as a small disk would.
    #[cfg(test)]
    pub(super) fn limit_pages(&mut self, pages: u32) {
        let options = self.options.clone();
        self.options = options.pragma("max_page_count", pages.to_string());
        self.connection = None;
    }
}

/// Ends a moment after this process has begun to stop.
async fn patience_ended(stopping: &CancellationToken) {
    stopping.cancelled().await;
    tokio::time::sleep(PATIENCE).await;
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
