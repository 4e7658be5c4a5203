//! [`Damage`]: a file that does not hold what was written to it.
//!
//! No figure is made from damaged bytes, and the operator learns which file it is. So the crates
//! keep it as a value in their errors, where [`Failure::damage`](crate::Failure::damage) finds it.

use std::error::Error;
use std::fmt;

/// A file that does not hold what was written to it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Damage {
    /// The path of the file, relative to the data directory.
    pub file: String,
    pub problem: String,
}

impl Damage {
    /// The reason in errors of the API and of reports.
    pub const REASON: &'static str = "DATA_DAMAGED";
}

impl fmt::Display for Damage {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { file, problem } = self;
        write!(
            f,
            "the file {file} of the data directory is damaged: {problem}; the operator can restore \
             it from a backup"
        )
    }
}

impl Error for Damage {}
