//! `least_text`: the least text of a group.
//!
//! The engine's `min` allocates a string for each group, and most groups are views of one span.
//! Here the texts of all groups lie in one buffer.

use std::sync::Arc;

use arrow::array::{Array, ArrayRef, AsArray, BooleanArray, StringBuilder};
use arrow::compute::nullif;
use arrow::datatypes::{DataType, Field, FieldRef};
use datafusion::common::not_impl_err;
use datafusion::error::Result;
use datafusion::logical_expr::function::{AccumulatorArgs, StateFieldsArgs};
use datafusion::logical_expr::utils::format_state_name;
use datafusion::logical_expr::{
    Accumulator, AggregateUDF, AggregateUDFImpl, EmitTo, Expr, GroupsAccumulator, Signature,
    Volatility,
};

use super::aggregate::passes;
use super::per_group::PerGroup;

/// The least text of a group by bytes; null for a group without texts.
pub(crate) fn least_text(column: Expr) -> Expr {
    let function = LeastText {
        signature: Signature::exact(vec![DataType::Utf8], Volatility::Immutable),
    };
    AggregateUDF::from(function).call(vec![column])
}

#[derive(Debug, PartialEq, Eq, Hash)]
struct LeastText {
    signature: Signature,
}

impl AggregateUDFImpl for LeastText {
    fn name(&self) -> &'static str {
        "least_text"
    }

    fn signature(&self) -> &Signature {
        &self.signature
    }

    fn return_type(&self, _arguments: &[DataType]) -> Result<DataType> {
        Ok(DataType::Utf8)
    }

    fn state_fields(&self, args: StateFieldsArgs) -> Result<Vec<FieldRef>> {
        let name = format_state_name(args.name, "state");
        Ok(vec![Arc::new(Field::new(name, DataType::Utf8, true))])
    }

    fn accumulator(&self, _args: AccumulatorArgs) -> Result<Box<dyn Accumulator>> {
        not_impl_err!("least_text needs GROUP BY")
    }

    fn groups_accumulator_supported(&self, _args: AccumulatorArgs) -> bool {
        true
    }

    fn create_groups_accumulator(
        &self,
        _args: AccumulatorArgs,
    ) -> Result<Box<dyn GroupsAccumulator>> {
        Ok(Box::new(Texts::default()))
    }
}

/// The bytes of a group's text in the buffer.
#[derive(Debug, Clone, Copy)]
struct TextRange {
    start: usize,
    end: usize,
}

/// The least texts of all groups. A text that was replaced by a lesser one stays in the buffer
/// until all groups are emitted, since few texts are replaced.
#[derive(Debug, Default)]
struct Texts {
    buffer: String,
    ranges: PerGroup<Option<TextRange>>,
}

impl Texts {
    fn keep(&mut self, group: usize, text: &str) {
        let kept = self.ranges[group];
        if kept.is_some_and(|TextRange { start, end }| &self.buffer[start..end] <= text) {
            return;
        }
        let start = self.buffer.len();
        self.buffer.push_str(text);
        self.ranges[group] = Some(TextRange {
            start,
            end: self.buffer.len(),
        });
    }
}

impl GroupsAccumulator for Texts {
    fn update_batch(
        &mut self,
        values: &[ArrayRef],
        group_indices: &[usize],
        opt_filter: Option<&BooleanArray>,
        total_num_groups: usize,
    ) -> Result<()> {
        self.ranges.grow(total_num_groups);
        let texts = values[0].as_string::<i32>();
        for (row, &group) in group_indices.iter().enumerate() {
            if passes(opt_filter, row) && texts.is_valid(row) {
                self.keep(group, texts.value(row));
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
        self.update_batch(values, group_indices, None, total_num_groups)
    }

    fn evaluate(&mut self, emit_to: EmitTo) -> Result<ArrayRef> {
        let ranges = self.ranges.take(emit_to);
        let bytes = ranges.iter().flatten().map(|range| range.end - range.start);
        let mut least = StringBuilder::with_capacity(ranges.len(), bytes.sum());
        for range in ranges {
            least.append_option(range.map(|TextRange { start, end }| &self.buffer[start..end]));
        }
        if self.ranges.len() == 0 {
            self.buffer = String::new();
        }
        Ok(Arc::new(least.finish()))
    }

    fn state(&mut self, emit_to: EmitTo) -> Result<Vec<ArrayRef>> {
        Ok(vec![self.evaluate(emit_to)?])
    }

    fn convert_to_state(
        &self,
        values: &[ArrayRef],
        opt_filter: Option<&BooleanArray>,
    ) -> Result<Vec<ArrayRef>> {
        let Some(filter) = opt_filter else {
            return Ok(vec![Arc::clone(&values[0])]);
        };
        let left_out: BooleanArray = filter
            .iter()
            .map(|passes| Some(passes != Some(true)))
            .collect();
        Ok(vec![nullif(&values[0], &left_out)?])
    }

    fn size(&self) -> usize {
        self.buffer.capacity() + self.ranges.bytes()
    }
}

#[cfg(test)]
mod tests {
    use arrow::array::StringArray;

    use super::*;

    fn texts(values: &[Option<&str>]) -> ArrayRef {
        Arc::new(StringArray::from(values.to_vec()))
    }

    #[test]
    fn the_least_text_by_bytes_is_kept_and_null_is_no_text() {
        let mut groups = Texts::default();
        let values = [texts(&[Some("b"), None, Some("Z"), Some("é"), Some("z")])];
        groups
            .update_batch(&values, &[0, 1, 0, 2, 2], None, 3)
            .expect("updated");
        let first = groups.evaluate(EmitTo::First(1)).expect("the first");
        assert_eq!(&first, &texts(&[Some("Z")]));
        groups
            .merge_batch(&[texts(&[Some("")])], &[0], 2)
            .expect("merged");
        let rest = groups.evaluate(EmitTo::All).expect("the rest");
        assert_eq!(&rest, &texts(&[Some(""), Some("z")]));
        assert_eq!(groups.buffer.capacity(), 0);
    }

    #[test]
    fn filtered_rows_have_no_state() {
        let filter = BooleanArray::from(vec![Some(true), Some(false), None]);
        let values = [texts(&[Some("a"), Some("b"), Some("c")])];
        let state = Texts::default().convert_to_state(&values, Some(&filter));
        assert_eq!(
            &state.expect("converted")[0],
            &texts(&[Some("a"), None, None])
        );
    }
}
