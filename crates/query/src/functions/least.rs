//! `least_text`: the least text of a group.
//!
//! The engine's own `min` keeps a text of its own for every group, and most
//! groups are views of one span. Here the texts of all groups lie together.

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

use super::aggregate::taken;
use super::slots::Slots;

/// The least text of a group by its bytes; null where it has none.
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
        not_impl_err!("least_text is only used with GROUP BY")
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

/// Where the text of a group lies.
#[derive(Debug, Clone, Copy)]
struct Place {
    start: usize,
    end: usize,
}

/// The least texts of all groups. A text that a lesser one replaces stays where it
/// is until everything is given out: it happens to few groups, and few times.
#[derive(Debug, Default)]
struct Texts {
    texts: String,
    places: Slots<Option<Place>>,
}

impl Texts {
    fn keep(&mut self, group: usize, text: &str) {
        let kept = self.places[group];
        if kept.is_some_and(|Place { start, end }| &self.texts[start..end] <= text) {
            return;
        }
        let start = self.texts.len();
        self.texts.push_str(text);
        self.places[group] = Some(Place {
            start,
            end: self.texts.len(),
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
        self.places.grow(total_num_groups);
        let texts = values[0].as_string::<i32>();
        for (row, &group) in group_indices.iter().enumerate() {
            if taken(opt_filter, row) && texts.is_valid(row) {
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
        let places = self.places.take(emit_to);
        let bytes = places.iter().flatten().map(|place| place.end - place.start);
        let mut least = StringBuilder::with_capacity(places.len(), bytes.sum());
        for place in places {
            least.append_option(place.map(|Place { start, end }| &self.texts[start..end]));
        }
        if self.places.len() == 0 {
            self.texts = String::new();
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
            .map(|taken| Some(taken != Some(true)))
            .collect();
        Ok(vec![nullif(&values[0], &left_out)?])
    }

    fn size(&self) -> usize {
        self.texts.capacity() + self.places.bytes()
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
    fn the_least_by_bytes_is_kept_and_nothing_is_no_text() {
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
        assert_eq!(groups.texts.capacity(), 0);
    }

    #[test]
    fn a_filter_leaves_rows_out() {
        let filter = BooleanArray::from(vec![Some(true), Some(false), None]);
        let values = [texts(&[Some("a"), Some("b"), Some("c")])];
        let state = Texts::default().convert_to_state(&values, Some(&filter));
        assert_eq!(
            &state.expect("converted")[0],
            &texts(&[Some("a"), None, None])
        );
    }
}
