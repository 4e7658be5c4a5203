//! Writing a file under a temporary name that is renamed when the file is complete.

use std::ffi::OsString;
use std::fs::{self, File, OpenOptions};
use std::io;
use std::path::{Path, PathBuf};

use showreport_query::Sink;

/// A file that is written under a temporary name in the same directory. Devices and pipes are
/// written directly.
///
/// If it is dropped before `publish`, the temporary file is removed.
#[derive(Debug)]
pub(super) struct AtomicFile {
    /// Shares the open file of the sink, so that its sync returns the write errors of the sink.
    file: File,
    /// The temporary and the final path; `None` for devices, pipes and published files.
    unpublished: Option<(PathBuf, PathBuf)>,
}

impl AtomicFile {
    /// Creates the file and returns the sink for its bytes.
    pub(super) fn create(path: &Path) -> io::Result<(Self, Sink)> {
        let special = fs::metadata(path).is_ok_and(|it| !it.is_file() && !it.is_dir());
        let (file, unpublished) = if special {
            (OpenOptions::new().write(true).open(path)?, None)
        } else {
            let partial = partial_path(path)?;
            let file = OpenOptions::new()
                .write(true)
                .create_new(true)
                .open(&partial)?;
            (file, Some((partial, path.to_owned())))
        };
        let whole = Self { file, unpublished };
        let sink = tokio::fs::File::from_std(whole.file.try_clone()?);
        Ok((whole, Box::new(sink)))
    }

    /// Syncs the file and renames it to its final path.
    pub(super) fn publish(mut self) -> io::Result<()> {
        let Some((partial, path)) = &self.unpublished else {
            return Ok(());
        };
        self.file.sync_all()?;
        fs::rename(partial, path)?;
        let directory = directory_of(path).to_owned();
        self.unpublished = None;
        // Without a sync of the directory a power cut could undo the rename.
        #[cfg(unix)]
        File::open(directory)?.sync_all()?;
        Ok(())
    }
}

impl Drop for AtomicFile {
    fn drop(&mut self) {
        if let Some((partial, _)) = &self.unpublished
            && let Err(error) = fs::remove_file(partial)
        {
            let path = partial.display();
            tracing::warn!(%path, %error, "the unfinished file could not be removed");
        }
    }
}

/// A sink that writes to stdout.
pub(super) fn stdout_sink() -> io::Result<Sink> {
    let stdout = io::stdout();
    #[cfg(unix)]
    let stdout = std::os::fd::AsFd::as_fd(&stdout).try_clone_to_owned()?;
    #[cfg(windows)]
    let stdout = std::os::windows::io::AsHandle::as_handle(&stdout).try_clone_to_owned()?;
    Ok(Box::new(tokio::fs::File::from_std(File::from(stdout))))
}

/// The temporary path. It holds the process id, so that two processes can write the same file.
fn partial_path(path: &Path) -> io::Result<PathBuf> {
    let invalid = || {
        io::Error::new(
            io::ErrorKind::InvalidInput,
            "the path names a directory, not a file",
        )
    };
    if path.is_dir() {
        return Err(invalid());
    }
    let mut name = OsString::from(".");
    name.push(path.file_name().ok_or_else(invalid)?);
    name.push(format!(".{}.part", std::process::id()));
    Ok(path.with_file_name(name))
}

fn directory_of(path: &Path) -> &Path {
    match path.parent() {
        Some(parent) if parent != Path::new("") => parent,
        _ => Path::new("."),
    }
}

#[cfg(test)]
mod tests {
    use tokio::io::AsyncWriteExt;

    use super::*;

    fn names(directory: &Path) -> Vec<OsString> {
        let entries = fs::read_dir(directory).expect("a directory");
        entries
            .map(|entry| entry.expect("an entry").file_name())
            .collect()
    }

    #[tokio::test]
    async fn a_file_is_replaced_only_when_it_is_complete() {
        let directory = tempfile::tempdir().expect("a temporary directory");
        let path = directory.path().join("report.csv");
        fs::write(&path, "old").expect("written");
        let (file, mut sink) = AtomicFile::create(&path).expect("made");
        sink.write_all(b"new").await.expect("written");
        sink.shutdown().await.expect("flushed");
        assert_eq!(fs::read(&path).expect("there"), b"old");
        file.publish().expect("renamed");
        assert_eq!(fs::read(&path).expect("there"), b"new");
        assert_eq!(names(directory.path()), ["report.csv"]);
    }

    #[tokio::test]
    async fn an_unfinished_file_is_removed() {
        let directory = tempfile::tempdir().expect("a temporary directory");
        let (file, mut sink) = AtomicFile::create(&directory.path().join("a")).expect("made");
        sink.write_all(b"half").await.expect("written");
        drop(file);
        assert!(names(directory.path()).is_empty());
        assert!(AtomicFile::create(directory.path()).is_err());
    }
}
