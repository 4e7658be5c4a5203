//! Facts as columns: the batches that collecting fills, the journal keeps and
//! the lake stores.
//!
//! One table for each kind of fact; [`columns_of`](crate::columns_of) lists the columns. Records
//! of what an event is are not in a table: they go to the registry of events.

pub mod column_types;
mod columns;
mod reading;
mod rows;
mod chat;
mod appending;
mod intervals;
mod spans;
mod coverage;
mod registrations;
mod builder;
mod journal_row;
mod merger;
mod earliest;
mod batches;
mod watched;
mod newest;

use arrow::array::RecordBatch;
use arrow::compute::concat_batches;

pub use batches::Batches;
pub use builder::{Collected, FactsBuilder};
pub use chat::NEVER_SENT_MS;
pub use column_types::time_type;
use columns::EMPTY;
pub use columns::Table;
pub use journal_row::DecodeError;
pub use merger::FactsMerger;
pub use registrations::Registrations;

/// A batch for each table.
#[derive(Debug, Clone, PartialEq)]
pub struct Facts {
    batches: [RecordBatch; Table::COUNT],
}

impl Default for Facts {
    fn default() -> Self {
        Self {
            batches: EMPTY.clone(),
        }
    }
}

impl Facts {
    /// The rows of a table.
    pub fn batch(&self, table: Table) -> &RecordBatch {
        &self.batches[table as usize]
    }

    /// The number of rows of all tables.
    pub fn rows(&self) -> usize {
        self.batches.iter().map(RecordBatch::num_rows).sum()
    }

    /// Bytes in memory.
    pub fn memory_bytes(&self) -> usize {
        self.batches
            .iter()
            .map(RecordBatch::get_array_memory_size)
            .sum()
    }

    /// Bytes of a table's rows, without other rows in shared buffers.
    pub fn table_bytes(&self, table: Table) -> usize {
        rows::slice_bytes(self.batch(table))
    }

    /// The rows of all parts.
    pub fn concat(parts: &[Self]) -> Self {
        let batches = std::array::from_fn(|table| {
            let parts = parts.iter().map(|part| &part.batches[table]);
            let parts = parts.filter(|part| part.num_rows() > 0);
            concat_batches(&Table::ALL[table].schema(), parts).expect("the schemas are the same")
        });
        Self { batches }
    }
}
