//! `span_union`: the union of the spans of a group.

use arrow::array::{ArrayRef, AsArray, PrimitiveArray};
use arrow::datatypes::{DataType, Int64Type};
use datafusion::common::exec_datafusion_err;
use datafusion::error::Result;
use showreport_model::{Span, SpanSet};

use super::aggregate::Summary;
use super::lists::{Lists, ListsBuilder, numbers_type};

/// Of spans given by their ends; those that a filter left empty add nothing.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub(crate) struct UnionOfEnds;

/// Of sets of spans.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub(crate) struct UnionOfSets;

impl Summary for UnionOfEnds {
    const NAME: &'static str = "span_union_of_ends";
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
        if let Some(span) = Span::new(from.value(row), to.value(row)) {
            state.insert(span);
        }
    }

    fn merge(&self, state: &mut SpanSet, numbers: &[i64]) {
        merge(state, numbers);
    }

    fn encode(&self, state: &mut SpanSet) -> Vec<i64> {
        encode(state)
    }

    fn finish(&self, states: Vec<SpanSet>) -> Result<ArrayRef> {
        Ok(finish(states))
    }

    fn heap_bytes(state: &SpanSet) -> usize {
        state.heap_bytes()
    }
}

impl Summary for UnionOfSets {
    const NAME: &'static str = "span_union_of_sets";
    const ARGUMENTS: usize = 1;
    type State = SpanSet;
    type Input<'a> = Lists<'a>;

    fn return_type(&self) -> DataType {
        numbers_type()
    }

    fn input<'a>(&self, arguments: &'a [ArrayRef]) -> Result<Lists<'a>> {
        Lists::new(&arguments[0])
    }

    fn update(&self, state: &mut SpanSet, sets: &Lists<'_>, row: usize) {
        state.extend(sets.spans(row));
    }

    fn merge(&self, state: &mut SpanSet, numbers: &[i64]) {
        merge(state, numbers);
    }

    fn encode(&self, state: &mut SpanSet) -> Vec<i64> {
        encode(state)
    }

    fn finish(&self, states: Vec<SpanSet>) -> Result<ArrayRef> {
        Ok(finish(states))
    }

    fn heap_bytes(state: &SpanSet) -> usize {
        state.heap_bytes()
    }
}

fn merge(state: &mut SpanSet, numbers: &[i64]) {
    state.extend(
        numbers
            .chunks_exact(2)
            .filter_map(|pair| Span::new(pair[0], pair[1])),
    );
}

fn encode(state: &mut SpanSet) -> Vec<i64> {
    let spans = state.settle();
    spans
        .iter()
        .flat_map(|span| [span.from(), span.to()])
        .collect()
}

fn finish(states: Vec<SpanSet>) -> ArrayRef {
    let mut lists = ListsBuilder::new();
    for mut state in states {
        lists.push_spans(state.settle());
    }
    lists.finish()
}
