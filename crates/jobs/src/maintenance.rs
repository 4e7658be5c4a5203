//! The task that keeps the lake small: compaction, vacuum, retention, checkpoints.

use std::time::Duration;

use anyhow::Context;
use tokio_util::sync::CancellationToken;

use crate::jobs::Jobs;
use crate::runner::wait;

/// Rounds between two vacuums, which list every file of the lake.
const VACUUM_EVERY: u64 = 60;

/// Expired reports whose files are deleted in one round.
const EXPIRED_MAX: u32 = 1_000;

impl Jobs {
    /// Keeps the lake in order until `shutdown`.
    pub async fn run_maintenance(self, shutdown: CancellationToken) -> anyhow::Result<()> {
        let every = Duration::from_millis(self.config.maintain_every_ms);
        for round in 0_u64.. {
            wait(every, &shutdown).await;
            if shutdown.is_cancelled() {
                break;
            }
            // Everything here may be broken off, as a crash would; a large merge outlasts a stop.
            let maintained = tokio::select! {
                maintained = self.maintain(round % VACUUM_EVERY == 0) => maintained,
                () = shutdown.cancelled() => break,
            };
            if let Err(error) = maintained {
                tracing::error!(
                    error = format!("{error:#}"),
                    "maintenance failed; it goes on later"
                );
            }
        }
        Ok(())
    }

    /// One round.
    pub async fn maintain(&self, vacuum: bool) -> anyhow::Result<()> {
        while self
            .lake
            .compact()
            .await
            .context("compact the lake")?
            .files_in
            > 0
        {}
        self.delete_expired().await?;
        self.delete_expired_bulk().await?;
        self.delete_expired_day_files().await?;
        if vacuum {
            self.forget_history().await?;
            self.lake.vacuum().await.context("vacuum the lake")?;
        }
        self.meta
            .checkpoint()
            .await
            .context("checkpoint the database")
    }

    async fn delete_expired(&self) -> anyhow::Result<()> {
        let files = self.lake.report_files();
        let expired = self.meta.expired_reports(EXPIRED_MAX).await;
        for report in expired.context("list expired reports")? {
            // The file first: a row without a file says so, a file without a row stays until a vacuum.
            files
                .delete_all(&report.order.org, report.id)
                .await
                .context("delete an expired file")?;
            self.meta
                .forget_file(report.id)
                .await
                .context("forget an expired file")?;
        }
        Ok(())
    }

    /// Without it the database would grow with every report that was ever made.
    async fn forget_history(&self) -> anyhow::Result<()> {
        let now = self.meta.clock().now();
        let ended_by = now.saturating_add_millis(-self.config.history_ms);
        let forgotten = self.meta.forget_history(ended_by).await;
        let reports = forgotten.context("forget old reports")?;
        if reports > 0 {
            tracing::info!(reports, "forgot reports that ended long ago");
        }
        Ok(())
    }

    async fn delete_expired_bulk(&self) -> anyhow::Result<()> {
        let files = self.lake.report_files();
        let expired = self.meta.expired_bulk_reports(EXPIRED_MAX).await;
        for (org, report) in expired.context("list expired bulk reports")? {
            // The file first, as above.
            files
                .delete_all(&org, report.file_id)
                .await
                .context("delete the file of a bulk report")?;
            self.meta
                .forget_bulk_report(report.id)
                .await
                .context("delete a bulk report")?;
        }
        self.meta
            .forget_ended_orders()
            .await
            .context("forget standing orders that have ended")
    }

    async fn delete_expired_day_files(&self) -> anyhow::Result<()> {
        let files = self.lake.report_files();
        let expired = self.meta.expired_day_files(EXPIRED_MAX).await;
        for file in expired.context("list expired files of days")? {
            files
                .delete_all(&file.org, file.id)
                .await
                .context("delete the file of a day")?;
            self.meta
                .forget_day_file(file.id)
                .await
                .context("forget the file of a day")?;
        }
        Ok(())
    }
}
