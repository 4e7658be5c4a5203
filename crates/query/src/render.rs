//! Writes rows to a file: streamed and hashed; the same rows give the same bytes.
//!
//! Rows are cut into batches of a fixed size first, since Parquet pages end where batches do.

mod hashed;
mod csv;
mod ndjson;
mod parquet;
mod xlsx;
mod answers;

use std::io::Read;
use std::sync::Arc;

use arrow::array::RecordBatch;
use arrow::compute::BatchCoalescer;
use datafusion::execution::SendableRecordBatchStream;
use futures::StreamExt;
use showreport_model::column::Column;
use showreport_model::report::{Format, Pins, ReportFile, ReportOrder};
use tokio::io::AsyncWrite;

use crate::embedded::BATCH_ROWS;
use crate::error::Error;
pub use answers::{csv_of, json_of_row, json_of_rows};
use hashed::Hashed;
use xlsx::About;

/// The destination of a file. If it is dropped before its shutdown, no file must be left.
pub type Sink = Box<dyn AsyncWrite + Send + Unpin>;

/// The destinations of a report.
pub struct Output {
    main: Sink,
    raw: Option<Sink>,
    /// The variant that is written to `main`.
    variant: CsvVariant,
}

impl Output {
    /// The guarded file, and the exact text. The exact text is shut down, and so kept, only if the
    /// guard has changed a cell.
    pub fn new(main: Sink, raw: Option<Sink>) -> Self {
        Self {
            main,
            raw,
            variant: CsvVariant::Guarded,
        }
    }

    /// One file, in any variant.
    pub fn alone(main: Sink, variant: CsvVariant) -> Self {
        Self {
            main,
            raw: None,
            variant,
        }
    }
}

/// The variants of a CSV file. Other formats have one.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub enum CsvVariant {
    /// Cells that a spreadsheet would run as formulas are guarded.
    #[default]
    Guarded,
    /// The exact text.
    Raw,
    /// The guarded text after a byte-order mark, without which Excel does not read UTF-8.
    Excel,
}

impl CsvVariant {
    const NAMES: [(&str, Self); 3] = [
        ("guarded", Self::Guarded),
        ("raw", Self::Raw),
        ("excel", Self::Excel),
    ];

    /// The variant with this name.
    pub fn from_name(text: &str) -> Option<Self> {
        let mut names = Self::NAMES.iter();
        names.find(|(name, _)| *name == text).map(|(_, it)| *it)
    }

    /// All names, for error messages.
    pub fn names() -> String {
        Self::NAMES.map(|(name, _)| name).join(", ")
    }
}

const BYTE_ORDER_MARK: &[u8] = b"\xef\xbb\xbf";

/// The file that was written. Its sinks have been shut down.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Rendered {
    /// Without the header.
    pub row_count: u64,
    pub size_bytes: u64,
    /// SHA-256 of the file, in lower-case hexadecimal.
    pub sha256: String,
    /// Size of the exact text; `None` if it equals the file.
    pub raw_size_bytes: Option<u64>,
}

impl Rendered {
    /// The file of a report, made by this attempt.
    pub fn into_file(self, attempt: u32) -> ReportFile {
        ReportFile {
            row_count: self.row_count,
            size_bytes: self.size_bytes,
            sha256: self.sha256,
            attempt,
            raw_size_bytes: self.raw_size_bytes,
        }
    }
}

/// A format, with the contents of the file beside the rows.
pub(crate) enum FileFormat {
    Csv,
    Ndjson,
    Parquet,
    Xlsx(Box<About>),
}

impl FileFormat {
    pub(crate) fn of(order: &ReportOrder, pins: &Pins) -> Self {
        match order.format {
            Format::Csv => Self::Csv,
            Format::Ndjson => Self::Ndjson,
            Format::Parquet => Self::Parquet,
            Format::Xlsx => Self::Xlsx(Box::new(About::new(order, pins))),
        }
    }

    fn format(&self) -> Format {
        match self {
            Self::Csv => Format::Csv,
            Self::Ndjson => Format::Ndjson,
            Self::Parquet => Format::Parquet,
            Self::Xlsx(_) => Format::Xlsx,
        }
    }
}

/// Writes rows in one format.
trait Renderer: Send {
    /// Appends a batch.
    fn rows(&mut self, batch: &RecordBatch, bytes: &mut Bytes) -> Result<(), RenderError>;

    /// Appends what follows the last row.
    fn finish(self: Box<Self>, bytes: &mut Bytes) -> Result<(), RenderError>;
}

/// Bytes that are not yet written to the sinks.
#[derive(Debug, Default)]
struct Bytes {
    main: Vec<u8>,
    /// The exact text of CSV.
    raw: Vec<u8>,
    /// Whether the two have differed.
    guarded: bool,
    /// A temporary file in place of `main`, for a format that is assembled at the end.
    spooled: Option<std::fs::File>,
}

const SPOOL_BYTES: usize = 1024 * 1024;

pub(crate) type RenderError = Box<dyn std::error::Error + Send + Sync>;

