//! What a vote chose.
//!
//! The chosen options travel as one text: their ids, sorted, joined by a
//! control character, which no id holds. Texts of that kind sort as the lists do.

use std::sync::Arc;

use arrow::array::{
    Array, ArrayRef, AsArray, BooleanArray, ListArray, StringArray, StringBuilder, StructArray,
};
use arrow::buffer::OffsetBuffer;
use arrow::compute::cast;
use arrow::datatypes::{DataType, Field, FieldRef, Fields};
use datafusion::error::Result;
use datafusion::functions::utils::make_scalar_function;
use datafusion::logical_expr::{ScalarUDF, Signature, SimpleScalarUDF, Volatility};
use sha2::{Digest, Sha256};

const SEPARATOR: char = '\u{1f}';

/// `joined(option_ids)`: a list of ids as one text.
pub(crate) fn joined() -> ScalarUDF {
    let joined = |arguments: &[ArrayRef]| -> Result<ArrayRef> {
        let lists = arguments[0].as_list::<i32>();
        let mut texts = StringBuilder::new();
        for row in 0..lists.len() {
            let mut ids = ids(lists, row)?;
            ids.sort_unstable();
            texts.append_value(ids.join(&SEPARATOR.to_string()));
        }
        Ok(Arc::new(texts.finish()))
    };
    udf("joined", 1, DataType::Utf8, joined)
}

/// `divided(text)`: what a joined text chose, a row an option: its `option_id`, and whether it `leads`,
/// so that each voter can be counted once. Of a withdrawal one row, with an empty id.
pub(crate) fn divided() -> ScalarUDF {
    let divided = |arguments: &[ArrayRef]| -> Result<ArrayRef> {
        let texts = arguments[0].as_string::<i32>();
        let (mut ids, mut leads) = (StringBuilder::new(), Vec::new());
        let lengths: Vec<usize> = texts
            .iter()
            .map(|text| {
                let before = leads.len();
                for (place, id) in text.into_iter().flat_map(split).enumerate() {
                    ids.append_value(id);
                    leads.push(place == 0);
                }
                leads.len() - before
            })
            .collect();
        let columns: Vec<ArrayRef> =
            vec![Arc::new(ids.finish()), Arc::new(BooleanArray::from(leads))];
        let chosen = StructArray::try_new(chosen_fields(), columns, None)?;
        let offsets = OffsetBuffer::from_lengths(lengths);
        let lists = ListArray::try_new(chosen_item(), offsets, Arc::new(chosen), None)?;
        Ok(Arc::new(lists))
    };
    udf("divided", 1, DataType::List(chosen_item()), divided)
}

/// `pick(text)`: a short name of a text that may have 64 KiB: what is only compared is 128 bits of a
/// SHA-256, in hexadecimal.
pub(crate) fn pick() -> ScalarUDF {
    let pick = |arguments: &[ArrayRef]| -> Result<ArrayRef> {
        let texts = arguments[0].as_string::<i32>();
        let names = texts.iter().map(|text| text.map(name_of));
        Ok(Arc::new(names.collect::<StringArray>()))
    };
    udf("pick", 1, DataType::Utf8, pick)
}

fn name_of(text: &str) -> String {
    let hash = Sha256::digest(text);
    let half = hash.first_chunk().expect("a SHA-256 has 32 bytes");
    format!("{:032x}", u128::from_be_bytes(*half))
}

fn split(text: &str) -> impl Iterator<Item = &str> {
    text.split(SEPARATOR)
}

fn chosen_fields() -> Fields {
    Fields::from(vec![
        Field::new("option_id", DataType::Utf8, false),
        Field::new("leads", DataType::Boolean, false),
    ])
}

fn chosen_item() -> FieldRef {
    Arc::new(Field::new("item", DataType::Struct(chosen_fields()), true))
}

fn ids(lists: &ListArray, row: usize) -> Result<Vec<String>> {
    if lists.is_null(row) {
        return Ok(Vec::new());
    }
    let texts = cast(&lists.value(row), &DataType::Utf8)?;
    let texts = texts.as_string::<i32>();
    Ok(texts.iter().flatten().map(str::to_owned).collect())
}

fn udf(
    name: &str,
    arguments: usize,
    return_type: DataType,
    function: fn(&[ArrayRef]) -> Result<ArrayRef>,
) -> ScalarUDF {
    ScalarUDF::from(SimpleScalarUDF::new_with_signature(
        name,
        Signature::any(arguments, Volatility::Immutable),
        return_type,
        Arc::new(make_scalar_function(function, vec![])),
    ))
}
