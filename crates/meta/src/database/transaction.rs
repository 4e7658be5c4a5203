//! [`Transaction`]: the one way to write.

use std::fmt;
use std::ops::{Deref, DerefMut};

use showreport_model::{ErrorKind, Failure};
use sqlx::{Sqlite, SqliteConnection};

use super::Database;
use super::ledger::Ledger;
use super::slot::WriterSlot;
use crate::error::{Doing, Error};

/// A transaction that writes, as [`Database::write`] and [`Database::write_protected`] give it to
/// their closures.
pub(crate) struct Transaction<'w> {
    inner: sqlx::Transaction<'w, Sqlite>,
    /// As it is when the closure returns, so it is written.
    pub(crate) ledger: Ledger,
    is_discarded: bool,
    after_commit: Vec<Box<dyn FnOnce() + Send>>,
}

impl Database {
    /// Runs `work` in a transaction, and commits it if `work` succeeds. Refuses while the disk is
    /// full.
    ///
    /// The future may be dropped at any point. The commands of a connection go
    /// through one queue to a thread of its own, and dropping an open
    /// transaction puts `ROLLBACK` into that queue; so whatever the next
    /// transaction sends comes after it. If the future is dropped while
    /// `COMMIT` runs, the driver leaves that rollback out: the transaction is
    /// then committed, and no caller learns of it. Should the disk fail in just
    /// that `COMMIT`, the error is lost, and does no harm: the next commit
    /// writes the same part of the log anew before it syncs, so nothing is
    /// acknowledged on the strength of a second sync alone.
    pub(crate) async fn write<T>(
        &self,
        work: impl AsyncFnOnce(&mut Transaction<'_>) -> Result<T, Error>,
    ) -> Result<T, Error> {
        let mut slot = self.writer.lock().await;
        self.ensure_reserve().await?;
        self.run(&mut slot, work).await
    }

    /// The same for work that frees room or protects. If the disk is full, the reserve is released
    /// and `work` runs once more, in a new transaction.
    pub(crate) async fn write_protected<T>(
        &self,
        work: impl AsyncFnOnce(&mut Transaction<'_>) -> Result<T, Error> + Clone,
    ) -> Result<T, Error> {
        match self.write_unchecked(work.clone()).await {
            Err(error) if error.kind() == ErrorKind::StorageFull => {
                let _released = self.release_reserve().await;
                self.write_unchecked(work).await
            }
            done => done,
        }
    }

    /// Writes even while the reserve is not whole.
    async fn write_unchecked<T>(
        &self,
        work: impl AsyncFnOnce(&mut Transaction<'_>) -> Result<T, Error>,
    ) -> Result<T, Error> {
        let mut slot = self.writer.lock().await;
        self.run(&mut slot, work).await
    }

    async fn run<T>(
        &self,
        slot: &mut WriterSlot,
        work: impl AsyncFnOnce(&mut Transaction<'_>) -> Result<T, Error>,
    ) -> Result<T, Error> {
        match self.keep_log_small(slot).await {
            Err(error) if matches!(error.kind(), ErrorKind::StorageFull | ErrorKind::Busy) => {
                // What is in the log is safe there; the next attempt comes when it has grown.
                tracing::warn!(%error, "cannot checkpoint");
            }
            result => result?,
        }
        let mut inner = slot.begin().await?;
        let ledger = Ledger::read(&mut *inner).await?;
        let mut transaction = Transaction {
            inner,
            ledger,
            is_discarded: false,
            after_commit: Vec::new(),
        };
        let result = work(&mut transaction).await?;
        if !transaction.is_discarded {
            self.commit(transaction).await?;
        }
        Ok(result)
    }

    /// Makes it durable.
    async fn commit(&self, mut transaction: Transaction<'_>) -> Result<(), Error> {
        let ledger = &mut transaction.ledger;
        let committed_at = ledger.committed_at.max(Some(self.timekeeper.commit_time()));
        ledger.committed_at = committed_at;
        ledger.commits += 1;
        let commits = ledger.commits;
        ledger.write(&mut transaction.inner).await?;
        transaction.inner.commit().await.doing("commit")?;
        if let Some(at) = committed_at {
            self.timekeeper.note_commit(at);
        }
        if let Err(error) = self.watermark.raise(commits) {
            // It was committed all the same. Damage to the log is noticed less surely until the
            // next.
            tracing::warn!(%error, "cannot note how many transactions were acknowledged");
        }
        for action in transaction.after_commit {
            action();
        }
        Ok(())
    }
}

impl Transaction<'_> {
    /// Rolls back when the closure returns, though it succeeds. For closures that changed nothing,
    /// or must leave nothing: a commit would sync the disk.
    pub(crate) fn discard(&mut self) {
        self.is_discarded = true;
    }

    /// Runs `action` right after the commit, before the next transaction of this process begins:
    /// actions run in the order of the commits. Without a commit it does not run.
    pub(crate) fn after_commit(&mut self, action: impl FnOnce() + Send + 'static) {
        self.after_commit.push(Box::new(action));
    }
}

impl Deref for Transaction<'_> {
    type Target = SqliteConnection;

    fn deref(&self) -> &SqliteConnection {
        &self.inner
    }
}

impl DerefMut for Transaction<'_> {
    fn deref_mut(&mut self) -> &mut SqliteConnection {
        &mut self.inner
    }
}

impl fmt::Debug for Transaction<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Transaction")
            .field("ledger", &self.ledger)
            .field("is_discarded", &self.is_discarded)
            .finish_non_exhaustive()
    }
}
