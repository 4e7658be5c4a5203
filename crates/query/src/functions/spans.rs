//! What a set of spans tells: its ends, its length, its pages of buckets.

use std::sync::Arc;

use arrow::array::{
    ArrayBuilder, ArrayRef, AsArray, Decimal128Array, Int64Array, Int64Builder, ListBuilder,
    StructBuilder, TimestampMillisecondArray,
};
use arrow::datatypes::{DataType, Field, Fields, Int64Type};
use datafusion::error::Result;
use datafusion::functions::utils::make_scalar_function;
use datafusion::logical_expr::{
    ColumnarValue, ScalarFunctionArgs, ScalarUDF, ScalarUDFImpl, Signature, Volatility, create_udf,
};
use showreport_model::Span;
use showreport_model::buckets::{Buckets, pages};
use showreport_model::facts::time_type;

use super::lists::{Lists, numbers_type};

/// Seconds with three decimals.
pub(crate) const SECONDS_TYPE: DataType = DataType::Decimal128(18, 3);

/// `span_millis(spans)`: the length of a set.
pub(crate) fn span_millis() -> ScalarUDF {
    of_set("span_millis", DataType::Int64, |lists| {
        let millis = (0..lists.len()).map(|row| lists.spans(row).map(Span::millis).sum::<i64>());
        Arc::new(millis.collect::<Int64Array>())
    })
}

/// `span_start(spans)`: the first instant of a set; null where it is empty.
pub(crate) fn span_start() -> ScalarUDF {
    of_set("span_start", time_type(), |lists| {
        times((0..lists.len()).map(|row| lists.numbers(row).first().copied()))
    })
}

/// `span_end(spans)`: the first instant after a set; null where it is empty.
pub(crate) fn span_end() -> ScalarUDF {
    of_set("span_end", time_type(), |lists| {
        times((0..lists.len()).map(|row| lists.numbers(row).last().copied()))
    })
}

/// `seconds(millis)`: whole milliseconds as seconds with three decimals.
pub(crate) fn seconds() -> ScalarUDF {
    let seconds = |arguments: &[ArrayRef]| -> Result<ArrayRef> {
        let millis = arguments[0].as_primitive::<Int64Type>();
        let seconds: Decimal128Array = millis.iter().map(|value| value.map(i128::from)).collect();
        Ok(Arc::new(seconds.with_precision_and_scale(18, 3)?))
    };
    create_udf(
        "seconds",
        vec![DataType::Int64],
        SECONDS_TYPE,
        Volatility::Immutable,
        Arc::new(make_scalar_function(seconds, vec![])),
    )
}

/// `span_pages(spans)`: a set divided at the edges of pages of buckets, as
/// structs of the page's `number` and its `spans`.
pub(crate) fn span_pages(buckets: Buckets) -> ScalarUDF {
    ScalarUDF::from(SpanPages {
        buckets,
        signature: Signature::exact(vec![numbers_type()], Volatility::Immutable),
    })
}

/// `bucket(time)`: the first instant of the bucket that holds the time.
pub(crate) fn bucket(buckets: Buckets) -> ScalarUDF {
    ScalarUDF::from(Bucket {
        buckets,
        signature: Signature::exact(vec![DataType::Int64], Volatility::Immutable),
    })
}

/// Times in milliseconds, UTC.
pub(crate) fn times(millis: impl Iterator<Item = Option<i64>>) -> ArrayRef {
    let times: TimestampMillisecondArray = millis.collect();
    Arc::new(times.with_timezone("UTC"))
}

fn of_set(name: &str, return_type: DataType, function: fn(&Lists<'_>) -> ArrayRef) -> ScalarUDF {
    let of_lists = move |arguments: &[ArrayRef]| -> Result<ArrayRef> {
        Ok(function(&Lists::new(&arguments[0])?))
    };
    create_udf(
        name,
        vec![numbers_type()],
        return_type,
        Volatility::Immutable,
        Arc::new(make_scalar_function(of_lists, vec![])),
    )
}

fn page_fields() -> Fields {
    Fields::from(vec![
        Field::new("number", DataType::Int64, false),
        Field::new("spans", numbers_type(), false),
    ])
}

fn page_item() -> Field {
    Field::new("item", DataType::Struct(page_fields()), true)
}

fn append_page(page: &mut StructBuilder, number: i64, spans: &[Span]) {
    let kind = "the fields are those of page_fields";
    page.field_builder::<Int64Builder>(0)
        .expect(kind)
        .append_value(number);
    let list = page
        .field_builder::<ListBuilder<Int64Builder>>(1)
        .expect(kind);
    for span in spans {
        list.values().append_value(span.from());
        list.values().append_value(span.to());
    }
    list.append(true);
    page.append(true);
}

#[derive(Debug, PartialEq, Eq, Hash)]
struct SpanPages {
    buckets: Buckets,
    signature: Signature,
}

impl ScalarUDFImpl for SpanPages {
    fn name(&self) -> &'static str {
        "span_pages"
    }

    fn signature(&self) -> &Signature {
        &self.signature
    }

    fn return_type(&self, _arguments: &[DataType]) -> Result<DataType> {
        Ok(DataType::List(Arc::new(page_item())))
    }

    fn invoke_with_args(&self, args: ScalarFunctionArgs) -> Result<ColumnarValue> {
        let arrays = ColumnarValue::values_to_arrays(&args.args)?;
        let lists = Lists::new(&arrays[0])?;
        let builders: Vec<Box<dyn ArrayBuilder>> = vec![
            Box::new(Int64Builder::new()),
            Box::new(ListBuilder::new(Int64Builder::new())),
        ];
        let page = StructBuilder::new(page_fields(), builders);
        let mut built = ListBuilder::new(page).with_field(Arc::new(page_item()));
        for row in 0..lists.len() {
            let set: Vec<Span> = lists.spans(row).collect();
            for (number, spans) in pages(&self.buckets, &set) {
                append_page(built.values(), number, &spans);
            }
            built.append(true);
        }
        Ok(ColumnarValue::Array(Arc::new(built.finish())))
    }
}

#[derive(Debug, PartialEq, Eq, Hash)]
struct Bucket {
    buckets: Buckets,
    signature: Signature,
}

impl ScalarUDFImpl for Bucket {
    fn name(&self) -> &'static str {
        "bucket"
    }

    fn signature(&self) -> &Signature {
        &self.signature
    }

    fn return_type(&self, _arguments: &[DataType]) -> Result<DataType> {
        Ok(time_type())
    }

    fn invoke_with_args(&self, args: ScalarFunctionArgs) -> Result<ColumnarValue> {
        let arrays = ColumnarValue::values_to_arrays(&args.args)?;
        let at = arrays[0].as_primitive::<Int64Type>();
        let starts = at.iter().map(|at| at.map(|at| self.buckets.floor(at)));
        Ok(ColumnarValue::Array(times(starts)))
    }
}
