//! The configuration of the metadata database.

use std::path::PathBuf;

use crate::quotas::Quotas;

/// The configuration of the metadata database.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Config {
    /// The database file; its directory must exist.
    pub path: PathBuf,
    /// Bytes that the journal may have. Beyond it records are refused, so that a lake that accepts
    /// nothing cannot fill the disk.
    pub journal_bytes_max: u64,
    /// Jobs of one organisation that this process runs at one time.
    pub running_jobs_each_max: u32,
    /// The priority of each kind of job by its name. Where turns do not decide, the lower number
    /// is claimed first. Kinds that are not listed come last.
    pub job_priorities: Vec<(&'static str, i64)>,
    pub quotas: Quotas,
    /// How long a statement waits for another process that writes.
    pub busy_timeout_ms: u64,
    /// Bytes of the file that is emptied on a full disk for writes that free room or protect.
    pub reserve_bytes: u64,
}

impl Config {
    /// The name of the file in messages to operators, relative to the data directory.
    pub const FILE_NAME: &'static str = "meta.sqlite";

    /// The defaults, for the database at `path`.
    pub fn new(path: impl Into<PathBuf>) -> Self {
        Self {
            path: path.into(),
            journal_bytes_max: 1 << 30,
            running_jobs_each_max: 2,
            job_priorities: Vec::new(),
            quotas: Quotas::default(),
            // The command line writes beside the server, and a large import holds the lock for
            // some time.
            busy_timeout_ms: 60_000,
            // Such a write adds some tens of kilobytes to the log.
            reserve_bytes: 8 << 20,
        }
    }
}
