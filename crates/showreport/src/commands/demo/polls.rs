//! The results of the polls, read from the report's file as anybody would.

use std::cmp::Reverse;
use std::collections::BTreeMap;

use anyhow::Context;
use serde::Deserialize;

use super::reports::ReportFile;

/// One option of a poll, as the report has it.
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

/// The options of every poll: polls as they were opened, in each the option with the most votes first.
pub(super) fn read_polls(files: &[ReportFile]) -> anyhow::Result<Vec<Vec<OptionRow>>> {
    let file = files
        .iter()
        .find(|file| file.wanted.holds_poll_results())
        .context("it was not asked for")?;
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
