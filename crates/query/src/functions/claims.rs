//! `claims`: the spans that the beats of a view claim.
//!
//! Beats arrive as lists that [`Beats`] packs. All of them are kept until the group is complete,
//! because a late beat may take time away.

use std::sync::Arc;

use arrow::array::ArrayRef;
use arrow::datatypes::DataType;
use datafusion::error::Result;
use datafusion::functions::utils::make_scalar_function;
use datafusion::logical_expr::{ScalarUDF, Volatility, create_udf};
use showreport_model::beats::Beats;
use showreport_model::{SpanSet, Window};

use super::aggregate::Summary;
use super::lists::{Lists, ListsBuilder, append_spans, numbers_type};
use super::per_group::PerGroup;

/// Takes lists of packed beats. Null is an empty list.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub(crate) struct ClaimsOfBeats;

impl Summary for ClaimsOfBeats {
    const NAME: &'static str = "claims";
    const ARGUMENTS: usize = 1;
    type State = Beats;
    type Input<'a> = Lists<'a>;

    fn return_type(&self) -> DataType {
        numbers_type()
    }

    fn input<'a>(&self, arguments: &'a [ArrayRef]) -> Result<Lists<'a>> {
        Lists::new(&arguments[0])
    }

    fn update(&self, state: &mut Beats, beats: &Lists<'_>, row: usize) {
        state.extend(beats.numbers(row));
    }

    fn merge(&self, state: &mut Beats, numbers: &[i64]) {
        state.extend(numbers);
    }

    fn encode(&self, state: &mut Beats, numbers: &mut Vec<i64>) {
        state.append_numbers(numbers);
    }

    fn finish(&self, states: PerGroup<Beats>) -> Result<ArrayRef> {
        let mut lists = ListsBuilder::with_capacity(states.len());
        for mut state in states {
            lists.push_with(|numbers| append_spans(numbers, state.claims().settle()));
        }
        Ok(lists.finish())
    }

    fn heap_bytes(state: &Beats) -> usize {
        state.heap_bytes()
    }
}

/// `with_claims(spans, claims)`: the union of both, where the claims are cut by the window. The
/// spans are cut already: a claim depends on beats outside of the window, a span does not.
pub(crate) fn with_claims(window: Window) -> ScalarUDF {
    let united = move |arguments: &[ArrayRef]| -> Result<ArrayRef> {
        let (spans, claims) = (Lists::new(&arguments[0])?, Lists::new(&arguments[1])?);
        let mut lists = ListsBuilder::with_capacity(spans.len());
        for row in 0..spans.len() {
            let inside = claims.spans(row).filter_map(|claim| window.clip(claim));
            let mut united: SpanSet = spans.spans(row).chain(inside).collect();
            lists.push_with(|numbers| append_spans(numbers, united.settle()));
        }
        Ok(lists.finish())
    };
    create_udf(
        "with_claims",
        vec![numbers_type(), numbers_type()],
        numbers_type(),
        Volatility::Immutable,
        Arc::new(make_scalar_function(united, vec![])),
    )
}

#[cfg(test)]
mod tests {
    use arrow::array::{Array, Int64Array, ListArray};
    use arrow::buffer::OffsetBuffer;
    use datafusion::logical_expr::EmitTo;
    use showreport_model::claims::Beat;

    use super::*;

    fn packed(beats: &[(i64, i64)]) -> Vec<i64> {
        let mut packed = Beats::default();
        for &(seq, at) in beats {
            packed.insert(Beat {
                seq: Some(seq),
                at,
                playing: true,
            });
        }
        let mut numbers = Vec::new();
        packed.append_numbers(&mut numbers);
        numbers
    }

    fn lists(rows: &[Vec<i64>]) -> ArrayRef {
        let mut lists = ListsBuilder::with_capacity(rows.len());
        for row in rows {
            lists.push_with(|numbers| numbers.extend(row));
        }
        lists.finish()
    }

    #[test]
    fn states_that_were_encoded_and_merged_claim_the_same() {
        let rows = [
            packed(&[(0, 0), (2, 20_000)]),
            packed(&[(1, 10_000)]),
            Vec::new(),
            packed(&[(2, 20_000), (3, 30_000)]),
        ];
        let summary = ClaimsOfBeats;
        let arguments = [lists(&rows)];
        let input = summary.input(&arguments).expect("lists");
        let (mut whole, mut merged) = (Beats::default(), Beats::default());
        for row in 0..rows.len() {
            summary.update(&mut whole, &input, row);
            let (mut part, mut numbers) = (Beats::default(), Vec::new());
            summary.update(&mut part, &input, row);
            summary.encode(&mut part, &mut numbers);
            summary.merge(&mut merged, &numbers);
        }
        let finished = |state: Beats| {
            let mut states: PerGroup<Beats> = [state].into_iter().collect();
            summary.finish(states.take(EmitTo::All)).expect("finished")
        };
        assert_eq!(&finished(whole), &lists(&[vec![0, 30_000]]));
        assert_eq!(&finished(merged), &lists(&[vec![0, 30_000]]));
    }

    #[test]
    fn claims_are_cut_by_the_window_and_joined_to_the_spans() {
        let at = |text: &str| text.parse::<showreport_model::Timestamp>().expect("a time");
        let (start, end) = (at("2026-11-22T10:00:00Z"), at("2026-11-22T11:00:00Z"));
        let window = Window {
            start: Some(start),
            end: Some(end),
        };
        let (start, end) = (start.as_millis(), end.as_millis());
        let spans = lists(&[vec![start, start + 5], vec![], vec![]]);
        let claims = lists(&[
            vec![start - 9, start + 2, start + 5, start + 9, end - 1, end + 7],
            vec![start - 9, start],
            vec![],
        ]);
        let united = with_claims(window);
        let values = [spans, claims].map(datafusion::logical_expr::ColumnarValue::Array);
        let value = united.invoke_with_args(datafusion::logical_expr::ScalarFunctionArgs {
            args: values.to_vec(),
            arg_fields: Vec::new(),
            number_rows: 3,
            return_field: Arc::new(arrow::datatypes::Field::new("it", numbers_type(), true)),
            config_options: Arc::default(),
        });
        let array = value.and_then(|value| value.into_array(3)).expect("united");
        assert_eq!(
            &array,
            &lists(&[vec![start, start + 9, end - 1, end], vec![], vec![]])
        );
    }

    #[test]
    fn an_absent_list_of_beats_claims_nothing() {
        let item = Arc::new(arrow::datatypes::Field::new("item", DataType::Int64, true));
        let values = Arc::new(Int64Array::from(Vec::<i64>::new()));
        let offsets = OffsetBuffer::from_lengths([0]);
        let nulls = Some(vec![false].into());
        let null: ArrayRef = Arc::new(ListArray::new(item, offsets, values, nulls));
        assert!(null.is_null(0));
        let arguments = [null];
        let input = ClaimsOfBeats.input(&arguments).expect("lists");
        let mut state = Beats::default();
        ClaimsOfBeats.update(&mut state, &input, 0);
        assert!(state.is_empty());
    }
}
