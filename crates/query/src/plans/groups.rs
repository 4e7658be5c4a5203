//! Expressions for group columns and for the filter by time.

use arrow::datatypes::DataType;
use datafusion::logical_expr::{Expr, cast};
use datafusion::prelude::col;
use showreport_model::Window;
use showreport_model::buckets::Buckets;
use showreport_model::report::GroupBy;

use crate::functions::spans::bucket;
use crate::single_pass::high_cardinality;

/// The bucket that holds the instant of a column, as the column `watch_timestamp`.
pub(crate) fn bucket_of(buckets: &Buckets, time: &str) -> Expr {
    bucket(buckets.clone())
        .call(vec![cast(col(time), DataType::Int64)])
        .alias(GroupBy::WatchTimestamp.name())
}

/// The group columns as expressions, in the order asked.
pub(crate) fn keys(group_by: &[GroupBy]) -> Vec<Expr> {
    group_by.iter().map(|field| key(field.name())).collect()
}

/// A column as a group key. Groups by customer are many, with few rows each.
pub(crate) fn key(column: &str) -> Expr {
    if column == GroupBy::CustomerId.name() {
        high_cardinality(column)
    } else {
        col(column)
    }
}

/// The condition that the instant of a column is inside the window; `None` for an unbounded window.
pub(crate) fn inside(window: Window, time: &str) -> Option<Expr> {
    use datafusion::prelude::lit;
    let at = || cast(col(time), DataType::Int64);
    let start = window.start.map(|start| at().gt_eq(lit(start.as_millis())));
    let end = window.end.map(|end| at().lt(lit(end.as_millis())));
    match (start, end) {
        (Some(start), Some(end)) => Some(start.and(end)),
        (one, other) => one.or(other),
    }
}
