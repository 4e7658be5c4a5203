//! When work is due, and how long files and rows are kept.

use std::time::Duration;

use showreport_model::bulk::DayClosing;

/// The settings of the background work.
#[derive(Debug, Clone)]
pub struct Config {
    /// The age of the oldest journal row at which the journal is flushed.
    pub flush_after_ms: u64,
    /// The size at which the journal is flushed, whatever its age.
    pub flush_bytes: u64,
    /// The most reports of one organisation that are made at once. There is one worker more, so that
    /// one organisation cannot occupy all.
    pub report_workers: usize,
    /// How long a claim of a job holds without a renewal.
    pub lease_ms: i64,
    pub report_retention_ms: i64,
    /// How long a report is listed after it ended, and a token after its last use.
    pub history_ms: i64,
    /// How long after its end a day is closed.
    pub settle_ms: i64,
    /// The longest wait between two reports of a day with facts that keep changing.
    pub restate_ms_max: i64,
    /// How long a bulk report is kept, and how long after its end a day is restated.
    pub bulk_retention_ms: i64,
    /// The time without a fetched report after which a report job ends.
    pub idle_report_job_ms: i64,
    /// How often the lake is compacted and expired files are deleted.
    pub maintain_every_ms: u64,
}

impl Config {
    /// The lease, divided.
    pub(crate) fn lease_part(&self, parts: u64) -> Duration {
        let lease_ms = u64::try_from(self.lease_ms).unwrap_or(0);
        Duration::from_millis((lease_ms / parts).max(1))
    }

    pub(crate) const fn day_closing(&self) -> DayClosing {
        DayClosing {
            close_after_ms: self.settle_ms,
            retention_ms: self.bulk_retention_ms,
        }
    }
}

impl Default for Config {
    fn default() -> Self {
        Self {
            flush_after_ms: 60_000,
            flush_bytes: 32 * 1024 * 1024,
            report_workers: 2,
            lease_ms: 30_000,
            report_retention_ms: 30 * 86_400_000,
            history_ms: 365 * 86_400_000,
            settle_ms: 3_600_000,
            restate_ms_max: 3_600_000,
            bulk_retention_ms: 60 * 86_400_000,
            idle_report_job_ms: 180 * 86_400_000,
            maintain_every_ms: 60_000,
        }
    }
}
