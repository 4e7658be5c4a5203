//! Several sets of spans as one list of integers: before each set stands the count of its numbers.
//!
//! So the views of a viewer are one value, from which both figures of single views and figures of
//! their union can be computed.

use std::sync::Arc;

use arrow::array::{ArrayRef, Int64Array};
use arrow::datatypes::DataType;
use datafusion::error::Result;
use datafusion::functions::utils::make_scalar_function;
use datafusion::logical_expr::{ScalarUDF, Volatility, create_udf};
use showreport_model::{Span, SpanSet, Window};
use smallvec::SmallVec;

use super::aggregate::Summary;
use super::lists::{Lists, ListsBuilder, append_spans, numbers_type, spans_of};
use super::per_group::PerGroup;

/// The sets of a list.
pub(crate) fn sets_of(mut numbers: &[i64]) -> impl Iterator<Item = &[i64]> {
    std::iter::from_fn(move || {
        let (&length, rest) = numbers.split_first()?;
        let length = usize::try_from(length).expect("a length");
        let (set, rest) = rest.split_at(length);
        numbers = rest;
        Some(set)
    })
}

/// The union of the sets.
pub(crate) fn union_of(numbers: &[i64]) -> SpanSet {
    sets_of(numbers).flat_map(spans_of).collect()
}

/// `span_sets(spans)`: the sets of a group as one list.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub(crate) struct CollectSets;

impl Summary for CollectSets {
    const NAME: &'static str = "span_sets";
    const ARGUMENTS: usize = 1;
    /// One set with one span fits without heap memory.
    type State = SmallVec<[i64; 3]>;
    type Input<'a> = Lists<'a>;

    fn return_type(&self) -> DataType {
        numbers_type()
    }

    fn input<'a>(&self, arguments: &'a [ArrayRef]) -> Result<Lists<'a>> {
        Lists::new(&arguments[0])
    }

    fn update(&self, state: &mut Self::State, lists: &Lists<'_>, row: usize) {
        let set = lists.numbers(row);
        state.push(length(set.len()));
        state.extend_from_slice(set);
    }

    fn merge(&self, state: &mut Self::State, numbers: &[i64]) {
        state.extend_from_slice(numbers);
    }

    fn encode(&self, state: &mut Self::State, numbers: &mut Vec<i64>) {
        numbers.extend_from_slice(state);
    }

    fn finish(&self, states: PerGroup<Self::State>) -> Result<ArrayRef> {
        let mut lists = ListsBuilder::with_capacity(states.len());
        for state in states {
            lists.push_with(|numbers| numbers.extend_from_slice(&state));
        }
        Ok(lists.finish())
    }

    fn heap_bytes(state: &Self::State) -> usize {
        if state.spilled() {
            state.capacity() * size_of::<i64>()
        } else {
            0
        }
    }
}

/// `join_sets(sets)`: the sets of several lists as one list.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub(crate) struct JoinSets;

impl Summary for JoinSets {
    const NAME: &'static str = "join_sets";
    const ARGUMENTS: usize = 1;
    type State = SmallVec<[i64; 3]>;
    type Input<'a> = Lists<'a>;

    fn return_type(&self) -> DataType {
        numbers_type()
    }

    fn input<'a>(&self, arguments: &'a [ArrayRef]) -> Result<Lists<'a>> {
        Lists::new(&arguments[0])
    }

    fn update(&self, state: &mut Self::State, lists: &Lists<'_>, row: usize) {
        state.extend_from_slice(lists.numbers(row));
    }

    fn merge(&self, state: &mut Self::State, numbers: &[i64]) {
        CollectSets.merge(state, numbers);
    }

    fn encode(&self, state: &mut Self::State, numbers: &mut Vec<i64>) {
        CollectSets.encode(state, numbers);
    }

    fn finish(&self, states: PerGroup<Self::State>) -> Result<ArrayRef> {
        CollectSets.finish(states)
    }

    fn heap_bytes(state: &Self::State) -> usize {
        CollectSets::heap_bytes(state)
    }
}

/// `sets_count(sets)`: the number of sets.
pub(crate) fn sets_count() -> ScalarUDF {
    number_of("sets_count", |numbers| length(sets_of(numbers).count()))
}

/// `sets_millis(sets)`: the lengths of the sets, summed.
pub(crate) fn sets_millis() -> ScalarUDF {
    number_of("sets_millis", |numbers| {
        sets_of(numbers).flat_map(spans_of).map(Span::millis).sum()
    })
}

/// `union_millis(sets)`: the length of their union.
pub(crate) fn union_millis() -> ScalarUDF {
    number_of("union_millis", |numbers| union_of(numbers).measure())
}

/// `union_millis_within(sets)`: the length of the part of their union inside the window.
pub(crate) fn union_millis_within(window: Window) -> ScalarUDF {
    number_of("union_millis_within", move |numbers| {
        let mut union = union_of(numbers);
        let inside = union.settle().iter().filter_map(|span| window.clip(*span));
        inside.map(Span::millis).sum()
    })
}

/// `sets_union(sets)`: their union, as one set.
pub(crate) fn sets_union() -> ScalarUDF {
    let union = |arguments: &[ArrayRef]| -> Result<ArrayRef> {
        let sets = Lists::new(&arguments[0])?;
        let mut unions = ListsBuilder::with_capacity(sets.len());
        for row in 0..sets.len() {
            unions.push_with(|numbers| append_spans(numbers, union_of(sets.numbers(row)).settle()));
        }
        Ok(unions.finish())
    };
    create_udf(
        "sets_union",
        vec![numbers_type()],
        numbers_type(),
        Volatility::Immutable,
        Arc::new(make_scalar_function(union, vec![])),
    )
}

fn number_of(name: &str, number: impl Fn(&[i64]) -> i64 + Send + Sync + 'static) -> ScalarUDF {
    let of_lists = move |arguments: &[ArrayRef]| -> Result<ArrayRef> {
        let sets = Lists::new(&arguments[0])?;
        let numbers = (0..sets.len()).map(|row| number(sets.numbers(row)));
        Ok(Arc::new(numbers.collect::<Int64Array>()))
    };
    create_udf(
        name,
        vec![numbers_type()],
        DataType::Int64,
        Volatility::Immutable,
        Arc::new(make_scalar_function(of_lists, vec![])),
    )
}

fn length(numbers: usize) -> i64 {
    i64::try_from(numbers).expect("what is in memory can be counted")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn sets_are_read_back_one_by_one_and_united() {
        let span = |from, to| Span::new(from, to).expect("not empty");
        let numbers = [4, 0, 10, 20, 30, 2, 5, 25];
        let sets: Vec<Vec<Span>> = sets_of(&numbers)
            .map(|set| spans_of(set).collect())
            .collect();
        assert_eq!(sets, [vec![span(0, 10), span(20, 30)], vec![span(5, 25)]]);
        assert_eq!(union_of(&numbers).settle(), [span(0, 30)]);
    }
}
