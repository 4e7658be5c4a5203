//! Who changes the lake does so alone: one task of this process, and one process.

use std::fs::File;
use std::io;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use tokio::runtime::Handle;
use tokio::sync::{Mutex, OwnedMutexGuard};
use tokio::task::{JoinError, spawn_blocking};

use crate::Error;
use crate::delta::Newest;

/// The newest versions, in the hands of who may change them.
pub(crate) type Held = OwnedMutexGuard<Newest>;

/// The right to change the lake.
#[derive(Debug)]
pub(crate) struct Exclusive {
    lock: PathBuf,
    newest: Arc<Mutex<Newest>>,
}

impl Exclusive {
    pub(crate) fn new(lock: PathBuf, newest: Newest) -> Self {
        Self {
            lock,
            newest: Arc::new(Mutex::new(newest)),
        }
    }

    /// Waits until nobody else changes the lake, and runs `work` to its end, even if
    /// the caller goes away: half of it could go on behind the back of the next.
    ///
    /// It runs on a thread of its own, since sorting, encoding and waiting for another
    /// process would hold up all else. This process's turn is awaited first, so
    /// that there is one such thread, however many callers wait.
    pub(crate) async fn run<T, W, F>(&self, work: W) -> Result<T, Error>
    where
        T: Send + 'static,
        W: FnOnce(Held) -> F + Send + 'static,
        F: Future<Output = Result<T, Error>>,
    {
        let newest = self.newest.clone().lock_owned().await;
        let lock = self.lock.clone();
        run_aside(move || async move {
            let held = take_lock(&lock)?;
            let done = work(newest).await;
            drop(held);
            done
        })
        .await
    }
}

/// Waits for the flush lock. The system releases it when the file is closed,
/// so it dies with the process that holds it.
pub(crate) fn take_lock(path: &Path) -> Result<File, Error> {
    let take = || -> io::Result<File> {
        let file = File::options()
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
