//! Bounds of the query engine.

use std::path::PathBuf;

/// How much of the machine the engine may use.
#[derive(Debug, Clone)]
pub struct Config {
    /// Memory of all running questions together, in bytes; beyond it they spill.
    pub memory_bytes_max: usize,
    /// Where they spill to; it exists.
    pub spill_dir: PathBuf,
    /// How many partitions a question is divided into.
    pub threads: usize,
}
