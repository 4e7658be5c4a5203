//! The drop-off curve of the recording, read from the report file.

use anyhow::Context;
use serde::Deserialize;

use super::reports::ReportFile;

/// One row of the report: a part of the recording.
#[derive(Debug, Clone, Deserialize)]
pub(super) struct PartRow {
    pub(super) position_seconds: f64,
    pub(super) viewers: u64,
}

/// The parts of the recording, from its beginning to its end.
pub(super) fn read_parts(files: &[ReportFile]) -> anyhow::Result<Vec<PartRow>> {
    let file = files
        .iter()
        .find(|file| file.request.is_retention())
        .context("the report was not requested")?;
    let rows = csv::Reader::from_path(&file.path)?
        .deserialize()
        .collect::<Result<Vec<PartRow>, _>>()?;
    Ok(rows)
}
