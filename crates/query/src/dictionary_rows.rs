//! Reads rows of files with texts as dictionaries.
//!
//! In some tables hundreds of rows next to each other have the same texts. The engine's scan would
//! make a view of each text of each row, and compare the keys of each row with the sought ones.
//! Here a text is a number of its row group's dictionary, and a row group is read without keys
//! if its statistics say that all its rows are sought.

use std::fmt;
use std::ops::Range;
use std::sync::Arc;

use arrow::array::{
    Array, ArrayRef, AsArray, DictionaryArray, RecordBatch, TimestampMicrosecondArray,
    TimestampMillisecondArray, new_null_array,
};
use arrow::compute::cast;
use arrow::datatypes::{
    DataType, Field, Int32Type, Schema, SchemaRef, TimestampMicrosecondType,
    TimestampMillisecondType,
};
use datafusion::catalog::streaming::StreamingTable;
use datafusion::datasource::listing::PartitionedFile;
use datafusion::datasource::physical_plan::ParquetFileReaderFactory;
use datafusion::datasource::physical_plan::parquet::CachedParquetFileReaderFactory;
use datafusion::error::Result;
use datafusion::execution::{SendableRecordBatchStream, TaskContext};
use datafusion::object_store::ObjectStore;
use datafusion::parquet::arrow::arrow_reader::{ArrowReaderMetadata, ArrowReaderOptions};
use datafusion::parquet::arrow::async_reader::AsyncFileReader;
use datafusion::parquet::arrow::{ParquetRecordBatchStreamBuilder, ProjectionMask};
use datafusion::parquet::file::metadata::RowGroupMetaData;
use datafusion::parquet::file::statistics::Statistics;
use datafusion::physical_plan::metrics::ExecutionPlanMetricsSet;
use datafusion::physical_plan::stream::RecordBatchStreamAdapter;
use datafusion::physical_plan::streaming::PartitionStream;
use datafusion::prelude::{DataFrame, SessionContext};
use futures::stream::BoxStream;
use futures::{StreamExt, TryStreamExt};
use showreport_lake::DataFile;
use showreport_model::facts::time_type;

/// The type of a text in these rows.
pub(crate) fn dictionary_type() -> DataType {
    DataType::Dictionary(Box::new(DataType::Int32), Box::new(DataType::Utf8))
}

/// The texts that a column may have in a row that is sought.
#[derive(Debug, Clone)]
pub(crate) struct Condition {
    pub(crate) column: &'static str,
    /// Sorted.
    pub(crate) texts: Vec<String>,
}

/// How many rows of a row group a condition keeps, by the statistics.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Kept {
    None,
    Some,
    All,
}

impl Condition {
    fn keeps(&self, text: &str) -> bool {
        self.texts
            .binary_search_by(|kept| kept.as_str().cmp(text))
            .is_ok()
    }

    /// The bounds of a long text may be shortened, and then they are not exact.
    fn kept_of(&self, group: &RowGroupMetaData) -> Kept {
        let mut columns = group.columns().iter();
        let column = columns.find(|column| column.column_path().string() == self.column);
        let Some(Statistics::ByteArray(of_column)) = column.and_then(|column| column.statistics())
        else {
            return Kept::Some;
        };
        let (Some(min), Some(max)) = (of_column.min_bytes_opt(), of_column.max_bytes_opt()) else {
            return Kept::Some;
        };
        let first = self.texts.partition_point(|text| text.as_bytes() < min);
        match self.texts.get(first).map(String::as_bytes) {
            Some(text) if text <= max => {
                let is_exact = of_column.min_is_exact() && of_column.max_is_exact();
                if is_exact && min == max {
                    Kept::All
                } else {
                    Kept::Some
                }
            }
            _ => Kept::None,
        }
    }

    /// The parts of these ranges of rows that it keeps. Rows next to each other mostly have the same
    /// text, so that few texts are compared.
    fn cut(&self, texts: &DictionaryArray<Int32Type>, rows: &[Range<usize>]) -> Vec<Range<usize>> {
        let keys = texts.keys().values();
        let values = texts.values().as_string::<i32>();
        let mut kept: Vec<Range<usize>> = Vec::new();
        for range in rows {
            let mut from = range.start;
            while from < range.end {
                let rest = keys[from..range.end].iter();
                let to = from + rest.take_while(|key| **key == keys[from]).count();
                if texts.is_valid(from) && self.keeps(values.value(index(keys[from]))) {
                    match kept.last_mut() {
                        Some(last) if last.end == from => last.end = to,
                        _ => kept.push(from..to),
                    }
                }
                from = to;
            }
        }
        kept
    }
}

