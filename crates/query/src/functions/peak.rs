//! `peak`: the maximum of concurrent viewers over all instants, and the first such instant.

use arrow::array::ArrayRef;
use arrow::datatypes::DataType;
use datafusion::error::Result;
use showreport_model::Span;
use showreport_model::sweep::Audience;

use super::aggregate::Summary;
use super::lists::{Lists, ListsBuilder, numbers_type};
use super::per_group::PerGroup;

/// Takes a set of spans for each viewer. The result is the list of viewers and instant; empty
/// without spans.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub(crate) struct PeakViewers;

impl Summary for PeakViewers {
    const NAME: &'static str = "peak";
    const ARGUMENTS: usize = 1;
    type State = Audience;
    type Input<'a> = Lists<'a>;

    fn return_type(&self) -> DataType {
        numbers_type()
    }

    fn input<'a>(&self, arguments: &'a [ArrayRef]) -> Result<Lists<'a>> {
        Lists::new(&arguments[0])
    }

    fn update(&self, state: &mut Audience, sets: &Lists<'_>, row: usize) {
        state.add(&sets.spans(row).collect::<Vec<Span>>());
    }

    fn merge(&self, state: &mut Audience, numbers: &[i64]) {
        for edge in numbers.chunks_exact(2) {
            state.push(edge[0], edge[1]);
        }
    }

    fn encode(&self, state: &mut Audience, numbers: &mut Vec<i64>) {
        let edges = state.settle().iter();
        numbers.extend(edges.flat_map(|&(at, change)| [at, change]));
    }

    fn finish(&self, states: PerGroup<Audience>) -> Result<ArrayRef> {
        let mut lists = ListsBuilder::with_capacity(states.len());
        for mut state in states {
            let peak = state.peak().into_iter();
            lists.push_with(|numbers| {
                numbers.extend(peak.flat_map(|peak| [peak.viewers, peak.at]));
            });
        }
        Ok(lists.finish())
    }

    fn heap_bytes(state: &Audience) -> usize {
        state.heap_bytes()
    }
}
