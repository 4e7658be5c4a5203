//! Rows of a table that come seldom: most requests have none of them, so nothing
//! is made ready for them before the first.

use arrow::array::RecordBatch;
use arrow::compute::concat_batches;

/// What fills the columns of a table.
pub(super) trait Columns: Default {
    fn finish(self) -> RecordBatch;
}

/// Rows being built, after those of other builders.
#[derive(Debug)]
pub(super) struct Rows<C> {
    before: Vec<RecordBatch>,
    building: Option<C>,
}

impl<C> Default for Rows<C> {
    fn default() -> Self {
        Self {
            before: Vec::new(),
            building: None,
        }
    }
}

impl<C: Columns> Rows<C> {
    /// Where the next row goes.
    pub(super) fn building(&mut self) -> &mut C {
        self.building.get_or_insert_default()
    }

    /// Adds rows that are built.
    pub(super) fn add(&mut self, rows: RecordBatch) {
        self.settle();
        self.before.push(rows);
    }

    /// Adds the rows of another builder, which keeps them.
    pub(super) fn absorb(&mut self, other: &mut Self) {
        self.settle();
        other.settle();
        self.before.extend_from_slice(&other.before);
    }

    /// What was added; `nothing` is the table without a row.
    pub(super) fn finish(&mut self, nothing: &RecordBatch) -> RecordBatch {
        let batches: Vec<RecordBatch> = std::mem::take(self).batches().collect();
        match batches.as_slice() {
            [] => nothing.clone(),
            [batch] => batch.clone(),
            batches => concat_batches(nothing.schema_ref(), batches).expect("of one schema"),
        }
    }

    /// About how many bytes the rows are in memory.
    pub(super) fn memory_bytes(&mut self) -> usize {
        self.settle();
        self.before
            .iter()
            .map(RecordBatch::get_array_memory_size)
            .sum()
    }

    fn settle(&mut self) {
        self.before.extend(self.building.take().map(C::finish));
    }

    fn batches(mut self) -> impl Iterator<Item = RecordBatch> {
        self.settle();
        self.before.into_iter()
    }
}
