//! `owned(column)`: the same values in buffers of their own.
//!
//! A grouping emits its rows as slices of one batch. Each slice keeps the whole batch in memory,
//! and a sort that holds slices counts the size of the batch for each of them.

use arrow::array::{Array, ArrayRef, MutableArrayData, make_array};
use arrow::datatypes::DataType;
use datafusion::error::Result;
use datafusion::logical_expr::{
    ColumnarValue, Expr, ScalarFunctionArgs, ScalarUDF, ScalarUDFImpl, Signature, Volatility,
};

/// The column, copied if it is a slice of larger buffers.
pub(crate) fn owned(column: Expr) -> Expr {
    let function = Owned {
        signature: Signature::any(1, Volatility::Immutable),
    };
    ScalarUDF::from(function).call(vec![column])
}

#[derive(Debug, PartialEq, Eq, Hash)]
struct Owned {
    signature: Signature,
}

impl ScalarUDFImpl for Owned {
    fn name(&self) -> &'static str {
        "owned"
    }

    fn signature(&self) -> &Signature {
        &self.signature
    }

    fn return_type(&self, arguments: &[DataType]) -> Result<DataType> {
        Ok(arguments[0].clone())
    }

    fn invoke_with_args(&self, args: ScalarFunctionArgs) -> Result<ColumnarValue> {
        match &args.args[0] {
            ColumnarValue::Array(array) => Ok(ColumnarValue::Array(copied(array)?)),
            scalar @ ColumnarValue::Scalar(_) => Ok(scalar.clone()),
        }
    }
}

fn copied(array: &ArrayRef) -> Result<ArrayRef> {
    let data = array.to_data();
    if array.get_buffer_memory_size() <= 2 * data.get_slice_memory_size()? {
        return Ok(array.clone());
    }
    let mut copy = MutableArrayData::new(vec![&data], false, data.len());
    copy.try_extend(0, 0, data.len())?;
    Ok(make_array(copy.freeze()))
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;

    use arrow::array::StringArray;

    use super::*;

    #[test]
    fn a_copied_slice_does_not_keep_the_whole_array() {
        let texts: StringArray = (0..10_000).map(|number| Some(number.to_string())).collect();
        let whole: ArrayRef = Arc::new(texts);
        let slice = whole.slice(100, 3);
        let copy = copied(&slice).expect("copied");
        assert_eq!(&copy, &slice);
        assert!(copy.get_buffer_memory_size() < 1_000);
        assert!(Arc::ptr_eq(&copied(&whole).expect("kept"), &whole));
    }
}
