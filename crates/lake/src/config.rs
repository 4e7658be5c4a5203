//! The directories and limits of the lake.

use std::path::PathBuf;

/// The directories and limits of the lake.
#[derive(Debug, Clone)]
pub struct Config {
    /// The root of the object store.
    pub root: PathBuf,
    /// The file of the flush lock, which is held to change the lake.
    pub lock: PathBuf,
    /// Bytes in memory of the merged facts that one flush takes from the journal.
    pub flush_bytes_max: u64,
    /// Bytes in memory of the facts of an import that become one file.
    pub load_bytes_max: u64,
    /// Size that compaction aims at.
    pub file_bytes_target: u64,
    /// Files of about the same size that are needed for a merge.
    pub compact_files_min: usize,
}
