//! Columns of batches, by their names.

use arrow::array::{
    Array, ArrayRef, AsArray, BooleanArray, Int64Array, ListArray, RecordBatch, StringArray,
};
use arrow::datatypes::{Int64Type, TimestampMillisecondType};

const HAS_COLUMNS: &str = "the batch has the columns of its table";

pub(crate) fn texts<'b>(batch: &'b RecordBatch, column: &str) -> Texts<'b> {
    Texts(named(batch, column).as_string())
}

pub(crate) fn times<'b>(batch: &'b RecordBatch, column: &str) -> Times<'b> {
    let times = named(batch, column).as_primitive::<TimestampMillisecondType>();
    Times {
        values: times.values(),
        times,
    }
}

pub(crate) fn integers<'b>(batch: &'b RecordBatch, column: &str) -> &'b Int64Array {
    named(batch, column).as_primitive::<Int64Type>()
}

pub(crate) fn flags<'b>(batch: &'b RecordBatch, column: &str) -> &'b BooleanArray {
    named(batch, column).as_boolean()
}

pub(crate) fn lists<'b>(batch: &'b RecordBatch, column: &str) -> &'b ListArray {
    named(batch, column).as_list()
}

fn named<'b>(batch: &'b RecordBatch, column: &str) -> &'b ArrayRef {
    batch.column_by_name(column).expect(HAS_COLUMNS)
}

/// Texts, of which an absent one is empty.
#[derive(Clone, Copy)]
pub(crate) struct Texts<'b>(&'b StringArray);

impl<'b> Texts<'b> {
    pub(crate) fn get(self, row: usize) -> &'b str {
        if self.0.is_valid(row) {
            self.0.value(row)
        } else {
            ""
        }
    }
}

/// Times in milliseconds.
#[derive(Clone, Copy)]
pub(crate) struct Times<'b> {
    values: &'b [i64],
    times: &'b dyn Array,
}

impl Times<'_> {
    pub(crate) fn get(self, row: usize) -> i64 {
        self.values[row]
    }

    pub(crate) fn get_any(self, row: usize) -> Option<i64> {
        self.times.is_valid(row).then(|| self.values[row])
    }
}

/// The texts of an item of a list, sorted.
pub(crate) fn sorted_texts(list: &ListArray, row: usize) -> Vec<Box<str>> {
    let items = list.value(row);
    let items: &StringArray = items.as_string();
    let mut texts: Vec<Box<str>> = items.iter().flatten().map(Box::from).collect();
    texts.sort_unstable();
    texts
}
