//! Rows of a table that most requests have none of: builders are made with the first row.

use arrow::array::{Array, RecordBatch};
use arrow::compute::concat_batches;

/// Builds the columns of a table.
pub(super) trait Columns: Default {
    fn finish(self) -> RecordBatch;
}

/// Finished batches, and the rows that are being built after them.
#[derive(Debug)]
pub(super) struct Rows<C> {
    before: Vec<RecordBatch>,
    before_bytes: usize,
    /// On the heap: it is large, and most requests have none.
    building: Option<Box<C>>,
}

impl<C> Default for Rows<C> {
    fn default() -> Self {
        Self {
            before: Vec::new(),
            before_bytes: 0,
            building: None,
        }
    }
}

impl<C: Columns> Rows<C> {
    /// The builder of the next row.
    pub(super) fn building(&mut self) -> &mut C {
        self.building.get_or_insert_default()
    }

    /// Adds finished rows.
    pub(super) fn add(&mut self, rows: RecordBatch) {
        self.end_batch();
        self.before_bytes += slice_bytes(&rows);
        self.before.push(rows);
    }

    /// Adds the rows of another builder, which keeps them.
    pub(super) fn absorb(&mut self, other: &mut Self) {
        self.end_batch();
        other.end_batch();
        self.before_bytes += other.before_bytes;
        self.before.extend_from_slice(&other.before);
    }

    /// All rows. `nothing` is the table without rows.
    pub(super) fn finish(&mut self, nothing: &RecordBatch) -> RecordBatch {
        let batches: Vec<RecordBatch> = std::mem::take(self).batches().collect();
        match batches.as_slice() {
            [] => nothing.clone(),
            [batch] => batch.clone(),
            batches => concat_batches(nothing.schema_ref(), batches).expect("of one schema"),
        }
    }

    /// Approximate bytes in memory.
    pub(super) fn memory_bytes(&mut self) -> usize {
        self.end_batch();
        self.before_bytes
    }

    fn end_batch(&mut self) {
        if let Some(built) = self.building.take().map(|built| built.finish()) {
            self.before_bytes += built.get_array_memory_size();
            self.before.push(built);
        }
    }

    fn batches(mut self) -> impl Iterator<Item = RecordBatch> {
        self.end_batch();
        self.before.into_iter()
    }
}

/// Bytes of the rows alone. All columns that were read from a journal row share one buffer, which
/// `get_array_memory_size` would count once for each.
pub(super) fn slice_bytes(rows: &RecordBatch) -> usize {
    let bytes_of = |column: &dyn Array| {
        let data = column.to_data();
        let bytes = data.get_slice_memory_size();
        bytes.unwrap_or_else(|_| column.get_array_memory_size())
    };
    rows.columns().iter().map(|column| bytes_of(column)).sum()
}
