//! The exclusive right to change the lake: one task of one process at a time.

use std::fs::File;
use std::io;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use showreport_meta::private;
use tokio::runtime::Handle;
use tokio::sync::{Mutex, OwnedMutexGuard};
use tokio::task::{JoinError, spawn_blocking};
use tokio_util::sync::CancellationToken;

use crate::Error;
use crate::delta::Newest;

/// The newest versions, locked against the other tasks of this process.
pub(crate) type NewestGuard = OwnedMutexGuard<Newest>;

/// Gives the right to change the lake to one task at a time.
#[derive(Debug)]
pub(crate) struct Exclusive {
    lock: PathBuf,
    newest: Arc<Mutex<Newest>>,
    /// Cancelled when the process stops.
    stopping: CancellationToken,
}

impl Exclusive {
    pub(crate) fn new(lock: PathBuf, newest: Newest) -> Self {
        Self {
            lock,
            newest: Arc::new(Mutex::new(newest)),
            stopping: CancellationToken::new(),
        }
    }

    /// Ends present and future waits for the lock. Work that holds it is finished.
    pub(crate) fn stop_waiting(&self) {
        self.stopping.cancel();
    }

    /// Waits for the right to change the lake and runs `work` to its end, also if the returned
    /// future is dropped: otherwise a part of it could still run beside the next work.
    ///
    /// `work` runs on a blocking thread, because it sorts, encodes and waits for other processes.
    /// The lock of this process is taken first, so at most one thread waits for other processes.
    ///
    /// The wait for another process has no time limit. [`Exclusive::stop_waiting`] ends it: work
    /// that has not begun by then fails with [`Error::ShuttingDown`].
    pub(crate) async fn run<T, W, F>(&self, work: W) -> Result<T, Error>
    where
        T: Send + 'static,
        W: FnOnce(NewestGuard) -> F + Send + 'static,
        F: Future<Output = Result<T, Error>>,
    {
        let newest = tokio::select! {
            newest = self.newest.clone().lock_owned() => newest,
            () = self.stopping.cancelled() => return Err(Error::ShuttingDown),
        };
        let found = newest.found().clone();
        found.clear();
        let lock = self.lock.clone();
        // Set once: by the thread when it begins the work, or here when the wait ends. The thread
        // may get the lock at the moment in which the process stops.
        let decided = Arc::new(AtomicBool::new(false));
        let beginning = decided.clone();
        let running = run_aside(move || async move {
            let held = take_lock(&lock)?;
            if beginning.swap(true, Ordering::Relaxed) {
                return Err(Error::ShuttingDown);
            }
            let done = work(newest).await;
            drop(held);
            done.map_err(|error| found.explain(error))
        });
        tokio::pin!(running);
        tokio::select! {
            done = &mut running => return done,
            () = self.stopping.cancelled() => {}
        }
        if decided.swap(true, Ordering::Relaxed) {
            running.await
        } else {
            Err(Error::ShuttingDown)
        }
    }
}

/// Waits for the flush lock. The system releases it when the file is closed, also when the process
/// is killed.
pub(crate) fn take_lock(path: &Path) -> Result<File, Error> {
    let take = || -> io::Result<File> {
        let file = private::options()
            .create(true)
            .truncate(false)
            .write(true)
            .open(path)?;
        file.lock()?;
        Ok(file)
    };
    take().map_err(|source| Error::TakeLock { source })
}

/// Runs work on a blocking thread, to its end.
pub(crate) async fn run_aside<T, W, F>(work: W) -> Result<T, Error>
where
    T: Send + 'static,
    W: FnOnce() -> F + Send + 'static,
    F: Future<Output = Result<T, Error>>,
{
    let runtime = Handle::current();
    spawn_blocking(move || runtime.block_on(work()))
        .await
        .unwrap_or_else(|error: JoinError| match error.try_into_panic() {
            Ok(panic) => std::panic::resume_unwind(panic),
            Err(_) => Err(Error::ShuttingDown),
        })
}
