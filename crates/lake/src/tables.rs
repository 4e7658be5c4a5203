//! The kinds of fact, with a typed row for each.
//!
//! A row is read from a batch with the columns of the files, and written to one. Rows are ordered
//! by organisation, day, event, then view, message or poll, then numbers and times, then the other
//! columns.
//! Files have this order too, so rows that can be merged are next to each other.

use arrow::array::RecordBatch;
use arrow::error::ArrowError;
use showreport_model::facts::Table;

mod cell;
mod row;
pub(crate) mod spans;
pub(crate) mod chat;
pub(crate) mod polls;
pub(crate) mod votes;
pub(crate) mod beats;
pub(crate) mod coverage;

/// A kind of fact.
pub(crate) trait Fact: Send + 'static {
    const TABLE: Table;

    /// A row. Its texts may be borrowed from a batch.
    type Row<'a>: Row;

    /// The rows of a batch with the columns of the files.
    fn read(batch: &RecordBatch) -> Result<Vec<Self::Row<'_>>, ArrowError>;

    /// Bytes of the texts of a row.
    fn text_bytes(row: &Self::Row<'_>) -> usize;

    /// The row with owned texts.
    fn own(row: Self::Row<'_>) -> Self::Row<'static>;

    /// A batch of these rows.
    fn write(rows: &[Self::Row<'_>]) -> RecordBatch;
}

/// A row of a table. The order is total.
pub(crate) trait Row: Ord + Send + Sync {
    /// Merges `next`, which is not less, into this row. False if they cannot be merged.
    fn absorb(&mut self, next: &mut Self) -> bool;

    /// Whether the other row is of the same event and day.
    fn is_beside(&self, other: &Self) -> bool;
}

/// Runs code for the kind of fact that a table holds.
macro_rules! with_fact {
    ($table:expr, $fact:ident => $run:expr) => {
        match $table {
            showreport_model::facts::Table::Spans => {
                type $fact = $crate::tables::spans::Spans;
                $run
            }
            showreport_model::facts::Table::Chat => {
                type $fact = $crate::tables::chat::Chat;
                $run
            }
            showreport_model::facts::Table::Polls => {
                type $fact = $crate::tables::polls::Polls;
                $run
            }
            showreport_model::facts::Table::Votes => {
                type $fact = $crate::tables::votes::Votes;
                $run
            }
            showreport_model::facts::Table::Beats => {
                type $fact = $crate::tables::beats::Beats;
                $run
            }
            showreport_model::facts::Table::Coverage => {
                type $fact = $crate::tables::coverage::Coverage;
                $run
            }
        }
    };
}
pub(crate) use with_fact;
