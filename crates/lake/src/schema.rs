//! The columns of the tables: those of the model, and the UTC day.
//!
//! In files, times are microseconds: Delta Lake has no milliseconds. A span in a file lies within
//! one UTC day.

use std::sync::{Arc, LazyLock};

use arrow::array::types::{TimestampMillisecondType, UInt32Type};
use arrow::array::{
    ArrayRef, AsArray, Date32Array, PrimitiveArray, RecordBatch, TimestampMillisecondArray,
    new_null_array,
};
use arrow::compute::{cast, take_record_batch};
use arrow::datatypes::{DataType, Field, Schema, SchemaRef, TimeUnit};
use arrow::error::ArrowError;
use deltalake::kernel::engine::arrow_conversion::TryIntoKernel;
use deltalake::kernel::{StructField, StructType};
use showreport_model::facts::Table;
use showreport_model::time::MILLIS_PER_DAY;

use crate::Error;

/// The column of the UTC day.
const DAY: &str = "day";

/// The columns of a table as readers see them: those of the model, and after
/// `org` the UTC `day` of `from_time`, `sent_at`, `voted_at` or `at`. Polls and coverage have none.
///
/// Times are milliseconds; on disk they are microseconds.
pub fn table_schema(table: Table) -> SchemaRef {
    READ[table as usize].clone()
}

/// The columns of a table as its files hold them.
pub(crate) fn disk_schema(table: Table) -> SchemaRef {
    DISK[table as usize].clone()
}

static READ: LazyLock<[SchemaRef; Table::COUNT]> =
    LazyLock::new(|| std::array::from_fn(|table| with_day(Table::ALL[table])));

static DISK: LazyLock<[SchemaRef; Table::COUNT]> =
    LazyLock::new(|| std::array::from_fn(|table| in_micros(&READ[table])));

fn with_day(table: Table) -> SchemaRef {
    let schema = table.schema();
    let mut fields = schema.fields().to_vec();
    if table.time_column().is_some() {
        fields.insert(1, Arc::new(Field::new(DAY, DataType::Date32, false)));
    }
    Arc::new(Schema::new(fields))
}

fn in_micros(schema: &Schema) -> SchemaRef {
    let fields = schema.fields().iter().map(|field| {
        if matches!(field.data_type(), DataType::Timestamp(..)) {
            let micros = DataType::Timestamp(TimeUnit::Microsecond, Some("UTC".into()));
            Arc::new(field.as_ref().clone().with_data_type(micros))
        } else {
            field.clone()
        }
    });
    Arc::new(Schema::new(fields.collect::<Vec<_>>()))
}

/// The columns that a table lacks. A table with a column that is not known is refused: a newer
/// version of the program added it.
pub(crate) fn lacking(table: Table, present: &StructType) -> Result<Vec<StructField>, Error> {
    let ours = kernel_schema(table)?;
    if let Some(unknown) = present
        .fields()
        .find(|field| ours.field(field.name()).is_none())
    {
        return Err(Error::NewerTable {
            table,
            column: unknown.name().clone(),
        });
    }
    let lacking = ours
        .fields()
        .filter(|field| present.field(field.name()).is_none());
    Ok(lacking.cloned().collect())
}

/// The columns of a table as Delta Lake's kernel names them.
pub(crate) fn kernel_schema(table: Table) -> Result<StructType, Error> {
    let schema = disk_schema(table).as_ref().try_into_kernel();
    schema.map_err(|source| Error::ReadFacts { table, source })
}

/// Rows with the columns of the model as rows of a file: spans are cut at UTC midnight, and the day
/// is added.
pub(crate) fn to_disk(table: Table, batch: &RecordBatch) -> Result<RecordBatch, ArrowError> {
    let batch = match table {
        Table::Spans => cut_at_midnight(batch)?,
        Table::Chat | Table::Polls | Table::Votes | Table::Beats | Table::Coverage => batch.clone(),
    };
    let schema = disk_schema(table);
    let columns = schema.fields().iter().map(|field| {
        if field.name() == DAY {
            let source = table.time_column().expect("the table has days");
            Ok(Arc::new(days(times(&batch, source)?)) as ArrayRef)
        } else {
            cast(column(&batch, field.name())?, field.data_type())
        }
    });
    let columns = columns.collect::<Result<Vec<_>, _>>()?;
    RecordBatch::try_new(schema, columns)
}

/// Rows of a file with the columns that files have now, in their order.
pub(crate) fn conform(table: Table, batch: &RecordBatch) -> Result<RecordBatch, ArrowError> {
    let schema = disk_schema(table);
    let columns = schema.fields().iter().map(|field| {
        match batch.column_by_name(field.name()) {
            // The file is older than the column.
            None if field.is_nullable() => Ok(new_null_array(field.data_type(), batch.num_rows())),
            _ => cast(column(batch, field.name())?, field.data_type()),
        }
    });
    let columns = columns.collect::<Result<Vec<_>, _>>()?;
    RecordBatch::try_new(schema, columns)
}

