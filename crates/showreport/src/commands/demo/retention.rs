//! The drop-off curve of the recording, read from the report file.

use serde::Deserialize;

use super::reports::{ReportFile, rows_of};
use super::requests::ReportRequest;

/// One row of the report: a part of the recording.
#[derive(Debug, Clone, Deserialize)]
pub(super) struct PartRow {
    pub(super) position_seconds: f64,
    pub(super) viewers: u64,
}

/// The parts of the recording, from its beginning to its end.
pub(super) fn read_parts(files: &[ReportFile]) -> anyhow::Result<Vec<PartRow>> {
    rows_of(files, ReportRequest::is_retention)
}