fn index(key: i32) -> usize {
    usize::try_from(key).expect("the keys of a dictionary are never negative")
}

/// The rows of files that meet all conditions.
pub(crate) struct DictionaryRows {
    files: CachedParquetFileReaderFactory,
    schema: SchemaRef,
    conditions: Vec<Condition>,
    batch_rows: usize,
}

impl DictionaryRows {
    /// The rows with these columns of a table. Files may lack those that can be null.
    pub(crate) fn new<'a>(
        context: &SessionContext,
        store: Arc<dyn ObjectStore>,
        columns: impl IntoIterator<Item = &'a Field>,
        conditions: Vec<Condition>,
    ) -> Self {
        let footers = context
            .runtime_env()
            .cache_manager
            .get_file_metadata_cache();
        let columns = columns.into_iter().map(in_dictionary);
        Self {
            files: CachedParquetFileReaderFactory::new(store, footers),
            schema: Arc::new(Schema::new(columns.collect::<Vec<_>>())),
            conditions,
            batch_rows: context.copied_config().batch_size(),
        }
    }

    /// The rows as a frame, with a partition for each thread. Rows that are next to each other in a
    /// file mostly are in the frame too.
    pub(crate) fn frame(self, context: &SessionContext, files: Vec<DataFile>) -> Result<DataFrame> {
        let partitions = context.copied_config().target_partitions();
        let (schema, rows) = (Arc::clone(&self.schema), Arc::new(self));
        let parts = divided(files, partitions).into_iter().enumerate();
        let parts = parts.map(|(number, parts)| {
            let rows = Arc::clone(&rows);
            Arc::new(Partition {
                rows,
                number,
                parts,
            }) as Arc<dyn PartitionStream>
        });
        let table = StreamingTable::try_new(schema, parts.collect())?;
        context.read_table(Arc::new(table))
    }

    /// The sought rows of a part of a file.
    async fn read(
        self: Arc<Self>,
        part: FilePart,
        partition: usize,
    ) -> Result<BoxStream<'static, Result<RecordBatch>>> {
        let file = PartitionedFile::new(part.file.path.to_string(), part.file.size_bytes);
        let metrics = ExecutionPlanMetricsSet::new();
        let mut file: Box<dyn AsyncFileReader> =
            self.files.create_reader(partition, file, None, &metrics)?;
        let options = ArrowReaderOptions::new().with_skip_arrow_metadata(true);
        let stored = ArrowReaderMetadata::load_async(&mut file, options.clone()).await?;
        let fields = stored.schema().fields().iter();
        let fields: Vec<Field> = fields.map(|field| in_dictionary(field)).collect();
        let options = options.with_schema(Arc::new(Schema::new(fields)));
        let stored = ArrowReaderMetadata::try_new(Arc::clone(stored.metadata()), options)?;

        let (groups, tested) = self.groups(stored.metadata().row_groups(), &part);
        let columns = self
            .schema
            .fields()
            .iter()
            .map(|field| field.name().as_str());
        let tests = tested
            .iter()
            .map(|&condition| self.conditions[condition].column);
        let columns = ProjectionMask::columns(stored.parquet_schema(), columns.chain(tests));
        let batches = ParquetRecordBatchStreamBuilder::new_with_metadata(file, stored)
            .with_row_groups(groups)
            .with_projection(columns)
            .with_batch_size(self.batch_rows)
            .build()?;
        let sought = batches.map(move |batch| self.sought(&batch?, &tested));
        let sought = sought.map_ok(|batches| futures::stream::iter(batches).map(Ok));
        Ok(sought.try_flatten().boxed())
    }

    /// The row groups that may have sought rows, as far as they belong to the part; and the
    /// conditions that some row of them may not meet.
    fn groups(&self, groups: &[RowGroupMetaData], part: &FilePart) -> (Vec<usize>, Vec<usize>) {
        let kept = |group| self.conditions.iter().map(move |it| it.kept_of(group));
        let sought = groups.iter().enumerate();
        let sought = sought.filter(|(_, group)| kept(group).all(|kept| kept != Kept::None));
        let sought: Vec<usize> = sought.map(|(number, _)| number).collect();
        let place = |share| sought.len() * share / part.shares;
        let sought = sought[place(part.share)..place(part.share + 1)].to_vec();
        let tested = (0..self.conditions.len()).filter(|&condition| {
            let mut sought = sought.iter();
            sought.any(|&group| self.conditions[condition].kept_of(&groups[group]) != Kept::All)
        });
        let tested = tested.collect();
        (sought, tested)
    }

    /// The rows of a batch that meet the tested conditions.
    fn sought(&self, batch: &RecordBatch, tested: &[usize]) -> Result<Vec<RecordBatch>> {
        let whole = 0..batch.num_rows();
        let mut ranges = vec![whole];
        for &condition in tested {
            let condition = &self.conditions[condition];
            let texts = column(batch, condition.column, &dictionary_type())?;
            ranges = condition.cut(texts.as_dictionary(), &ranges);
        }
        let columns = self.schema.fields().iter();
        let columns = columns.map(|field| column(batch, field.name(), field.data_type()));
        let columns = columns.collect::<Result<Vec<ArrayRef>>>()?;
        let rows = RecordBatch::try_new(Arc::clone(&self.schema), columns)?;
        let slices = ranges.into_iter();
        Ok(slices
            .map(|range| rows.slice(range.start, range.len()))
            .collect())
    }
}

