//! Who changes the lake does so alone: one task of this process, and one process.

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

/// The newest versions, in the hands of who may change them.
pub(crate) type Held = OwnedMutexGuard<Newest>;

/// The right to change the lake.
#[derive(Debug)]
pub(crate) struct Exclusive {
    lock: PathBuf,
    newest: Arc<Mutex<Newest>>,
    /// Cancelled when this process stops.
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

    /// Ends every wait for the lock, now and from now on. Work that holds it is finished.
    pub(crate) fn stop_waiting(&self) {
        self.stopping.cancel();
    }

    /// Waits until nobody else changes the lake, and runs `work` to its end, even if
    /// the caller goes away: half of it could go on behind the back of the next.
    ///
    /// It runs on a thread of its own, since sorting, encoding and waiting for another
    /// process would hold up all else. This process's turn is awaited first, so
    /// that there is one such thread, however many callers wait.
    ///
    /// The wait for another process has no bound, so a stop must end it: what is not begun
    /// by then fails with [`Error::ShuttingDown`].
    pub(crate) async fn run<T, W, F>(&self, work: W) -> Result<T, Error>
    where
        T: Send + 'static,
        W: FnOnce(Held) -> F + Send + 'static,
        F: Future<Output = Result<T, Error>>,
    {
        let newest = tokio::select! {
            newest = self.newest.clone().lock_owned() => newest,
            () = self.stopping.cancelled() => return Err(Error::ShuttingDown),
        };
        let lock = self.lock.clone();
        // Set by the thread that begins the work or by the caller that gives it up, and only by
        // the first: the thread may get the lock at the moment in which the process stops.
        let decided = Arc::new(AtomicBool::new(false));
        let beginning = decided.clone();
        let running = run_aside(move || async move {
            let held = take_lock(&lock)?;
            if beginning.swap(true, Ordering::Relaxed) {
                return Err(Error::ShuttingDown);
            }
            let done = work(newest).await;
            drop(held);
            done
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

/// Waits for the flush lock. The system releases it when the file is closed,
/// so it dies with the process that holds it.
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

/// Runs work that computes and blocks on a thread of its own, to its end.
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
