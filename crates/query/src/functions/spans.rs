//! Start, end and length of a set of spans; buckets of time.

use std::sync::Arc;

use arrow::array::{ArrayRef, AsArray, Decimal128Array, Int64Array, TimestampMillisecondArray};
use arrow::datatypes::{DataType, Int64Type};
use datafusion::error::Result;
use datafusion::functions::utils::make_scalar_function;
use datafusion::logical_expr::{
    ColumnarValue, ScalarFunctionArgs, ScalarUDF, ScalarUDFImpl, Signature, Volatility, create_udf,
};
use showreport_model::Span;
use showreport_model::buckets::Buckets;
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

/// `span_start(spans)`: the first instant of a set; null for an empty set.
pub(crate) fn span_start() -> ScalarUDF {
    of_set("span_start", time_type(), |lists| {
        times((0..lists.len()).map(|row| lists.numbers(row).first().copied()))
    })
}

/// `span_end(spans)`: the first instant after a set; null for an empty set.
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
