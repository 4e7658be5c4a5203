//! The task that keeps the lake small: compaction, vacuum, retention, checkpoints.

use std::time::Duration;

use showreport_model::facts::Table;
use showreport_model::{ErrorChain, OrgId, ReportId};
use tokio_util::sync::CancellationToken;

use crate::error::{Doing, Error};
use crate::jobs::Jobs;
use crate::runner::wait;

/// Rounds between two vacuums, which list every file of the lake.
const VACUUM_EVERY: u64 = 60;

/// The most expired files of a kind that one round deletes.
const EXPIRED_MAX: u32 = 1_000;

/// The step that deletes what is older than its retention, in the log and the metrics.
const EXPIRY: &str = "expiry";

impl Jobs {
    /// Runs rounds until `shutdown`.
    pub async fn run_maintenance(self, shutdown: CancellationToken) {
        let every = Duration::from_millis(self.config.maintain_every_ms);
        for round in 0_u64.. {
            wait(every, &shutdown).await;
            if shutdown.is_cancelled() {
                break;
            }
            // A merge can take longer than a stop may. Each step may end at any point, as in a crash.
            tokio::select! {
                // Failures are logged, and a later round tries again.
                _ = self.maintain(round % VACUUM_EVERY == 0) => {}
                () = shutdown.cancelled() => break,
            }
        }
    }

    /// One round. A step that fails does not keep the others from running; the first failure is
    /// returned.
    pub async fn maintain(&self, vacuum: bool) -> Result<(), Error> {
        let mut round = Round {
            jobs: self,
            failure: None,
        };
        self.lake.recheck_damaged().await;
        for &table in Table::ALL {
            round.record("compaction", self.compact(table).await);
        }
        self.delete_expired_reports(&mut round).await;
        self.delete_expired_bulk_reports(&mut round).await;
        self.delete_expired_day_files(&mut round).await;
        if vacuum {
            round.record("history", self.delete_history().await);
            for &table in Table::ALL {
                let vacuumed = self.lake.vacuum_table(table).await;
                round.record("vacuum", vacuumed.doing("vacuum a table"));
            }
            let vacuumed = self.lake.vacuum_reports().await;
            round.record("vacuum", vacuumed.doing("vacuum the files of reports"));
        }
        let moved = self.meta.checkpoint().await;
        round.record("checkpoint", moved.doing("checkpoint the database"));
        round.failure.map_or(Ok(()), Err)
    }

    async fn compact(&self, table: Table) -> Result<(), Error> {
        loop {
            let compacted = self.lake.compact_table(table).await;
            if compacted.doing("compact a table")?.files_in == 0 {
                return Ok(());
            }
        }
    }

    async fn delete_expired_reports(&self, round: &mut Round<'_>) {
        let expired = self.meta.expired_reports(EXPIRED_MAX).await;
        let expired = expired.doing("list expired reports");
        for report in round.expired(expired).await {
            let deleted = async {
                let report = report.doing("read an expired report")?;
                self.delete_file(&report.order.org, report.id).await?;
                let forgotten = self.meta.clear_report_file(report.id).await;
                forgotten.doing("forget an expired file")
            };
            round.record(EXPIRY, deleted.await);
        }
    }

    async fn delete_expired_bulk_reports(&self, round: &mut Round<'_>) {
        let expired = self.meta.expired_bulk_reports(EXPIRED_MAX).await;
        let expired = expired.doing("list expired bulk reports");
        for report in round.expired(expired).await {
            let deleted = async {
                let (org, report) = report.doing("read an expired bulk report")?;
                self.delete_file(&org, report.file_id).await?;
                let forgotten = self.meta.remove_bulk_report(report.id).await;
                forgotten.doing("forget an expired bulk report")
            };
            round.record(EXPIRY, deleted.await);
        }
        let forgotten = self.meta.delete_ended_report_jobs().await;
        round.record(
            EXPIRY,
            forgotten.doing("forget report jobs that have ended"),
        );
    }

    async fn delete_expired_day_files(&self, round: &mut Round<'_>) {
        let expired = self.meta.expired_day_files(EXPIRED_MAX).await;
        let expired = expired.doing("list expired files of days");
        for file in round.expired(expired).await {
            let deleted = async {
                let file = file.doing("read an expired file of a day")?;
                self.delete_file(&file.org, file.id).await?;
                let forgotten = self.meta.remove_day_file(file.id).await;
                forgotten.doing("forget an expired file of a day")
            };
            round.record(EXPIRY, deleted.await);
        }
    }

    /// Deletes a file before its row: a row without a file is reported as expired, but a file
    /// without a row stays until a vacuum.
    async fn delete_file(&self, org: &OrgId, id: ReportId) -> Result<(), Error> {
        let deleted = self.lake.report_files().delete_all(org, id).await;
        deleted.doing("delete an expired file")
    }

    /// Deletes old rows of reports, so that the database does not grow with every report ever made.
    async fn delete_history(&self) -> Result<(), Error> {
        let now = self.meta.clock().now();
        let ended_by = now.saturating_add_millis(-self.config.history_ms);
        // Checked after the time was read.
        if self.is_clock_in_doubt().await? {
            return Ok(());
        }
        let forgotten = self.meta.delete_history(ended_by).await;
        let reports = forgotten.doing("forget old reports")?;
        if reports > 0 {
            tracing::info!(reports, "forgot reports that ended long ago");
        }
        Ok(())
    }
}

/// One round of maintenance.
struct Round<'j> {
    jobs: &'j Jobs,
    /// The first.
    failure: Option<Error>,
}

impl Round<'_> {
    /// Logs and counts a failure, and keeps the first.
    fn record<T>(&mut self, step: &'static str, done: Result<T, Error>) {
        let Err(error) = done else { return };
        tracing::error!(
            chore = step,
            error = ErrorChain(&error).to_string(),
            "a step of maintenance failed; a later round tries again"
        );
        self.jobs.metrics.maintenance_failed(step);
        self.jobs.record_damage(&error);
        self.failure.get_or_insert(error);
    }

    /// What is to be deleted: nothing if it cannot be listed, or by a clock that is in doubt.
    async fn expired<T>(&mut self, listed: Result<Vec<T>, Error>) -> Vec<T> {
        let checked = async {
            let listed = listed?;
            // Checked after the time was read by which the rows were listed.
            if !listed.is_empty() && self.jobs.is_clock_in_doubt().await? {
                return Ok(Vec::new());
            }
            Ok(listed)
        };
        checked.await.unwrap_or_else(|error| {
            self.record::<()>(EXPIRY, Err(error));
            Vec::new()
        })
    }
}
