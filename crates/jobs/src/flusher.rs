//! The task that flushes the journal, by age and by size.

use std::time::Duration;

use showreport_model::ErrorChain;
use tokio_util::sync::CancellationToken;

use crate::error::{Doing, Error};
use crate::jobs::Jobs;
use crate::runner::wait;

/// The wait after a flush that failed, for example on a full disk.
const TRY_AGAIN: Duration = Duration::from_secs(5);

impl Jobs {
    /// Flushes until `shutdown`. The rest stays in the journal for the next process.
    pub async fn run_flusher(self, shutdown: CancellationToken) {
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
                self.record_damage(&error);
                tracing::error!(
                    error = ErrorChain(&error).to_string(),
                    "the journal could not be flushed"
                );
                wait(TRY_AGAIN, &shutdown).await;
            }
        }
    }

    /// Flushes the rows that are in the journal now. Rows that arrive meanwhile wait for their own
    /// age or size: records of a view are merged within a flush, so small flushes store more rows.
    async fn flush_waiting(&self, shutdown: &CancellationToken) -> Result<(), Error> {
        let waiting = self.meta.journal_last().await.doing("read the journal")?;
        while !shutdown.is_cancelled() {
            let flushed = self.lake.flush().await.doing("flush the journal")?;
            if flushed.last.is_none_or(|last| last >= waiting) {
                break;
            }
        }
        Ok(())
    }
}
