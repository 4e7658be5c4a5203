//! Parquet: typed columns; times in milliseconds UTC, seconds as `decimal(18,3)`.

use std::sync::Arc;

use arrow::array::RecordBatch;
use arrow::compute::cast;
use arrow::datatypes::{DataType, Field, Schema, SchemaRef};
use datafusion::parquet::arrow::ArrowWriter;
use datafusion::parquet::basic::{Compression, ZstdLevel};
use datafusion::parquet::file::properties::WriterProperties;
use showreport_model::column::{Column, ColumnType};
use showreport_model::facts::time_type;

use super::{Bytes, RenderError, Renderer};
use crate::functions::spans::SECONDS_TYPE;

/// Rows of a row group. Bounds memory: a row group is held until it is complete.
const ROW_GROUP_ROWS: usize = 128 * 1024;

pub(super) struct Parquet {
    schema: SchemaRef,
    writer: ArrowWriter<Vec<u8>>,
}

impl Parquet {
    pub(super) fn new(columns: &[Column]) -> Result<Self, RenderError> {
        let field = |column: &Column| {
            let data_type = match column.kind {
                ColumnType::Date | ColumnType::Text => DataType::Utf8,
                ColumnType::Time => time_type(),
                ColumnType::Boolean => DataType::Boolean,
                ColumnType::Integer => DataType::Int64,
                ColumnType::Seconds => SECONDS_TYPE,
                ColumnType::Number => DataType::Float64,
            };
            Field::new(column.name, data_type, true)
        };
        let schema = Arc::new(Schema::new(columns.iter().map(field).collect::<Vec<_>>()));
        let properties = WriterProperties::builder()
            .set_compression(Compression::ZSTD(ZstdLevel::default()))
            .set_max_row_group_row_count(Some(ROW_GROUP_ROWS))
            .set_created_by("showreport".to_owned())
            .build();
        Ok(Self {
            writer: ArrowWriter::try_new(Vec::new(), Arc::clone(&schema), Some(properties))?,
            schema,
        })
    }
}

impl Renderer for Parquet {
    fn rows(&mut self, batch: &RecordBatch, bytes: &mut Bytes) -> Result<(), RenderError> {
        let columns = batch.columns().iter().zip(self.schema.fields());
        let plain = columns
            .map(|(array, field)| cast(array, field.data_type()))
            .collect::<Result<Vec<_>, _>>()?;
        self.writer
            .write(&RecordBatch::try_new(Arc::clone(&self.schema), plain)?)?;
        // The writer keeps its own count of bytes, so finished bytes may be taken out of its
        // buffer.
        bytes.main.append(self.writer.inner_mut());
        Ok(())
    }

    fn finish(self: Box<Self>, bytes: &mut Bytes) -> Result<(), RenderError> {
        bytes.main.append(&mut self.writer.into_inner()?);
        Ok(())
    }
}
