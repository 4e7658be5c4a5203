//! [`Watermark`]: the number of acknowledged transactions, in a file beside the database.
//!
//! `SQLite` reads its log up to the first damaged frame and treats the rest as unfinished. So a
//! flipped bit could undo acknowledged transactions, and nothing in the database would show it.
//! This file is written after each commit and compared with the ledger when the database is opened.
//!
//! It is not synced, which would double the time of a commit. When the process dies the system
//! still has it; after a power cut it may be too low, but not too high.

use std::fs::File;
use std::io::{self, Read, Seek, SeekFrom, Write};
use std::path::Path;
use std::sync::Mutex;

use showreport_model::Damage;

use crate::private;

#[derive(Debug)]
pub(crate) struct Watermark {
    file: Mutex<File>,
    name: String,
}

/// A number, its checksum, and zeros.
const COPY_BYTES: usize = 16;

/// Two copies, so that one flipped bit damages only one of them.
type Copies = [u8; 2 * COPY_BYTES];

impl Watermark {
    /// Opens the file, and creates it if it is missing.
    pub(crate) fn open(path: &Path) -> io::Result<Self> {
        let file = private::options()
            .read(true)
            .write(true)
            .create(true)
            .truncate(false)
            .open(path)?;
        let name = path.file_name().unwrap_or(path.as_os_str());
        Ok(Self {
            file: Mutex::new(file),
            name: name.to_string_lossy().into_owned(),
        })
    }

    /// The number of acknowledged transactions; 0 if the file is empty.
    pub(crate) fn read(&self) -> io::Result<Result<i64, Damage>> {
        let mut file = self.file.lock().expect("no code panics while it is locked");
        let Some(copies) = read(&mut file)? else {
            return Ok(Ok(0));
        };
        Ok(highest(&copies).ok_or_else(|| Damage {
            file: self.name.clone(),
            problem: "neither of its copies matches its checksum".to_owned(),
        }))
    }

    /// Stores the number of acknowledged transactions, unless a greater one is stored.
    pub(crate) fn raise(&self, commits: i64) -> io::Result<()> {
        let mut file = self.file.lock().expect("no code panics while it is locked");
        // Another process may be ahead.
        if read(&mut file)?.and_then(|copies| highest(&copies)) >= Some(commits) {
            return Ok(());
        }
        let mut copy = commits.to_le_bytes().to_vec();
        copy.extend(crc32fast::hash(&copy).to_le_bytes());
        copy.resize(COPY_BYTES, 0);
        file.seek(SeekFrom::Start(0))?;
        file.write_all(&copy.repeat(2))
    }
}

/// The content of the file. `None` if it is empty.
fn read(file: &mut File) -> io::Result<Option<Copies>> {
    let mut copies = Copies::default();
    file.seek(SeekFrom::Start(0))?;
    match file.read_exact(&mut copies) {
        // After a power cut the file may have its length and no content.
        Ok(()) if copies == Copies::default() => Ok(None),
        Ok(()) => Ok(Some(copies)),
        Err(error) if error.kind() == io::ErrorKind::UnexpectedEof => Ok(None),
        Err(error) => Err(error),
    }
}

fn highest(copies: &Copies) -> Option<i64> {
    copies.chunks(COPY_BYTES).filter_map(count).max()
}

fn count(copy: &[u8]) -> Option<i64> {
    let (commits, rest) = copy.split_first_chunk::<8>()?;
    let (sum, _) = rest.split_first_chunk::<4>()?;
    let is_whole = crc32fast::hash(commits) == u32::from_le_bytes(*sum);
    is_whole.then(|| i64::from_le_bytes(*commits))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn it_only_rises_and_survives_one_flipped_bit() {
        let directory = tempfile::tempdir().unwrap();
        let path = directory.path().join("meta.acknowledged");
        let one = Watermark::open(&path).unwrap();
        let other = Watermark::open(&path).unwrap();
        assert_eq!(one.read().unwrap(), Ok(0));
        one.raise(7).unwrap();
        other.raise(5).unwrap();
        assert_eq!(other.read().unwrap(), Ok(7));

        let good = std::fs::read(&path).unwrap();
        for bit in 0..good.len() * 8 {
            let mut bad = good.clone();
            bad[bit / 8] ^= 1 << (bit % 8);
            std::fs::write(&path, &bad).unwrap();
            assert_eq!(one.read().unwrap(), Ok(7), "bit {bit}");
        }
        for empty in [vec![], vec![0; good.len()]] {
            std::fs::write(&path, empty).unwrap();
            assert_eq!(one.read().unwrap(), Ok(0));
        }
        std::fs::write(&path, vec![0xff; good.len()]).unwrap();
        let damage = one.read().unwrap().unwrap_err();
        assert_eq!(damage.file, "meta.acknowledged");
    }
}
