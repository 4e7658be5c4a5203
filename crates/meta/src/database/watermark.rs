//! [`Watermark`]: how many transactions were acknowledged, in a file beside the database.
//!
//! `SQLite` reads its log up to the first part that is damaged and takes the rest for
//! what a crash left unfinished. So a flipped bit could take back what was
//! acknowledged, and nothing inside the database would know. This file does: it is
//! written after each commit and compared with the ledger when the database is opened.
//!
//! It is not synced, which would double the price of a commit: when the process
//! dies the system still has it, and after a power cut it may only be behind.

use std::fs::File;
use std::io::{self, Read, Seek, SeekFrom, Write};
use std::path::Path;
use std::sync::Mutex;

use showreport_model::Damage;

use crate::private;

/// The file.
#[derive(Debug)]
pub(crate) struct Watermark {
    file: Mutex<File>,
    name: String,
}

/// A count, its checksum, and nothing.
const COPY_BYTES: usize = 16;

/// Two copies, so that a flipped bit in the one leaves the other.
type Copies = [u8; 2 * COPY_BYTES];

impl Watermark {
    /// Opens the file, and makes it if it is missing.
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

    /// How many transactions were acknowledged; 0 if nobody noted any.
    pub(crate) fn read(&self) -> io::Result<Result<i64, Damage>> {
        let mut file = self.file.lock().expect("nothing panics while it is held");
        let Some(copies) = read(&mut file)? else {
            return Ok(Ok(0));
        };
        Ok(highest(&copies).ok_or_else(|| Damage {
            file: self.name.clone(),
            problem: "neither of its copies matches its checksum".to_owned(),
        }))
    }

    /// Notes that so many transactions were acknowledged, unless more were.
    pub(crate) fn raise(&self, commits: i64) -> io::Result<()> {
        let mut file = self.file.lock().expect("nothing panics while it is held");
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

/// What is in the file; nothing, if it is as good as new.
fn read(file: &mut File) -> io::Result<Option<Copies>> {
    let mut copies = Copies::default();
    file.seek(SeekFrom::Start(0))?;
    match file.read_exact(&mut copies) {
        // A power cut may leave the room for what was not written yet.
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
    fn it_rises_only_and_outlives_one_flipped_bit() {
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
        for as_good_as_new in [vec![], vec![0; good.len()]] {
            std::fs::write(&path, as_good_as_new).unwrap();
            assert_eq!(one.read().unwrap(), Ok(0));
        }
        std::fs::write(&path, vec![0xff; good.len()]).unwrap();
        let damage = one.read().unwrap().unwrap_err();
        assert_eq!(damage.file, "meta.acknowledged");
    }
}
