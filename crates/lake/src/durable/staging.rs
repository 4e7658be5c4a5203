//! The directory for files that are not complete.
//!
//! Each process that has the store open has a directory of its own there with a lock, which the
//! system releases when the process ends. A directory without a lock belongs to a process that
//! died.

use std::fs::{self, File, TryLockError};
use std::io::{self, Write};
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicU64, Ordering};

use object_store::PutPayload;
use showreport_meta::private;
use uuid::Uuid;

/// The directory below the root.
pub(super) const STAGING: &str = ".staging";

const LOCK: &str = "lock";

/// The staging directory of this process.
#[derive(Debug)]
pub(super) struct Staging {
    directory: PathBuf,
    next: AtomicU64,
    /// Held until the store is closed.
    _lock: File,
}

impl Staging {
    /// Removes the directories of processes that died and makes one for this process.
    pub(super) fn open(root: &Path) -> io::Result<Self> {
        let all = root.join(STAGING);
        private::make_directories(&all)?;
        // One process at a time, so that a directory is not removed before its lock is taken.
        let entrance = File::open(&all)?;
        entrance.lock()?;
        for entry in fs::read_dir(&all)? {
            let left = entry?.path();
            if is_dead(&left)? {
                fs::remove_dir_all(&left)?;
            }
        }
        let directory = all.join(Uuid::new_v4().to_string());
        private::make_directory(&directory)?;
        let mut options = private::options();
        let lock = options
            .write(true)
            .create_new(true)
            .open(directory.join(LOCK))?;
        lock.lock()?;
        Ok(Self {
            directory,
            next: AtomicU64::new(0),
            _lock: lock,
        })
    }

    /// A new, empty file.
    pub(super) fn create(&self) -> io::Result<Staged> {
        let number = self.next.fetch_add(1, Ordering::Relaxed);
        let path = self.directory.join(number.to_string());
        let mut options = private::options();
        let file = options.write(true).create_new(true).open(&path)?;
        Ok(Staged { file, path })
    }
}

impl Drop for Staging {
    fn drop(&mut self) {
        // If this fails, the next process that opens the store removes the directory.
        let _ = fs::remove_dir_all(&self.directory);
    }
}

fn is_dead(directory: &Path) -> io::Result<bool> {
    let lock = match File::open(directory.join(LOCK)) {
        Ok(lock) => lock,
        // The process died before it had taken the lock.
        Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(true),
        Err(error) => return Err(error),
    };
    match lock.try_lock() {
        Ok(()) => Ok(true),
        Err(TryLockError::WouldBlock) => Ok(false),
        Err(TryLockError::Error(error)) => Err(error),
    }
}

/// A file without a name. It is deleted if it is dropped before it gets one.
#[derive(Debug)]
pub(super) struct Staged {
    pub(super) file: File,
    pub(super) path: PathBuf,
}

impl Staged {
    /// Appends.
    pub(super) fn write_all(&mut self, payload: &PutPayload) -> io::Result<()> {
        payload
            .iter()
            .try_for_each(|chunk| self.file.write_all(chunk))
    }
}

impl Drop for Staged {
    fn drop(&mut self) {
        // After a rename there is nothing to delete; after a link the staged name must be deleted.
        let _ = fs::remove_file(&self.path);
    }
}
