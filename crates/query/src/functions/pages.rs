//! `pages`: sets of spans divided at the edges of pages of buckets.

use std::sync::Arc;

use arrow::array::{ArrayRef, Int64Array, ListArray, StructArray};
use arrow::buffer::OffsetBuffer;
use arrow::datatypes::{DataType, Field, Fields};
use datafusion::error::Result;
use datafusion::logical_expr::{
    ColumnarValue, ScalarFunctionArgs, ScalarUDF, ScalarUDFImpl, Signature, Volatility,
};
use showreport_model::Span;
use showreport_model::buckets::{Buckets, page, pages};

use super::lists::{Lists, ListsBuilder, numbers_type, spans_of};
use super::sets::{append_set, sets_of};

/// `pages(sets)`: a struct for each page that any of the sets touches, of its
/// `number` and the parts of the `sets` that lie in it.
pub(crate) fn sets_pages(buckets: Buckets) -> ScalarUDF {
    ScalarUDF::from(SetsPages {
        buckets,
        signature: Signature::exact(vec![numbers_type()], Volatility::Immutable),
    })
}

fn page_fields() -> Fields {
    Fields::from(vec![
        Field::new("number", DataType::Int64, false),
        Field::new("sets", numbers_type(), false),
    ])
}

fn page_item() -> Arc<Field> {
    Arc::new(Field::new("item", DataType::Struct(page_fields()), true))
}

#[derive(Debug, PartialEq, Eq, Hash)]
struct SetsPages {
    buckets: Buckets,
    signature: Signature,
}

impl ScalarUDFImpl for SetsPages {
    fn name(&self) -> &'static str {
        "pages"
    }

    fn signature(&self) -> &Signature {
        &self.signature
    }

    fn return_type(&self, _arguments: &[DataType]) -> Result<DataType> {
        Ok(DataType::List(page_item()))
    }

    fn invoke_with_args(&self, args: ScalarFunctionArgs) -> Result<ColumnarValue> {
        let arrays = ColumnarValue::values_to_arrays(&args.args)?;
        let lists = Lists::new(&arrays[0])?;
        let mut divided = Divided {
            numbers: Vec::with_capacity(lists.len()),
            sets: ListsBuilder::with_capacity(lists.len()),
        };
        let lengths: Vec<usize> = (0..lists.len())
            .map(|row| {
                let before = divided.numbers.len();
                divided.add(&self.buckets, lists.numbers(row));
                divided.numbers.len() - before
            })
            .collect();
        let columns: Vec<ArrayRef> = vec![
            Arc::new(Int64Array::from(divided.numbers)),
            divided.sets.finish(),
        ];
        let pages = StructArray::try_new(page_fields(), columns, None)?;
        let offsets = OffsetBuffer::from_lengths(lengths);
        let lists = ListArray::try_new(page_item(), offsets, Arc::new(pages), None)?;
        Ok(ColumnarValue::Array(Arc::new(lists)))
    }
}

/// Pages one after another.
struct Divided {
    numbers: Vec<i64>,
    sets: ListsBuilder,
}

impl Divided {
    fn add(&mut self, buckets: &Buckets, sets: &[i64]) {
        if let Some(number) = only_page(buckets, sets) {
            self.numbers.push(number);
            self.sets
                .push_with(|numbers| numbers.extend_from_slice(sets));
            return;
        }
        let mut parts: Vec<(i64, Vec<Span>)> = sets_of(sets)
            .flat_map(|set| pages(buckets, &spans_of(set).collect::<Vec<_>>()))
            .collect();
        parts.sort_by_key(|(number, _)| *number);
        for of_page in parts.chunk_by(|(one, _), (next, _)| one == next) {
            self.numbers.push(of_page[0].0);
            self.sets.push_with(|numbers| {
                for (_, part) in of_page {
                    append_set(numbers, part);
                }
            });
        }
    }
}

/// The page in which all of the sets lie, if there is one: nearly always there is.
fn only_page(buckets: &Buckets, sets: &[i64]) -> Option<i64> {
    let ends = || sets_of(sets).filter_map(|set| Some((*set.first()?, *set.last()?)));
    let number = page(buckets, ends().next()?.0);
    ends()
        .all(|(from, to)| page(buckets, from) == number && page(buckets, to - 1) == number)
        .then_some(number)
}
