//! The instants at which viewers join and leave, as integers that sort as they do.

use std::sync::Arc;

use arrow::array::ArrayRef;
use datafusion::error::Result;
use datafusion::functions::utils::make_scalar_function;
use datafusion::logical_expr::{ScalarUDF, Volatility, create_udf};
use showreport_model::audience::Edge;

use super::lists::{Lists, ListsBuilder, numbers_type};
use super::sets::union_of;

/// `edges_of_sets(sets)`: the edges of the union of the sets, as a list.
pub(crate) fn edges_of_sets() -> ScalarUDF {
    let edges = |arguments: &[ArrayRef]| -> Result<ArrayRef> {
        let sets = Lists::new(&arguments[0])?;
        let mut edges = ListsBuilder::with_capacity(sets.len());
        for row in 0..sets.len() {
            let mut union = union_of(sets.numbers(row));
            edges.push_with(|numbers| {
                for span in union.settle() {
                    numbers.extend([number_of(span.from(), true), number_of(span.to(), false)]);
                }
            });
        }
        Ok(edges.finish())
    };
    create_udf(
        "edges_of_sets",
        vec![numbers_type()],
        numbers_type(),
        Volatility::Immutable,
        Arc::new(make_scalar_function(edges, vec![])),
    )
}

/// Leaving is even, joining odd.
fn number_of(at: i64, joins: bool) -> i64 {
    at * 2 + i64::from(joins)
}

/// The edges of a column of numbers.
pub(crate) fn edges_of(numbers: &[i64]) -> impl Iterator<Item = Edge> + '_ {
    numbers.iter().map(|number| Edge {
        at: number.div_euclid(2),
        joins: number.rem_euclid(2) == 1,
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn numbers_sort_as_edges_do() {
        let edge = |at, joins| Edge { at, joins };
        let edges = [
            edge(-1, true),
            edge(0, false),
            edge(0, true),
            edge(1, false),
        ];
        let numbers = edges.map(|edge| number_of(edge.at, edge.joins));
        assert!(edges.is_sorted() && numbers.is_sorted(), "{numbers:?}");
        assert!(edges_of(&numbers).eq(edges));
    }
}
