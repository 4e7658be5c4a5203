//! [`Log`]: the size of the write-ahead log, and when the next checkpoint is due.

use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicU64, Ordering};

/// Bytes that the log grows between checkpoints. More means fewer pauses of the writer, less means
/// a faster start after a crash.
const STEP_BYTES: u64 = 16 << 20;

/// From this size on readers are held back for a checkpoint. Short reads that overlap without a gap
/// prevent the log from being emptied.
const TOO_LARGE_BYTES: u64 = 4 * STEP_BYTES;

/// The log beside the database.
#[derive(Debug)]
pub(super) struct Log {
    path: PathBuf,
    /// The size at which the next checkpoint is due.
    due_at_bytes: AtomicU64,
}

impl Log {
    /// The log of the database at `path`.
    pub(super) fn beside(path: &Path) -> Self {
        let mut log = path.to_owned().into_os_string();
        log.push("-wal");
        Self {
            path: log.into(),
            due_at_bytes: AtomicU64::new(STEP_BYTES),
        }
    }

    /// Its size. The system call takes microseconds, so it needs no blocking thread.
    pub(super) fn bytes(&self) -> u64 {
        std::fs::metadata(&self.path).map_or(0, |file| file.len())
    }

    /// Whether it has grown by [`STEP_BYTES`] since the last checkpoint.
    pub(super) fn is_due(&self) -> bool {
        self.bytes() >= self.due_at_bytes.load(Ordering::Relaxed)
    }

    /// Whether it must be emptied even if reads have to wait.
    pub(super) fn is_too_large(&self) -> bool {
        self.bytes() >= TOO_LARGE_BYTES
    }

    /// Notes a checkpoint. If a reader or a full disk has prevented it from emptying the log, the
    /// next attempt comes a step later, not at every commit.
    pub(super) fn checkpointed(&self) {
        let next = self.bytes().saturating_add(STEP_BYTES);
        self.due_at_bytes.store(next, Ordering::Relaxed);
    }
}
