//! The four kinds of fact, a typed row each.
//!
//! A row reads itself from a batch of the disk's columns and writes itself to
//! one. Its order is that of the files: organisation, day, event, then the view,
//! message or poll, then times, then all else, so that equal rows meet.

use arrow::array::RecordBatch;
use arrow::error::ArrowError;
use showreport_model::facts::Table;

mod cell;
mod row;
pub(crate) mod spans;
pub(crate) mod chat;
pub(crate) mod polls;
pub(crate) mod votes;

/// A kind of fact.
pub(crate) trait Fact: Send + 'static {
    /// Its table.
    const TABLE: Table;

    /// A row, whose texts may be those of a batch.
    type Row<'a>: Row;

    /// The rows of a batch that has the columns of the disk.
    fn read(batch: &RecordBatch) -> Result<Vec<Self::Row<'_>>, ArrowError>;

    /// Bytes of the texts of a row.
    fn text_bytes(row: &Self::Row<'_>) -> usize;

    /// The row with texts of its own.
    fn own(row: Self::Row<'_>) -> Self::Row<'static>;

    /// A batch of these rows.
    fn write(rows: &[Self::Row<'_>]) -> RecordBatch;
}

/// A row of a table. The order is total, and rows that say the same are equal.
pub(crate) trait Row: Ord + Send + Sync {
    /// Takes in a row that is not less, if both say no more than one row can.
    fn absorb(&mut self, next: &mut Self) -> bool;

    /// Whether the other row is about the same event (and day).
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
        }
    };
}
pub(crate) use with_fact;
