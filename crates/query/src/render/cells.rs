//! Cells: one column of a batch, read row by row as what it means.

use std::fmt::Write;

use arrow::array::{Array, AsArray, RecordBatch};
use arrow::datatypes::{Decimal128Type, Float64Type, Int64Type, TimestampMillisecondType};
use showreport_model::Timestamp;

use crate::plans::answer::{Column, Kind};

/// A cell of a row.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(super) enum Cell<'a> {
    Absent,
    Text(&'a str),
    Time(Timestamp),
    Flag(bool),
    Count(i64),
    /// Milliseconds, shown as seconds.
    Seconds(i128),
    Number(f64),
}

/// The cells of a row, in the order of the columns.
pub(super) fn row<'a>(
    batch: &'a RecordBatch,
    columns: &'a [Column],
    row: usize,
) -> impl Iterator<Item = Cell<'a>> {
    let of = move |(index, column): (usize, &Column)| cell(batch, index, column.kind, row);
    columns.iter().enumerate().map(of)
}

/// The cell of a column at a row.
fn cell(batch: &RecordBatch, column: usize, kind: Kind, row: usize) -> Cell<'_> {
    let array = batch.column(column);
    if array.is_null(row) {
        return Cell::Absent;
    }
    match kind {
        Kind::Text => Cell::Text(array.as_string::<i32>().value(row)),
        Kind::Time => {
            let millis = array.as_primitive::<TimestampMillisecondType>().value(row);
            Timestamp::from_millis(millis).map_or(Cell::Absent, Cell::Time)
        }
        Kind::Flag => Cell::Flag(array.as_boolean().value(row)),
        Kind::Count => Cell::Count(array.as_primitive::<Int64Type>().value(row)),
        Kind::Number => Cell::Number(array.as_primitive::<Float64Type>().value(row)),
        Kind::Seconds => Cell::Seconds(array.as_primitive::<Decimal128Type>().value(row)),
    }
}

impl Cell<'_> {
    /// Appends the cell's text; an absent cell has none.
    pub(super) fn write(self, text: &mut String) {
        let written = match self {
            Cell::Absent => Ok(()),
            Cell::Text(value) => text.write_str(value),
            Cell::Time(at) => write!(text, "{at}"),
            Cell::Flag(value) => write!(text, "{value}"),
            Cell::Count(value) => write!(text, "{value}"),
            // The shortest text that reads back as the same number.
            Cell::Number(value) => write!(text, "{value}"),
            Cell::Seconds(millis) => write!(text, "{}.{:03}", millis / 1000, millis % 1000),
        };
        written.expect("writing to memory cannot fail");
    }
}
