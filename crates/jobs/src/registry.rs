//! The kinds of jobs.

use crate::job::Job;
use crate::make_bulk_report::MakeBulkReport;
use crate::make_report::MakeReport;

/// Every kind that this version of the program can run.
const KINDS: [&dyn Job; 2] = [&MakeReport, &MakeBulkReport];

/// The kind of this name.
pub(crate) fn find(name: &str) -> Option<&'static dyn Job> {
    KINDS.into_iter().find(|job| job.name() == name)
}
