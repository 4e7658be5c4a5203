//! [`Room`]: whether the disk, and the user's quota, have room left.

use std::io::{self, Write};
use std::path::{Path, PathBuf};
use std::time::{Duration, Instant};

use showreport_model::is_storage_full;
use tokio::sync::Mutex;
use tokio::task::spawn_blocking;

use crate::error::Error;

/// The age at which a result is replaced. Without it each request would write to the disk.
const TIME_TO_LIVE: Duration = Duration::from_secs(1);

/// Bytes that must fit.
const PROBE_BYTES: usize = 1 << 20;

/// The directory of the database, and the last result.
#[derive(Debug)]
pub(super) struct Room {
    directory: PathBuf,
    /// When the disk was last checked, and whether it was full.
    last: Mutex<Option<(Instant, bool)>>,
}

impl Room {
    /// The room for the database at `path`.
    pub(super) fn beside(path: &Path) -> Self {
        Self {
            directory: path.parent().unwrap_or(Path::new(".")).to_owned(),
            last: Mutex::default(),
        }
    }

    /// Bytes that a process without privileges may still write, without the user's quota. `None` if
    /// the system does not report them.
    #[cfg(unix)]
    pub(super) fn free_bytes(&self) -> Option<u64> {
        let disk = rustix::fs::statvfs(&self.directory).ok()?;
        disk.f_bavail.checked_mul(disk.f_frsize)
    }

    /// Only Unix reports it without `unsafe` code here.
    #[cfg(not(unix))]
    pub(super) fn free_bytes(&self) -> Option<u64> {
        None
    }

    /// Fails while the disk accepts no mebibyte. It writes one, because no system call reports
    /// quotas.
    pub(super) async fn ensure(&self) -> Result<(), Error> {
        let mut last = self.last.lock().await;
        let is_full = match *last {
            Some((at, is_full)) if at.elapsed() < TIME_TO_LIVE => is_full,
            _ => {
                let is_full = is_full(self.directory.clone()).await;
                *last = Some((Instant::now(), is_full));
                is_full
            }
        };
        drop(last);
        if is_full {
            let doing = "check whether there is room";
            return Err(Error::StorageFull { doing });
        }
        Ok(())
    }
}

async fn is_full(directory: PathBuf) -> bool {
    let tried = spawn_blocking(move || try_write(&directory)).await;
    match tried.expect("writing to a file does not panic") {
        Ok(()) => false,
        Err(error) if is_storage_full(&error) => true,
        Err(error) => {
            tracing::warn!(%error, "cannot check whether the disk has room");
            false
        }
    }
}

/// Writes to a file without a name, which is deleted when it is closed or the process ends.
fn try_write(directory: &Path) -> io::Result<()> {
    let mut file = tempfile::tempfile_in(directory)?;
    file.write_all(&vec![1; PROBE_BYTES])
}
