//! The results of the polls, read from the report file.

use std::cmp::Reverse;
use std::collections::BTreeMap;

use anyhow::Context;
use serde::Deserialize;

use super::reports::ReportFile;

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
    let file = files
        .iter()
        .find(|file| file.request.has_poll_results())
        .context("the report was not requested")?;
    let mut rows = csv::Reader::from_path(&file.path)?
        .deserialize()
        .collect::<Result<Vec<OptionRow>, _>>()?;
    rows.sort_by_key(|row| Reverse(row.votes));
    let mut polls: BTreeMap<(String, String), Vec<OptionRow>> = BTreeMap::new();
    for row in rows {
        let poll = (row.started_at.clone(), row.poll_id.clone());
        polls.entry(poll).or_default().push(row);
    }
    Ok(polls.into_values().collect())
}
