//! [`Log`]: the size of the write-ahead log, and when it is to be moved into the database file.

use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicU64, Ordering};

/// How far the log grows until it is moved into the database file. Larger
/// means rarer pauses of the writer, smaller means a faster start after a crash.
const STEP_BYTES: u64 = 16 << 20;

/// From here on the log is too large: readers that follow each other without a gap have kept it
/// from being emptied, though each of them was short.
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

    /// How large it is. Asking the file system takes microseconds; no thread is worth it.
    pub(super) fn bytes(&self) -> u64 {
        std::fs::metadata(&self.path).map_or(0, |file| file.len())
    }

    /// Whether it has grown by a step since it was last moved.
    pub(super) fn is_due(&self) -> bool {
        self.bytes() >= self.due_at_bytes.load(Ordering::Relaxed)
    }

    /// Whether it must be emptied, even if reads have to wait.
    pub(super) fn is_too_large(&self) -> bool {
        self.bytes() >= TOO_LARGE_BYTES
    }

    /// Notes that it was moved. A reader or a full disk may have kept it from being emptied: then
    /// the next attempt comes a step later, not at every commit.
    pub(super) fn checkpointed(&self) {
        let next = self.bytes().saturating_add(STEP_BYTES);
        self.due_at_bytes.store(next, Ordering::Relaxed);
    }
}
