//! Bounds that the settings may move.

use crate::settings::values::{duration_millis, size_bytes};

/// Bounds of every command that makes reports.
#[derive(Debug, Clone, clap::Args)]
#[command(next_help_heading = "Limits")]
pub struct Limits {
    /// Memory for making reports, shared by all reports in progress; larger ones spill to the disk
    #[arg(long, value_name = "SIZE", default_value = "128MiB", value_parser = size_bytes)]
    pub query_memory: u64,

    /// Threads that make reports [default: one for each processor]
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

    /// Reports of one organisation in progress at the same time; one more is made for other organisations
    #[arg(long, value_name = "COUNT", default_value = "2", value_parser = clap::value_parser!(u16).range(1..))]
    pub report_workers: u16,

    /// How long report files are kept
    #[arg(long, value_name = "DURATION", default_value = "30d", value_parser = duration_millis)]
    pub report_retention: i64,

    /// How long reports are listed after they have ended; the same for revoked and expired tokens
    #[arg(long, value_name = "DURATION", default_value = "365d", value_parser = duration_millis)]
    pub history: i64,

    /// How long after its end a day is closed, which makes its bulk reports; later records restate them
    #[arg(long, value_name = "DURATION", default_value = "1h", value_parser = duration_millis)]
    pub bulk_settle: i64,

    /// How long bulk reports are kept, and how long after its end a day is restated
    #[arg(long, value_name = "DURATION", default_value = "60d", value_parser = duration_millis)]
    pub bulk_retention: i64,

    /// A report job ends when its reports were not downloaded for this time; announced 30 days before
    #[arg(long, value_name = "DURATION", default_value = "180d", value_parser = duration_millis)]
    pub job_expiry: i64,

    /// Quota: event reports of one organisation, in progress or kept
    #[arg(long, value_name = "COUNT", default_value = "50000", value_parser = clap::value_parser!(u64).range(1..))]
    pub org_reports: u64,

    /// Quota: daily watch-time files of one organisation, each kept for two hours
    #[arg(long, value_name = "COUNT", default_value = "1000", value_parser = clap::value_parser!(u64).range(1..))]
    pub org_day_files: u64,

    /// Quota: events of one organisation
    #[arg(long, value_name = "COUNT", default_value = "1000000", value_parser = clap::value_parser!(u64).range(1..))]
    pub org_events: u64,

    /// Quota: accepted records of one organisation in total. Imported records count but are never refused
    #[arg(long, value_name = "COUNT", default_value = "100000000000", value_parser = clap::value_parser!(u64).range(1..))]
    pub org_records: u64,

    /// Quota: size of all report files of one organisation
    #[arg(long, value_name = "SIZE", default_value = "50GiB", value_parser = size_bytes)]
    pub org_files_size: u64,

    /// Maximum size of the journal; beyond it /collect refuses records
    #[arg(long, value_name = "SIZE", default_value = "1GiB", value_parser = size_bytes)]
    pub journal_size: u64,

    /// Maximum age of a record in the journal before it is flushed; reports flush what they need earlier
    #[arg(long, value_name = "DURATION", default_value = "1m", value_parser = duration_millis)]
    pub flush_after: i64,
}
