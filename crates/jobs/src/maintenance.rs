//! The task that keeps the lake small: compaction, vacuum, retention, checkpoints.

use std::time::Duration;

use anyhow::Context;
use showreport_model::facts::Table;
use tokio_util::sync::CancellationToken;

use crate::jobs::Jobs;
use crate::runner::wait;

/// Rounds between two vacuums, which list every file of the lake.
const VACUUM_EVERY: u64 = 60;

/// Expired reports whose files are deleted in one round.
const EXPIRED_MAX: u32 = 1_000;

/// The chore that deletes what is past its time, as the log and the metrics name it.
const EXPIRY: &str = "expiry";

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
            tokio::select! {
                // What failed is in the log, and is done by a later round.
                _ = self.maintain(round % VACUUM_EVERY == 0) => {}
                () = shutdown.cancelled() => break,
            }
        }
        Ok(())
    }

    /// One round. Each chore is done whatever becomes of the others; the first failure is given.
    pub async fn maintain(&self, vacuum: bool) -> anyhow::Result<()> {
        let mut round = Round {
            jobs: self,
            failure: None,
        };
        self.lake.recheck_damaged().await;
        for &table in Table::ALL {
            round.note("compaction", self.compact(table).await);
        }
        self.delete_expired(&mut round).await;
        self.delete_expired_bulk(&mut round).await;
        self.delete_expired_day_files(&mut round).await;
        if vacuum {
            round.note("history", self.delete_history().await);
            for &table in Table::ALL {
                let vacuumed = self.lake.vacuum_table(table).await;
                round.note("vacuum", vacuumed.context("vacuum a table"));
            }
            let vacuumed = self.lake.vacuum_reports().await;
            round.note("vacuum", vacuumed.context("vacuum the files of reports"));
        }
        let moved = self.meta.checkpoint().await;
        round.note("checkpoint", moved.context("checkpoint the database"));
        round.failure.map_or(Ok(()), Err)
    }

    async fn compact(&self, table: Table) -> anyhow::Result<()> {
        loop {
            let compacted = self.lake.compact_table(table).await;
            if compacted.context("compact a table")?.files_in == 0 {
                return Ok(());
            }
        }
    }

    async fn delete_expired(&self, round: &mut Round<'_>) {
        let expired = self.meta.expired_reports(EXPIRED_MAX).await;
        for report in round.listed(expired.context("list expired reports")).await {
            let deleted = async {
                let report = report?;
                // The file first: a row without a file says so, a file without a row stays until a vacuum.
                let files = self.lake.report_files();
                files.delete_all(&report.order.org, report.id).await?;
                self.meta.clear_report_file(report.id).await?;
                anyhow::Ok(())
            };
            let deleted = deleted.await;
            round.note(EXPIRY, deleted.context("delete an expired file"));
        }
    }

    /// Without it the database would grow with every report that was ever made.
    async fn delete_history(&self) -> anyhow::Result<()> {
        let now = self.meta.clock().now();
        let ended_by = now.saturating_add_millis(-self.config.history_ms);
        // After the time was read by which it is old.
        if self.meta.is_clock_in_doubt().await? {
            return Ok(());
        }
        let forgotten = self.meta.delete_history(ended_by).await;
        let reports = forgotten.context("forget old reports")?;
        if reports > 0 {
            tracing::info!(reports, "forgot reports that ended long ago");
        }
        Ok(())
    }

    async fn delete_expired_bulk(&self, round: &mut Round<'_>) {
        let expired = self.meta.expired_bulk_reports(EXPIRED_MAX).await;
        for report in round
            .listed(expired.context("list expired bulk reports"))
            .await
        {
            let deleted = async {
                let (org, report) = report?;
                // The file first, as above.
                let files = self.lake.report_files();
                files.delete_all(&org, report.file_id).await?;
                self.meta.remove_bulk_report(report.id).await?;
                anyhow::Ok(())
            };
            let deleted = deleted.await;
            round.note(EXPIRY, deleted.context("delete an expired bulk report"));
        }
        let forgotten = self.meta.delete_ended_report_jobs().await;
        round.note(
            EXPIRY,
            forgotten.context("forget report jobs that have ended"),
        );
    }

    async fn delete_expired_day_files(&self, round: &mut Round<'_>) {
        let expired = self.meta.expired_day_files(EXPIRED_MAX).await;
        for file in round
            .listed(expired.context("list expired files of days"))
            .await
        {
            let deleted = async {
                let file = file?;
                let files = self.lake.report_files();
                files.delete_all(&file.org, file.id).await?;
                self.meta.remove_day_file(file.id).await?;
                anyhow::Ok(())
            };
            let deleted = deleted.await;
            round.note(EXPIRY, deleted.context("delete the file of a day"));
        }
    }
}

/// What failed in a round.
struct Round<'j> {
    jobs: &'j Jobs,
    failure: Option<anyhow::Error>,
}

impl Round<'_> {
    /// Notes how a part of a chore ended.
    fn note<T>(&mut self, chore: &'static str, done: anyhow::Result<T>) {
        let Err(error) = done else { return };
        tracing::error!(
            chore,
            error = format!("{error:#}"),
            "a chore of maintenance failed; it goes on later"
        );
        self.jobs.metrics.chore_failed(chore);
        self.jobs.note_damage(&error);
        self.failure.get_or_insert(error);
    }

    /// What is to be deleted; nothing, if it cannot be listed, or by a clock that is in doubt.
    async fn listed<T>(&mut self, listed: anyhow::Result<Vec<T>>) -> Vec<T> {
        let found = async {
            let mut listed = listed?;
            // It was listed by a time that was read before.
            if !listed.is_empty() && self.jobs.meta.is_clock_in_doubt().await? {
                listed.clear();
            }
            anyhow::Ok(listed)
        };
        found.await.unwrap_or_else(|error| {
            self.note::<()>(EXPIRY, Err(error));
            Vec::new()
        })
    }
}
