//! The kinds of jobs.

use crate::job::Job;
use crate::make_bulk_report::MakeBulkReport;
use crate::make_report::MakeReport;

/// Every kind that this version of the program can run.
const KINDS: [&dyn Job; 2] = [&MakeReport, &MakeBulkReport];

/// The priority of each kind, for the queue.
pub fn priorities() -> Vec<(&'static str, i64)> {
    let kinds = KINDS.into_iter();
    kinds.map(|job| (job.name(), job.priority())).collect()
}

/// The kind of this name.
pub(crate) fn find(name: &str) -> Option<&'static dyn Job> {
    KINDS.into_iter().find(|job| job.name() == name)
}
