//! Where records are read from.

use std::fs::File;
use std::io::{self, Read};
use std::path::{Path, PathBuf};

use showreport_records::{FileFormat, Ndjson, file_format};

/// How it is known whether and how a file is packed.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Packing {
    /// By its first bytes: plain, gzip or zstd.
    ByContent,
    /// By its name, since brotli has no first bytes of its own.
    Brotli,
}

/// What a name says of a file of records; nothing where it is none.
pub(super) fn named(name: &str) -> Option<(&'static dyn FileFormat, Packing)> {
    let (name, packing) = match name.rsplit_once('.')? {
        (name, "br") => (name, Packing::Brotli),
        (name, "gz" | "zst") => (name, Packing::ByContent),
        _ => (name, Packing::ByContent),
    };
    let format = file_format(name.rsplit_once('.')?.1)?;
    Some((format, packing))
}

/// A file or stdin.
#[derive(Debug)]
pub(super) struct Source {
    name: PathBuf,
    pub(super) format: &'static dyn FileFormat,
    pub(super) packing: Packing,
    /// The open file and its size; nothing for stdin.
    file: Option<(File, u64)>,
}

impl Source {
    pub(super) fn stdin() -> Self {
        Self {
            name: PathBuf::from("stdin"),
            format: &Ndjson,
            packing: Packing::ByContent,
            file: None,
        }
    }

    pub(super) fn open(
        path: &Path,
        format: &'static dyn FileFormat,
        packing: Packing,
    ) -> io::Result<Self> {
        let file = File::open(path)?;
        let size_bytes = file.metadata()?.len();
        Ok(Self {
            name: path.to_owned(),
            format,
            packing,
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

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_name_says_form_and_packing() {
        for (name, wanted) in [
            ("a.ndjson", ("ndjson", Packing::ByContent)),
            ("dir.csv/a.jsonl.gz", ("ndjson", Packing::ByContent)),
            ("a.csv", ("csv", Packing::ByContent)),
            ("a.b.csv.zst", ("csv", Packing::ByContent)),
            ("a.csv.br", ("csv", Packing::Brotli)),
        ] {
            let found = named(name).map(|(format, packing)| (format.extensions()[0], packing));
            assert_eq!(found, Some(wanted), "{name}");
        }
        for name in [
            "a",
            "a.gz",
            "csv",
            "a.json",
            "a.csv.xz",
            "a.txt",
            "a.ndjson.gz.br",
        ] {
            assert!(named(name).is_none(), "{name}");
        }
    }
}
