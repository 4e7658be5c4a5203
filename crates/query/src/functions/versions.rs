//! Versions of a message as bytes that sort as the versions do.
//!
//! The latest version is the greatest, so it is found by `max` in a grouping, which can spill. A
//! window would sort every row in memory.

use std::sync::Arc;

use arrow::array::{Array, ArrayRef, AsArray, BinaryArray, StructArray};
use arrow::datatypes::{DataType, Fields};
use arrow::row::{RowConverter, SortField};
use datafusion::error::Result;
use datafusion::logical_expr::{
    ColumnarValue, ScalarFunctionArgs, ScalarUDF, ScalarUDFImpl, Signature, Volatility,
};

/// `version(fields…)`: the fields as bytes, which compare as the fields do, from left to right.
/// Null is less than any value.
pub(crate) fn version(fields: Fields) -> ScalarUDF {
    ScalarUDF::from(Version {
        signature: Signature::any(fields.len(), Volatility::Immutable),
        fields,
    })
}

/// `version_fields(bytes)`: the fields of a [`version`].
pub(crate) fn version_fields(fields: Fields) -> ScalarUDF {
    ScalarUDF::from(VersionFields {
        signature: Signature::exact(vec![DataType::Binary], Volatility::Immutable),
        fields,
    })
}

/// Ascending and nulls first, which is the default.
fn rows_of(fields: &Fields) -> Result<RowConverter> {
    let sorted = |field: &Arc<arrow::datatypes::Field>| SortField::new(field.data_type().clone());
    Ok(RowConverter::new(fields.iter().map(sorted).collect())?)
}

#[derive(Debug, PartialEq, Eq, Hash)]
struct Version {
    fields: Fields,
    signature: Signature,
}

impl ScalarUDFImpl for Version {
    fn name(&self) -> &'static str {
        "version"
    }

    fn signature(&self) -> &Signature {
        &self.signature
    }

    fn return_type(&self, _arguments: &[DataType]) -> Result<DataType> {
        Ok(DataType::Binary)
    }

    fn invoke_with_args(&self, args: ScalarFunctionArgs) -> Result<ColumnarValue> {
        let columns = ColumnarValue::values_to_arrays(&args.args)?;
        let rows = rows_of(&self.fields)?.convert_columns(&columns)?;
        Ok(ColumnarValue::Array(Arc::new(rows.try_into_binary()?)))
    }
}

#[derive(Debug, PartialEq, Eq, Hash)]
struct VersionFields {
    fields: Fields,
    signature: Signature,
}

impl ScalarUDFImpl for VersionFields {
    fn name(&self) -> &'static str {
        "version_fields"
    }

    fn signature(&self) -> &Signature {
        &self.signature
    }

    fn return_type(&self, _arguments: &[DataType]) -> Result<DataType> {
        Ok(DataType::Struct(self.fields.clone()))
    }

    fn invoke_with_args(&self, args: ScalarFunctionArgs) -> Result<ColumnarValue> {
        let arrays = ColumnarValue::values_to_arrays(&args.args)?;
        let versions: &BinaryArray = arrays[0].as_binary();
        let converter = rows_of(&self.fields)?;
        let parser = converter.parser();
        let rows = versions.iter().flatten().map(|bytes| parser.parse(bytes));
        let columns: Vec<ArrayRef> = converter.convert_rows(rows)?;
        let fields = StructArray::try_new(self.fields.clone(), columns, None)?;
        debug_assert_eq!(fields.len(), versions.len(), "a group has a version");
        Ok(ColumnarValue::Array(Arc::new(fields)))
    }
}

#[cfg(test)]
mod tests {
    use arrow::array::{BooleanArray, StringArray};
    use arrow::datatypes::Field;
    use datafusion::common::config::ConfigOptions;

    use super::*;

    fn call(function: &ScalarUDF, columns: Vec<ArrayRef>, result: DataType) -> ArrayRef {
        let number_rows = columns[0].len();
        let arg_fields = columns
            .iter()
            .map(|column| Arc::new(Field::new("c", column.data_type().clone(), true)))
            .collect();
        let args = ScalarFunctionArgs {
            args: columns.into_iter().map(ColumnarValue::Array).collect(),
            arg_fields,
            number_rows,
            return_field: Arc::new(Field::new("r", result, true)),
            config_options: Arc::new(ConfigOptions::default()),
        };
        let result = function.invoke_with_args(args).expect("an array");
        result.into_array(number_rows).expect("an array")
    }

    #[test]
    fn versions_sort_as_their_fields_and_give_them_back() {
        let fields = Fields::from(vec![
            Field::new("deleted", DataType::Boolean, false),
            Field::new("name", DataType::Utf8, true),
        ]);
        // Ascending: not deleted before deleted, absent before empty before any name.
        let deleted: ArrayRef = Arc::new(BooleanArray::from(vec![false, false, false, true]));
        let names: ArrayRef = Arc::new(StringArray::from(vec![
            None,
            Some(""),
            Some("zoë"),
            Some("ada"),
        ]));
        let written = call(
            &version(fields.clone()),
            vec![Arc::clone(&deleted), Arc::clone(&names)],
            DataType::Binary,
        );
        let bytes: Vec<_> = written.as_binary::<i32>().iter().flatten().collect();
        assert!(bytes.is_sorted_by(|one, next| one < next), "{bytes:?}");

        let read = call(
            &version_fields(fields.clone()),
            vec![written],
            DataType::Struct(fields),
        );
        assert_eq!(read.as_struct().columns(), [deleted, names]);
    }
}
