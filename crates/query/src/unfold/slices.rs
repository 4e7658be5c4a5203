//! [`Slices`]: the same rows in batches that do not become too much when each row becomes several.

use std::sync::Arc;

use arrow::array::RecordBatch;
use datafusion::error::Result;

use super::{Unfold, Unfolder};

/// How much each row of a batch becomes.
type Weigh = fn(&RecordBatch) -> Result<Vec<usize>>;

/// Slices of what is pushed, each of rows that weigh so much together, or of one row.
pub(crate) fn slices(weigh: Weigh, weight_max: usize) -> Unfolder {
    Arc::new(move || {
        Box::new(Slices {
            weigh,
            weight_max,
            batch: None,
        })
    })
}

struct Slices {
    weigh: Weigh,
    weight_max: usize,
    /// What is being sliced, the weights of its rows, and the first row that is not yet given out.
    batch: Option<(RecordBatch, Vec<usize>, usize)>,
}

impl Unfold for Slices {
    fn push(&mut self, batch: RecordBatch) -> Result<()> {
        let weights = (self.weigh)(&batch)?;
        self.batch = Some((batch, weights, 0));
        Ok(())
    }

    fn next(&mut self) -> Result<Option<RecordBatch>> {
        let Some((batch, weights, from)) = &mut self.batch else {
            return Ok(None);
        };
        let mut weight = 0;
        let fitting = weights[*from..].iter().take_while(|of_row| {
            let fits = weight == 0 || weight + **of_row <= self.weight_max;
            weight += **of_row;
            fits
        });
        let length = fitting.count();
        if length == 0 {
            self.batch = None;
            return Ok(None);
        }
        let slice = batch.slice(*from, length);
        *from += length;
        Ok(Some(slice))
    }

    fn end(&mut self) -> Result<()> {
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use arrow::array::{ArrayRef, AsArray, Int64Array};
    use arrow::datatypes::Int64Type;

    use super::*;

    #[test]
    fn slices_weigh_no_more_than_they_may_and_hold_all_rows() {
        let weights = [1, 2, 3, 100, 1, 5, 0, 0];
        let column: ArrayRef = Arc::new(Int64Array::from(weights.to_vec()));
        let batch = RecordBatch::try_from_iter([("weight", column)]).expect("a batch");
        let weigh: Weigh = |batch| {
            let weights = batch.column(0).as_primitive::<Int64Type>();
            let weights = weights.values().iter();
            Ok(weights
                .map(|weight| usize::try_from(*weight).expect("a weight"))
                .collect())
        };
        let mut slices = slices(weigh, 6)();
        slices.push(batch).expect("pushed");
        slices.end().expect("ended");
        let mut given = Vec::new();
        while let Some(slice) = slices.next().expect("sliced") {
            given.push(
                slice
                    .column(0)
                    .as_primitive::<Int64Type>()
                    .values()
                    .to_vec(),
            );
        }
        let wanted = [&[1, 2, 3][..], &[100], &[1, 5, 0, 0]];
        assert_eq!(given, wanted);
    }
}
