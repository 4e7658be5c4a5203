//! What a vote chose, and whether its poll allows it.
//!
//! The chosen options travel as one text: their ids, sorted, joined by a
//! control character, which no id holds. Texts of that kind sort as the lists do.

use std::collections::HashSet;
use std::sync::Arc;

use arrow::array::{Array, ArrayRef, AsArray, BooleanArray, ListArray, ListBuilder, StringBuilder};
use arrow::compute::cast;
use arrow::datatypes::{DataType, Field, FieldRef};
use datafusion::common::exec_datafusion_err;
use datafusion::error::Result;
use datafusion::functions::utils::make_scalar_function;
use datafusion::logical_expr::{ScalarUDF, Signature, SimpleScalarUDF, Volatility};

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

/// `divided(text)`: the ids of a joined text.
pub(crate) fn divided() -> ScalarUDF {
    let divided = |arguments: &[ArrayRef]| -> Result<ArrayRef> {
        let texts = arguments[0].as_string::<i32>();
        let mut lists = ListBuilder::new(StringBuilder::new()).with_field(id_item());
        for text in texts {
            for id in text.into_iter().flat_map(split) {
                lists.values().append_value(id);
            }
            lists.append(true);
        }
        Ok(Arc::new(lists.finish()))
    };
    udf("divided", 1, id_list(), divided)
}

/// `allowed(text, option_ids of the poll, choice)`: whether the poll, if there is one, allows it.
pub(crate) fn allowed() -> ScalarUDF {
    let allowed = |arguments: &[ArrayRef]| -> Result<ArrayRef> {
        let texts = arguments[0].as_string::<i32>();
        let offered = arguments[1].as_list::<i32>();
        let choices = arguments[2].as_string::<i32>();
        let mut answers = Vec::with_capacity(texts.len());
        for (row, text) in texts.iter().enumerate() {
            let offered: HashSet<String> = ids(offered, row)?.into_iter().collect();
            let chosen: Vec<&str> = text.into_iter().flat_map(split).collect();
            let poll_is_known = choices.is_valid(row);
            answers.push(
                poll_is_known
                    && chosen.iter().all(|&id| offered.contains(id))
                    && (choices.value(row) == "multi" || chosen.len() <= 1),
            );
        }
        Ok(Arc::new(BooleanArray::from(answers)))
    };
    udf("allowed", 3, DataType::Boolean, allowed)
}

fn split(text: &str) -> impl Iterator<Item = &str> {
    text.split(SEPARATOR).filter(|id| !id.is_empty())
}

/// `option_ids(options)`: the ids of a poll's options.
pub(crate) fn option_ids() -> ScalarUDF {
    let option_ids = |arguments: &[ArrayRef]| -> Result<ArrayRef> {
        let options = arguments[0].as_list::<i32>();
        let ids = options
            .values()
            .as_struct()
            .column_by_name("id")
            .ok_or_else(|| exec_datafusion_err!("an option has an id"))?;
        let lists = ListArray::new(
            id_item(),
            options.offsets().clone(),
            cast(ids, &DataType::Utf8)?,
            options.nulls().cloned(),
        );
        Ok(Arc::new(lists))
    };
    udf("option_ids", 1, id_list(), option_ids)
}

fn id_list() -> DataType {
    DataType::List(id_item())
}

fn id_item() -> FieldRef {
    Arc::new(Field::new("element", DataType::Utf8, true))
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
