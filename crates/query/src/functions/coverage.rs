//! How much of the content a view has played.

use std::sync::Arc;

use arrow::array::{ArrayRef, Int64Array};
use arrow::datatypes::DataType;
use datafusion::error::Result;
use datafusion::functions::utils::make_scalar_function;
use datafusion::logical_expr::{ScalarUDF, Volatility, create_udf};
use showreport_model::Span;
use showreport_model::coverage::GAP_MS_MAX;
use showreport_model::span::close_gaps;

use super::lists::{Lists, numbers_type};

/// `covered_millis(coverage)`: the milliseconds of content of this length that are covered, with
/// small gaps closed.
pub(crate) fn covered_millis(length: i64) -> ScalarUDF {
    let covered_millis = move |arguments: &[ArrayRef]| -> Result<ArrayRef> {
        let coverage = Lists::new(&arguments[0])?;
        let millis = (0..coverage.len()).map(|row| {
            let spans: Vec<Span> = coverage.spans(row).collect();
            let closed = close_gaps(&spans, GAP_MS_MAX).into_iter();
            let inside = closed.filter_map(|span| Span::new(span.from(), span.to().min(length)));
            inside.map(Span::millis).sum::<i64>()
        });
        Ok(Arc::new(millis.collect::<Int64Array>()))
    };
    create_udf(
        "covered_millis",
        vec![numbers_type()],
        DataType::Int64,
        Volatility::Immutable,
        Arc::new(make_scalar_function(covered_millis, vec![])),
    )
}
