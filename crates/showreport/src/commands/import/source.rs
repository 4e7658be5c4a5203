//! The files that records are read from.

use std::fs::File;
use std::io::{self, Read};
use std::path::{Path, PathBuf};

use showreport_records::{FileFormat, Ndjson, file_format};

/// How a file is compressed.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Compression {
    /// Not, or with gzip or zstd, which are detected by the first bytes.
    Detected,
    /// With brotli, which only the name shows.
    Brotli,
}

/// The format and the compression by the name of a file; `None` for other files.
pub(super) fn named(name: &str) -> Option<(&'static dyn FileFormat, Compression)> {
    let (name, compression) = match name.rsplit_once('.')? {
        (name, "br") => (name, Compression::Brotli),
        (name, "gz" | "zst") => (name, Compression::Detected),
        _ => (name, Compression::Detected),
    };
    let format = file_format(name.rsplit_once('.')?.1)?;
    Some((format, compression))
}

/// A file or stdin.
#[derive(Debug)]
pub(super) struct Source {
    name: PathBuf,
    pub(super) format: &'static dyn FileFormat,
    pub(super) compression: Compression,
    /// The open file and its size in bytes; `None` is stdin.
    file: Option<(File, u64)>,
}

impl Source {
    pub(super) fn stdin() -> Self {
        Self {
            name: PathBuf::from("stdin"),
            format: &Ndjson,
            compression: Compression::Detected,
            file: None,
        }
    }

    pub(super) fn open(
        path: &Path,
        format: &'static dyn FileFormat,
        compression: Compression,
    ) -> io::Result<Self> {
        let file = File::open(path)?;
        let size_bytes = file.metadata()?.len();
        Ok(Self {
            name: path.to_owned(),
            format,
            compression,
            file: Some((file, size_bytes)),
        })
    }

    pub(super) fn name(&self) -> &Path {
        &self.name
    }

    /// The size of the file, compressed as it is; `None` for stdin.
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
    fn a_name_shows_format_and_compression() {
        for (name, wanted) in [
            ("a.ndjson", ("ndjson", Compression::Detected)),
            ("dir.csv/a.jsonl.gz", ("ndjson", Compression::Detected)),
            ("a.csv", ("csv", Compression::Detected)),
            ("a.b.csv.zst", ("csv", Compression::Detected)),
            ("a.csv.br", ("csv", Compression::Brotli)),
        ] {
            let found =
                named(name).map(|(format, compression)| (format.extensions()[0], compression));
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
