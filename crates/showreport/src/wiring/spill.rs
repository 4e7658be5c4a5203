//! Where this process puts what does not fit into memory.
//!
//! Each process has a directory of its own below the data directory, with a
//! lock that dies with it. Whoever comes next removes the directories of the dead.

use std::fs::{self, File, TryLockError};
use std::io;
use std::path::Path;

use showreport_meta::private;
use tempfile::TempDir;

/// The file in each directory that its process holds locked.
const LOCK: &str = "lock";

/// A directory for temporary files, removed with this value, or by the next process.
#[derive(Debug)]
pub(super) struct SpillDir {
    directory: TempDir,
    _lock: File,
}

impl SpillDir {
    /// Makes one below `parent`, and removes what dead processes have left there.
    pub(super) fn create(parent: &Path) -> io::Result<Self> {
        private::make_directories(parent)?;
        // One at a time, so that nobody takes a directory for dead before its lock is held.
        let entrance = create(&parent.join(LOCK))?;
        entrance.lock()?;
        remove_dead(parent)?;
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

fn remove_dead(parent: &Path) -> io::Result<()> {
    for entry in fs::read_dir(parent)? {
        let entry = entry?;
        if entry.file_type()?.is_dir() && is_dead(&entry.path())? {
            fs::remove_dir_all(entry.path())?;
        }
    }
    Ok(())
}

fn is_dead(directory: &Path) -> io::Result<bool> {
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
    fn what_the_dead_have_left_is_removed_and_what_the_living_use_is_kept() {
        let parent = tempfile::tempdir().expect("a temporary directory");
        let dead = parent.path().join("dead");
        fs::create_dir(&dead).expect("made");
        fs::write(dead.join(LOCK), "").expect("written");
        fs::write(dead.join("rows.parquet"), "rows").expect("written");

        let living = SpillDir::create(parent.path()).expect("made");
        let other = SpillDir::create(parent.path()).expect("made");
        assert!(!dead.exists());
        assert!(living.path().exists());

        let path = other.path().to_owned();
        drop(other);
        assert!(!path.exists());
    }
}
