//! What the metadata database can be told.

use std::path::PathBuf;

use crate::quotas::Quotas;

/// How the metadata database is kept.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Config {
    /// The database file; its directory exists already.
    pub path: PathBuf,
    /// The most bytes that may wait in the journal for the flush. Past it
    /// collecting is refused, so that a lake that takes nothing cannot fill the disk.
    pub journal_bytes_max: u64,
    /// Jobs of one organisation that this process runs at one time.
    pub running_jobs_each_max: u32,
    /// What one organisation may keep.
    pub quotas: Quotas,
    /// How long a statement waits for another process that writes.
    pub busy_timeout_ms: u64,
}

impl Config {
    /// What operators know the file as, from the data directory on.
    pub const FILE_NAME: &'static str = "meta.sqlite";

    /// The defaults, for the database at `path`.
    pub fn new(path: impl Into<PathBuf>) -> Self {
        Self {
            path: path.into(),
            journal_bytes_max: 1 << 30,
            running_jobs_each_max: 2,
            quotas: Quotas::default(),
            // The command line writes beside the server, and a big import
            // holds the lock for a while.
            busy_timeout_ms: 60_000,
        }
    }
}
