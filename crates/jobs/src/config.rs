//! When work is due, and how long things are kept.

use showreport_model::bulk::Settling;

/// Bounds of the background work.
#[derive(Debug, Clone)]
pub struct Config {
    /// The longest that a record waits in the journal before it is flushed to the lake.
    pub flush_after_ms: u64,
    /// Bytes in the journal at which it is flushed without waiting.
    pub flush_bytes: u64,
    /// Reports of one organisation made at the same time. One more is made for others, so that
    /// one organisation never occupies all workers.
    pub report_workers: usize,
    /// How long a job is another's to take after its worker was last heard of.
    pub lease_ms: i64,
    /// How long the file of a report is kept.
    pub report_retention_ms: i64,
    /// How long a report is listed after it ended, and a token after it opened its last.
    pub history_ms: i64,
    /// How long after its end a day is settled and reported on.
    pub settle_ms: i64,
    /// The longest wait between two reports of a day whose facts change all the time.
    pub restate_ms_max: i64,
    /// How long a bulk report is kept, and for how long a day is restated.
    pub bulk_retention_ms: i64,
    /// After how long without a fetched report a report job ends.
    pub idle_order_ms: i64,
    /// How often the lake is compacted and expired files are deleted.
    pub maintain_every_ms: u64,
}

impl Config {
    pub(crate) const fn settling(&self) -> Settling {
        Settling {
            settle_ms: self.settle_ms,
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
            idle_order_ms: 180 * 86_400_000,
            maintain_every_ms: 60_000,
        }
    }
}
