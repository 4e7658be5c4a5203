//! Limits of the query engine.

use std::path::PathBuf;

/// Limits of the query engine.
#[derive(Debug, Clone)]
pub struct Config {
    /// Memory of all running queries together; beyond it they spill.
    pub memory_bytes_max: usize,
    /// An existing directory for spilled rows.
    pub spill_dir: PathBuf,
    /// Partitions of a query.
    pub threads: usize,
}
