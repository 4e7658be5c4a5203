//! The directory of this process for data that does not fit into memory.
//!
//! Each process has its own, below the data directory, with a lock that the system releases when the
//! process ends. The next process removes the directories without a lock.

use std::fs::{self, File, TryLockError};
use std::io;
use std::path::Path;

use showreport_meta::private;
use tempfile::TempDir;

/// The file in each directory that its process keeps locked.
const LOCK: &str = "lock";

/// A directory for temporary files, removed with this value, or by the next process.
#[derive(Debug)]
pub(super) struct SpillDir {
    directory: TempDir,
    _lock: File,
}

impl SpillDir {
    /// Makes a directory below `parent`, and removes those of processes that have ended.
    pub(super) fn create(parent: &Path) -> io::Result<Self> {
        private::make_directories(parent)?;
        // One process at a time: another must not remove a directory that has no lock yet.
        let entrance = create(&parent.join(LOCK))?;
        entrance.lock()?;
        remove_abandoned(parent)?;
        let directory = TempDir::new_in(parent)?;
        private::close_to_others(directory.path())?;
        let lock = create(&directory.path().join(LOCK))?;
        lock.lock()?;
        Ok(Self {
            directory,
            _lock: lock,
        })
    }

    pub(super) fn path(&self) -> &Path {
        self.directory.path()
    }
}

fn create(lock: &Path) -> io::Result<File> {
    let mut options = private::options();
    options.write(true).create(true).truncate(true).open(lock)
}

fn remove_abandoned(parent: &Path) -> io::Result<()> {
    for entry in fs::read_dir(parent)? {
        let entry = entry?;
        if entry.file_type()?.is_dir() && is_abandoned(&entry.path())? {
            fs::remove_dir_all(entry.path())?;
        }
    }
    Ok(())
}

fn is_abandoned(directory: &Path) -> io::Result<bool> {
    let lock = match File::open(directory.join(LOCK)) {
        Ok(lock) => lock,
        Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(true),
        Err(error) => return Err(error),
    };
    match lock.try_lock() {
        Ok(()) => Ok(true),
        Err(TryLockError::WouldBlock) => Ok(false),
        Err(TryLockError::Error(error)) => Err(error),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn directories_of_ended_processes_are_removed_and_others_are_kept() {
        let parent = tempfile::tempdir().expect("a temporary directory");
        let ended = parent.path().join("ended");
        fs::create_dir(&ended).expect("made");
        fs::write(ended.join(LOCK), "").expect("written");
        fs::write(ended.join("rows.parquet"), "rows").expect("written");

        let running = SpillDir::create(parent.path()).expect("made");
        let other = SpillDir::create(parent.path()).expect("made");
        assert!(!ended.exists());
        assert!(running.path().exists());

        let path = other.path().to_owned();
        drop(other);
        assert!(!path.exists());
    }
}
