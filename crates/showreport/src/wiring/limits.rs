//! Bounds that the settings may move.

use crate::settings::values::{duration_millis, size_bytes};

/// Bounds of every command that makes reports.
#[derive(Debug, Clone, clap::Args)]
#[command(next_help_heading = "Limits")]
pub struct Limits {
    /// Memory of all reports being made together; beyond it they use the disk
    #[arg(long, value_name = "SIZE", default_value = "128MiB", value_parser = size_bytes)]
    pub query_memory: u64,

    /// Threads that make reports [default: one a processor]
    #[arg(long, value_name = "COUNT", value_parser = clap::value_parser!(u16).range(1..))]
    pub query_threads: Option<u16>,
}

/// Bounds of a server.
#[derive(Debug, Clone, clap::Args)]
#[command(next_help_heading = "Limits")]
pub struct ServerLimits {
    /// What every command that makes reports takes.
    #[command(flatten)]
    pub limits: Limits,

    /// Reports of one organisation that are made at the same time; one more is made for others
    #[arg(long, value_name = "COUNT", default_value = "2", value_parser = clap::value_parser!(u16).range(1..))]
    pub report_workers: u16,

    /// How long the file of a report is kept
    #[arg(long, value_name = "DURATION", default_value = "30d", value_parser = duration_millis)]
    pub report_retention: i64,

    /// How long a report is listed after it ended, its file gone; tokens that open nothing likewise
    #[arg(long, value_name = "DURATION", default_value = "365d", value_parser = duration_millis)]
    pub history: i64,

    /// How long after its end a day is settled: what comes in later restates its bulk reports
    #[arg(long, value_name = "DURATION", default_value = "1h", value_parser = duration_millis)]
    pub bulk_settle: i64,

    /// How long a bulk report is kept, and for how long late records restate a day
    #[arg(long, value_name = "DURATION", default_value = "60d", value_parser = duration_millis)]
    pub bulk_retention: i64,

    /// After how long a job of bulk reports ends if nobody fetches any; told 30 days ahead
    #[arg(long, value_name = "DURATION", default_value = "180d", value_parser = duration_millis)]
    pub job_expiry: i64,

    /// Event reports of one organisation that are being made or kept
    #[arg(long, value_name = "COUNT", default_value = "50000", value_parser = clap::value_parser!(u64).range(1..))]
    pub org_reports: u64,

    /// Files of days that one organisation has had made at a request and that are kept
    #[arg(long, value_name = "COUNT", default_value = "1000", value_parser = clap::value_parser!(u64).range(1..))]
    pub org_day_files: u64,

    /// Events of one organisation
    #[arg(long, value_name = "COUNT", default_value = "1000000", value_parser = clap::value_parser!(u64).range(1..))]
    pub org_events: u64,

    /// Records of one organisation that are accepted in all; those that are imported count, and are not bound
    #[arg(long, value_name = "COUNT", default_value = "100000000000", value_parser = clap::value_parser!(u64).range(1..))]
    pub org_records: u64,

    /// Bytes of all files of reports that one organisation keeps
    #[arg(long, value_name = "SIZE", default_value = "50GiB", value_parser = size_bytes)]
    pub org_files_size: u64,

    /// How many bytes may wait for the lake before collecting is refused
    #[arg(long, value_name = "SIZE", default_value = "1GiB", value_parser = size_bytes)]
    pub journal_size: u64,

    /// How long a record waits for the lake at most, while no report asks for it
    #[arg(long, value_name = "DURATION", default_value = "1m", value_parser = duration_millis)]
    pub flush_after: i64,
}
