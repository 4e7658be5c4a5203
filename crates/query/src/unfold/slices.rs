//! [`Slices`]: cuts batches into smaller ones, by a weight of each row.

use std::sync::Arc;

use arrow::array::RecordBatch;
use datafusion::error::Result;

use super::{Unfold, Unfolder};

/// The weight of each row of a batch.
type Weigh = fn(&RecordBatch) -> Result<Vec<usize>>;

/// The weights of a slice add up to `weight_max` at most, or the slice is one row.
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
    /// The batch, the weights of its rows, and the first row that was not returned.
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
    fn slices_keep_the_bound_and_hold_all_rows() {
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
