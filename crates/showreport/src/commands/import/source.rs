//! Where records are read from.

use std::fs::File;
use std::io::{self, Read};
use std::path::{Path, PathBuf};

/// A file or stdin.
#[derive(Debug)]
pub(super) struct Source {
    name: PathBuf,
    /// The open file and its size; nothing for stdin.
    file: Option<(File, u64)>,
}

impl Source {
    pub(super) fn stdin() -> Self {
        Self {
            name: PathBuf::from("stdin"),
            file: None,
        }
    }

    pub(super) fn open(path: &Path) -> io::Result<Self> {
        let file = File::open(path)?;
        let size_bytes = file.metadata()?.len();
        Ok(Self {
            name: path.to_owned(),
            file: Some((file, size_bytes)),
        })
    }

    pub(super) fn name(&self) -> &Path {
        &self.name
    }

    /// Its size, packed as it is; nothing where that is not known.
    pub(super) fn size_bytes(&self) -> Option<u64> {
        self.file.as_ref().map(|&(_, size_bytes)| size_bytes)
    }

    pub(super) fn input(self) -> Box<dyn Read + Send> {
        match self.file {
            Some((file, _)) => Box::new(file),
            None => Box::new(io::stdin()),
        }
    }
}
