//! `DuckDB`, the peer of reports and bulk loads.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;

use anyhow::Context;

use super::figures::Measured;
use super::reports::Grouping;
use showreport_testkit::output;
use showreport_testkit::python;
use showreport_testkit::root;

/// The version that the aims were written against.
const VERSION: &str = "2.0.0";

/// `DuckDB` in a Python environment.
pub(crate) struct Duck {
    python: PathBuf,
    folder: PathBuf,
}

/// What `DuckDB` reads.
#[derive(Debug, Clone, Copy)]
pub(crate) enum Source<'a> {
    /// The records as they were sent.
    Raw(&'a Path),
    /// The files of the lake.
    Lake(&'a [PathBuf]),
}

impl Duck {
    pub(crate) const NAME: &'static str = "DuckDB 2.0.0";

    /// Installs it, unless it is there.
    pub(crate) fn install(folder: &Path) -> anyhow::Result<Self> {
        let python = python::environment(&folder.join("venv"), &[&format!("duckdb=={VERSION}")])?;
        Ok(Self {
            python,
            folder: folder.to_owned(),
        })
    }

    /// Loads records into a table of a database file; the rows and the bytes on disk.
    pub(crate) fn load(&self, records: &Path) -> anyhow::Result<(Measured, u64, u64)> {
        let database = self.folder.join("loaded.duckdb");
        if database.exists() {
            fs::remove_file(&database).context("remove the last database")?;
        }
        let (measured, rows) = self.run(&["load"], &[records, &database])?;
        Ok((measured, rows, fs::metadata(&database)?.len()))
    }

    /// Finds or makes the records as Parquet, beside the records.
    pub(crate) fn parquet(&self, records: &Path) -> anyhow::Result<PathBuf> {
        let raw = records.with_extension("parquet");
        if !raw.exists() {
            let partly = raw.with_extension("partly");
            self.run(&["parquet"], &[records, &partly])?;
            fs::rename(&partly, &raw).context("name the raw Parquet")?;
        }
        Ok(raw)
    }

    /// Makes a report, and gives its file.
    pub(crate) fn report(
        &self,
        source: Source<'_>,
        grouping: Grouping,
    ) -> anyhow::Result<(Measured, Vec<u8>)> {
        let out = self.folder.join("report.csv");
        let (word, files) = match source {
            Source::Raw(file) => ("raw", vec![file]),
            Source::Lake(files) => ("lake", files.iter().map(PathBuf::as_path).collect()),
        };
        let paths: Vec<&Path> = std::iter::once(out.as_path()).chain(files).collect();
        let (measured, _) = self.run(&["report", word, grouping.sql], &paths)?;
        Ok((measured, fs::read(&out).context("read a report of DuckDB")?))
    }

    fn run(&self, words: &[&str], paths: &[&Path]) -> anyhow::Result<(Measured, u64)> {
        let mut command = Command::new(&self.python);
        command
            .arg(root().join("crates/bench/queries/duck.py"))
            .args(words)
            .args(paths);
        let printed = output(&mut command)?;
        let figures: Vec<&str> = printed.split_whitespace().collect();
        let [seconds, peak_bytes, rows] = figures[..] else {
            anyhow::bail!("DuckDB's script printed {printed:?}");
        };
        let measured = Measured {
            seconds: seconds.parse()?,
            peak_bytes: peak_bytes.parse()?,
        };
        Ok((measured, rows.parse()?))
    }
}
