//! [`Reserve`]: a file that is emptied so that writes can end on a full disk.
//!
//! On a full disk no token could be revoked and nothing be deleted. So a file beside the database
//! takes some mebibytes. A write that frees room or protects, and finds the disk full, empties the
//! file and runs again. While the file is not whole, all other writes of every process fail as on a
//! full disk: otherwise new records would take the freed room at once. The file is filled again as
//! soon as there is room for it, but not while [`Released`] exists.

use std::fs::{self, File};
use std::io::{self, Write};
use std::path::PathBuf;
use std::sync::Mutex;
use std::time::{Duration, Instant};

use showreport_model::is_storage_full;

use crate::config::Config;
use crate::private;

/// The time between attempts to fill the file. Each writes until the disk is full.
const FILL_AGAIN: Duration = Duration::from_secs(1);

/// Bytes of one write.
const PIECE_BYTES: usize = 64 << 10;

#[derive(Debug)]
pub(super) struct Reserve {
    path: PathBuf,
    bytes: u64,
    refused_at: Mutex<Option<Instant>>,
}

impl Reserve {
    /// The reserve of a database.
    pub(super) fn beside(config: &Config) -> Self {
        Self {
            path: config.path.with_extension("reserve"),
            bytes: config.reserve_bytes,
            refused_at: Mutex::default(),
        }
    }

    /// Whether the file has its size.
    pub(super) fn is_whole(&self) -> bool {
        fs::metadata(&self.path).is_ok_and(|file| file.len() >= self.bytes)
    }

    /// Fills the file, unless the disk was full a moment ago. Blocks.
    pub(super) fn fill(&self) -> io::Result<Filled> {
        let mut refused_at = self
            .refused_at
            .lock()
            .expect("no code panics while it is locked");
        if refused_at.is_some_and(|at| at.elapsed() < FILL_AGAIN) {
            return Ok(Filled::DiskFull);
        }
        let mut file = self.open()?;
        // Another process fills it, or has released it.
        if file.try_lock().is_err() {
            return Ok(Filled::of(self.is_whole()));
        }
        if file.metadata()?.len() >= self.bytes {
            return Ok(Filled::Whole);
        }
        empty(&file)?;
        match write_noise(&mut file, self.bytes) {
            Ok(()) => {
                *refused_at = None;
                Ok(Filled::Whole)
            }
            Err(error) => {
                empty(&file)?;
                *refused_at = Some(Instant::now());
                if is_storage_full(&error) {
                    Ok(Filled::DiskFull)
                } else {
                    Err(error)
                }
            }
        }
    }

    /// Empties the file, which stays empty until the result is dropped. Blocks.
    pub(super) fn release(&self) -> io::Result<Released> {
        let file = self.open()?;
        file.lock()?;
        empty(&file)?;
        Ok(Released { _locked: file })
    }

    fn open(&self) -> io::Result<File> {
        private::options()
            .create(true)
            .append(true)
            .open(&self.path)
    }
}

/// What [`Reserve::fill`] did.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Filled {
    /// The file has its size.
    Whole,
    /// The disk is full, or another process has released the reserve.
    DiskFull,
}

impl Filled {
    const fn of(is_whole: bool) -> Self {
        if is_whole {
            Self::Whole
        } else {
            Self::DiskFull
        }
    }
}

/// While it exists no process fills the file again.
#[derive(Debug)]
pub(crate) struct Released {
    /// Closing the file releases its lock.
    _locked: File,
}

fn empty(file: &File) -> io::Result<()> {
    if file.metadata()?.len() > 0 {
        file.set_len(0)?;
    }
    Ok(())
}

/// Writes bytes that no file system can compress or deduplicate.
fn write_noise(file: &mut File, bytes: u64) -> io::Result<()> {
    let mut state = 0x9e37_79b9_7f4a_7c15_u64;
    let mut left = bytes;
    while left > 0 {
        let mut piece = Vec::with_capacity(PIECE_BYTES);
        while piece.len() < PIECE_BYTES {
            // Xorshift, by Marsaglia.
            state ^= state << 13;
            state ^= state >> 7;
            state ^= state << 17;
            piece.extend(state.to_le_bytes());
        }
        piece.truncate(usize::try_from(left).unwrap_or(PIECE_BYTES));
        file.write_all(&piece)?;
        left -= piece.len() as u64;
    }
    file.sync_all()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn reserve(directory: &tempfile::TempDir) -> Reserve {
        Reserve::beside(&Config {
            reserve_bytes: 100_000,
            ..Config::new(directory.path().join("meta.sqlite"))
        })
    }

    #[test]
    fn it_is_filled_and_emptied() {
        let directory = tempfile::tempdir().unwrap();
        let (reserve, other) = (reserve(&directory), reserve(&directory));
        assert!(!reserve.is_whole());
        assert_eq!(reserve.fill().unwrap(), Filled::Whole);
        assert!(other.is_whole());
        let compressed = zstd::bulk::compress(&fs::read(&reserve.path).unwrap(), 3).unwrap();
        assert!(compressed.len() > 90_000, "{} bytes", compressed.len());
        let released = other.release().unwrap();
        assert_eq!(fs::metadata(&reserve.path).unwrap().len(), 0);
        // No process fills it while it is released.
        assert_eq!(reserve.fill().unwrap(), Filled::DiskFull);
        assert_eq!(other.fill().unwrap(), Filled::DiskFull);
        drop(released);
        // A crash left it half filled.
        fs::write(&reserve.path, [1; 10]).unwrap();
        assert_eq!(reserve.fill().unwrap(), Filled::Whole);
        assert!(other.is_whole());
    }

    #[cfg(target_os = "linux")]
    #[test]
    fn a_full_disk_is_no_error_and_the_next_attempt_waits() {
        let directory = tempfile::tempdir().unwrap();
        let reserve = reserve(&directory);
        std::os::unix::fs::symlink("/dev/full", &reserve.path).unwrap();
        assert_eq!(reserve.fill().unwrap(), Filled::DiskFull);
        assert!(!reserve.is_whole());
        fs::remove_file(&reserve.path).unwrap();
        assert_eq!(
            reserve.fill().unwrap(),
            Filled::DiskFull,
            "it was full a moment ago"
        );
    }
}
