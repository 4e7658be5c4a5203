//! Lists of integers: how spans and states travel between operators.

use std::sync::Arc;

use arrow::array::{Array, ArrayRef, AsArray, Int64Builder, ListArray, ListBuilder};
use arrow::datatypes::{DataType, Field, FieldRef, Int64Type};
use datafusion::common::exec_datafusion_err;
use datafusion::error::Result;
use showreport_model::Span;

/// The item of every list of integers.
fn item() -> FieldRef {
    Arc::new(Field::new("item", DataType::Int64, true))
}

/// A list of integers.
pub(crate) fn numbers_type() -> DataType {
    DataType::List(item())
}

/// Lists of integers to be read row by row.
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

    /// The numbers of a row; none where it is null.
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
        self.numbers(row)
            .chunks_exact(2)
            .filter_map(|pair| Span::new(pair[0], pair[1]))
    }
}

/// Builds lists of integers.
#[derive(Debug)]
pub(crate) struct ListsBuilder(ListBuilder<Int64Builder>);

impl ListsBuilder {
    pub(crate) fn new() -> Self {
        Self(ListBuilder::new(Int64Builder::new()).with_field(item()))
    }

    pub(crate) fn push(&mut self, numbers: impl IntoIterator<Item = i64>) {
        for number in numbers {
            self.0.values().append_value(number);
        }
        self.0.append(true);
    }

    pub(crate) fn push_spans(&mut self, spans: &[Span]) {
        self.push(spans.iter().flat_map(|span| [span.from(), span.to()]));
    }

    pub(crate) fn finish(mut self) -> ArrayRef {
        Arc::new(self.0.finish())
    }
}
