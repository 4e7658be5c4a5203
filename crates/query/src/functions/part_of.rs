//! `has_part(text)`: whether a text holds what is searched for.

use std::sync::Arc;

use arrow::array::{ArrayRef, AsArray, BooleanArray};
use arrow::datatypes::DataType;
use datafusion::error::Result;
use datafusion::functions::utils::make_scalar_function;
use datafusion::logical_expr::{ScalarUDF, Volatility, create_udf};
use showreport_model::search::SearchText;

/// Whether the text is a part; false where there is no text.
pub(crate) fn has_part(search: SearchText) -> ScalarUDF {
    let has_part = move |arguments: &[ArrayRef]| -> Result<ArrayRef> {
        let texts = arguments[0].as_string::<i32>().iter();
        let found = texts.map(|text| Some(text.is_some_and(|text| search.is_part_of(text))));
        Ok(Arc::new(found.collect::<BooleanArray>()))
    };
    create_udf(
        "has_part",
        vec![DataType::Utf8],
        DataType::Boolean,
        Volatility::Immutable,
        Arc::new(make_scalar_function(has_part, vec![])),
    )
}
