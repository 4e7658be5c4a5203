//! Where records are read from.

use std::fs::File;
use std::io::{self, Read};
use std::path::{Path, PathBuf};

/// How records are written in a file.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Form {
    /// A record a line, as JSON.
    Ndjson,
    /// A header of the names of fields, and a record a row.
    Csv,
}

/// How it is known whether and how a file is packed.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Packing {
    /// By its first bytes: plain, gzip or zstd.
    ByContent,
    /// By its name, since brotli has no first bytes of its own.
    Brotli,
}

/// What a name says of a file of records; nothing where it is none.
pub(super) fn named(name: &str) -> Option<(Form, Packing)> {
    let (name, packing) = match name.rsplit_once('.')? {
        (name, "br") => (name, Packing::Brotli),
        (name, "gz" | "zst") => (name, Packing::ByContent),
        _ => (name, Packing::ByContent),
    };
    match name.rsplit_once('.')?.1 {
        "ndjson" | "jsonl" => Some((Form::Ndjson, packing)),
        "csv" => Some((Form::Csv, packing)),
        _ => None,
    }
}

/// A file or stdin.
#[derive(Debug)]
pub(super) struct Source {
    name: PathBuf,
    pub(super) form: Form,
    pub(super) packing: Packing,
    /// The open file and its size; nothing for stdin.
    file: Option<(File, u64)>,
}

impl Source {
    pub(super) fn stdin() -> Self {
        Self {
            name: PathBuf::from("stdin"),
            form: Form::Ndjson,
            packing: Packing::ByContent,
            file: None,
        }
    }

    pub(super) fn open(path: &Path, form: Form, packing: Packing) -> io::Result<Self> {
        let file = File::open(path)?;
        let size_bytes = file.metadata()?.len();
        Ok(Self {
            name: path.to_owned(),
            form,
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
            ("a.ndjson", (Form::Ndjson, Packing::ByContent)),
            ("dir.csv/a.jsonl.gz", (Form::Ndjson, Packing::ByContent)),
            ("a.csv", (Form::Csv, Packing::ByContent)),
            ("a.b.csv.zst", (Form::Csv, Packing::ByContent)),
            ("a.csv.br", (Form::Csv, Packing::Brotli)),
        ] {
            assert_eq!(named(name), Some(wanted), "{name}");
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
            assert_eq!(named(name), None, "{name}");
        }
    }
}
