//! An aggregate function of the engine, made from a [`Summary`].
//!
//! The heap bytes of all states are counted, because the engine spills by that number.

use std::any::Any;
use std::fmt::Debug;
use std::hash::Hash;
use std::sync::Arc;

use arrow::array::{ArrayRef, BooleanArray};
use arrow::datatypes::{DataType, Field, FieldRef};
use datafusion::common::not_impl_err;
use datafusion::error::Result;
use datafusion::logical_expr::function::{AccumulatorArgs, StateFieldsArgs};
use datafusion::logical_expr::utils::format_state_name;
use datafusion::logical_expr::{
    Accumulator, AggregateUDF, AggregateUDFImpl, EmitTo, GroupsAccumulator, Signature, Volatility,
};

use super::lists::{Lists, ListsBuilder, numbers_type};
use super::per_group::PerGroup;

/// An aggregate: its state for one group, and how rows update it.
pub(crate) trait Summary: Debug + Clone + PartialEq + Eq + Hash + Send + Sync + Any {
    /// The function's name.
    const NAME: &'static str;
    /// The number of arguments.
    const ARGUMENTS: usize;
    /// The state of a group.
    type State: Debug + Default + Send + 'static;
    /// The arguments of a batch, downcast once.
    type Input<'a>;

    fn return_type(&self) -> DataType;
    fn input<'a>(&self, arguments: &'a [ArrayRef]) -> Result<Self::Input<'a>>;
    fn update(&self, state: &mut Self::State, input: &Self::Input<'_>, row: usize);
    fn merge(&self, state: &mut Self::State, numbers: &[i64]);
    /// Appends the state as numbers, for [`Summary::merge`].
    fn encode(&self, state: &mut Self::State, numbers: &mut Vec<i64>);
    fn finish(&self, states: PerGroup<Self::State>) -> Result<ArrayRef>;
    fn heap_bytes(state: &Self::State) -> usize;
}

/// The aggregate function for a summary.
pub(crate) fn aggregate<S: Summary>(summary: S) -> AggregateUDF {
    AggregateUDF::from(Function {
        summary,
        signature: Signature::any(S::ARGUMENTS, Volatility::Immutable),
    })
}

#[derive(Debug, PartialEq, Eq, Hash)]
struct Function<S> {
    summary: S,
    signature: Signature,
}

impl<S: Summary> AggregateUDFImpl for Function<S> {
    fn name(&self) -> &str {
        S::NAME
    }

    fn signature(&self) -> &Signature {
        &self.signature
    }

    fn return_type(&self, _arguments: &[DataType]) -> Result<DataType> {
        Ok(self.summary.return_type())
    }

    fn state_fields(&self, args: StateFieldsArgs) -> Result<Vec<FieldRef>> {
        let name = format_state_name(args.name, "state");
        Ok(vec![Arc::new(Field::new(name, numbers_type(), true))])
    }

    fn accumulator(&self, _args: AccumulatorArgs) -> Result<Box<dyn Accumulator>> {
        not_impl_err!("{} needs GROUP BY", S::NAME)
    }

    fn groups_accumulator_supported(&self, _args: AccumulatorArgs) -> bool {
        true
    }

    fn create_groups_accumulator(
        &self,
        _args: AccumulatorArgs,
    ) -> Result<Box<dyn GroupsAccumulator>> {
        Ok(Box::new(Groups {
            summary: self.summary.clone(),
            states: PerGroup::default(),
            heap_bytes: 0,
        }))
    }
}

struct Groups<S: Summary> {
    summary: S,
    states: PerGroup<S::State>,
    heap_bytes: usize,
}

impl<S: Summary> Groups<S> {
    fn change(&mut self, group: usize, change: impl FnOnce(&S, &mut S::State)) {
        let state = &mut self.states[group];
        let before = S::heap_bytes(state);
        change(&self.summary, state);
        self.heap_bytes = self.heap_bytes + S::heap_bytes(state) - before;
    }

    fn take(&mut self, emit_to: EmitTo) -> PerGroup<S::State> {
        let states = self.states.take(emit_to);
        self.heap_bytes -= states.iter().map(S::heap_bytes).sum::<usize>();
        states
    }
}

/// Whether the row passes `FILTER (WHERE …)`, if there is one.
pub(super) fn passes(filter: Option<&BooleanArray>, row: usize) -> bool {
    use arrow::array::Array;
    filter.is_none_or(|filter| filter.is_valid(row) && filter.value(row))
}

impl<S: Summary> GroupsAccumulator for Groups<S> {
    fn update_batch(
        &mut self,
        values: &[ArrayRef],
        group_indices: &[usize],
        opt_filter: Option<&BooleanArray>,
        total_num_groups: usize,
    ) -> Result<()> {
        self.states.grow(total_num_groups);
        let summary = self.summary.clone();
        let input = summary.input(values)?;
        for (row, &group) in group_indices.iter().enumerate() {
            if passes(opt_filter, row) {
                self.change(group, |summary, state| summary.update(state, &input, row));
            }
        }
        Ok(())
    }

    fn merge_batch(
        &mut self,
        values: &[ArrayRef],
        group_indices: &[usize],
        total_num_groups: usize,
    ) -> Result<()> {
        self.states.grow(total_num_groups);
        let lists = Lists::new(&values[0])?;
        for (row, &group) in group_indices.iter().enumerate() {
            self.change(group, |summary, state| {
                summary.merge(state, lists.numbers(row));
            });
        }
        Ok(())
    }

    fn evaluate(&mut self, emit_to: EmitTo) -> Result<ArrayRef> {
        let states = self.take(emit_to);
        self.summary.finish(states)
    }

    fn state(&mut self, emit_to: EmitTo) -> Result<Vec<ArrayRef>> {
        let states = self.take(emit_to);
        let mut lists = ListsBuilder::with_capacity(states.len());
        for mut state in states {
            lists.push_with(|numbers| self.summary.encode(&mut state, numbers));
        }
        Ok(vec![lists.finish()])
    }

    fn convert_to_state(
        &self,
        values: &[ArrayRef],
        opt_filter: Option<&BooleanArray>,
    ) -> Result<Vec<ArrayRef>> {
        let input = self.summary.input(values)?;
        let mut lists = ListsBuilder::with_capacity(values[0].len());
        for row in 0..values[0].len() {
            let mut state = S::State::default();
            if passes(opt_filter, row) {
                self.summary.update(&mut state, &input, row);
            }
            lists.push_with(|numbers| self.summary.encode(&mut state, numbers));
        }
        Ok(vec![lists.finish()])
    }

    fn size(&self) -> usize {
        self.heap_bytes + self.states.bytes()
    }
}
