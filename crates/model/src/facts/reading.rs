//! Columns of batches that have the columns of their table.

use arrow::array::{AsArray, Int64Array, RecordBatch, StringArray, TimestampMillisecondArray};
use arrow::datatypes::{Int64Type, TimestampMillisecondType};

const HAS_COLUMNS: &str = "the batch has the columns of its table";

pub(super) fn texts<'b>(batch: &'b RecordBatch, column: &str) -> &'b StringArray {
    batch.column_by_name(column).expect(HAS_COLUMNS).as_string()
}

pub(super) fn times<'b>(batch: &'b RecordBatch, column: &str) -> &'b TimestampMillisecondArray {
    let times = batch.column_by_name(column).expect(HAS_COLUMNS);
    times.as_primitive::<TimestampMillisecondType>()
}

pub(super) fn integers<'b>(batch: &'b RecordBatch, column: &str) -> &'b Int64Array {
    let integers = batch.column_by_name(column).expect(HAS_COLUMNS);
    integers.as_primitive::<Int64Type>()
}
