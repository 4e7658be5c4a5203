//! The cells of a batch, row by row.

use arrow::array::{
    ArrayAccessor, ArrayRef, AsArray, BooleanArray, Decimal128Array, Float64Array, Int64Array,
    RecordBatch, StringArray, TimestampMillisecondArray,
};
use arrow::datatypes::{Decimal128Type, Float64Type, Int64Type, TimestampMillisecondType};
use showreport_model::Timestamp;
use showreport_model::column::{Column, ColumnType};
use showreport_model::table::Cell;

/// A column, downcast once for all its cells.
enum Values<'a> {
    Text(&'a StringArray),
    Time(&'a TimestampMillisecondArray),
    Flag(&'a BooleanArray),
    Count(&'a Int64Array),
    Seconds(&'a Decimal128Array),
    Number(&'a Float64Array),
}

/// The cells of a batch.
pub(crate) struct Cells<'a>(Vec<Values<'a>>);

impl<'a> Cells<'a> {
    pub(crate) fn of(batch: &'a RecordBatch, columns: &[Column]) -> Self {
        let typed = |(array, column): (&'a ArrayRef, &Column)| match column.kind {
            ColumnType::Date | ColumnType::Text => Values::Text(array.as_string()),
            ColumnType::Time => Values::Time(array.as_primitive::<TimestampMillisecondType>()),
            ColumnType::Boolean => Values::Flag(array.as_boolean()),
            ColumnType::Integer => Values::Count(array.as_primitive::<Int64Type>()),
            ColumnType::Seconds => Values::Seconds(array.as_primitive::<Decimal128Type>()),
            ColumnType::Number => Values::Number(array.as_primitive::<Float64Type>()),
        };
        Self(batch.columns().iter().zip(columns).map(typed).collect())
    }

    /// The cells of a row, in the order of the columns.
    pub(crate) fn row(&self, row: usize) -> impl Iterator<Item = Cell<'a>> {
        self.0.iter().map(move |values| values.cell(row))
    }

    /// The texts of a column; empty for other types.
    pub(crate) fn texts_of(&self, column: usize) -> impl Iterator<Item = &'a str> {
        let texts = match &self.0[column] {
            Values::Text(texts) => Some(texts.iter().flatten()),
            _ => None,
        };
        texts.into_iter().flatten()
    }

    /// All texts, column by column.
    pub(crate) fn texts(&self) -> impl Iterator<Item = &'a str> {
        let texts = self.0.iter().filter_map(|values| match values {
            Values::Text(texts) => Some(texts.iter().flatten()),
            _ => None,
        });
        texts.flatten()
    }
}

impl<'a> Values<'a> {
    fn cell(&self, row: usize) -> Cell<'a> {
        match self {
            Self::Text(texts) => cell(texts, row, Cell::Text),
            Self::Time(times) => cell(times, row, |millis| {
                Timestamp::from_millis(millis).map_or(Cell::Absent, Cell::Time)
            }),
            Self::Flag(flags) => cell(flags, row, Cell::Flag),
            Self::Count(counts) => cell(counts, row, Cell::Count),
            Self::Seconds(seconds) => cell(seconds, row, |millis| {
                Cell::Seconds(i64::try_from(millis).expect("eighteen digits"))
            }),
            Self::Number(numbers) => cell(numbers, row, Cell::Number),
        }
    }
}

/// The cell of a column at a row.
fn cell<'a, A: ArrayAccessor>(
    values: &A,
    row: usize,
    read: impl Fn(A::Item) -> Cell<'a>,
) -> Cell<'a> {
    if values.is_null(row) {
        return Cell::Absent;
    }
    read(values.value(row))
}
