//! The data directory and its files.

use std::io;
use std::path::{Path, PathBuf};

use anyhow::{Context, bail};
use showreport_meta::private;

/// What only the owner may read.
const PRIVATE: [&str; 7] = [
    "meta.sqlite",
    "meta.sqlite-wal",
    "meta.sqlite-shm",
    "meta.acknowledged",
    "flush.lock",
    "store",
    "spill",
];

/// The directory with all data of an installation.
#[derive(Debug, Clone)]
pub struct DataDir(PathBuf);

impl DataDir {
    /// Makes the directory if it is missing. Only its owner may read a new one.
    pub fn create(path: &Path) -> anyhow::Result<Self> {
        private::make_directories(path)
            .with_context(|| format!("make the data directory {}", path.display()))?;
        let directory = Self(path.to_owned());
        directory.close_to_others();
        Ok(directory)
    }

    /// A directory that must hold data, so that a mistyped path does not make a new one.
    pub fn existing(path: &Path) -> anyhow::Result<Self> {
        let directory = Self(path.to_owned());
        if !directory.database().is_file() {
            bail!(
                "{} holds no data of showreport; name the directory with --data-dir, or begin with \
                 `showreport org create ORG --data-dir {0}`",
                path.display()
            );
        }
        directory.close_to_others();
        Ok(directory)
    }

    /// Logs a warning if others than the owner may read the directory. Its mode is not changed: a
    /// service manager or a volume may need it.
    pub fn warn_if_open(&self) {
        if let Ok(Some(mode)) = private::mode_for_others(&self.0) {
            tracing::warn!(
                directory = %self.0.display(),
                mode = format!("{mode:04o}"),
                "others than the owner may read the data directory; `chmod 700` prevents that"
            );
        }
    }

    /// Makes files private that an earlier version, or a copy, has left readable. Below `store` and
    /// `spill` that is not needed: only the owner can enter them.
    fn close_to_others(&self) {
        for name in PRIVATE {
            let path = self.0.join(name);
            if let Err(error) = private::close_to_others(&path) {
                tracing::warn!(path = %path.display(), %error, "cannot make it private");
            }
        }
    }

    pub fn path(&self) -> &Path {
        &self.0
    }

    pub(super) fn database(&self) -> PathBuf {
        self.0.join(showreport_meta::Config::FILE_NAME)
    }

    /// Exists after damage was found in the database, until a check finds none.
    pub(super) fn damage_mark(&self) -> PathBuf {
        self.0.join("meta.damaged")
    }

    pub(super) fn store(&self) -> PathBuf {
        self.0.join("store")
    }

    pub(super) fn flush_lock(&self) -> PathBuf {
        self.0.join("flush.lock")
    }

    pub(super) fn spill(&self) -> PathBuf {
        self.0.join("spill")
    }

    /// Makes a directory below that only the owner may read.
    pub(crate) fn make_private(&self, name: &str) -> io::Result<PathBuf> {
        let path = self.0.join(name);
        private::make_directories(&path)?;
        Ok(path)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[cfg(unix)]
    #[test]
    fn only_the_owner_may_read_a_new_one() {
        use std::os::unix::fs::PermissionsExt;
        let outside = tempfile::tempdir().expect("a temporary directory");
        let path = outside.path().join("a/b");
        DataDir::create(&path).expect("made");
        let mode = std::fs::metadata(&path)
            .expect("there")
            .permissions()
            .mode();
        assert_eq!(mode & 0o777, 0o700);
        DataDir::create(&path).expect("there already");
    }

    #[test]
    fn a_mistyped_path_is_no_data_directory() {
        let outside = tempfile::tempdir().expect("a temporary directory");
        let path = outside.path().join("mistyped");
        let error = DataDir::existing(&path).expect_err("nothing there");
        assert!(error.to_string().contains("--data-dir"), "{error}");
        assert!(!path.exists());
    }
}
