//! Where the lake lies, and its bounds.

use std::path::PathBuf;

/// Where the lake lies, and its bounds.
#[derive(Debug, Clone)]
pub struct Config {
    /// The root of the object store.
    pub root: PathBuf,
    /// The lock that whoever changes the lake holds.
    pub lock: PathBuf,
    /// Bytes in memory of what one flush takes from the journal, merged.
    pub flush_bytes_max: u64,
    /// Bytes in memory of what makes one file of a load past the journal.
    pub load_bytes_max: u64,
    /// About how large a compacted file is.
    pub file_bytes_target: u64,
    /// How many files of one size are merged.
    pub compact_files_min: usize,
}