/// The column; null if the file is older than the column.
fn column(batch: &RecordBatch, name: &str, data_type: &DataType) -> Result<ArrayRef> {
    let Some(column) = batch.column_by_name(name) else {
        return Ok(new_null_array(data_type, batch.num_rows()));
    };
    Ok(
        match column.as_primitive_opt::<TimestampMicrosecondType>() {
            Some(micros) if *data_type == time_type() => Arc::new(in_millis(micros)),
            _ => cast(column, data_type)?,
        },
    )
}

/// As `cast` does it, which divides by a variable and takes three times as long.
fn in_millis(micros: &TimestampMicrosecondArray) -> TimestampMillisecondArray {
    let millis = micros.unary::<_, TimestampMillisecondType>(|micros| micros / 1_000);
    millis.with_timezone("UTC")
}

/// The field with a dictionary instead of texts.
fn in_dictionary(field: &Field) -> Field {
    let field = field.clone();
    match field.data_type() {
        DataType::Utf8 => field.with_data_type(dictionary_type()),
        _ => field,
    }
}

/// One of several equal shares of the row groups of a file.
#[derive(Debug, Clone, PartialEq, Eq)]
struct FilePart {
    file: DataFile,
    share: usize,
    shares: usize,
}

/// Smaller files are not divided: each part reads the footer.
const DIVIDED_BYTES_MIN: u64 = 512 << 10;

/// The parts of the files for each partition.
fn divided(files: Vec<DataFile>, partitions: usize) -> Vec<Vec<FilePart>> {
    let mut parts = vec![Vec::new(); partitions];
    let mut whole_bytes = vec![0; partitions];
    for file in files {
        if file.size_bytes < DIVIDED_BYTES_MIN {
            let smallest = (0..partitions).min_by_key(|&partition| whole_bytes[partition]);
            let smallest = smallest.unwrap_or(0);
            whole_bytes[smallest] += file.size_bytes;
            parts[smallest].push(FilePart {
                file,
                share: 0,
                shares: 1,
            });
        } else {
            for (share, parts) in parts.iter_mut().enumerate() {
                parts.push(FilePart {
                    file: file.clone(),
                    share,
                    shares: partitions,
                });
            }
        }
    }
    parts
}

struct Partition {
    rows: Arc<DictionaryRows>,
    number: usize,
    parts: Vec<FilePart>,
}

impl fmt::Debug for Partition {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "dictionary_rows(partition: {})", self.number)
    }
}

impl PartitionStream for Partition {
    fn schema(&self) -> &SchemaRef {
        &self.rows.schema
    }

    fn execute(&self, _context: Arc<TaskContext>) -> SendableRecordBatchStream {
        let (rows, number) = (Arc::clone(&self.rows), self.number);
        let parts = futures::stream::iter(self.parts.clone());
        let batches = parts.then(move |part| Arc::clone(&rows).read(part, number));
        Box::pin(RecordBatchStreamAdapter::new(
            Arc::clone(&self.rows.schema),
            batches.try_flatten(),
        ))
    }
}

#[cfg(test)]
mod tests;
