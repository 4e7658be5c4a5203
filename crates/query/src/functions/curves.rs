//! `changes`: where the views of an identity change the curves of views, viewers and devices.
//!
//! A row is made only for a bucket in which a curve changes: two or four rows for each span,
//! however many buckets it crosses. The rows of all identities are summed and then integrated
//! bucket by bucket.

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

use super::identities::Identity;
use super::lists::{Lists, numbers_type, spans_of};
use super::sets::{sets_of, union_of};

/// Bits that name the curves of a change.
pub(crate) const VIEWS: i8 = 1;
pub(crate) const VIEWERS: i8 = 2;
pub(crate) const DEVICES: i8 = 4;

/// `changes(identity, sets)`: a list with a struct for each bucket in which a curve changes: the
/// `index` of the bucket, the `curves`, and the change: `millis`, `filled` and `present`.
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
        let identities = arrays[0].as_primitive::<Int8Type>();
        let lists = Lists::new(&arrays[1])?;
        let mut rows = Rows::default();
        let lengths: Vec<usize> = (0..lists.len())
            .map(|row| {
                let before = rows.index.len();
                rows.add_identity(&self.buckets, identities.value(row), lists.numbers(row));
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
    fn add_identity(&mut self, buckets: &Buckets, identity: i8, sets: &[i64]) {
        let all = Spread::new(buckets, union_of(sets).settle());
        if identity == Identity::Device as i8 {
            return self.add(DEVICES, &all);
        }
        // Every view has exactly one viewer, so the sets of viewers hold every view once.
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
