//! Lists of integers, which carry spans and aggregate states between operators.

use std::sync::Arc;

use arrow::array::{Array, ArrayRef, AsArray, Int64Array, ListArray};
use arrow::buffer::OffsetBuffer;
use arrow::datatypes::{DataType, Field, FieldRef, Int64Type};
use datafusion::common::exec_datafusion_err;
use datafusion::error::Result;
use showreport_model::Span;

/// The item field of all these lists.
fn item() -> FieldRef {
    Arc::new(Field::new("item", DataType::Int64, true))
}

/// The type of a list of integers.
pub(crate) fn numbers_type() -> DataType {
    DataType::List(item())
}

/// A column of lists of integers.
#[derive(Debug)]
pub(crate) struct Lists<'a> {
    lists: &'a ListArray,
    values: &'a [i64],
}

impl<'a> Lists<'a> {
    pub(crate) fn new(array: &'a ArrayRef) -> Result<Self> {
        let lists = array
            .as_list_opt::<i32>()
            .ok_or_else(|| exec_datafusion_err!("spans are lists, not {}", array.data_type()))?;
        let values = lists
            .values()
            .as_primitive_opt::<Int64Type>()
            .ok_or_else(|| {
                exec_datafusion_err!("spans are integers, not {}", lists.value_type())
            })?;
        Ok(Self {
            lists,
            values: values.values(),
        })
    }

    pub(crate) fn len(&self) -> usize {
        self.lists.len()
    }

    /// The numbers of a row; empty for null.
    pub(crate) fn numbers(&self, row: usize) -> &'a [i64] {
        if self.lists.is_null(row) {
            return &[];
        }
        let offsets = self.lists.value_offsets();
        let bound = |offset: i32| usize::try_from(offset).expect("offsets are never negative");
        &self.values[bound(offsets[row])..bound(offsets[row + 1])]
    }

    /// The spans of a row.
    pub(crate) fn spans(&self, row: usize) -> impl Iterator<Item = Span> + 'a {
        spans_of(self.numbers(row))
    }
}

/// Builds lists of integers.
#[derive(Debug)]
pub(crate) struct ListsBuilder {
    values: Vec<i64>,
    lengths: Vec<usize>,
}

impl ListsBuilder {
    pub(crate) fn with_capacity(lists: usize) -> Self {
        Self {
            values: Vec::with_capacity(2 * lists),
            lengths: Vec::with_capacity(lists),
        }
    }

    /// Adds a list with the numbers that the function appends.
    pub(crate) fn push_with(&mut self, append: impl FnOnce(&mut Vec<i64>)) {
        let before = self.values.len();
        append(&mut self.values);
        self.lengths.push(self.values.len() - before);
    }

    pub(crate) fn finish(self) -> ArrayRef {
        let offsets = OffsetBuffer::from_lengths(self.lengths);
        let values = Arc::new(Int64Array::from(self.values));
        Arc::new(ListArray::new(item(), offsets, values, None))
    }
}

/// Appends start and end of each span.
pub(crate) fn append_spans(numbers: &mut Vec<i64>, spans: &[Span]) {
    numbers.extend(spans.iter().flat_map(|span| [span.from(), span.to()]));
}

/// The spans that were appended by [`append_spans`].
pub(crate) fn spans_of(numbers: &[i64]) -> impl Iterator<Item = Span> + '_ {
    let ends = numbers.chunks_exact(2);
    ends.filter_map(|ends| Span::new(ends[0], ends[1]))
}
