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

use crate::{DurableStore, Error, Store};

/// Where the files of reports lie in the store.
const REPORTS: &str = "reports";

/// What is kept in memory before it is handed to the store.
const PART_BYTES: usize = 4 * 1024 * 1024;

/// Pieces of files that are read at the same time to be sent. Each is read on a thread of its own; with
/// one for each download the many short reads of reports and merges would have a small share of the
/// processors, and take seconds.
const READS_MAX: usize = 2;

/// Parts on their way to the store; the writer waits when there are more.
const PARTS_UNDER_WAY_MAX: usize = 2;

/// Which text of a report.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Variant {
    /// The file itself.
    Main,
    /// The exact text, where the guard against formulas changed the file.
    Raw,
}

/// Where a file of a report lies.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ReportPath(Path);

impl ReportPath {
    /// Each attempt has files of its own, so that two that run at once never meet.
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
    /// What lies below it, to list files a part at a time.
    durable: DurableStore,
    /// Shared by all that are sent.
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

    /// Begins a file. It appears, whole and durable, when the writer is shut down.
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

    /// The bytes of a file within a range, which must lie in the file.
    ///
    /// They are checked piece by piece. The first piece is checked before this returns, so that a
    /// small file fails before an answer has begun. Further pieces are checked as they are sent:
    /// to check all of a large file first takes longer than a request may, and reads it twice.
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

    /// How large a file is.
    pub async fn size(&self, path: &ReportPath) -> Result<u64, Error> {
        Ok(self.store.head(&path.0).await.map_err(failed)?.size)
    }

    /// Deletes every file of a report, of all its attempts.
    pub async fn delete_all(&self, org: &OrgId, id: ReportId) -> Result<(), Error> {
        let files = self.store.list(Some(&report_directory(org, id)));
        let paths = files.map_ok(|file| file.location).boxed();
        self.delete(paths).await.map(drop)
    }

    /// Deletes files, but for those that are gone already. Gives how many it deleted.
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

fn failed(source: object_store::Error) -> Error {
    match source {
        object_store::Error::NotFound { .. } => Error::FileGone,
        source => Error::ReportFile { source },
    }
}

/// Writes a file of a report.
///
/// Nothing is to be seen of it before it is shut down. Dropped or aborted
/// before that, it leaves nothing.
#[derive(Debug)]
pub struct ReportWriter {
    store: Arc<dyn ObjectStore>,
    path: Path,
    writer: BufWriter,
    stage: Stage,
}

/// How far a writer is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Stage {
    Writing,
    ShuttingDown,
    ShutDown,
}

impl ReportWriter {
    /// Gives the file up, complete or not.
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

/// Says of an error that the disk is full, if it is.
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
