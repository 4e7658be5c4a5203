//! The data directory: what lies where.

use std::io;
use std::path::{Path, PathBuf};

use anyhow::{Context, bail};

/// A directory that holds all data of an installation.
#[derive(Debug, Clone)]
pub struct DataDir(PathBuf);

impl DataDir {
    /// The directory, made if it is missing. Only its owner may look into a new one.
    pub fn create(path: &Path) -> anyhow::Result<Self> {
        make_private(path)
            .with_context(|| format!("make the data directory {}", path.display()))?;
        Ok(Self(path.to_owned()))
    }

    /// A directory that holds data already, so that a mistyped path makes no new one.
    pub fn existing(path: &Path) -> anyhow::Result<Self> {
        let directory = Self(path.to_owned());
        if !directory.database().is_file() {
            bail!(
                "{} holds no data of showreport; name the directory with --data-dir, or begin with \
                 `showreport org create ORG --data-dir {0}`",
                path.display()
            );
        }
        Ok(directory)
    }

    /// The directory itself.
    pub fn path(&self) -> &Path {
        &self.0
    }

    pub(super) fn database(&self) -> PathBuf {
        self.0.join(showreport_meta::Config::FILE_NAME)
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

    /// Makes a directory below that only the owner may look into.
    pub(crate) fn make_private(&self, name: &str) -> io::Result<PathBuf> {
        let path = self.0.join(name);
        make_private(&path)?;
        Ok(path)
    }
}

fn make_private(path: &Path) -> io::Result<()> {
    let mut builder = std::fs::DirBuilder::new();
    builder.recursive(true);
    #[cfg(unix)]
    std::os::unix::fs::DirBuilderExt::mode(&mut builder, 0o700);
    builder.create(path)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[cfg(unix)]
    #[test]
    fn only_the_owner_may_look_into_a_new_one() {
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