pub(crate) fn column<'a>(batch: &'a RecordBatch, name: &str) -> Result<&'a ArrayRef, ArrowError> {
    batch
        .column_by_name(name)
        .ok_or_else(|| ArrowError::SchemaError(format!("there is no column {name}")))
}

fn times<'a>(
    batch: &'a RecordBatch,
    name: &str,
) -> Result<&'a TimestampMillisecondArray, ArrowError> {
    column(batch, name)?
        .as_primitive_opt::<TimestampMillisecondType>()
        .ok_or_else(|| ArrowError::SchemaError(format!("{name} does not hold milliseconds")))
}

fn days(times: &TimestampMillisecondArray) -> Date32Array {
    times.unary(|millis| i32::try_from(utc_day(millis)).unwrap_or(i32::MAX))
}

fn utc_day(millis: i64) -> i64 {
    millis.div_euclid(MILLIS_PER_DAY)
}

fn cut_at_midnight(batch: &RecordBatch) -> Result<RecordBatch, ArrowError> {
    let (from, to) = (times(batch, "from_time")?, times(batch, "to_time")?);
    let spans = || {
        from.values()
            .iter()
            .copied()
            .zip(to.values().iter().copied())
    };
    let lies_in_one_day = |(from, to): (i64, i64)| utc_day(from) == utc_day(to - 1);
    if spans().all(lies_in_one_day) {
        return Ok(batch.clone());
    }
    let (mut rows, mut starts, mut ends) = (Vec::new(), Vec::new(), Vec::new());
    for (row, (from, to)) in (0u32..).zip(spans()) {
        let mut start = from;
        while start < to {
            let midnight = (utc_day(start) + 1) * MILLIS_PER_DAY;
            let end = midnight.min(to);
            rows.push(row);
            starts.push(start);
            ends.push(end);
            start = end;
        }
    }
    let pieces = take_record_batch(batch, &PrimitiveArray::<UInt32Type>::from(rows))?;
    let (schema, mut columns, _) = pieces.into_parts();
    let utc = |millis: Vec<i64>| {
        Arc::new(TimestampMillisecondArray::from(millis).with_timezone("UTC")) as ArrayRef
    };
    columns[schema.index_of("from_time")?] = utc(starts);
    columns[schema.index_of("to_time")?] = utc(ends);
    RecordBatch::try_new(schema, columns)
}

#[cfg(test)]
mod tests {
    use arrow::datatypes::{Date32Type, TimestampMicrosecondType};
    use showreport_model::Span;

    use super::*;
    use crate::testing::{self, Viewing};

    #[test]
    fn every_table_has_its_columns() {
        for &table in Table::ALL {
            let names = |schema: SchemaRef| {
                let names = schema.fields().iter().map(|field| field.name().clone());
                names.filter(|name| name != DAY).collect::<Vec<_>>()
            };
            assert_eq!(names(table_schema(table)), names(table.schema()));
            assert_eq!(names(disk_schema(table)), names(table.schema()));
        }
        assert_eq!(table_schema(Table::Spans).field(1).name(), DAY);
    }

    #[test]
    fn the_columns_of_spans_beats_and_coverage_are_documented() {
        for table in [Table::Spans, Table::Beats, Table::Coverage] {
            let schema = table_schema(table);
            let names = schema.fields().iter().map(|field| field.name().as_str());
            let list = format!("`{}`", names.collect::<Vec<_>>().join(", "));
            let docs = include_str!("../../../docs/operating.md");
            assert!(docs.contains(&list), "docs/operating.md lacks: {list}");
        }
    }

    #[test]
    fn a_span_is_cut_at_utc_midnight() {
        let midnight = 20_000 * MILLIS_PER_DAY;
        let cut = |from, to| {
            let viewing = Viewing::new("p", Span::new(from, to).expect("span"));
            let facts = testing::facts("acme", [viewing]);
            let rows = to_disk(Table::Spans, facts.batch(Table::Spans)).expect("cut");
            let time = |name| {
                let column = rows.column_by_name(name).expect("column");
                column.as_primitive::<TimestampMicrosecondType>().clone()
            };
            let days = rows.column(1).as_primitive::<Date32Type>();
            (0..rows.num_rows())
                .map(|row| {
                    let (from, to) = (time("from_time").value(row), time("to_time").value(row));
                    (
                        days.value(row),
                        from / 1000 - midnight,
                        to / 1000 - midnight,
                    )
                })
                .collect::<Vec<_>>()
        };
        assert_eq!(
            cut(midnight - 5, midnight + 7),
            [(19_999, -5, 0), (20_000, 0, 7)]
        );
        assert_eq!(cut(midnight - 5, midnight), [(19_999, -5, 0)]);
        assert_eq!(cut(midnight, midnight + 1), [(20_000, 0, 1)]);
        assert_eq!(cut(midnight - 1, midnight + MILLIS_PER_DAY + 1).len(), 3);
    }
}
