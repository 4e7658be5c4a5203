//! The files of reports: written as a stream, durable once complete, read in ranges.

mod strays;

use std::io;
use std::ops::Range;
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll, ready};

use bytes::Bytes;
use futures::stream::BoxStream;
use futures::{StreamExt, TryStreamExt, stream};
use object_store::buffered::BufWriter;
use object_store::path::Path;
use object_store::{GetOptions, GetRange, ObjectStore, ObjectStoreExt};
use showreport_model::{OrgId, ReportId, is_storage_full};
use tokio::io::AsyncWrite;
use tokio::sync::Semaphore;

use crate::checked;
use crate::{DurableStore, Error, Store};

/// The directory of the files of reports in the store.
const REPORTS: &str = "reports";

/// Bytes of a part, which is in memory before it is written to the store.
const PART_BYTES: usize = 4 * 1024 * 1024;

/// Pieces of files that are read for downloads at the same time. Each is read on a blocking thread.
/// Without a limit, many downloads would leave little processor time to the short reads of reports
/// and merges, which would take seconds.
const READS_MAX: usize = 2;

/// Parts that are being written at once at most; then the writer waits.
const PARTS_UNDER_WAY_MAX: usize = 2;

/// The two texts of a report.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Variant {
    /// The report's file.
    Main,
    /// The exact text, if the guard against formulas changed the file.
    Raw,
}

/// The path of a report's file.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ReportPath(Path);

impl ReportPath {
    /// Each attempt has files of its own, so two that run at once never write the same file.
    pub fn new(org: &OrgId, id: ReportId, attempt: u32, variant: Variant) -> Self {
        let variant = match variant {
            Variant::Main => "main",
            Variant::Raw => "raw",
        };
        let file = format!("{attempt}-{variant}");
        Self(report_directory(org, id).join(file))
    }
}

fn report_directory(org: &OrgId, id: ReportId) -> Path {
    Path::from_iter([REPORTS, org.as_str(), &id.to_string()])
}

/// The files of reports.
#[derive(Debug, Clone)]
pub struct ReportFiles {
    store: Arc<dyn ObjectStore>,
    /// The directory of reports, to list its files a part at a time.
    durable: DurableStore,
    /// Shared by all downloads.
    reads: Arc<Semaphore>,
}

impl ReportFiles {
    pub(crate) fn new(store: Store) -> Self {
        Self {
            durable: store.inner().clone(),
            store: Arc::new(store),
            reads: Arc::new(Semaphore::new(READS_MAX)),
        }
    }

    /// Begins a file. It becomes visible, complete and durable when the writer is shut down.
    pub fn create(&self, path: &ReportPath) -> ReportWriter {
        let store = self.store.clone();
        let writer = BufWriter::with_capacity(store.clone(), path.0.clone(), PART_BYTES);
        ReportWriter {
            store,
            path: path.0.clone(),
            writer: writer.with_max_concurrency(PARTS_UNDER_WAY_MAX),
            stage: Stage::Writing,
        }
    }

