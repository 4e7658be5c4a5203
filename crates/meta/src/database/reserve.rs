//! [`Reserve`]: room on the disk that is kept for writes that free room or protect.
//!
//! A full disk would refuse to revoke a token and to delete what fills it. So a file beside the
//! database holds some mebibytes. A write of that kind that finds the disk full empties the file
//! and is done again. While the file is not whole, every other write of every process is refused
//! as on a full disk; otherwise what is collected would take the freed room at once. The file is
//! filled again as soon as there is room for it, but not while [`Released`] exists.

use std::fs::{self, File};
use std::io::{self, Write};
use std::path::PathBuf;
use std::sync::Mutex;
use std::time::{Duration, Instant};

use showreport_model::is_storage_full;

use crate::config::Config;
use crate::private;

/// How soon it is tried again to fill the file. Each attempt writes until the disk is full.
const FILL_AGAIN: Duration = Duration::from_secs(1);

/// Bytes that are written at once.
const PIECE_BYTES: usize = 64 << 10;

/// The file, and the last attempt to fill it.
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

    /// Whether the room is there.
    pub(super) fn is_whole(&self) -> bool {
        fs::metadata(&self.path).is_ok_and(|file| file.len() >= self.bytes)
    }

    /// Takes the room, if the disk has it: false, if it is full, or was a moment ago. Blocks.
    pub(super) fn fill(&self) -> io::Result<bool> {
        let mut refused_at = self.refused_at.lock().expect("nothing panics while held");
        if refused_at.is_some_and(|at| at.elapsed() < FILL_AGAIN) {
            return Ok(false);
        }
        let mut file = self.open()?;
        // Another that fills it, or has given it up, decides.
        if file.try_lock().is_err() {
            return Ok(self.is_whole());
        }
        if file.metadata()?.len() >= self.bytes {
            return Ok(true);
        }
        empty(&file)?;
        match write_noise(&mut file, self.bytes) {
            Ok(()) => {
                *refused_at = None;
                Ok(true)
            }
            Err(error) => {
                empty(&file)?;
                *refused_at = Some(Instant::now());
                if is_storage_full(&error) {
                    Ok(false)
                } else {
                    Err(error)
                }
            }
        }
    }

    /// Gives the room up until the answer is dropped. Blocks.
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

/// While it exists no process takes the room again: its holder has it.
#[derive(Debug)]
pub(crate) struct Released {
    /// The system gives the lock back when the file is closed.
    _locked: File,
}

fn empty(file: &File) -> io::Result<()> {
    if file.metadata()?.len() > 0 {
        file.set_len(0)?;
    }
    Ok(())
}

/// Writes bytes that no file system can pack or leave out, so that they take their room.
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
    fn it_takes_its_room_and_gives_it_up() {
        let directory = tempfile::tempdir().unwrap();
        let (reserve, other) = (reserve(&directory), reserve(&directory));
        assert!(!reserve.is_whole());
        assert!(reserve.fill().unwrap());
        assert!(other.is_whole());
        let packed = zstd::bulk::compress(&fs::read(&reserve.path).unwrap(), 3).unwrap();
        assert!(packed.len() > 90_000, "it packs to {} bytes", packed.len());
        let released = other.release().unwrap();
        assert_eq!(fs::metadata(&reserve.path).unwrap().len(), 0);
        // No process takes the room back while it is given up.
        assert!(!reserve.fill().unwrap());
        assert!(!other.fill().unwrap());
        drop(released);
        // A crash left it half filled.
        fs::write(&reserve.path, [1; 10]).unwrap();
        assert!(reserve.fill().unwrap());
        assert!(other.is_whole());
    }

    #[cfg(target_os = "linux")]
    #[test]
    fn a_full_disk_is_no_error_and_is_not_tried_again_at_once() {
        let directory = tempfile::tempdir().unwrap();
        let reserve = reserve(&directory);
        std::os::unix::fs::symlink("/dev/full", &reserve.path).unwrap();
        assert!(!reserve.fill().unwrap());
        assert!(!reserve.is_whole());
        fs::remove_file(&reserve.path).unwrap();
        assert!(!reserve.fill().unwrap(), "it was full a moment ago");
    }
}
