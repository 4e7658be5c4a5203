//! `span_union`: the union of the spans of a group.

use arrow::array::{Array, ArrayRef, AsArray, PrimitiveArray};
use arrow::datatypes::{DataType, Int64Type};
use datafusion::common::exec_datafusion_err;
use datafusion::error::Result;
use showreport_model::{Span, SpanSet};

use super::aggregate::Summary;
use super::lists::{ListsBuilder, append_spans, numbers_type, spans_of};
use super::per_group::PerGroup;

/// Takes start and end of each span. Spans that the report's filter has cut to nothing are skipped,
/// and rows without ends.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub(crate) struct UnionOfEnds;

impl Summary for UnionOfEnds {
    const NAME: &'static str = "span_union";
    const ARGUMENTS: usize = 2;
    type State = SpanSet;
    type Input<'a> = [&'a PrimitiveArray<Int64Type>; 2];

    fn return_type(&self) -> DataType {
        numbers_type()
    }

    fn input<'a>(&self, arguments: &'a [ArrayRef]) -> Result<Self::Input<'a>> {
        let ends = |array: &'a ArrayRef| {
            array
                .as_primitive_opt::<Int64Type>()
                .ok_or_else(|| exec_datafusion_err!("ends are integers, not {}", array.data_type()))
        };
        Ok([ends(&arguments[0])?, ends(&arguments[1])?])
    }

    fn update(&self, state: &mut SpanSet, [from, to]: &Self::Input<'_>, row: usize) {
        if from.is_valid(row)
            && to.is_valid(row)
            && let Some(span) = Span::new(from.value(row), to.value(row))
        {
            state.insert(span);
        }
    }

    fn merge(&self, state: &mut SpanSet, numbers: &[i64]) {
        state.extend(spans_of(numbers));
    }

    fn encode(&self, state: &mut SpanSet, numbers: &mut Vec<i64>) {
        append_spans(numbers, state.settle());
    }

    fn finish(&self, states: PerGroup<SpanSet>) -> Result<ArrayRef> {
        let mut lists = ListsBuilder::with_capacity(states.len());
        for mut state in states {
            lists.push_with(|numbers| append_spans(numbers, state.settle()));
        }
        Ok(lists.finish())
    }

    fn heap_bytes(state: &SpanSet) -> usize {
        state.heap_bytes()
    }
}
