//! [`Totals`]: adds a total of its group to each row.
//!
//! The engine's window over whole groups would hold the rows of all groups in one batch.

use std::sync::Arc;

use arrow::array::{Array, ArrayRef, AsArray, Int64Array, RecordBatch};
use arrow::compute::{concat_batches, partition};
use arrow::datatypes::{DataType, Field, Int64Type, Schema, SchemaRef};
use datafusion::error::Result;

use super::{Unfold, Unfolder};

/// How the figures of a group are combined.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Total {
    Sum,
    Max,
}

/// The input rows must be sorted by the columns `keys`. Each gets the total of the column `figure`
/// over the rows with equal keys. The rows of one group are in memory at once.
pub(crate) fn totals(keys: Vec<usize>, figure: usize, total: Total, name: String) -> Unfolder {
    Arc::new(move || {
        Box::new(Totals {
            keys: keys.clone(),
            figure,
            total,
            name: name.clone(),
            begun: None,
            ready: None,
        })
    })
}

/// The schema with the column of the total.
pub(crate) fn schema_with(schema: &Schema, name: &str) -> SchemaRef {
    let mut fields = schema.fields().to_vec();
    fields.push(Arc::new(Field::new(name, DataType::Int64, true)));
    Arc::new(Schema::new(fields))
}

struct Totals {
    keys: Vec<usize>,
    figure: usize,
    total: Total,
    name: String,
    /// The rows of the last group, which may go on in the next batch.
    begun: Option<RecordBatch>,
    ready: Option<RecordBatch>,
}

impl Unfold for Totals {
    fn push(&mut self, batch: RecordBatch) -> Result<()> {
        if batch.num_rows() == 0 {
            return Ok(());
        }
        let rows = match self.begun.take() {
            Some(begun) => concat_batches(&batch.schema(), [&begun, &batch])?,
            None => batch,
        };
        let groups = self.groups(&rows)?;
        let whole = groups.last().map_or(0, |last| last.start);
        self.ready = self.with_totals(&rows.slice(0, whole))?;
        self.begun = Some(rows.slice(whole, rows.num_rows() - whole));
        Ok(())
    }

    fn next(&mut self) -> Result<Option<RecordBatch>> {
        Ok(self.ready.take())
    }

    fn end(&mut self) -> Result<()> {
        if let Some(begun) = self.begun.take() {
            self.ready = self.with_totals(&begun)?;
        }
        Ok(())
    }
}

impl Totals {
    fn groups(&self, rows: &RecordBatch) -> Result<Vec<std::ops::Range<usize>>> {
        let keys: Vec<ArrayRef> = self
            .keys
            .iter()
            .map(|&key| Arc::clone(rows.column(key)))
            .collect();
        Ok(partition(&keys)?.ranges())
    }

    fn with_totals(&self, rows: &RecordBatch) -> Result<Option<RecordBatch>> {
        if rows.num_rows() == 0 {
            return Ok(None);
        }
        let figures: &Int64Array = rows.column(self.figure).as_primitive::<Int64Type>();
        let mut totals = Vec::with_capacity(rows.num_rows());
        for group in self.groups(rows)? {
            let of_group = group.clone().filter(|&row| figures.is_valid(row));
            let of_group = of_group.map(|row| figures.value(row));
            let total = match self.total {
                Total::Sum => Some(of_group.sum()),
                Total::Max => of_group.max(),
            };
            totals.extend(group.map(|_| total));
        }
        let mut columns = rows.columns().to_vec();
        columns.push(Arc::new(Int64Array::from(totals)));
        let schema = schema_with(rows.schema_ref(), &self.name);
        Ok(Some(RecordBatch::try_new(schema, columns)?))
    }
}

#[cfg(test)]
mod tests {
    use arrow::array::StringArray;

    use super::*;

    fn batch(rows: &[(Option<&str>, Option<i64>)]) -> RecordBatch {
        let keys: StringArray = rows.iter().map(|(key, _)| *key).collect();
        let figures: Int64Array = rows.iter().map(|(_, figure)| *figure).collect();
        let columns: [(&str, ArrayRef); 2] = [("key", Arc::new(keys)), ("n", Arc::new(figures))];
        RecordBatch::try_from_iter_with_nullable(columns.map(|(name, column)| (name, column, true)))
            .expect("a batch")
    }

    fn totals_of(total: Total, batches: &[RecordBatch]) -> Vec<Option<i64>> {
        let mut unfold = totals(vec![0], 1, total, "total".to_owned())();
        let mut given = Vec::new();
        let mut drain = |unfold: &mut Box<dyn Unfold>| {
            while let Some(batch) = unfold.next().expect("a batch") {
                let totals: &Int64Array = batch.column(2).as_primitive::<Int64Type>();
                given.extend(totals.iter());
            }
        };
        for batch in batches {
            unfold.push(batch.clone()).expect("pushed");
            drain(&mut unfold);
        }
        unfold.end().expect("ended");
        drain(&mut unfold);
        given
    }

    #[test]
    fn each_row_has_the_total_of_its_group_with_batches_of_any_size() {
        let rows = [
            (None, Some(1)),
            (None, Some(2)),
            (Some("a"), None),
            (Some("b"), Some(3)),
            (Some("b"), None),
            (Some("b"), Some(4)),
        ];
        let sums = [3, 3, 0, 7, 7, 7].map(Some);
        let greatest = [Some(2), Some(2), None, Some(4), Some(4), Some(4)];
        for length in 1..=rows.len() {
            let batches: Vec<_> = rows.chunks(length).map(batch).collect();
            assert_eq!(totals_of(Total::Sum, &batches), sums);
            assert_eq!(totals_of(Total::Max, &batches), greatest);
        }
    }
}
