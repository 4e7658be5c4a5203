//! Writes rows to data files: zstd Parquet in small row groups, so that the
//! statistics of groups and pages let a reader skip what it does not need.

use deltalake::kernel::Add;
use deltalake::writer::{DeltaWriter, RecordBatchWriter};
use deltalake::{DeltaResult, DeltaTable};
use parquet::basic::{Compression, ZstdLevel};
use parquet::file::properties::WriterProperties;

use crate::Error;
use crate::tables::Fact;

/// An hour of one viewer is about one row. A reader's threads share a file by its row groups, so
/// that the show of some ten thousand viewers must have several. A page is no larger, fine enough to
/// find one viewer's or one day's rows.
const ROW_GROUP_ROWS: usize = 8_192;

/// Rows that are turned into columns at once.
const BATCH_ROWS: usize = 8_192;

/// Writes rows, in their order, to one file after the other.
pub(crate) struct FileWriter<F: Fact> {
    writer: RecordBatchWriter,
    waiting: Vec<F::Row<'static>>,
    files: Vec<Add>,
}

impl<F: Fact> FileWriter<F> {
    pub(crate) fn new(delta: &DeltaTable) -> Result<Self, Error> {
        let writer = RecordBatchWriter::for_table(delta).map_err(failed::<F>)?;
        Ok(Self {
            writer: writer.with_writer_properties(properties()),
            waiting: Vec::new(),
            files: Vec::new(),
        })
    }

    /// Writes a row, now or later.
    pub(crate) async fn push(&mut self, row: F::Row<'static>) -> Result<(), Error> {
        self.waiting.push(row);
        if self.waiting.len() == BATCH_ROWS {
            self.write_waiting().await?;
        }
        Ok(())
    }

    /// Writes rows.
    pub(crate) async fn extend(&mut self, rows: &[F::Row<'_>]) -> Result<(), Error> {
        self.write_waiting().await?;
        for rows in rows.chunks(BATCH_ROWS) {
            self.write(rows).await.map_err(failed::<F>)?;
        }
        Ok(())
    }

    /// About how large the present file is.
    pub(crate) fn file_bytes(&self) -> u64 {
        self.writer.buffer_len() as u64
    }

    /// Ends the present file, if it has any row; the next row begins another.
    pub(crate) async fn end_file(&mut self) -> Result<(), Error> {
        self.write_waiting().await?;
        let files = self.writer.flush().await.map_err(failed::<F>)?;
        self.files.extend(files);
        Ok(())
    }

    /// Ends the last file. The files are durable; no version has them yet.
    pub(crate) async fn finish(mut self) -> Result<Vec<Add>, Error> {
        self.end_file().await?;
        Ok(self.files)
    }

    async fn write_waiting(&mut self) -> Result<(), Error> {
        let waiting = std::mem::take(&mut self.waiting);
        self.write(&waiting).await.map_err(failed::<F>)
    }

    async fn write(&mut self, rows: &[F::Row<'_>]) -> DeltaResult<()> {
        if rows.is_empty() {
            return Ok(());
        }
        self.writer.write(F::write(rows)).await
    }
}

fn failed<F: Fact>(source: deltalake::DeltaTableError) -> Error {
    Error::WriteFile {
        table: F::TABLE,
        source,
    }
}

fn properties() -> WriterProperties {
    let level = ZstdLevel::try_new(3).expect("zstd has it");
    WriterProperties::builder()
        .set_compression(Compression::ZSTD(level))
        .set_max_row_group_row_count(Some(ROW_GROUP_ROWS))
        .build()
}
