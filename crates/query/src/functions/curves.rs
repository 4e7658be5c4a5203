//! `changes`: what the views of a voice change in buckets of time.
//!
//! A voice says where curves change, not what they are in each bucket: two or four rows a span, however
//! many buckets it crosses. The rows of all voices are summed, and followed in the order of the buckets.

use std::sync::Arc;

use arrow::array::{ArrayRef, AsArray, Int8Array, Int64Array, ListArray, StructArray};
use arrow::buffer::OffsetBuffer;
use arrow::datatypes::{DataType, Field, FieldRef, Fields, Int8Type};
use datafusion::error::Result;
use datafusion::logical_expr::{
    ColumnarValue, ScalarFunctionArgs, ScalarUDF, ScalarUDFImpl, Signature, Volatility,
};
use showreport_model::Span;
use showreport_model::buckets::Buckets;
use showreport_model::curve::Spread;
use smallvec::SmallVec;

use super::lists::{Lists, numbers_type, spans_of};
use super::people::Voice;
use super::sets::{sets_of, union_of};

/// The curves that a change can be of, a bit each: of views,
pub(crate) const VIEWS: i8 = 1;
/// of viewers,
pub(crate) const VIEWERS: i8 = 2;
/// and of devices.
pub(crate) const DEVICES: i8 = 4;

/// `changes(voice, sets)`: a struct for each bucket that the sets change: its `index`, the `curves`
/// that change, and by how much: `millis`, `filled` and `present`.
pub(crate) fn changes(buckets: Buckets) -> ScalarUDF {
    ScalarUDF::from(Changes {
        buckets,
        signature: Signature::exact(vec![DataType::Int8, numbers_type()], Volatility::Immutable),
    })
}

#[derive(Debug, PartialEq, Eq, Hash)]
struct Changes {
    buckets: Buckets,
    signature: Signature,
}

fn fields() -> Fields {
    let number = |name: &str| Field::new(name, DataType::Int64, false);
    Fields::from(vec![
        number("index"),
        Field::new("curves", DataType::Int8, false),
        number("millis"),
        number("filled"),
        number("present"),
    ])
}

fn item() -> FieldRef {
    Arc::new(Field::new("item", DataType::Struct(fields()), true))
}

impl ScalarUDFImpl for Changes {
    fn name(&self) -> &'static str {
        "changes"
    }

    fn signature(&self) -> &Signature {
        &self.signature
    }

    fn return_type(&self, _arguments: &[DataType]) -> Result<DataType> {
        Ok(DataType::List(item()))
    }

    fn invoke_with_args(&self, args: ScalarFunctionArgs) -> Result<ColumnarValue> {
        let arrays = ColumnarValue::values_to_arrays(&args.args)?;
        let voices = arrays[0].as_primitive::<Int8Type>();
        let lists = Lists::new(&arrays[1])?;
        let mut rows = Rows::default();
        let lengths: Vec<usize> = (0..lists.len())
            .map(|row| {
                let before = rows.index.len();
                rows.add_voice(&self.buckets, voices.value(row), lists.numbers(row));
                rows.index.len() - before
            })
            .collect();
        let offsets = OffsetBuffer::from_lengths(lengths);
        let lists = ListArray::try_new(item(), offsets, Arc::new(rows.finish()?), None)?;
        Ok(ColumnarValue::Array(Arc::new(lists)))
    }
}

/// Changes, column by column.
#[derive(Default)]
struct Rows {
    index: Vec<i64>,
    curves: Vec<i8>,
    millis: Vec<i64>,
    filled: Vec<i64>,
    present: Vec<i64>,
}

impl Rows {
    fn add_voice(&mut self, buckets: &Buckets, voice: i8, sets: &[i64]) {
        let all = Spread::new(buckets, union_of(sets).settle());
        if voice == Voice::Device as i8 {
            return self.add(DEVICES, &all);
        }
        // Every view has one viewer, so the viewers' sets are all views there are.
        if sets_of(sets).count() == 1 {
            return self.add(VIEWS | VIEWERS, &all);
        }
        self.add(VIEWERS, &all);
        for set in sets_of(sets) {
            let spans: SmallVec<[Span; 4]> = spans_of(set).collect();
            self.add(VIEWS, &Spread::new(buckets, &spans));
        }
    }

    fn add(&mut self, curves: i8, spread: &Spread) {
        for (index, change) in spread.changes() {
            self.index.push(index);
            self.curves.push(curves);
            self.millis.push(change.millis);
            self.filled.push(change.filled);
            self.present.push(change.present);
        }
    }

    fn finish(self) -> Result<StructArray> {
        let numbers = |numbers: Vec<i64>| Arc::new(Int64Array::from(numbers)) as ArrayRef;
        let columns = vec![
            numbers(self.index),
            Arc::new(Int8Array::from(self.curves)),
            numbers(self.millis),
            numbers(self.filled),
            numbers(self.present),
        ];
        Ok(StructArray::try_new(fields(), columns, None)?)
    }
}
