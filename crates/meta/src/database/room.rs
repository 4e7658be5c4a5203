//! [`Room`]: whether the disk, or the quota, has room left.

use std::io::{self, Write};
use std::path::{Path, PathBuf};
use std::time::{Duration, Instant};

use showreport_model::is_storage_full;
use tokio::sync::Mutex;
use tokio::task::spawn_blocking;

use crate::error::Error;

/// How long an answer is good for, so that a crowd that asks does not keep the disk busy.
const LOOK_AGAIN: Duration = Duration::from_secs(1);

/// What must fit for the disk to count as one with room.
const PROBE_BYTES: usize = 1 << 20;

/// The directory of the database, and what the last look at it found.
#[derive(Debug)]
pub(super) struct Room {
    directory: PathBuf,
    looked: Mutex<Option<(Instant, bool)>>,
}

impl Room {
    /// The room for the database at `path`.
    pub(super) fn beside(path: &Path) -> Self {
        Self {
            directory: path.parent().unwrap_or(Path::new(".")).to_owned(),
            looked: Mutex::default(),
        }
    }

    /// Bytes that a process without privileges may still write; nothing, where the system does
    /// not say. Quotas of a user are not in it.
    #[cfg(unix)]
    pub(super) fn free_bytes(&self) -> Option<u64> {
        let disk = rustix::fs::statvfs(&self.directory).ok()?;
        disk.f_bavail.checked_mul(disk.f_frsize)
    }

    /// Only Unix says it without `unsafe` code of ours.
    #[cfg(not(unix))]
    pub(super) fn free_bytes(&self) -> Option<u64> {
        None
    }

    /// Refuses while the disk takes no mebibyte. It is tried, since no figure knows of quotas.
    pub(super) async fn ensure(&self) -> Result<(), Error> {
        let mut looked = self.looked.lock().await;
        let is_full = match *looked {
            Some((at, is_full)) if at.elapsed() < LOOK_AGAIN => is_full,
            _ => {
                let is_full = is_full(self.directory.clone()).await;
                *looked = Some((Instant::now(), is_full));
                is_full
            }
        };
        drop(looked);
        if is_full {
            let doing = "try whether there is room";
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
            tracing::warn!(%error, "cannot find out whether the disk has room");
            false
        }
    }
}

/// Writes to a file without a name, which is gone when it is closed, or the process ends.
fn try_write(directory: &Path) -> io::Result<()> {
    let mut file = tempfile::tempfile_in(directory)?;
    file.write_all(&vec![1; PROBE_BYTES])
}
