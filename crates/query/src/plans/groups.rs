//! Gathering rows by what was asked.

use arrow::datatypes::DataType;
use datafusion::logical_expr::{Expr, cast};
use datafusion::prelude::col;
use showreport_model::buckets::Buckets;
use showreport_model::report::{GroupBy, ReportOrder};
use showreport_model::{Window, Zone};

use super::answer::Column;
use crate::functions::spans::bucket;

/// How an order divides time.
#[derive(Debug, Clone)]
pub(crate) struct Clockwork {
    pub(crate) buckets: Buckets,
}

impl Clockwork {
    pub(crate) fn new(order: &ReportOrder, zone: &Zone) -> Self {
        Self {
            buckets: Buckets::new(order.granularity, zone),
        }
    }

    /// The bucket of an instant, as the column `watch_timestamp`.
    pub(crate) fn bucket_of(&self, time: &str) -> Expr {
        bucket(self.buckets.clone())
            .call(vec![cast(col(time), DataType::Int64)])
            .alias(GroupBy::WatchTimestamp.name())
    }
}

/// The group's columns, in the order asked.
pub(crate) fn columns(group_by: &[GroupBy]) -> Vec<Column> {
    let column = |field: &GroupBy| match field {
        GroupBy::WatchTimestamp => Column::time(field.name()),
        _ => Column::text(field.name()),
    };
    group_by.iter().map(column).collect()
}

/// The group's columns as expressions, in the order asked.
pub(crate) fn keys(group_by: &[GroupBy]) -> Vec<Expr> {
    group_by.iter().map(|field| col(field.name())).collect()
}

/// The condition that an instant lies in the window, if the window bounds anything.
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