/// Writes all rows and shuts the sinks down. `written` is called with the number of rows so far.
pub(crate) async fn render(
    format: FileFormat,
    columns: Vec<Column>,
    mut rows: SendableRecordBatchStream,
    output: Output,
    written: &(dyn Fn(u64) + Send + Sync),
) -> Result<Rendered, Error> {
    let file_format = format;
    let format = file_format.format();
    let columns: Arc<[Column]> = columns.into();
    let mut bytes = Bytes::default();
    let failed = |source: RenderError| match source.downcast::<Error>() {
        Ok(error) => *error,
        Err(source) => Error::Render { format, source },
    };
    if (format, output.variant) == (Format::Csv, CsvVariant::Excel) {
        bytes.main.extend_from_slice(BYTE_ORDER_MARK);
    }
    let mut renderer = open(file_format, &columns, &mut bytes).map_err(failed)?;
    let mut files = Files::new(format, output);
    let mut batches = BatchCoalescer::new(rows.schema(), BATCH_ROWS);
    let mut row_count = 0;
    loop {
        let next = rows.next().await.transpose()?;
        let ended = next.is_none();
        match next {
            Some(batch) => batches.push_batch(batch),
            None => batches.finish_buffered_batch(),
        }
        .map_err(|source| failed(source.into()))?;
        while let Some(batch) = batches.next_completed_batch() {
            row_count += batch.num_rows() as u64;
            renderer.rows(&batch, &mut bytes).map_err(failed)?;
            files.write(&mut bytes).await?;
            written(row_count);
        }
        if ended {
            break;
        }
    }
    renderer.finish(&mut bytes).map_err(failed)?;
    files.write(&mut bytes).await?;
    if let Some(spooled) = bytes.spooled.take() {
        files.copy(spooled).await?;
    }
    files.finish(row_count, bytes.guarded).await
}

/// Rows as CSV: guarded and exact.
#[cfg(any(test, fuzzing))]
pub(crate) fn csv(
    columns: Vec<Column>,
    rows: &RecordBatch,
) -> Result<(Vec<u8>, Vec<u8>), RenderError> {
    let mut bytes = Bytes::default();
    let mut csv = csv::Csv::new(columns.into(), &mut bytes)?;
    csv.rows(rows, &mut bytes)?;
    Ok((bytes.main, bytes.raw))
}

fn open(
    format: FileFormat,
    columns: &Arc<[Column]>,
    bytes: &mut Bytes,
) -> Result<Box<dyn Renderer>, RenderError> {
    Ok(match format {
        FileFormat::Csv => Box::new(csv::Csv::new(Arc::clone(columns), bytes)?),
        FileFormat::Ndjson => Box::new(ndjson::Ndjson::new(Arc::clone(columns))),
        FileFormat::Parquet => Box::new(parquet::Parquet::new(columns)?),
        FileFormat::Xlsx(about) => Box::new(xlsx::Xlsx::new(Arc::clone(columns), *about)?),
    })
}

/// The file and its exact text.
struct Files {
    format: Format,
    main: Hashed,
    raw: Option<Hashed>,
    /// Whether `main` gets the exact text.
    is_exact: bool,
}

impl Files {
    fn new(format: Format, output: Output) -> Self {
        Self {
            format,
            main: Hashed::new(output.main),
            raw: output.raw.map(Hashed::new),
            is_exact: (format, output.variant) == (Format::Csv, CsvVariant::Raw),
        }
    }

    async fn write(&mut self, bytes: &mut Bytes) -> Result<(), Error> {
        let format = self.format;
        let failed = |source| Error::WriteFile { format, source };
        let file = if self.is_exact {
            &bytes.raw
        } else {
            &bytes.main
        };
        self.main.write(file).await.map_err(failed)?;
        if let Some(raw) = &mut self.raw {
            raw.write(&bytes.raw).await.map_err(failed)?;
        }
        bytes.main.clear();
        bytes.raw.clear();
        Ok(())
    }

    async fn copy(&mut self, mut spooled: std::fs::File) -> Result<(), Error> {
        let format = self.format;
        let failed = |source| Error::WriteFile { format, source };
        let mut chunk = vec![0; SPOOL_BYTES];
        loop {
            // Blocking reads are allowed on the threads of the engine.
            let length = spooled.read(&mut chunk).map_err(failed)?;
            if length == 0 {
                return Ok(());
            }
            self.main.write(&chunk[..length]).await.map_err(failed)?;
        }
    }

    async fn finish(self, row_count: u64, guarded: bool) -> Result<Rendered, Error> {
        let format = self.format;
        let failed = |source| Error::WriteFile { format, source };
        let (size_bytes, sha256) = self.main.finish().await.map_err(failed)?;
        // If no cell was guarded, the file equals the exact text, and `raw` is dropped.
        let raw_size_bytes = match self.raw {
            Some(raw) if guarded => Some(raw.finish().await.map_err(failed)?.0),
            _ => None,
        };
        Ok(Rendered {
            row_count,
            size_bytes,
            sha256,
            raw_size_bytes,
        })
    }
}
