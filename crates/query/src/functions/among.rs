//! `among(text)`: whether a text is one of many.
//!
//! The engine's own `IN` has an expression for each text, and each step of planning copies, hashes
//! and compares all of them. With the events of a busy day that takes seconds. Here the plan holds
//! the set once, by reference.

use std::collections::HashSet;
use std::sync::Arc;

use arrow::array::{ArrayRef, AsArray, BooleanArray};
use arrow::compute::cast;
use arrow::datatypes::DataType;
use datafusion::error::Result;
use datafusion::functions::utils::make_scalar_function;
use datafusion::logical_expr::{ScalarUDF, Signature, SimpleScalarUDF, Volatility};

/// Whether a text is one of these; null where it is null.
pub(crate) fn among(texts: HashSet<String>) -> ScalarUDF {
    let among = move |arguments: &[ArrayRef]| -> Result<ArrayRef> {
        let asked = cast(&arguments[0], &DataType::Utf8)?;
        let asked = asked.as_string::<i32>().iter();
        let found = asked.map(|text| text.map(|text| texts.contains(text)));
        Ok(Arc::new(found.collect::<BooleanArray>()))
    };
    ScalarUDF::from(SimpleScalarUDF::new_with_signature(
        "among",
        Signature::any(1, Volatility::Immutable),
        DataType::Boolean,
        Arc::new(make_scalar_function(among, vec![])),
    ))
}
