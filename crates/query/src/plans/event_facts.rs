//! All facts of an event as they are stored, for a state in memory.

use arrow::array::RecordBatch;
use datafusion::prelude::{DataFrame, col};
use futures::TryStreamExt;
use showreport_model::facts::Table;

use super::views::{ATTRIBUTES, beats};
use crate::error::Error;
use crate::facts::Facts;

/// Rows of an event, in no order.
#[derive(Debug, Clone, Copy)]
pub enum EventRows<'a> {
    /// Rows of a table. Of spans `playback_id`, `from_time`, `to_time` and the attributes.
    OfTable(Table, &'a RecordBatch),
    /// `playback_id`, the attributes and some `beats` of a view, as `Beats::append_numbers` writes
    /// them.
    PackedBeats(&'a RecordBatch),
}

/// Receives the rows. Returns false if it needs no more.
pub(crate) type Visit = dyn Fn(EventRows<'_>) -> bool + Send + Sync;

/// Passes on all rows but those of coverage.
pub(crate) async fn read(facts: &Facts, visit: &Visit) -> Result<(), Error> {
    let mut columns = vec!["playback_id", "from_time", "to_time"];
    columns.extend(ATTRIBUTES);
    let columns = columns.into_iter().map(col).collect::<Vec<_>>();
    let spans = facts.frame(Table::Spans).await?;
    let spans = spans.select(columns)?;
    if !pass_on(spans, |rows| visit(EventRows::OfTable(Table::Spans, rows))).await? {
        return Ok(());
    }
    if let Some(beats) = beats(facts, &ATTRIBUTES).await?
        && !pass_on(beats, |rows| visit(EventRows::PackedBeats(rows))).await?
    {
        return Ok(());
    }
    for table in [Table::Chat, Table::Polls, Table::Votes] {
        let rows = facts.frame(table).await?;
        if !pass_on(rows, |rows| visit(EventRows::OfTable(table, rows))).await? {
            return Ok(());
        }
    }
    Ok(())
}

/// Returns false if the visit ended.
async fn pass_on(frame: DataFrame, visit: impl Fn(&RecordBatch) -> bool) -> Result<bool, Error> {
    let mut rows = frame.execute_stream().await?;
    while let Some(batch) = rows.try_next().await? {
        if !visit(&batch) {
            return Ok(false);
        }
    }
    Ok(true)
}
