//! The results of the polls, read from the report file.

use std::cmp::Reverse;
use std::collections::BTreeMap;

use serde::Deserialize;

use super::reports::{ReportFile, rows_of};
use super::requests::ReportRequest;

/// One row of the report: an option of a poll.
#[derive(Debug, Clone, Deserialize)]
pub(super) struct OptionRow {
    poll_id: String,
    pub(super) question: String,
    started_at: String,
    pub(super) option_text: String,
    pub(super) correct: bool,
    pub(super) votes: u64,
    pub(super) voters: u64,
}

/// The options of each poll. Polls are sorted by start, options by number of votes, most first.
pub(super) fn read_polls(files: &[ReportFile]) -> anyhow::Result<Vec<Vec<OptionRow>>> {
    let mut rows: Vec<OptionRow> = rows_of(files, ReportRequest::has_poll_results)?;
    rows.sort_by_key(|row| Reverse(row.votes));
    let mut polls: BTreeMap<(String, String), Vec<OptionRow>> = BTreeMap::new();
    for row in rows {
        let poll = (row.started_at.clone(), row.poll_id.clone());
        polls.entry(poll).or_default().push(row);
    }
    Ok(polls.into_values().collect())
}
