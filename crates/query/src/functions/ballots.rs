//! The options that a vote chose, as one text: their ids, sorted and joined by a control character.
//!
//! No id contains the control character, so these texts sort as the lists do.

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

/// `join_ids(option_ids)`: a list of ids as one text.
pub(crate) fn join_ids() -> ScalarUDF {
    let join_ids = |arguments: &[ArrayRef]| -> Result<ArrayRef> {
        let lists = arguments[0].as_list::<i32>();
        let mut texts = StringBuilder::new();
        for row in 0..lists.len() {
            let mut ids = ids(lists, row)?;
            ids.sort_unstable();
            texts.append_value(ids.join(&SEPARATOR.to_string()));
        }
        Ok(Arc::new(texts.finish()))
    };
    udf("join_ids", 1, DataType::Utf8, join_ids)
}

/// `split_ids(text)`: a list with an entry for each id of a joined text: the `option_id`, and
/// whether it `is_first`, so that each voter can be counted once. A withdrawal has one entry, with
/// an empty id.
pub(crate) fn split_ids() -> ScalarUDF {
    let split_ids = |arguments: &[ArrayRef]| -> Result<ArrayRef> {
        let texts = arguments[0].as_string::<i32>();
        let (mut ids, mut is_first) = (StringBuilder::new(), Vec::new());
        let lengths: Vec<usize> = texts
            .iter()
            .map(|text| {
                let before = is_first.len();
                for (index, id) in text.into_iter().flat_map(split).enumerate() {
                    ids.append_value(id);
                    is_first.push(index == 0);
                }
                is_first.len() - before
            })
            .collect();
        let columns: Vec<ArrayRef> = vec![
            Arc::new(ids.finish()),
            Arc::new(BooleanArray::from(is_first)),
        ];
        let chosen = StructArray::try_new(chosen_fields(), columns, None)?;
        let offsets = OffsetBuffer::from_lengths(lengths);
        let lists = ListArray::try_new(chosen_item(), offsets, Arc::new(chosen), None)?;
        Ok(Arc::new(lists))
    };
    udf("split_ids", 1, DataType::List(chosen_item()), split_ids)
}

/// `choice_hash(text)`: 128 bits of the SHA-256 of a joined text, in hexadecimal. A joined text may
/// have 64 KiB; where choices are only compared, the hash takes its place.
pub(crate) fn choice_hash() -> ScalarUDF {
    let choice_hash = |arguments: &[ArrayRef]| -> Result<ArrayRef> {
        let texts = arguments[0].as_string::<i32>();
        let hashes = texts.iter().map(|text| text.map(hash_of));
        Ok(Arc::new(hashes.collect::<StringArray>()))
    };
    udf("choice_hash", 1, DataType::Utf8, choice_hash)
}

fn hash_of(text: &str) -> String {
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
        Field::new("is_first", DataType::Boolean, false),
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
