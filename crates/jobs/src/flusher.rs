//! The task that brings the journal to the lake, by age and by size.

use std::time::Duration;

use anyhow::Context;
use tokio_util::sync::CancellationToken;

use crate::jobs::Jobs;
use crate::runner::wait;

/// The wait after a flush that failed. Room on the disk, or a store that
/// answers again, is noticed within this time.
const TRY_AGAIN: Duration = Duration::from_secs(5);

impl Jobs {
    /// Flushes until `shutdown`. What is then left in the journal is kept
    /// there, and flushed by the next process.
    pub async fn run_flusher(self, shutdown: CancellationToken) -> anyhow::Result<()> {
        let age = Duration::from_millis(self.config.flush_after_ms);
        let journal = self.meta.journal();
        while !shutdown.is_cancelled() {
            tokio::select! {
                () = journal.grown_to(self.config.flush_bytes) => {}
                () = wait(age, &shutdown) => {}
            }
            if let Err(error) = self.flush_waiting(&shutdown).await
                && !shutdown.is_cancelled()
            {
                self.note_damage(&error);
                tracing::error!(
                    error = format!("{error:#}"),
                    "the journal could not be flushed"
                );
                wait(TRY_AGAIN, &shutdown).await;
            }
        }
        Ok(())
    }

    /// Flushes what waits now. What comes meanwhile waits for its own age or size: beats of a view
    /// meet in large flushes, and in many small ones the lake would get a row for each.
    async fn flush_waiting(&self, shutdown: &CancellationToken) -> anyhow::Result<()> {
        let waiting = self.meta.journal_last().await.context("read the journal")?;
        while !shutdown.is_cancelled() {
            let flushed = self.lake.flush().await.context("flush the journal")?;
            if flushed.last.is_none_or(|last| last >= waiting) {
                break;
            }
        }
        Ok(())
    }
}
