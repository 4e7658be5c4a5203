//! From rows to a file: streamed, hashed, the same rows always to the same bytes.
//!
//! Rows are cut into batches of a fixed size first, since Parquet pages end
//! where batches do.

mod cells;
mod hashed;
mod csv;
mod ndjson;
mod parquet;
mod xlsx;

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
use hashed::Hashed;
use xlsx::About;

/// Where bytes go. Dropped before its shutdown, it must leave nothing behind.
pub type Sink = Box<dyn AsyncWrite + Send + Unpin>;

/// Where a report is written to.
pub struct Output {
    main: Sink,
    raw: Option<Sink>,
    /// Which of the texts that a report in CSV has the file is.
    edition: Edition,
}

impl Output {
    /// The guarded file, and the exact text, which is kept only where the guard changed the file.
    pub fn new(main: Sink, raw: Option<Sink>) -> Self {
        Self {
            main,
            raw,
            edition: Edition::Guarded,
        }
    }

    /// The file alone, in any edition.
    pub fn alone(main: Sink, edition: Edition) -> Self {
        Self {
            main,
            raw: None,
            edition,
        }
    }
}

/// The texts of a report in CSV. The other forms have one.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub enum Edition {
    /// Cells that a spreadsheet would run as formulas are guarded.
    #[default]
    Guarded,
    /// The exact text.
    Raw,
    /// The guarded text after a byte-order mark, by which Excel knows that it is UTF-8.
    Excel,
}

impl Edition {
    const NAMES: [(&str, Self); 3] = [
        ("guarded", Self::Guarded),
        ("raw", Self::Raw),
        ("excel", Self::Excel),
    ];

    /// The edition of this name.
    pub fn from_name(text: &str) -> Option<Self> {
        let mut known = Self::NAMES.iter();
        known.find(|(name, _)| *name == text).map(|(_, it)| *it)
    }

    /// All names, as a message lists them.
    pub fn names() -> String {
        Self::NAMES.map(|(name, _)| name).join(", ")
    }
}

const BYTE_ORDER_MARK: &[u8] = b"\xef\xbb\xbf";

/// What was written. The sinks have been shut down.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Rendered {
    /// Rows, the header not counted.
    pub row_count: u64,
    /// Bytes of the file.
    pub size_bytes: u64,
    /// SHA-256 of the file, in lower-case hexadecimal.
    pub sha256: String,
    /// Bytes of the exact text, where that is another.
    pub raw_size_bytes: Option<u64>,
}

impl Rendered {
    /// The file as a report has it, made by the attempt of this number.
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

/// A form of file, with what it says beside the rows.
pub(crate) enum Form {
    Csv,
    Ndjson,
    Parquet,
    Xlsx(Box<About>),
}

impl Form {
    /// The form that an order asks for.
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

/// Puts rows into one form.
trait Renderer: Send {
    /// Appends a batch.
    fn rows(&mut self, batch: &RecordBatch, bytes: &mut Bytes) -> Result<(), Failure>;

    /// Appends what follows the last row.
    fn finish(self: Box<Self>, bytes: &mut Bytes) -> Result<(), Failure>;
}

/// Bytes on their way to the sinks.
#[derive(Debug, Default)]
struct Bytes {
    main: Vec<u8>,
    /// The exact text. Only CSV has one.
    raw: Vec<u8>,
    /// Whether the two differ anywhere so far.
    guarded: bool,
    /// A form that is put together at the end, too large for memory, in place of `main`.
    spooled: Option<std::fs::File>,
}

/// How much of a spooled file is read at once.
const SPOOL_BYTES: usize = 1024 * 1024;

/// Why rows could not be put into a form.
pub(crate) type Failure = Box<dyn std::error::Error + Send + Sync>;

/// Writes all rows and shuts the sinks down, telling how many are written.
pub(crate) async fn render(
    form: Form,
    columns: Vec<Column>,
    mut rows: SendableRecordBatchStream,
    output: Output,
    written: &(dyn Fn(u64) + Send + Sync),
) -> Result<Rendered, Error> {
    let format = form.format();
    let columns: Arc<[Column]> = columns.into();
    let mut bytes = Bytes::default();
    let failed = |source: Failure| match source.downcast::<Error>() {
        Ok(error) => *error,
        Err(source) => Error::Render { format, source },
    };
    if (format, output.edition) == (Format::Csv, Edition::Excel) {
        bytes.main.extend_from_slice(BYTE_ORDER_MARK);
    }
    let mut renderer = open(form, &columns, &mut bytes).map_err(failed)?;
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
pub(crate) fn csv(columns: Vec<Column>, rows: &RecordBatch) -> Result<(Vec<u8>, Vec<u8>), Failure> {
    let mut bytes = Bytes::default();
    let mut csv = csv::Csv::new(columns.into(), &mut bytes)?;
    csv.rows(rows, &mut bytes)?;
    Ok((bytes.main, bytes.raw))
}

fn open(
    form: Form,
    columns: &Arc<[Column]>,
    bytes: &mut Bytes,
) -> Result<Box<dyn Renderer>, Failure> {
    Ok(match form {
        Form::Csv => Box::new(csv::Csv::new(Arc::clone(columns), bytes)?),
        Form::Ndjson => Box::new(ndjson::Ndjson::new(Arc::clone(columns))),
        Form::Parquet => Box::new(parquet::Parquet::new(columns)?),
        Form::Xlsx(about) => Box::new(xlsx::Xlsx::new(Arc::clone(columns), *about)?),
    })
}

/// The file, and beside it the exact text.
struct Files {
    format: Format,
    main: Hashed,
    raw: Option<Hashed>,
    /// Whether the file is the exact text.
    is_exact: bool,
}

impl Files {
    fn new(format: Format, output: Output) -> Self {
        Self {
            format,
            main: Hashed::new(output.main),
            raw: output.raw.map(Hashed::new),
            is_exact: (format, output.edition) == (Format::Csv, Edition::Raw),
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
            // A temporary file just written, on the engine's own threads.
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
        // Where nothing was guarded the file is its own exact text.
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