    /// The bytes of a range, which must lie within the file.
    ///
    /// They are checked in pieces. The first piece is checked before this returns, so damage of a
    /// small file fails before the response begins. The others are checked as they are sent:
    /// checking all of a large file first would take longer than a request may, and would read it
    /// twice.
    pub async fn read(
        &self,
        path: &ReportPath,
        range: Range<u64>,
    ) -> Result<BoxStream<'static, Result<Bytes, Error>>, Error> {
        if range.is_empty() {
            self.size(path).await?;
            return Ok(stream::empty().boxed());
        }
        let mut bytes = self.stream(path, range).await?;
        let first = bytes.try_next().await?;
        Ok(stream::iter(first.map(Ok)).chain(bytes).boxed())
    }

    async fn stream(
        &self,
        path: &ReportPath,
        range: Range<u64>,
    ) -> Result<BoxStream<'static, Result<Bytes, Error>>, Error> {
        let options = GetOptions {
            range: Some(GetRange::Bounded(range)),
            ..GetOptions::default()
        };
        let got = self.store.get_opts(&path.0, options).await;
        let bytes = got.map_err(failed)?.into_stream().map_err(failed);
        let state = (bytes.boxed(), self.reads.clone());
        let one_by_one = stream::try_unfold(state, async |(mut bytes, reads)| {
            let turn = reads.clone().acquire_owned().await;
            let turn = turn.expect("it is never closed");
            let piece = bytes.try_next().await?;
            drop(turn);
            Ok(piece.map(|piece| (piece, (bytes, reads))))
        });
        Ok(one_by_one.boxed())
    }

    /// The size of a file.
    pub async fn size(&self, path: &ReportPath) -> Result<u64, Error> {
        Ok(self.store.head(&path.0).await.map_err(failed)?.size)
    }

    /// Deletes the files of all attempts of a report.
    pub async fn delete_all(&self, org: &OrgId, id: ReportId) -> Result<(), Error> {
        let files = self.store.list(Some(&report_directory(org, id)));
        let paths = files.map_ok(|file| file.location).boxed();
        self.delete(paths).await.map(drop)
    }

    /// Deletes files. Returns how many there were: those that are gone already do not count.
    async fn delete(
        &self,
        paths: BoxStream<'static, object_store::Result<Path>>,
    ) -> Result<usize, Error> {
        let mut deleted = self.store.delete_stream(paths);
        let mut count = 0;
        while let Some(deleted) = deleted.next().await {
            match deleted {
                Ok(_) => count += 1,
                Err(object_store::Error::NotFound { .. }) => {}
                Err(source) => return Err(failed(source)),
            }
        }
        Ok(count)
    }
}

fn failed(error: object_store::Error) -> Error {
    match error {
        object_store::Error::NotFound { .. } => Error::FileGone,
        error => checked::failed(error, |source| Error::ReportFile { source }),
    }
}

/// Writes a file of a report.
///
/// The file becomes visible when the writer is shut down. A writer that is dropped or aborted
/// before leaves nothing.
#[derive(Debug)]
pub struct ReportWriter {
    store: Arc<dyn ObjectStore>,
    path: Path,
    writer: BufWriter,
    stage: Stage,
}

/// The state of a writer.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Stage {
    Writing,
    ShuttingDown,
    ShutDown,
}

impl ReportWriter {
    /// Deletes the file, complete or not.
    pub async fn abort(mut self) -> Result<(), Error> {
        if self.stage == Stage::Writing {
            return self.writer.abort().await.map_err(failed);
        }
        drop(self.writer);
        match self.store.delete(&self.path).await {
            Ok(()) | Err(object_store::Error::NotFound { .. }) => Ok(()),
            Err(source) => Err(failed(source)),
        }
    }
}

/// Turns an error because of a full disk into one of kind `StorageFull`.
fn with_kind(error: io::Error) -> io::Error {
    if is_storage_full(&error) {
        io::Error::new(io::ErrorKind::StorageFull, error)
    } else {
        error
    }
}

fn over() -> io::Error {
    io::Error::new(io::ErrorKind::BrokenPipe, "the report's file is complete")
}

impl AsyncWrite for ReportWriter {
    fn poll_write(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
        bytes: &[u8],
    ) -> Poll<io::Result<usize>> {
        if self.stage != Stage::Writing {
            return Poll::Ready(Err(over()));
        }
        Pin::new(&mut self.writer)
            .poll_write(context, bytes)
            .map_err(with_kind)
    }

    fn poll_flush(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<io::Result<()>> {
        if self.stage != Stage::Writing {
            return Poll::Ready(Ok(()));
        }
        Pin::new(&mut self.writer)
            .poll_flush(context)
            .map_err(with_kind)
    }

    fn poll_shutdown(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<io::Result<()>> {
        if self.stage == Stage::ShutDown {
            return Poll::Ready(Ok(()));
        }
        self.stage = Stage::ShuttingDown;
        let done = ready!(Pin::new(&mut self.writer).poll_shutdown(context));
        self.stage = Stage::ShutDown;
        Poll::Ready(done.map_err(with_kind))
    }
}

#[cfg(test)]
mod tests;
