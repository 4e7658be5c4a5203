//! Writes rows to data files: Parquet with zstd in small row groups, so that a reader can skip
//! groups and pages by their statistics.

use deltalake::kernel::Add;
use deltalake::writer::{DeltaWriter, RecordBatchWriter};
use deltalake::{DeltaResult, DeltaTable};
use parquet::basic::{Compression, Encoding, ZstdLevel};
use parquet::file::properties::WriterProperties;
use parquet::schema::types::ColumnPath;
use showreport_model::facts::Table;

use crate::Error;
use crate::tables::Fact;

/// Rows of a row group at most. Threads that read a file divide it by row groups, so the file of a
/// show with ten thousand viewers must have more than one. An hour of one viewer is about one row;
/// of beats it is hundreds, and each row group costs a reader as much time as some thousand beats.
const fn row_group_rows(table: Table) -> usize {
    match table {
        Table::Beats => 131_072,
        _ => 8_192,
    }
}

/// Bytes of a row group at most. Without it a row group of polls with long options would be a
/// gigabyte, and both writing and reading hold the columns of a row group in memory.
const ROW_GROUP_BYTES: usize = 16 << 20;

/// Rows that are turned into columns at once at most.
const BATCH_ROWS: usize = 8_192;

/// Bytes of the texts of these rows. Only chat and polls come near: a poll can have 128 KiB.
const BATCH_BYTES: usize = 8 << 20;

/// Writes rows in their order to one file after the other.
pub(crate) struct FileWriter<F: Fact> {
    writer: RecordBatchWriter,
    waiting: Vec<F::Row<'static>>,
    waiting_bytes: usize,
    files: Vec<Add>,
}

impl<F: Fact> FileWriter<F> {
    pub(crate) fn new(delta: &DeltaTable) -> Result<Self, Error> {
        let writer = RecordBatchWriter::for_table(delta).map_err(failed::<F>)?;
        Ok(Self {
            writer: writer.with_writer_properties(properties(F::TABLE)),
            waiting: Vec::new(),
            waiting_bytes: 0,
            files: Vec::new(),
        })
    }

    /// Adds a row to the current file; it may be buffered.
    pub(crate) async fn push(&mut self, row: F::Row<'static>) -> Result<(), Error> {
        self.waiting_bytes += F::text_bytes(&row);
        self.waiting.push(row);
        if self.waiting.len() == BATCH_ROWS || self.waiting_bytes >= BATCH_BYTES {
            self.write_waiting().await?;
        }
        Ok(())
    }

    /// Adds rows to the current file.
    pub(crate) async fn extend(&mut self, rows: &[F::Row<'_>]) -> Result<(), Error> {
        self.write_waiting().await?;
        let mut rest = rows;
        while !rest.is_empty() {
            let (batch, after) = rest.split_at(rows_of_batch::<F>(rest));
            self.write(batch).await.map_err(failed::<F>)?;
            rest = after;
        }
        Ok(())
    }

    /// Approximate size of the current file.
    pub(crate) fn file_bytes(&self) -> u64 {
        self.writer.buffer_len() as u64
    }

    /// Ends the current file if it has rows. The next row begins another.
    pub(crate) async fn end_file(&mut self) -> Result<(), Error> {
        self.write_waiting().await?;
        let files = self.writer.flush().await.map_err(failed::<F>)?;
        self.files.extend(files);
        Ok(())
    }

    /// Ends the last file. All files are durable then; no version has them yet.
    pub(crate) async fn finish(mut self) -> Result<Vec<Add>, Error> {
        self.end_file().await?;
        Ok(self.files)
    }

    async fn write_waiting(&mut self) -> Result<(), Error> {
        let waiting = std::mem::take(&mut self.waiting);
        self.waiting_bytes = 0;
        self.write(&waiting).await.map_err(failed::<F>)
    }

    async fn write(&mut self, rows: &[F::Row<'_>]) -> DeltaResult<()> {
        if rows.is_empty() {
            return Ok(());
        }
        self.writer.write(F::write(rows)).await
    }
}

/// How many of these rows are turned into columns at once: at least one.
fn rows_of_batch<F: Fact>(rows: &[F::Row<'_>]) -> usize {
    let mut bytes = 0;
    let fitting = rows.iter().take(BATCH_ROWS).take_while(|row| {
        let fits = bytes < BATCH_BYTES;
        bytes += F::text_bytes(row);
        fits
    });
    fitting.count()
}

fn failed<F: Fact>(source: deltalake::DeltaTableError) -> Error {
    Error::WriteFile {
        table: F::TABLE,
        source,
    }
}

/// The number of values after which the writer checks whether a page is full. The default of 1024
/// would be 64 MiB of a column of polls.
const fn values_at_once(table: Table) -> usize {
    match table {
        Table::Polls => 16,
        Table::Chat | Table::Votes => 128,
        Table::Spans | Table::Beats | Table::Coverage => 1_024,
    }
}

fn properties(table: Table) -> WriterProperties {
    let level = ZstdLevel::try_new(3).expect("zstd has it");
    let properties = WriterProperties::builder()
        .set_compression(Compression::ZSTD(level))
        .set_max_row_group_row_count(Some(row_group_rows(table)))
        .set_write_batch_size(values_at_once(table))
        .set_max_row_group_bytes(Some(ROW_GROUP_BYTES));
    let columns = steady_columns(table).iter();
    let properties = columns.fold(properties, |properties, &column| {
        let column = || ColumnPath::from(column);
        properties
            .set_column_dictionary_enabled(column(), false)
            .set_column_encoding(column(), Encoding::DELTA_BINARY_PACKED)
    });
    properties.build()
}

/// Columns with values that grow in about equal steps from row to row. Only the differences are
/// stored: a dictionary would hold nearly every value.
const fn steady_columns(table: Table) -> &'static [&'static str] {
    match table {
        Table::Beats => &["seq", "at"],
        _ => &[],
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::schema::to_disk;
    use crate::tables::polls::Polls;
    use crate::testing::one_of_each;

    #[test]
    fn rows_with_long_texts_become_columns_a_few_at_a_time() {
        let facts = one_of_each("acme").finish().facts;
        let batch = to_disk(Table::Polls, facts.batch(Table::Polls)).expect("of the schema");
        let mut poll = Polls::read(&batch).expect("rows").remove(0);
        let few = vec![poll.clone(); 2 * BATCH_ROWS];
        assert_eq!(rows_of_batch::<Polls>(&few), BATCH_ROWS);
        poll.record = "r".repeat(BATCH_BYTES / 4).into();
        let many = vec![poll; 10];
        assert_eq!(rows_of_batch::<Polls>(&many), 4);
        assert_eq!(rows_of_batch::<Polls>(&many[..1]), 1);
    }
}
