//! `lookup(id)`: a text for an id from a map, for values that are not in the lake.

use std::collections::HashMap;
use std::sync::Arc;

use arrow::array::{ArrayRef, AsArray, StringArray};
use arrow::compute::cast;
use arrow::datatypes::DataType;
use datafusion::error::Result;
use datafusion::functions::utils::make_scalar_function;
use datafusion::logical_expr::{ScalarUDF, Signature, SimpleScalarUDF, Volatility};

/// The text of an id; null for an id that is not in the map.
pub(crate) fn lookup(name: &str, texts: HashMap<String, String>) -> ScalarUDF {
    let lookup = move |arguments: &[ArrayRef]| -> Result<ArrayRef> {
        let ids = cast(&arguments[0], &DataType::Utf8)?;
        let ids = ids.as_string::<i32>().iter();
        let found = ids.map(|id| id.and_then(|id| texts.get(id)));
        Ok(Arc::new(found.collect::<StringArray>()))
    };
    ScalarUDF::from(SimpleScalarUDF::new_with_signature(
        name,
        Signature::any(1, Volatility::Immutable),
        DataType::Utf8,
        Arc::new(make_scalar_function(lookup, vec![])),
    ))
}
